"""What is in each image and what a detector says is there, as plain arrays on the host."""

import dataclasses
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from likeness.research.checks import UncheckedFlags, UncheckedLabels, UncheckedNumbers, as_numpy, check_choice
from likeness.research.geometry.detections import Detections

HostFormat: TypeAlias = Literal["xyxy", "xywh"]
"""``xyxy`` are two corners and ``xywh`` a corner with width and height, as COCO writes boxes. A width that is written down and
one that is the difference of two corners differ in the last bit, and numbers that are compared exactly depend on it."""


@dataclasses.dataclass(frozen=True, eq=False)
class GroundTruth:
    """The objects of one image.

    Example:
        >>> truth = GroundTruth(np.array([[10.0, 20.0, 30.0, 60.0]]), np.array([2]))
        >>> truth.areas.tolist(), truth.crowd.tolist()
        ([800.0], [False])

    Raises:
        ValueError: A box is not finite or its corners are reversed, or there are not as many of one as of the other.
    """

    boxes: UncheckedNumbers
    """``(n, 4)`` in pixels; kept as float64. A box without width or height is allowed, and overlaps nothing."""
    classes: UncheckedLabels
    """``(n,)`` integers, whatever numbers they are: with holes, and 0 among them."""
    crowd: UncheckedFlags | None = None
    """``(n,)``: a box around many objects (COCO's ``iscrowd``), which any number of detections may match, and none must."""
    difficult: UncheckedFlags | None = None
    """``(n,)``: an object that need not be found (VOC's ``difficult``, COCO's ``ignore``): who finds it is neither right nor
    wrong."""
    areas: UncheckedNumbers | None = None
    """``(n,)`` by which COCO tells small from large: of the object's outline where it is known, else of its box."""
    ids: UncheckedLabels | None = None
    """``(n,)`` COCO's annotation ids, which mean nothing but to a reading that repeats pycocotools' faults."""
    format: HostFormat = "xyxy"

    def __post_init__(self) -> None:
        owner = type(self).__name__
        check_choice(owner, "format", self.format, HostFormat)
        boxes = _boxes(owner, self.boxes, self.format)
        count = len(boxes)
        keep = {
            "boxes": boxes,
            "classes": _labels(owner, "classes", self.classes, count),
            "crowd": _flags(owner, "crowd", self.crowd, count),
            "difficult": _flags(owner, "difficult", self.difficult, count),
        }
        if self.areas is None:
            sides = boxes[:, 2:] - boxes[:, :2] if self.format == "xyxy" else boxes[:, 2:]
            keep["areas"] = sides[:, 0] * sides[:, 1]
        else:
            keep["areas"] = _numbers(owner, "areas", self.areas, count)
        if self.ids is not None:
            keep["ids"] = _labels(owner, "ids", self.ids, count)
        for name, value in keep.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.boxes)


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """What a detector says of one image.

    Raises:
        ValueError: A box or a score is not finite, corners are reversed, or there are not as many of one as of the other.
    """

    boxes: UncheckedNumbers
    """``(n, 4)`` in pixels of the image that the truths are in; kept as float64."""
    scores: UncheckedNumbers
    """``(n,)``: higher is surer. In any order; of equal scores the first given comes first."""
    classes: UncheckedLabels
    """``(n,)`` in the numbers of the truths."""
    format: HostFormat = "xyxy"

    def __post_init__(self) -> None:
        owner = type(self).__name__
        check_choice(owner, "format", self.format, HostFormat)
        boxes = _boxes(owner, self.boxes, self.format)
        object.__setattr__(self, "boxes", boxes)
        object.__setattr__(self, "scores", _numbers(owner, "scores", self.scores, len(boxes)))
        object.__setattr__(self, "classes", _labels(owner, "classes", self.classes, len(boxes)))

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def of(cls, detections: Detections) -> "Predictions":
        """Returns what a detector found in one image, as it is evaluated.

        Args:
            detections: In the image's own pixels, not in those of a letterbox around it.
        """
        return cls(detections.xyxy, detections.confidence, detections.class_id)

    @classmethod
    def none(cls) -> "Predictions":
        """Returns what a detector says of an image in which it sees nothing."""
        return cls(np.empty((0, 4)), np.empty(0), np.empty(0, np.int64))


@dataclasses.dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes of many images below one another, with both their corners and their sides."""

    image: Int[np.ndarray, "n"]
    classes: Int[np.ndarray, "n"]
    """The position of each box's class in the list of classes; -1 for one that is not in it."""
    corners: Float[np.ndarray, "n 4"]
    sides: Float[np.ndarray, "n 2"]

    def __len__(self) -> int:
        return len(self.image)

    @property
    def area(self) -> Float[np.ndarray, "n"]:
        """Width times height."""
        return self.sides[:, 0] * self.sides[:, 1]

    def take(self, rows: Int[np.ndarray, "m"] | Bool[np.ndarray, "n"]) -> "Boxes":
        """Returns some of the boxes."""
        return Boxes(self.image[rows], self.classes[rows], self.corners[rows], self.sides[rows])


def check_images(owner: str, truths: Sequence[GroundTruth], predictions: Sequence[Predictions]) -> None:
    """Raises ValueError unless there are as many images of predictions as of truths, and at least one.

    Args:
        owner: Who asks.
        truths: One for each image.
        predictions: One for each image.
    """
    if len(truths) != len(predictions) or not truths:
        raise ValueError(
            f"{owner}: there are {len(truths)} images with truths and {len(predictions)} with predictions. Give one "
            "GroundTruth and one Predictions for each image, in one order; an image in which nothing is, or in which nothing "
            "was found, has empty ones."
        )


def column(truths: Sequence[GroundTruth], name: Literal["crowd", "difficult", "areas"]) -> Shaped[np.ndarray, "m"]:
    """Returns one field of the truths of all images below one another."""
    return np.concatenate([np.asarray(getattr(each, name)) for each in truths])


def all_classes(truths: Sequence[GroundTruth], predictions: Sequence[Predictions]) -> Int[np.ndarray, "k"]:
    """Returns every class that occurs, in rising order."""
    return np.unique(np.concatenate([each.classes for each in (*truths, *predictions)]).astype(np.int64))


def stack(images: Sequence[GroundTruth] | Sequence[Predictions], class_ids: Int[np.ndarray, "k"]) -> Boxes:
    """Returns the boxes of all images below one another.

    Args:
        images: Truths or predictions, one for each image.
        class_ids: The classes that count, in rising order.
    """
    counts = np.array([len(each) for each in images])
    boxes = np.concatenate([each.boxes for each in images])
    labels = np.concatenate([each.classes for each in images])
    written = np.repeat([each.format == "xywh" for each in images], counts)[:, None]
    first, second = boxes[:, :2], boxes[:, 2:]
    corners = np.concatenate([first, np.where(written, second + first, second)], axis=1)
    place = np.searchsorted(class_ids, labels)
    place[place == len(class_ids)] = 0
    known = class_ids[place] == labels if len(class_ids) else np.zeros(len(labels), bool)
    return Boxes(
        np.repeat(np.arange(len(images)), counts),
        np.where(known, place, -1),
        corners,
        np.where(written, second, second - first),
    )


def _boxes(owner: str, given: UncheckedNumbers, format: HostFormat) -> Float[np.ndarray, "n 4"]:
    boxes = as_numpy(owner, "boxes", given, ("n", 4), help=f"Give one row of {format} for each.").astype(np.float64)
    sides = boxes[:, 2:] - boxes[:, :2] if format == "xyxy" else boxes[:, 2:]
    # NaN is not at least 0.
    wrong = ~(np.isfinite(boxes).all(axis=1) & (sides >= 0).all(axis=1))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{owner}: {int(wrong.sum())} of {len(boxes)} boxes are not finite or have reversed corners; the first is "
            f"{boxes[row].tolist()} in row {row}, read as {format}. Leave it out, order its corners, or name its format."
        )
    return boxes


def _numbers(owner: str, name: str, given: UncheckedNumbers, count: int) -> Float[np.ndarray, "n"]:
    numbers = as_numpy(owner, name, given, (count,), help="Give one for each box.").astype(np.float64)
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        raise ValueError(
            f"{owner}: {int(wrong.sum())} of {count} {name} are not finite, the first in row {int(np.flatnonzero(wrong)[0])}. "
            "Nothing can be ordered by them: look for a diverged run."
        )
    return numbers


def _labels(owner: str, name: str, given: UncheckedLabels, count: int) -> Int[np.ndarray, "n"]:
    return as_numpy(owner, name, given, (count,), "integers", "Give one for each box.").astype(np.int64)


def _flags(owner: str, name: str, given: UncheckedFlags | None, count: int) -> Bool[np.ndarray, "n"]:
    if given is None:
        return np.zeros(count, bool)
    return as_numpy(owner, name, given, (count,), "booleans", "Give one for each box.")
