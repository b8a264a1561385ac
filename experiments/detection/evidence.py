"""Which images are shown beside their truth: some in which all is well, and those in which least is."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from likeness.research.data.detection import DetectionExamples
from likeness.research.geometry.detections import Detections

__all__ = ["ShownImage", "shown"]


class ShownImage(NamedTuple):
    """An image with what is there and what was found."""

    image: Shaped[np.ndarray, "h w c"]
    boxes: Float[np.ndarray, "n 4"]
    classes: Int[np.ndarray, "n"]
    missed: Bool[np.ndarray, "n"]
    """Which of these were not found."""
    found: Detections
    right: Bool[np.ndarray, "m"]
    """Which of those that were found are there."""

    @property
    def mistakes(self) -> int:
        """Objects that were not found, and found ones that are not there."""
        return int(self.missed.sum() + (~self.right).sum())


def shown(examples: DetectionExamples, found: Sequence[Detections], count: int = 8) -> list[ShownImage]:
    """The first images of a table, and as many of those with most mistakes.

    Args:
        examples: the images.
        found: in each, above the score threshold.
        count: of either kind, at most.
    """
    compared = [_compared(examples, row, each) for row, each in enumerate(found)]
    mistakes = np.array([int(missed.sum() + (~right).sum()) for missed, right in compared])
    first = list(range(min(count, len(found))))
    worst = [row for row in np.argsort(-mistakes, kind="stable").tolist() if row not in first and mistakes[row]][:count]
    return [
        ShownImage(
            examples.read(row), examples.boxes_of(row), examples.classes_of(row), compared[row][0], found[row], compared[row][1]
        )
        for row in (*first, *worst)
    ]


def _compared(examples: DetectionExamples, row: int, found: Detections) -> tuple[np.ndarray, np.ndarray]:
    """The surest first takes the object of its class that it overlaps most, by an IoU of 0.5 or more."""
    boxes, classes = examples.boxes_of(row).astype(np.float64), examples.classes_of(row)
    missed, right = np.ones(len(boxes), bool), np.zeros(len(found), bool)
    ignored = examples.ignored[examples.objects(row)]
    for place in np.argsort(-found.confidence, kind="stable").tolist():
        box = found.xyxy[place].astype(np.float64)
        inner = np.maximum(np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2]), 0).prod(axis=1)
        union = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(box[2:] - box[:2]) - inner
        iou = np.where((classes == found.class_id[place]) & missed, inner / np.maximum(union, 1e-9), 0.0)
        if len(iou) and iou.max() >= 0.5:
            missed[iou.argmax()], right[place] = False, True
    return missed & ~ignored, right
