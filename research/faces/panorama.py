"""Panoramas: photographs so much longer than wide that a face in them would be a few pixels once all of it lies on a canvas."""

import numpy as np

from likeness.research.geometry.iou import pairwise
from likeness.research.geometry.placement import Size
from likeness.research.geometry.slices import Slices
from likeness.research.types import Bool, Float, Int

__all__ = ["cut_off", "distinct_faces", "panorama_slices"]

_LONG = 2.5
"""How many times longer than wide a photograph is from which on it is looked at in slices too."""
_PIXELS = 1024
"""Up to so many pixels of the longer side all of a photograph is looked at as it is."""
_SIDES = 4 / 3
"""Of a slice, as most photographs have them: a detector knows these."""
_OVERLAP = 1 / 3
"""Of neighboring slices. What is larger than that is large enough to be found in the whole photograph."""
_NEAR = 0.02
"""Of a slice's shorter side: a box that comes this close to its edge is taken for one that the edge cuts off."""
_SAME = 0.5
"""The share of the smaller of two boxes above which the other covers it, so that both are of one face."""


def panorama_slices(size: Size) -> Int[np.ndarray, "n 4"]:
    """The slices in which a photograph of this height and width is looked at beside the whole of it; none of no panorama.

    They are as wide as its shorter side, and follow one another along the longer one with an overlap.

    Returns:
        Left, top, right and bottom in whole pixels.

    Example:
        >>> panorama_slices((300, 1200))[:2].tolist(), len(panorama_slices((1200, 300)))
        ([[0, 0, 400, 300], [200, 0, 600, 300]], 5)
        >>> len(panorama_slices((3000, 4000)))
        0
    """
    short, long = min(size), max(size)
    if long <= _PIXELS or long < _LONG * short:
        return np.zeros((0, 4), np.int64)
    return Slices(side=round(_SIDES * short), overlap=_OVERLAP).windows(size)


def cut_off(boxes: Float[np.ndarray, "n 4"], window: Int[np.ndarray, "4"], size: Size) -> Bool[np.ndarray, "n"]:
    """Which boxes, found in a slice, its edge cuts off; the edges of the photograph cut nothing off that could be seen whole.

    Args:
        boxes: ``xyxy`` in pixels of the photograph.
        window: the slice.
        size: height and width of the photograph.
    """
    left, top, right, bottom = window.tolist()
    near = _NEAR * min(right - left, bottom - top)
    inner = (left > 0, top > 0, right < size[1], bottom < size[0])
    inward = np.array([1, 1, -1, -1]) * (boxes - window)
    return ((inward < near) & np.array(inner)).any(axis=1)


def distinct_faces(
    boxes: Float[np.ndarray, "n 4"], scores: Float[np.ndarray, "n"], preferred: Float[np.ndarray, "n"]
) -> Bool[np.ndarray, "n"]:
    """Which boxes are kept of those that were found in several views of one photograph: greedy suppression.

    The preferred box is kept, boxes of the same face are dropped, and so on. Two boxes are of one face where more than half of
    the smaller one is covered: a face that the edge of a slice cuts off gives a box within that of the whole face, and the IoU
    of these two may be small.

    Args:
        boxes: ``xyxy``.
        scores: how sure the detector is; it decides between boxes that are preferred alike.
        preferred: what is kept first is larger.
    """
    kept = np.zeros(len(boxes), bool)
    covered = np.asarray(pairwise(boxes, boxes, "ios")) > _SAME
    for row in np.lexsort((-scores, -preferred)):
        kept[row] = not (kept & covered[row]).any()
    return kept
