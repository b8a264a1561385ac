"""``likeness robustness PEOPLE``: how much worse may images get before a recognizer errs?"""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import tyro

from likeness.experiments.commands.flags import Model, TrustCode, cli, trust
from likeness.experiments.commands.recognizers import opened, recognizer_named


@dataclasses.dataclass(frozen=True)
class Options:
    """Measures a recognizer on images that are made worse: resolution, blur, compression, occlusion, noise, light."""

    people: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="PEOPLE")]
    """A folder that has a folder of images for each person."""
    model: Model = None
    """A published recognizer, which finds the faces in photographs itself, or the working directory of a trained one. Of
    photographs the crops are made worse, after a face was found."""
    kinds: tuple[str, ...] = ()
    """Which kinds; all unless given."""
    out: Annotated[str, tyro.conf.arg(aliases=["-o"], metavar="DIR")] = "robustness"
    """Where the figure and the numbers go."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the numbers as JSON and nothing else."""
    trust_code: TrustCode = False


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness robustness", arguments=arguments)
    from likeness.experiments.display import figures
    from likeness.experiments.display.phases import watched
    from likeness.experiments.display.progress import Phases
    from likeness.experiments.recognition.robustness import KINDS, robustness, robustness_figure
    from likeness.experiments.storage.workdir import write_json
    from likeness.research.errors import UserError

    if unknown := sorted(set(options.kinds) - set(KINDS)):
        raise UserError(f"--kinds has {unknown[0]!r}, which is none of {', '.join(KINDS)}.")
    model = recognizer_named(options.model)
    trust(model, options)
    recognizer = opened(model)
    with Phases() as phases, watched(phases.tell):
        images = recognizer.inputs.open_folder(options.people)
        kinds = {kind: KINDS[kind] for kind in options.kinds} if options.kinds else None
        measured = robustness(recognizer, images, kinds)
    root = Path(options.out)
    numbers = {"model": recognizer.name, "tau": recognizer.threshold.tau, "steps": [one.to_json() for one in measured]}
    write_json(root / "robustness.json", numbers)
    figure = figures.save(robustness_figure(measured, recognizer.name), root / "robustness.png")
    if options.json:
        print(json.dumps(numbers))
        return 0
    if left_out := images.left_out():
        print(left_out)
    width = max(len(one.title) for one in measured)
    print(f"{'':<{width}}  equal error rate, true accepts and false accepts at τ {recognizer.threshold.tau:.4g}")
    for one in measured:
        print(f"{one.title:<{width}}  {one.eer.text():<28} {one.tar.text():<30} {one.far.text()}")
    print(f"{len(images.people):,} people, {len(images):,} images")
    print(f"figure   {figure}")
    print(f"numbers  {root / 'robustness.json'}")
    return 0
