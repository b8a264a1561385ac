"""``likeness train CONFIG``: trains, or goes on where the working directory stopped."""

import dataclasses
import shlex
from pathlib import Path
from typing import Annotated

import tyro

from experiments.commands.choose import parse
from experiments.commands.summary import print_evaluation
from experiments.progress import Terminal
from experiments.trainer import Trained, train


@dataclasses.dataclass(frozen=True)
class Options:
    workdir: Annotated[str | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="(default: runs/<config name>)")] = None
    """Working directory. Launching again goes on where it stopped."""
    fresh: tyro.conf.FlagCreatePairsOff[bool] = False
    """Start over in a new directory beside the working directory. Nothing is deleted."""


def main(arguments: list[str]) -> int:
    name, options, run = parse("train", Options, arguments)
    workdir = Path(options.workdir) if options.workdir else default_workdir(name)
    with Terminal(run.steps, run.evaluate_every) as terminal:
        trained = train(run, workdir, fresh=options.fresh, reporter=terminal)
    print_evaluation(trained.workdir, trained.evaluation, trained.seconds)
    for line in next_commands(trained):
        print(line)
    return 0


def next_commands(trained: Trained) -> list[str]:
    """What can be typed next: nothing for a run that has no threshold τ to answer by."""
    if "threshold" not in trained.evaluation.artifacts:
        return []
    where = f"--workdir {shlex.quote(str(trained.workdir))}"
    actions = ("verify A.jpg B.jpg", "enroll add NAME PICTURE.jpg", "identify PICTURE.jpg")
    return [f"{'next:' if not i else '':<9}likeness {action} {where}" for i, action in enumerate(actions)]


def default_workdir(name: str) -> Path:
    """``runs/<config name>``; a file of one's own gives its stem."""
    return Path("runs") / (Path(name).stem if name.endswith(".py") else name)
