"""Where an image lies on a canvas: one affine map for its pixels, its boxes and its points, and the way back.

Coordinates are continuous: pixel i covers [i, i + 1], so an image of width w reaches from 0 to w, and the middle of its first
pixel is at 0.5.
"""

import dataclasses
import math
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.geometry.polygons import Polygon, intersect_convex, is_box, polygon_area, rectangle
from likeness.research.types import AnyArray, Bool, Float, Shaped

__all__ = ["Frame", "Placement", "Size"]

Size: TypeAlias = tuple[int, int]
"""Height and width in pixels."""
Frame: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Placement:
    """Lays an image of ``source`` pixels on a canvas of ``target`` pixels:

        (x, y) ↦ (a x + b y + right, c x + d y + down),   ``matrix`` = (a, b, c, d).

    The numbers are those that the pixels are really moved by: nothing is rounded after they are known, and nobody has to
    compute them again. :meth:`points` and :meth:`boxes` map NumPy's arrays in float64, and JAX's in their own precision, under
    ``jit`` too; what is seen of them on the canvas is computed on the host.

    Raises:
        ValueError: a side below 1, a number that is not finite, or a map without an inverse.

    Example:
        >>> placement = Placement.filling((100, 200), (64, 64), (0, 16, 64, 48))
        >>> placement.boxes(np.array([[0.0, 0.0, 200.0, 100.0]])).tolist()
        [[0.0, 16.0, 64.0, 48.0]]
        >>> placement.inverse().boxes(np.array([[0.0, 16.0, 64.0, 48.0]])).tolist()
        [[0.0, 0.0, 200.0, 100.0]]
    """

    source: Size
    """Height and width of the image."""
    target: Size
    """Height and width of the canvas."""
    matrix: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 1.0)
    """The linear part, row by row."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Where the image's upper left corner goes: right and down."""
    visible: tuple[tuple[float, float], ...] | None = None
    """Corners of the part of the image that may be shown, convex, such as a crop's before a turn; None: all of it."""

    def __post_init__(self) -> None:
        if min(*self.source, *self.target) < 1:
            raise ValueError(f"Placement: an image of {_said(self.source)} on a canvas of {_said(self.target)} has no pixels.")
        if not all(map(math.isfinite, (*self.matrix, *self.shift))) or self.determinant == 0:
            raise ValueError(f"Placement: matrix {self.matrix} and shift {self.shift} are no map that can be undone.")

    @classmethod
    def filling(cls, source: Size, target: Size, rectangle: tuple[int, int, int, int]) -> "Placement":
        """The image stretched to a rectangle of the canvas: left, top, right, bottom, whole pixels, which may stick out.

        The scale along each axis is what the rectangle and the image make it, whatever was asked for before it was rounded.
        """
        left, top, right, bottom = rectangle
        if right <= left or bottom <= top:
            raise ValueError(f"Placement: the rectangle {rectangle} has no pixels. Give left < right and top < bottom.")
        return cls(
            source=source,
            target=target,
            matrix=((right - left) / source[1], 0.0, 0.0, (bottom - top) / source[0]),
            shift=(float(left), float(top)),
        )

    @property
    def determinant(self) -> float:
        """By how much areas grow; negative where the image is mirrored."""
        a, b, c, d = self.matrix
        return a * d - b * c

    @property
    def mirrored(self) -> bool:
        """Whether left and right are exchanged. Of two flips the second undoes the first: they are a turn."""
        return self.determinant < 0

    @property
    def upright(self) -> bool:
        """Whether boxes stay boxes: no turn but by right angles."""
        a, b, c, d = self.matrix
        return (b == 0 and c == 0) or (a == 0 and d == 0)

    @property
    def outline(self) -> Polygon:
        """The part of the canvas that shows the image, a convex polygon; without corners where none does."""
        return self._shown(self._visible())

    @property
    def frame(self) -> Frame:
        """The box around what of the canvas shows the image: left, top, right, bottom."""
        shown = self.outline
        if not len(shown):
            return 0.0, 0.0, 0.0, 0.0
        (left, top), (right, bottom) = shown.min(axis=0).tolist(), shown.max(axis=0).tolist()
        return left, top, right, bottom

    @property
    def plain(self) -> bool:
        """Whether what is shown of the image is a box, on the canvas too."""
        return self.upright and (self.visible is None or is_box(self._visible()))

    def points(self, points: Shaped[AnyArray, "*n 2"], order: tuple[int, ...] | None = None) -> Float[AnyArray, "*n 2"]:
        """Where points (x, y) go.

        Args:
            points: any number; with ``order``, the last axis but one is that of the landmarks of one object.
            order: which landmark takes each place where the image is mirrored, such as ``(1, 0, 2, 4, 3)`` for left eye, right
                eye, nose, left and right corner of the mouth: in the mirror, the left eye is a right one.

        Raises:
            ValueError: ``order`` is no order of the landmarks.
        """
        xp, given = _numbers(points)
        if order is not None:
            if given.ndim < 2 or sorted(order) != list(range(given.shape[-2])):
                raise ValueError(
                    f"Placement: the order {order} is none of landmarks of shape {given.shape}: give each number from 0 to one "
                    "less than their count, once."
                )
            if self.mirrored:
                given = given[..., np.array(order), :]
        x, y = given[..., 0], given[..., 1]
        return xp.stack(self._map(x, y), axis=-1)

    def boxes(self, boxes: Shaped[AnyArray, "*n 4"]) -> Float[AnyArray, "*n 4"]:
        """Where boxes ``xyxy`` go; the smallest upright box around each, where the image is turned.

        Nothing is clipped, so that the :meth:`inverse` brings back what it was given, but for a turn by no right angle.
        """
        xp, given = _numbers(boxes)
        x1, y1, x2, y2 = (given[..., i] for i in range(4))
        a, b, c, d = self.matrix
        if self.upright:
            # No minimum and maximum: reversed corners stay reversed, which a check must see.
            first, second = self._map(x1, y1), self._map(x2, y2)
            x, y = (a < 0 or b < 0), (d < 0 or c < 0)
            left, right = (second[0], first[0]) if x else (first[0], second[0])
            top, bottom = (second[1], first[1]) if y else (first[1], second[1])
            return xp.stack([left, top, right, bottom], axis=-1)
        corners = [self._map(x, y) for x, y in ((x1, y1), (x2, y1), (x2, y2), (x1, y2))]
        across, along = (xp.stack([corner[axis] for corner in corners], axis=-1) for axis in (0, 1))
        return xp.stack([across.min(-1), along.min(-1), across.max(-1), along.max(-1)], axis=-1)

    def inverse(self) -> "Placement":
        """The way back, from the canvas to the image."""
        a, b, c, d = self.matrix
        e, f = self.shift
        if b == 0 and c == 0:
            matrix, shift = (1 / a, 0.0, 0.0, 1 / d), (-e / a, -f / d)
        elif a == 0 and d == 0:
            matrix, shift = (0.0, 1 / c, 1 / b, 0.0), (-f / c, -e / b)
        else:
            det = self.determinant
            matrix = (d / det, -b / det, -c / det, a / det)
            shift = ((b * f - d * e) / det, (c * e - a * f) / det)
        return Placement(source=self.target, target=self.source, matrix=matrix, shift=(shift[0] + 0.0, shift[1] + 0.0))

    def then(self, other: "Placement") -> "Placement":
        """First this one, then another, as one map: pixels are interpolated once, and boxes grow under a turn once.

        Raises:
            ValueError: the other one is of images of another size than this one's canvas.
        """
        if other.source != self.target:
            raise ValueError(
                f"Placement: a canvas of {_said(self.target)} cannot be laid down as an image of {_said(other.source)}."
            )
        a, b, c, d = other.matrix
        p, q, r, s = self.matrix
        e, f = self.shift
        both = Placement(
            source=self.source,
            target=other.target,
            matrix=(a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s),
            shift=(a * e + b * f + other.shift[0], c * e + d * f + other.shift[1]),
            visible=self.visible,
        )
        shown = self.outline
        if other.visible is not None:
            shown = intersect_convex(shown, other._visible())
        return both._showing(np.asarray(self.inverse().points(shown)))

    def within(self, left: float | int, top: float | int, right: float | int, bottom: float | int) -> "Placement":
        """The same, shown in a rectangle of the canvas only, such as a tile of a mosaic."""
        shown = intersect_convex(self.outline, rectangle(left, top, right, bottom))
        return self._showing(np.asarray(self.inverse().points(shown)))

    def show(self, boxes: Shaped[np.ndarray, "n 4"]) -> tuple[Float[np.ndarray, "n 4"], Float[np.ndarray, "n"]]:
        """What one sees of the image's boxes on the canvas, and the share of each one's area that is: its visible share.

        The canvas clips, once: boxes that were clipped between two maps would move (pytorch/vision#8254), and those that never
        were would be too large (pytorch/vision#7215). Under a turn by no right angle it is the smallest box around the part
        that is seen. A box without area, one with reversed corners and one with a number that is not finite have the share 0.

        Returns:
            Boxes ``xyxy`` on the canvas, float64, of what is not seen zeros, and shares from 0 to 1.
        """
        given = np.asarray(boxes, np.float64)
        sides = given[:, 2:] - given[:, :2]
        with np.errstate(invalid="ignore"):
            sound = np.isfinite(given).all(axis=1) & (sides > 0).all(axis=1)
        seen, share = np.zeros_like(given), np.zeros(len(given))
        if self.plain:
            left, top, right, bottom = self.frame
            mapped = self.boxes(given[sound])
            low, high = np.array([left, top] * 2), np.array([right, bottom] * 2)
            inside = np.clip(mapped, low, high)
            ratio = (inside[:, 2:] - inside[:, :2]) / (mapped[:, 2:] - mapped[:, :2])
            seen[sound], share[sound] = inside, ratio[:, 0] * ratio[:, 1]
        else:
            window, corners = self._seen(), given[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]
            whole = sound & _inside(corners, window).all(axis=1)
            seen[whole], share[whole] = self.boxes(given[whole]), 1.0
            for row in np.flatnonzero(sound & ~whole):
                part = intersect_convex(rectangle(*given[row].tolist()), window) if len(window) else window
                if len(part):
                    # By the rounding of the way there and back it may be outside of the canvas.
                    around = np.clip(np.asarray(self.points(part)), 0.0, self.target[::-1])
                    seen[row] = [*around.min(axis=0), *around.max(axis=0)]
                    share[row] = min(1.0, polygon_area(part) / float(sides[row].prod()))
        seen[share == 0] = 0.0
        return seen, share

    def shows(self, points: Shaped[np.ndarray, "*n 2"]) -> Bool[np.ndarray, "*n"]:
        """Which points of the image one sees on the canvas."""
        given = np.asarray(points, np.float64)
        return _inside(given, self._seen())

    def _visible(self) -> Polygon:
        height, width = self.source
        return rectangle(0, 0, width, height) if self.visible is None else np.array(self.visible, np.float64).reshape(-1, 2)

    def _seen(self) -> Polygon:
        """What of the image one sees on the canvas."""
        return np.asarray(self.inverse().points(self.outline))

    def _shown(self, part: Polygon) -> Polygon:
        """What of the canvas shows a part of the image."""
        return intersect_convex(np.asarray(self.points(part)), rectangle(0, 0, self.target[1], self.target[0]))

    def _showing(self, part: Polygon) -> "Placement":
        """The same with another part of the image shown: None where it is all but for rounding."""
        height, width = self.source
        whole = polygon_area(part) >= height * width * (1 - 1e-12)
        corners = None if whole else tuple((x, y) for x, y in part.tolist())
        return dataclasses.replace(self, visible=corners)

    def _map(self, x: Any, y: Any) -> tuple[Any, Any]:
        a, b, c, d = self.matrix
        e, f = self.shift
        # A factor of 0 would make NaN of infinity, and lose which coordinate was wrong.
        across = a * x + e if b == 0 else b * y + e if a == 0 else a * x + b * y + e
        along = d * y + f if c == 0 else c * x + f if d == 0 else c * x + d * y + f
        return across, along


def _numbers(given: Any) -> tuple[Any, Any]:
    """The module that computes with an array, and the array as it computes with it."""
    if isinstance(given, jax.Array):
        return jnp, given if jnp.issubdtype(given.dtype, jnp.floating) else given.astype(jnp.float32)
    return np, np.asarray(given, np.float64)


def _inside(points: np.ndarray, window: Polygon) -> np.ndarray:
    """Which points are in a convex polygon, its border included."""
    sides = [
        (end[0] - start[0]) * (points[..., 1] - start[1]) - (end[1] - start[1]) * (points[..., 0] - start[0])
        for start, end in zip(window, np.roll(window, -1, axis=0), strict=True)
    ]
    if not sides:
        return np.zeros(points.shape[:-1], bool)
    depth = np.stack(sides)
    return np.asarray((depth >= -1e-9).all(0) | (depth <= 1e-9).all(0))


def _said(size: Size) -> str:
    return f"{size[0]} × {size[1]} pixels"
