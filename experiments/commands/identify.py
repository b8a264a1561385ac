"""``likeness identify IMAGE …``: who of the gallery is this, if anyone?"""

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from likeness.experiments.commands.flags import Face, GalleryFile, Images, Model, Rate, TrustCode, cli, trust
from likeness.experiments.commands.recognizers import opened, recognizer_named

if TYPE_CHECKING:
    import numpy as np

    from likeness.experiments.recognition.recognizer import Recognizer
    from likeness.research.gallery import Gallery, IdentificationResult


@dataclasses.dataclass(frozen=True)
class Options:
    """Who of the gallery is this, if anyone? Answers a name or "unknown", with how often that is wrong."""

    image: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="IMAGE")]
    """An image; everybody in a photograph is answered for."""
    more: Images = ()
    """More images."""
    model: Model = None
    """The recognizer that enrolled the gallery: a published one, which finds the faces in photographs itself, or the working
    directory of a trained one."""
    gallery: GalleryFile = None
    """The gallery's file."""
    face: Face = None
    """Which faces of a photograph: all, which is the default, the largest, or one by its number, counted from the left."""
    store: Literal["float32", "bfloat16", "int8"] = "float32"
    """What is kept in memory of each number of an embedding: a half or a quarter for a gallery of millions. It changes no
    answer."""
    fpir: Annotated[Rate, tyro.conf.arg(help_behavior_hint="(default: by τ, whatever the gallery's size)")] = None
    """Name somebody by a threshold for galleries of this one's size, which gives a name to such a share of strangers, 0.1 or
    less: a model has thresholds for the rates that it was calibrated on enough people for."""
    show: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Draw the photographs, with names at the faces."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the answers as JSON and nothing else."""
    trust_code: TrustCode = False


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness identify", arguments=arguments)
    from likeness.experiments.commands.shown import write_shown
    from likeness.research.errors import UserError

    if options.show is not None and options.json:
        raise UserError("--show says where it drew, and --json prints nothing else than JSON: leave one of them out.")
    model = recognizer_named(options.model)
    trust(model, options)
    recognizer = opened(model)
    with recognizer.gallery(options.gallery or recognizer.default_gallery) as gallery:
        answers, drawn = _answers(recognizer, gallery, options)
    if options.json:
        print(json.dumps([_as_json(title, place, answer) for title, place, answer in answers]))
        return 0
    alike = {answer.rates for _, _, answer in answers}
    once = len(alike) == 1 < len(answers)
    for title, _, answer in answers:
        print(f"{title}: {answer.who if once else answer}")
    if once:
        print(f"For each of them: {alike.pop()}.")
    print(recognizer.calibration)
    if options.show is not None:
        write_shown(options.show, drawn)
    return 0


def _answers(
    recognizer: "Recognizer", gallery: "Gallery", options: Options
) -> "tuple[list[tuple[str, list[float] | None, IdentificationResult]], list[np.ndarray]]":
    """What each face is called, where it is, and who it is; and the photographs with names, if they are to be shown."""
    from likeness.experiments.commands.shown import OTHER, SAME, check_photographs, remark
    from likeness.research.data import printable

    images = (options.image, *options.more)
    face = check_photographs(recognizer, options.face, options.show)
    identifier = recognizer.identifier(gallery, store=options.store, fpir=options.fpir)
    if not recognizer.takes_photographs:
        answers = recognizer.identify(gallery, images, identifier=identifier)
        return [(printable(image), None, answer) for image, answer in zip(images, answers, strict=True)], []
    found, drawn = [], []
    for path, (seen, codes) in zip(images, recognizer.look(images, face or "all"), strict=True):
        remark([seen])
        answers = list(identifier(codes))
        if len(answers) == len(seen.found) == 1:
            names = gallery.enrolled_as(recognizer.note(path).sha256)
            answers = [dataclasses.replace(answers[0], enrolled_as=names)]
        boxes = seen.found.xyxy[list(seen.chosen)].tolist()
        found += [(seen.title(row), box, one) for row, box, one in zip(seen.chosen, boxes, answers, strict=True)]
        if options.show is not None:
            texts = [f"{one.name or 'unknown'} {one.distance:.2f}" for one in answers]
            drawn.append(seen.drawn(texts, [SAME if one.name else OTHER for one in answers]))
    return found, drawn


def _as_json(title: str, place: list[float] | None, answer: "IdentificationResult") -> dict[str, Any]:
    """One face's answer."""
    return {
        "image": title,
        "box": place,
        "name": answer.name,
        "distance": answer.distance,
        "nearest": dataclasses.asdict(answer.nearest),
        "runner_up": dataclasses.asdict(answer.runner_up) if answer.runner_up else None,
        "tied": list(answer.tied),
        "tau": answer.tau,
        "threshold": answer.threshold.to_json(),
        "sized": dataclasses.asdict(answer.sized) if answer.sized else None,
        "stranger": answer.stranger.to_json() if answer.stranger else None,
        "template": answer.template,
        "enrolled_as": list(answer.enrolled_as),
    }
