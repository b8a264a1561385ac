"""Convex polygons in the plane: what two have in common, and areas. A window under a turn is one, and so is what it shows."""

from typing import TypeAlias

import numpy as np
from jaxtyping import Float

__all__ = ["Polygon", "intersect_convex", "is_box", "polygon_area", "rectangle"]

Polygon: TypeAlias = Float[np.ndarray, "_ 2"]
"""Corners (x, y) in order, either way round; the last is joined to the first."""


def rectangle(left: float | int, top: float | int, right: float | int, bottom: float | int) -> Polygon:
    """The four corners, clockwise as one sees them (y down)."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)


def polygon_area(polygon: Polygon) -> float:
    """The area, at least 0, by the shoelace formula.

    >>> polygon_area(rectangle(0, 0, 2, 3))
    6.0
    """
    x, y = (polygon - polygon[:1]).T if len(polygon) else np.zeros((2, 0))
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def intersect_convex(first: Polygon, second: Polygon) -> Polygon:
    """What two convex polygons have in common; without corners where that is nothing.

    What of the first lies beyond an edge of the second is cut off, edge by edge (Sutherland and Hodgman, "Reentrant polygon
    clipping", 1974).

    >>> intersect_convex(rectangle(0, 0, 4, 4), rectangle(2, 1, 9, 9)).tolist()
    [[2.0, 1.0], [4.0, 1.0], [4.0, 4.0], [2.0, 4.0]]
    """
    if is_box(first) and is_box(second):
        # Without rounding, so that what was a box stays one.
        left, top = np.maximum(first.min(axis=0), second.min(axis=0)).tolist()
        right, bottom = np.minimum(first.max(axis=0), second.max(axis=0)).tolist()
        return rectangle(left, top, right, bottom) if left < right and top < bottom else first[:0]
    turn = 1.0 if _signed_area(second) >= 0 else -1.0
    cut = first
    for start, end in zip(second, np.roll(second, -1, axis=0), strict=True):
        if not len(cut):
            break
        edge = end - start
        # How far each corner is on the inner side, in areas.
        inside = turn * (edge[0] * (cut[:, 1] - start[1]) - edge[1] * (cut[:, 0] - start[0]))
        kept = []
        for i, (here, depth) in enumerate(zip(cut, inside, strict=True)):
            before, other = cut[i - 1], inside[i - 1]
            if (depth >= 0) != (other >= 0):
                kept.append(before + (here - before) * (other / (other - depth)))
            if depth >= 0:
                kept.append(here)
        cut = np.array(kept).reshape(-1, 2)
    return _apart(cut)


def _apart(polygon: Polygon) -> Polygon:
    """Without corners that only rounding parts from the one before: an edge between them could point anywhere."""
    if not len(polygon):
        return polygon
    near = 1e-9 * max(1.0, float(np.abs(polygon).max()))
    apart = polygon[np.abs(polygon - np.roll(polygon, 1, axis=0)).max(axis=1) > near]
    return apart if len(apart) > 2 else polygon[:0]


def is_box(polygon: Polygon) -> bool:
    """Whether it is a rectangle with upright sides."""
    return len(polygon) == 4 and all(len(set(polygon[:, axis].tolist())) == 2 for axis in (0, 1))


def _signed_area(polygon: Polygon) -> float:
    x, y = (polygon - polygon[:1]).T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
