"""COCO's files as truths and predictions."""

import collections
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Int

from likeness.research.errors import UserError
from likeness.research.metrics.detection.average_precision import CocoEvaluation, CocoEvaluator
from likeness.research.metrics.detection.truths import GroundTruth, Predictions

_Made = TypeVar("_Made", GroundTruth, Predictions)


@dataclasses.dataclass(frozen=True, eq=False)
class CocoSet:
    """What a file of annotations and a file of results say, image by image."""

    truths: tuple[GroundTruth, ...]
    predictions: tuple[Predictions, ...]
    image_ids: tuple[int, ...]
    """The id of each image, rising: COCO's own order, which decides between equal scores."""
    class_ids: Int[np.ndarray, "k"]
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """What was left out, and what pycocotools would read otherwise: a sentence each."""


def coco_set(annotations: Mapping[str, Any], detections: Sequence[Mapping[str, Any]]) -> CocoSet:
    """Returns the images of an annotation file and a result file, both as ``json.load`` gives them.

    Boxes are kept as they are written, ``xywh``, so that nothing is rounded.

    Args:
        annotations: ``{"images": [{"id"}], "categories": [{"id", "name"}], "annotations": [{"image_id", "category_id", "bbox",
            "area", "iscrowd", "ignore", "id"}]}``. A missing area is that of the box, and missing flags are 0. What belongs to
            an image or a category that is not listed is left out, and counted in the notes.
        detections: ``[{"image_id", "category_id", "bbox", "score"}]``.

    Raises:
        UserError: A key is missing, a listed id stands twice, a detection names an image that is not listed, or a box is none.
    """
    images, categories = _ids(annotations, "images"), _ids(annotations, "categories")
    rows, strangers = _by_image(_listed(annotations, "annotations"), images, "annotation")
    found, lost = _by_image(detections, images, "detection")
    if lost:
        raise UserError(
            f"{lost} of {len(detections)} detections are of images that the annotations do not list, such as image_id "
            f"{next(each['image_id'] for each in detections if each['image_id'] not in set(images))!r}. Give the annotations "
            "that belong to these results, or leave those detections out."
        )
    known = set(categories)
    truths = [[each for each in image if _get(each, "category_id", "annotation") in known] for image in rows]
    kept = [[each for each in image if _get(each, "category_id", "detection") in known] for image in found]
    left = (strangers, sum(map(len, rows)) - sum(map(len, truths)), sum(map(len, found)) - sum(map(len, kept)))
    said = (
        f"{left[0]} annotations of images that are not listed were left out",
        f"{left[1]} annotations of categories that are not listed were left out",
        f"{left[2]} detections of categories that are not listed were left out",
    )
    notes = [f"{sentence}." for sentence, count in zip(said, left, strict=True) if count]
    ids = collections.Counter(each["id"] for image in truths for each in image if "id" in each)
    if double := sum(count for count in ids.values() if count > 1):
        notes.append(f"pycocotools reads the last in place of each of {double} annotations that share an id.")
    names = {each["id"]: str(each.get("name", each["id"])) for each in annotations["categories"]}
    return CocoSet(
        tuple(_read(_truth, image, each) for image, each in zip(images, truths, strict=True)),
        tuple(_read(_predictions, image, each) for image, each in zip(images, kept, strict=True)),
        tuple(images),
        np.array(categories, np.int64),
        tuple(names[each] for each in categories),
        tuple(notes),
    )


def evaluate_coco(
    annotations: Mapping[str, Any], detections: Sequence[Mapping[str, Any]], evaluator: CocoEvaluator | None = None
) -> CocoEvaluation:
    """Returns what COCO's rules say of two files, as ``json.load`` gives them.

    Args:
        annotations: As :func:`coco_set` reads them.
        detections: And these.
        evaluator: The rules; by default the challenge's.

    Raises:
        UserError: As :func:`coco_set` does.
    """
    read = coco_set(annotations, detections)
    evaluation = (evaluator or CocoEvaluator())(read.truths, read.predictions, read.class_ids)
    return dataclasses.replace(evaluation, notes=(*read.notes, *evaluation.notes))


def _listed(annotations: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    if key not in annotations:
        raise UserError(f"The annotations have no list of {key!r}, which COCO's files have; they hold {sorted(annotations)}.")
    return annotations[key]


def _ids(annotations: Mapping[str, Any], key: str) -> list[int]:
    """Rising, whatever numbers they are."""
    ids = [_get(each, "id", key) for each in _listed(annotations, key)]
    odd = [each for each in ids if isinstance(each, bool) or not isinstance(each, int)]
    if odd or len(set(ids)) < len(ids) or not ids:
        what = f"{odd[0]!r} is no whole number" if odd else "one of them stands twice" if ids else "there are none"
        raise UserError(f"The ids of {key} are to be whole numbers, each once, and {what}.")
    return sorted(ids)


def _get(row: Mapping[str, Any], key: str, what: str) -> Any:
    try:
        return row[key]
    except KeyError:
        raise UserError(f"There is no {key!r} in {_shown(row)}, one of the {what}s.") from None


def _shown(row: Mapping[str, Any]) -> str:
    text = repr({key: value for key, value in row.items() if key != "segmentation"})
    return text if len(text) < 200 else f"{text[:200]}…"


def _by_image(rows: Sequence[Mapping[str, Any]], images: Sequence[int], what: str) -> tuple[list[list[Mapping[str, Any]]], int]:
    """The rows of each image, in their order, and how many belong to none of them."""
    by_image: dict[Any, list[Mapping[str, Any]]] = {image: [] for image in images}
    lost = 0
    for row in rows:
        try:
            by_image[row["image_id"]].append(row)
        except KeyError:
            _get(row, "image_id", what)
            lost += 1
    return list(by_image.values()), lost


def _boxes(rows: Sequence[Mapping[str, Any]], what: str) -> np.ndarray:
    try:
        boxes = np.array([row["bbox"] for row in rows], np.float64).reshape(-1, 4)
    except (KeyError, ValueError, TypeError):
        for row in rows:
            box = _get(row, "bbox", what)
            if not (isinstance(box, Sequence) and len(box) == 4 and all(isinstance(each, int | float) for each in box)):
                raise UserError(f"{box!r} is no box [x, y, width, height]: it is the bbox of {_shown(row)}.") from None
        raise
    return boxes


def _column(rows: Sequence[Mapping[str, Any]], key: str, what: str, kind: type) -> np.ndarray:
    try:
        return np.array([row[key] for row in rows], kind)
    except (KeyError, ValueError, TypeError):
        for row in rows:
            value = _get(row, key, what)
            if not isinstance(value, int | float):
                raise UserError(f"The {key!r} of {_shown(row)} is no number.") from None
        raise


def _read(build: Callable[[Sequence[Mapping[str, Any]]], _Made], image: int, rows: Sequence[Mapping[str, Any]]) -> _Made:
    try:
        return build(rows)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"Image {image}: {error}") from error


def _truth(rows: Sequence[Mapping[str, Any]]) -> GroundTruth:
    boxes = _boxes(rows, "annotation")
    areas = [row.get("area", box[2] * box[3]) for row, box in zip(rows, boxes.tolist(), strict=True)]
    # Without an id it is none that anybody could confuse with no match.
    ids = [row.get("id", -1) for row in rows]
    return GroundTruth(
        boxes,
        _column(rows, "category_id", "annotation", np.int64),
        crowd=np.array([bool(row.get("iscrowd", 0)) for row in rows], bool),
        difficult=np.array([bool(row.get("ignore", 0)) for row in rows], bool),
        areas=np.array(areas, np.float64),
        ids=np.array(ids, np.int64),
        format="xywh",
    )


def _predictions(rows: Sequence[Mapping[str, Any]]) -> Predictions:
    return Predictions(
        _boxes(rows, "detection"),
        _column(rows, "score", "detection", np.float64),
        _column(rows, "category_id", "detection", np.int64),
        format="xywh",
    )
