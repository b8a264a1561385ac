"""``likeness verify A B``: do two images show the same person?"""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro

from likeness.experiments.commands.flags import TrustCode, Workdir, cli, trust
from likeness.experiments.commands.recognizers import recognizer_dir


@dataclasses.dataclass(frozen=True)
class Options:
    """Do two images show the same person? Answers same or different, with how often that is wrong."""

    first: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="A")]
    """An image."""
    second: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="B")]
    """Another image."""
    workdir: Workdir = None
    """The working directory of a trained recognizer."""
    trust_code: TrustCode = False
    why: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Draw which parts of both images speak for the same person, and which against it."""
    why_method: Literal["occlusion", "gradient", "smooth_gradient", "integrated_gradients", "grad_cam"] = "occlusion"
    """How that is found out: by covering parts, by the distance's gradient, by that of noisy copies, by integrating it from a
    blurred face on, or by a layer's map weighted by it."""
    why_layer: Annotated[
        str | None, tyro.conf.arg(metavar="LAYER", help_behavior_hint="(default: the last before a pooling)")
    ] = None
    """The layer of grad_cam."""


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness verify", arguments=arguments)
    from likeness.experiments.recognition.recognizer import Recognizer
    from likeness.research.errors import UserError

    if options.why_layer is not None and options.why_method != "grad_cam":
        raise UserError(f"--why-layer {options.why_layer} is for --why-method grad_cam, and it is {options.why_method}.")
    if options.why is None and options.why_method != "occlusion":
        raise UserError(f"--why-method {options.why_method} draws a figure: give its file with --why FILE.")
    workdir = recognizer_dir(options.workdir)
    trust(workdir, options)
    if options.why is None:
        recognizer = Recognizer.load(workdir)
        print(recognizer.verify(options.first, options.second))
        print(recognizer.calibration)
        return 0
    from likeness.experiments.commands.places import check_figure
    from likeness.experiments.display import figures
    from likeness.experiments.display.phases import watched
    from likeness.experiments.display.progress import Phases
    from likeness.experiments.recognition.why import why

    check_figure("--why", Path(options.why))
    recognizer = Recognizer.load(workdir)
    with Phases() as phases, watched(phases.tell):
        found = why(recognizer, options.first, options.second, method=options.why_method, layer=options.why_layer)
    print(found.answer)
    print(recognizer.calibration)
    if found.note:
        print(f"{options.why_method} {found.note}")
    print(f"why      {figures.save(found.figure(), options.why)}")
    return 0
