"""``likeness robustness PEOPLE``: how much worse may images get before a recognizer errs, and does it know on which?"""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from likeness.experiments.commands.flags import Model, TrustCode, cli, trust
from likeness.experiments.commands.recognizers import opened, recognizer_named

if TYPE_CHECKING:
    from likeness.experiments.recognition.robustness import Robustness


@dataclasses.dataclass(frozen=True)
class Options:
    """Measures a recognizer on images that are made worse (resolution, blur, compression, occlusion, noise, light), and whether
    it errs less once the images of the shortest embeddings are rejected."""

    people: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="PEOPLE")]
    """A folder that has a folder of images for each person."""
    model: Model = None
    """A published recognizer, which finds the faces in photographs itself, or the working directory of a trained one. Of
    photographs the crops are made worse, after a face was found."""
    kinds: tuple[str, ...] = ()
    """Which kinds; all unless given."""
    out: Annotated[str, tyro.conf.arg(aliases=["-o"], metavar="DIR")] = "robustness"
    """Where the figures and the numbers go."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the numbers as JSON and nothing else."""
    trust_code: TrustCode = False


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness robustness", arguments=arguments)
    from likeness.experiments.display import figures
    from likeness.experiments.display.phases import watched
    from likeness.experiments.display.progress import Phases
    from likeness.experiments.recognition.robustness import KINDS, robustness
    from likeness.experiments.recognition.robustness_figures import rejection_figure, robustness_figure
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
    numbers = {"model": recognizer.name, "tau": recognizer.threshold.tau, **measured.to_json()}
    write_json(root / "robustness.json", numbers)
    drawn = [
        figures.save(draw(measured, recognizer.name), root / f"{name}.png")
        for name, draw in (("robustness", robustness_figure), ("rejection", rejection_figure))
    ]
    if options.json:
        print(json.dumps(numbers))
        return 0
    if left_out := images.left_out():
        print(left_out)
    _say(measured, recognizer.threshold.tau)
    print(f"\n{len(images.people):,} people, {len(images):,} images")
    print(f"figures  {drawn[0]}")
    print(f"         {drawn[1]}")
    print(f"numbers  {root / 'robustness.json'}")
    return 0


def _say(measured: "Robustness", tau: float) -> None:
    width = max(len(one.title) for one in measured.steps)
    print(f"{'':<{width}}  equal error rate, true accepts and false accepts at τ {tau:.4g}")
    for one in measured.steps:
        print(f"{one.title:<{width}}  {one.eer.text():<28} {one.tar.text():<30} {one.far.text()}")
    if measured.without_norm:
        print(f"\n{measured.without_norm}")
    for one in measured.qualities:
        if one.quality != "norm":
            continue
        print(f"\nimages {one.images}: of one person not recognized, and of two people taken for one, at τ")
        for share, fnmr, fmr in zip(one.curve.reject, one.curve.fnmr, one.curve.fmr, strict=True):
            what = "all images" if not share else f"without the {100 * share:g} % of the shortest embeddings"
            print(f"  {what:<44} {fnmr.text():<28} {fmr.text()}")
