"""``likeness verify A B``: do two images show the same person?"""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from likeness.experiments.commands.flags import Face, Model, TrustCode, cli, trust
from likeness.experiments.commands.recognizers import opened, recognizer_named

if TYPE_CHECKING:
    from likeness.experiments.recognition.recognizer import Recognizer


@dataclasses.dataclass(frozen=True)
class Options:
    """Do two images show the same person? Answers same or different, with how often that is wrong."""

    first: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="A")]
    """An image."""
    second: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="B")]
    """Another image."""
    model: Model = None
    """A published recognizer, which finds the faces in photographs itself, or the working directory of a trained one."""
    trust_code: TrustCode = False
    face: Face = None
    """Which face of each photograph: the largest, which is the default, or one by its number, counted from the left."""
    show: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Draw both photographs with the faces that were compared."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the answer as JSON and nothing else."""
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
    from likeness.research.errors import UserError

    if options.why_layer is not None and options.why_method != "grad_cam":
        raise UserError(f"--why-layer {options.why_layer} is for --why-method grad_cam, and it is {options.why_method}.")
    if options.why is None and options.why_method != "occlusion":
        raise UserError(f"--why-method {options.why_method} draws a figure: give its file with --why FILE.")
    if options.why is not None and (options.face is not None or options.json):
        flag = "--json" if options.json else "--face"
        raise UserError(f"--why draws the largest face of each photograph and explains it in words: leave {flag} out.")
    if options.face == "all":
        raise UserError("--face all is for identify: two faces are compared, the largest of each photograph or --face N.")
    if options.show is not None and options.json:
        raise UserError("--show says where it drew, and --json prints nothing else than JSON: leave one of them out.")
    model = recognizer_named(options.model)
    trust(model, options)
    if options.why is None:
        _answer(opened(model), options)
        return 0
    from likeness.experiments.commands.places import check_figure
    from likeness.experiments.display import figures
    from likeness.experiments.display.phases import watched
    from likeness.experiments.display.progress import Phases
    from likeness.experiments.recognition.why import why

    check_figure("--why", Path(options.why))
    recognizer = opened(model)
    with Phases() as phases, watched(phases.tell):
        found = why(recognizer, options.first, options.second, method=options.why_method, layer=options.why_layer)
    print(found.answer)
    print(recognizer.calibration)
    if found.note:
        print(f"{options.why_method} {found.note}")
    print(f"why      {figures.save(found.figure(), options.why)}")
    return 0


def _answer(recognizer: "Recognizer", options: Options) -> None:
    from likeness.experiments.commands.shown import OTHER, SAME, check_photographs, remark, write_shown

    face, drawn = check_photographs(recognizer, options.face, options.show), []
    if recognizer.takes_photographs:
        (first, one), (second, other) = recognizer.look([options.first, options.second], face or "largest")
        remark((first, second))
        answer = recognizer.compare(one[0], other[0])
        if options.show is not None:
            relation, color = ("same", SAME) if answer.same else ("different", OTHER)
            texts = (relation, f"{answer.distance:.3f} {'≤' if answer.same else '>'} {answer.threshold.tau:.3f}")
            drawn = [seen.drawn([text], [color]) for seen, text in zip((first, second), texts, strict=True)]
    else:
        answer = recognizer.verify(options.first, options.second)
    if options.json:
        print(json.dumps({"same": answer.same, "distance": answer.distance, "threshold": answer.threshold.to_json()}))
        return
    print(answer)
    print(recognizer.calibration)
    if options.show is not None:
        write_shown(options.show, drawn)
