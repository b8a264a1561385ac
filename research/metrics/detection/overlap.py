"""Overlaps of boxes in float64 on the host, computed operation by operation as COCO's own code does."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int

from likeness.research.metrics.detection.truths import Boxes

_PAIRS = 1_000_000
"""Pairs whose overlaps are held at once."""


def overlaps(found: Boxes, there: Boxes, crowd: Bool[np.ndarray, "p"], extra: float | int = 0) -> Float[np.ndarray, "p"]:
    """Returns the IoU of row i of one with row i of the other; of a crowd, the share of the detection inside it.

        IoU = I / (A + B − I)        in a crowd: I / A

    Boxes that do not overlap, and those without width or height, have 0. Nothing is divided by zero: where the
    intersection is positive so are both areas.

    Args:
        found: Detections.
        there: Truths, as many.
        crowd: Which truths are crowds.
        extra: Added to every width and height: 1 where coordinates number the first and the last pixel of an object.
    """
    low = np.maximum(found.corners[:, :2], there.corners[:, :2])
    high = np.minimum(found.corners[:, 2:], there.corners[:, 2:])
    sides, own, other = high - low, found.sides, there.sides
    if extra:
        sides, own, other = sides + extra, own + extra, other + extra
    width, height = sides[:, 0], sides[:, 1]
    inside = width * height
    area = own[:, 0] * own[:, 1]
    whole = np.where(crowd, area, area + other[:, 0] * other[:, 1] - inside)
    meet = (width > 0) & (height > 0)
    return np.divide(inside, whole, out=np.zeros(len(inside)), where=meet)


def pairs_in_groups(
    first_groups: Int[np.ndarray, "n"], second_groups: Int[np.ndarray, "m"]
) -> Iterator[tuple[Int[np.ndarray, "p"], Int[np.ndarray, "p"]]]:
    """Yields the rows of every pair of one group, so many at a time as fit into caches.

    Args:
        first_groups: The group of each row, rising.
        second_groups: The group of each row of the others, rising.
    """
    starts = np.searchsorted(second_groups, first_groups, side="left")
    counts = np.searchsorted(second_groups, first_groups, side="right") - starts
    rows = np.flatnonzero(counts)
    ends = np.cumsum(counts[rows])
    begin = 0
    while begin < len(rows):
        done = ends[begin - 1] if begin else 0
        stop = max(begin + 1, int(np.searchsorted(ends, done + _PAIRS, side="right")))
        some = rows[begin:stop]
        first = np.repeat(some, counts[some])
        place = np.arange(len(first)) - np.repeat(ends[begin:stop] - counts[some] - done, counts[some])
        yield first, starts[first] + place
        begin = stop
