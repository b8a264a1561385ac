"""``likeness stylize CONTENT STYLE -o OUT``: paints one picture in the look of another."""

import contextlib
import dataclasses
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from experiments.commands.flags import cli


@dataclasses.dataclass(frozen=True)
class Options:
    """Paints CONTENT in the look of STYLE. With neither, a built-in photograph in the look of a procedural painting."""

    content: Annotated[tyro.conf.Positional[str | None], tyro.conf.arg(metavar="CONTENT")] = None
    """What is to be seen: a picture. Without it, the preset's own."""
    style: Annotated[tyro.conf.Positional[str | None], tyro.conf.arg(metavar="STYLE")] = None
    """What it is to look like: a picture. Without it, the preset's own."""
    out: Annotated[str, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = "stylized.png"
    """Where the picture goes."""
    preset: Annotated[str, tyro.conf.arg(metavar="CONFIG")] = "stylization/quickstart"
    """The config that says how: a shipped one, or a file."""
    size: int | None = None
    """Longer side in pixels; without it, the preset's."""
    strength: float = 1.0
    """How strong the style is: a factor of the preset's beta."""
    steps: int | None = None
    """How many steps; without it, the preset's."""
    seed: int = 0
    """Decides the start where it is random."""
    workdir: Annotated[str | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="(default: in runs/stylize)")] = None
    """Where checkpoints and figures are. The same command goes on where it stopped."""


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness stylize", arguments=arguments)
    from experiments.commands.summary import print_evaluation
    from experiments.config import load, to_json
    from experiments.evaluation import restore
    from experiments.interruption import Interrupted
    from experiments.progress import Terminal
    from experiments.stylization import Stylization
    from experiments.trainer import train
    from research.errors import UserError
    from research.pictures import write_picture
    from research.pictures.sources import PictureFile

    run = load(options.preset)
    experiment = run.experiment
    if not isinstance(experiment, Stylization):
        raise UserError(
            f"The config {options.preset} is a {type(experiment).__name__} and paints nothing: give one of stylization/."
        )
    if not 0 <= options.strength < float("inf"):
        raise UserError(f"--strength is {options.strength}: give a finite number, 0 or more; 1 is the preset's.")
    out = Path(options.out)
    _check_writable(out)
    try:
        experiment = dataclasses.replace(
            experiment,
            content=PictureFile(path=options.content) if options.content else experiment.content,
            styles=(
                (dataclasses.replace(experiment.styles[0], picture=PictureFile(path=options.style)),)
                if options.style
                else experiment.styles
            ),
            size=options.size or experiment.size,
            beta=options.strength * experiment.beta,
        )
        run = dataclasses.replace(run, experiment=experiment, steps=options.steps or run.steps, seed=options.seed)
    except ValueError as error:
        raise UserError(f"{error}.") from error
    digest = hashlib.sha256(json.dumps(to_json(run), sort_keys=True).encode()).hexdigest()[:8]
    name = f"{experiment.content.title}_{experiment.styles[0].picture.title}_{digest}"
    workdir = Path(options.workdir) if options.workdir else Path("runs") / "stylize" / name
    try:
        with Terminal(run.steps, run.evaluate_every) as terminal:
            painted = train(run, workdir, reporter=terminal)
    except Interrupted:
        _, variables = restore(workdir, run)
        write_picture(out, experiment.picture(variables.params))
        print(f"picture  {out}, as far as it got")
        raise
    write_picture(out, experiment.picture(painted.variables.params))
    print_evaluation(painted.workdir, painted.evaluation, painted.seconds)
    print(f"picture  {out}")
    return 0


def _check_writable(out: Path) -> None:
    """Finds out before the painting, and not after it, that the picture cannot be written."""
    from research.errors import UserError
    from research.pictures import write_picture

    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
        write_picture(out.name or "picture", np.zeros((1, 1, 3), np.float32))
    folder = next(parent for parent in out.absolute().parents if parent.exists())
    if out.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UserError(f"The picture cannot be written to {out}: give --out a file in a folder that you may write to.")
