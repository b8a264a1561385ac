"""A large image cut into slices that overlap, and the boxes found in them put together as if it had been looked at whole."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from likeness.research.checks import check_count
from likeness.research.geometry.detections import Detections
from likeness.research.geometry.placement import Size
from likeness.research.types import Float, Int

__all__ = ["Slices", "merge_slices"]

_NEAR = 0.02
"""Of a slice's side: a box that comes this close to its edge is taken for one that the edge cuts off."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Slices:
    """Squares of one size that cover an image and overlap; one that is smaller than the square is one slice, or one row.

    They are spread evenly, so that each overlaps its neighbors by at least the share asked for. An object that is smaller than
    the overlap is whole in one of them.

    Example:
        >>> Slices(side=4, overlap=0.25).windows((4, 10)).tolist()
        [[0, 0, 4, 4], [3, 0, 7, 4], [6, 0, 10, 4]]
    """

    side: int = 640
    """Of a slice, in pixels."""
    overlap: float = 0.25
    """Of neighbors, at least, as a share of the side."""

    def __post_init__(self) -> None:
        check_count("Slices", "side", self.side)
        if not 0 <= self.overlap < 1:
            raise ValueError(
                f"Slices.overlap is {self.overlap}: give a share of the side, 0 or more and less than 1, such as 0.25."
            )

    def windows(self, size: Size) -> Int[np.ndarray, "n 4"]:
        """The slices of an image of this height and width, as left, top, right and bottom in whole pixels, row by row."""
        rows, columns = (self._along(length) for length in size)
        return np.array([(left, top, right, bottom) for top, bottom in rows for left, right in columns])

    def _along(self, length: int) -> list[tuple[int, int]]:
        side = min(self.side, length)
        step = max(1, side - math.ceil(self.overlap * side))
        count = 1 + math.ceil((length - side) / step)
        starts = [round(number * (length - side) / max(1, count - 1)) for number in range(count)]
        return [(start, start + side) for start in starts]


def merge_slices(
    found: Sequence[Detections], windows: Int[np.ndarray, "n 4"], size: Size, *, agreement: float = 0.5
) -> Detections:
    """The objects of an image, from what was found in its slices.

    Two boxes of one class from two slices are one object if they agree about what both slices see: the IoU of the two, cut off
    at the edges of the slices' common part, is at least ``agreement``. Where one of them is whole, that is, away from the edges
    of its slice, so must the other be like what its slice shows of the whole one. An object that is whole somewhere gets the
    surest of its whole boxes, and one that no slice shows whole the smallest box around its parts; either way the score of the
    surest. So a detector that is right about each slice is right about the image, to the bit.

    What overlaps within one slice was left to suppression there. A window of the whole image may be among the slices.

    Args:
        found: of each slice, in pixels of the image.
        windows: where the slices are, as :meth:`Slices.windows` gives them.
        size: height and width of the image.
        agreement: from 0 to 1.

    Returns:
        In falling order of score.

    Raises:
        ValueError: there are no slices, or not as many as windows.
    """
    if not found or len(found) != len(windows):
        raise ValueError(
            f"merge_slices: there are {len(found)} slices and {len(windows)} windows: give one for each, and some."
        )
    edges = np.asarray(windows, np.float64)
    where = np.repeat(np.arange(len(found)), [len(each) for each in found])
    boxes = np.concatenate([each.xyxy for each in found]).astype(np.float64)
    scores = np.concatenate([each.confidence for each in found])
    classes = np.concatenate([each.class_id for each in found])
    whole = _whole(boxes, edges[where], size)
    order = np.argsort(-scores, kind="stable")
    group = np.arange(len(boxes))

    def root(index: int) -> int:
        while group[index] != index:
            index = group[index]
        return int(index)

    for index in range(len(boxes)):
        others = np.flatnonzero((where > where[index]) & (classes == classes[index]))
        for other in others[_same(boxes, whole, edges[where], index, others) >= agreement]:
            group[root(int(other))] = root(index)
    members: dict[int, list[int]] = {}
    for index in order.tolist():
        members.setdefault(root(index), []).append(index)
    merged = boxes.copy()
    chosen = []
    for indices in members.values():
        best = next((index for index in indices if whole[index]), indices[0])
        if not whole[best]:
            merged[best] = np.concatenate([boxes[indices, :2].min(0), boxes[indices, 2:].max(0)])
        chosen.append((best, scores[indices[0]]))
    kept, sure = [index for index, _ in chosen], np.array([score for _, score in chosen], scores.dtype)
    marks = [each.landmarks for each in found if each.landmarks is not None]
    points = np.concatenate(marks) if len(marks) == len(found) else None
    return Detections(
        xyxy=merged[kept].astype(found[0].xyxy.dtype),
        confidence=sure,
        class_id=classes[kept],
        class_names=found[0].class_names,
        landmarks=None if points is None else points[kept],
    )


def _whole(boxes: Float[np.ndarray, "m 4"], edges: Float[np.ndarray, "m 4"], size: Size) -> np.ndarray:
    """Which boxes no edge cuts off but those of the image."""
    near = _NEAR * np.tile(edges[:, 2:] - edges[:, :2], 2)
    outer = np.array([0, 0, size[1], size[0]], np.float64)
    inward = np.array([1, 1, -1, -1])
    return np.all((inward * (boxes - edges) > near) | (edges == outer), axis=1)


def _same(
    boxes: Float[np.ndarray, "m 4"], whole: np.ndarray, edges: Float[np.ndarray, "m 4"], index: int, others: np.ndarray
) -> Float[np.ndarray, "k"]:
    """How well a box agrees with others of other slices about what both slices see."""
    mine, theirs = np.broadcast_to(boxes[index], (len(others), 4)), boxes[others]
    mine_there, theirs_here = _cut(mine, edges[others]), _cut(theirs, edges[index])
    agreed = _iou(mine_there, theirs_here)
    # Of what is whole the other slice shows all that reaches into it, and nothing else.
    if whole[index]:
        agreed = np.minimum(agreed, _iou(mine_there, theirs))
    return np.where(whole[others], np.minimum(agreed, _iou(theirs_here, mine)), agreed)


def _cut(boxes: np.ndarray, edges: np.ndarray) -> np.ndarray:
    low = np.maximum(boxes[..., :2], edges[..., :2])
    return np.concatenate([low, np.maximum(np.minimum(boxes[..., 2:], edges[..., 2:]), low)], axis=-1)


def _iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    common = _area(_cut(first, second))
    union = _area(first) + _area(second) - common
    return np.where(common > 0, common / np.where(union > 0, union, 1.0), 0.0)


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.prod(np.maximum(boxes[..., 2:] - boxes[..., :2], 0.0), axis=-1)
