"""Images with what was found in them and what is there, switched by class and by a score threshold."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from likeness.experiments.display.boxes import rows_up
from likeness.experiments.report.embedded import EmbeddedImages, Source
from likeness.experiments.report.runs import ReportedRun, finite
from likeness.experiments.report.template import Html, part
from likeness.experiments.storage.workdir import Workdir, read_json
from likeness.research.errors import UserError

__all__ = ["boxes", "shown_images", "shown_of"]

_TITLES = {"first": "The first images of the test", "worst": "The images with most mistakes, the worst first"}
_COLORS = 6
_SCORE = 4
"""Letters after a name."""
_LETTERS = 22
"""Heights of a label across an image."""
_MOST = 40
"""Images and classes that a page has room for."""


class SeenImage(NamedTuple):
    """An image of the page with its boxes."""

    name: str
    width: float
    height: float
    there: list[dict[str, Any]]
    found: list[dict[str, Any]]


class SeenImages(NamedTuple):
    """What a run has kept for others to look at."""

    threshold: float
    classes: list[str]
    images: Mapping[str, list[SeenImage]]
    """By kind: the first ones, and the worst."""


def shown_of(run: ReportedRun, problems: list[str]) -> SeenImages | None:
    """What a run has kept of its detections; None where it has none, or none that can be read, which is said."""
    path = Workdir(run.root).artifact("shown")
    if not path.exists():
        return None
    try:
        return _read(read_json(path))
    except UserError as error:
        problems.append(str(error))
    except (KeyError, TypeError, ValueError) as error:
        problems.append(
            f"{path} does not say which boxes there are ({type(error).__name__}: {error}): images with boxes are not shown; "
            "`likeness evaluate` writes it anew."
        )
    return None


def shown_images(run: ReportedRun, number: int, seen: SeenImages | None) -> dict[str, Source]:
    """The files of these images, by key, those that are there."""
    found: dict[str, Source] = {}
    for kind, images in seen.images.items() if seen else ():
        for place in range(len(images)):
            path = Workdir(run.root).figures / "detections" / f"{kind}_{place:02d}.png"
            if path.is_file():
                found[_key(number, kind, place)] = path
    return found


def boxes(number: int, seen: SeenImages | None, embedded: EmbeddedImages) -> Html | None:
    """The images with switches; None where no image can be shown."""
    if seen is None:
        return None
    groups = []
    for kind, images in seen.images.items():
        shown = [
            {"image": embedded.images[key], "seen": image, "unit": round(image.width / _LETTERS, 3)}
            for place, image in enumerate(images)
            if (key := _key(number, kind, place)) in embedded.images
        ]
        if shown:
            groups.append((_TITLES[kind], shown))
    if not groups:
        return None
    there = {each["class"] for images in seen.images.values() for image in images for each in (*image.there, *image.found)}
    return part("boxes", f"run-{number}-boxes", groups, seen.classes, sorted(there)[:_MOST], seen.threshold, _COLORS)


def _key(number: int, kind: str, place: int) -> str:
    return f"{number}:boxes:{kind}:{place}"


def _read(told: Any) -> SeenImages:
    classes = [str(name) for name in told["class_names"]]
    images = {kind: [_image(each, classes) for each in told[kind][:_MOST]] for kind in _TITLES}
    return SeenImages(_number(told["score_threshold"]), classes, images)


def _image(told: Any, names: Sequence[str]) -> SeenImage:
    classes = len(names)
    there = [
        {
            **_box(each, classes),
            "ignored": bool(each["ignored"]),
            "at": -1.0 if each["found_at"] is None else _number(each["found_at"]),
        }
        for each in told["there"]
    ]
    found = [{**_box(each, classes), "score": _number(each["score"]), "kind": str(each["kind"])} for each in told["found"]]
    width, height = _number(told["width"]), _number(told["height"])
    if not min(width, height) > 0:
        raise ValueError(f"an image of {width} × {height} pixels")
    unit = width / _LETTERS
    # The surest get the best places; what is missed is written below its box.
    _feet(sorted(found, key=lambda each: -each["score"]), names, lambda each: max(each["y"] - 0.3 * unit, unit), unit)
    _feet(there, names, lambda each: min(each["y"] + each["height"] + unit, height - 0.3 * unit), unit)
    # The surest are drawn last, on top.
    return SeenImage(str(told["name"]), width, height, there, sorted(found, key=lambda each: each["score"]))


def _feet(boxes: Sequence[dict[str, Any]], names: Sequence[str], place: Callable[[Any], float], unit: float) -> None:
    """Says of each box where its label stands, none over another that comes before it."""
    places = [(each["x"], place(each)) for each in boxes]
    lengths = [0.62 * unit * (len(names[each["class"]]) + _SCORE) for each in boxes]
    for each, (_, foot), row in zip(boxes, places, rows_up(places, lengths, unit), strict=True):
        each["foot"] = round(foot - row * unit, 3)


def _box(told: Any, classes: int) -> dict[str, Any]:
    left, top, right, bottom = map(_number, told["box"])
    known = told["class"]
    if not isinstance(known, int) or not 0 <= known < classes:
        raise ValueError(f"{known!r} is none of {classes} classes")
    return {"x": left, "y": top, "width": max(0.0, right - left), "height": max(0.0, bottom - top), "class": known}


def _number(value: Any) -> float:
    if not finite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)
