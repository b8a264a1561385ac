"""Letterboxes, flips, turns and crops that move an image together with its boxes and points, and know the way back.

Each is a frozen dataclass that says which :class:`~likeness.research.geometry.Placement` it makes of images of a size. Several
are one placement too (:class:`Composition`), so that pixels are interpolated once, boxes under a turn grow once, and nothing is
clipped between two steps.
"""

import dataclasses
import math
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8

from likeness.research.checks import check_choice, check_count
from likeness.research.geometry.placement import Placement, Size
from likeness.research.geometry.resampling import place_image

__all__ = ["Composition", "CropTo", "Flip", "GeometricTransform", "Letterbox", "Moved", "Resize", "Rotation", "Upright", "move"]


@runtime_checkable
class GeometricTransform(Protocol):
    """Says where the pixels of an image go, whatever the image shows."""

    def placement(self, size: Size) -> Placement:
        """Of an image of this height and width."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Letterbox:
    """Scales an image to fit into a canvas and centers it there, by whole pixels; the rest is filled.

    The image covers w' × h' pixels, its size times the smaller of the two ratios, rounded to whole pixels and at least 1. Each
    axis is scaled by exactly what that makes of it, w'/w and h'/h, which the placement keeps: to compute one common scale again
    from the sizes and to round again is how others misplace boxes by up to three pixels.

    Example:
        >>> Letterbox(size=(640, 640)).placement((1571, 3775)).boxes(np.array([[0.0, 0.0, 3775.0, 1571.0]])).tolist()
        [[0.0, 187.0, 640.0, 453.0]]
    """

    size: Size
    """Height and width of the canvas."""
    enlarge: bool = True
    """Whether an image that is smaller than the canvas grows."""
    position: Literal["center", "upper_left"] = "center"
    """Where the image lies. Centered, the odd pixel of padding is on the right and below."""
    within: Size | None = None
    """Height and width that the image is scaled to fit into, where that is less than the canvas, as YOLO-NAS scales to 636 and
    pads to 640; None: all of it."""

    def __post_init__(self) -> None:
        _check_size("Letterbox", self.size)
        if self.within is not None:
            _check_size("Letterbox", self.within)
            if self.within[0] > self.size[0] or self.within[1] > self.size[1]:
                raise ValueError(f"Letterbox(within={self.within}): that is more than the canvas, {self.size}.")
        check_choice("Letterbox", "position", self.position, Literal["center", "upper_left"])

    def placement(self, size: Size) -> Placement:
        """Of an image of this height and width."""
        _check_size("Letterbox", size)
        limits = self.size if self.within is None else self.within
        scale = min(limits[0] / size[0], limits[1] / size[1])
        if not self.enlarge:
            scale = min(scale, 1.0)
        height, width = (max(1, min(round(side * scale), most)) for side, most in zip(size, limits, strict=True))
        centered = self.position == "center"
        top, left = ((self.size[0] - height) // 2, (self.size[1] - width) // 2) if centered else (0, 0)
        return Placement.filling(size, self.size, (left, top, left + width, top + height))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resize:
    """Stretches an image to a size, whatever its proportions.

    Example:
        >>> Resize(size=(100, 100)).placement((50, 200)).matrix
        (0.5, 0.0, 0.0, 2.0)
    """

    size: Size
    """Height and width of the canvas."""

    def __post_init__(self) -> None:
        _check_size("Resize", self.size)

    def placement(self, size: Size) -> Placement:
        """Of an image of this height and width."""
        _check_size("Resize", size)
        return Placement.filling(size, self.size, (0, 0, self.size[1], self.size[0]))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flip:
    """Exchanges left and right, or above and below.

    Example:
        >>> Flip().placement((10, 20)).boxes(np.array([[1.0, 2.0, 5.0, 6.0]])).tolist()
        [[15.0, 2.0, 19.0, 6.0]]
    """

    direction: Literal["left_right", "up_down"] = "left_right"
    """What is exchanged."""

    def __post_init__(self) -> None:
        check_choice("Flip", "direction", self.direction, Literal["left_right", "up_down"])

    def placement(self, size: Size) -> Placement:
        """Of an image of this height and width."""
        across = self.direction == "left_right"
        matrix = (-1.0, 0.0, 0.0, 1.0) if across else (1.0, 0.0, 0.0, -1.0)
        shift = (float(size[1]), 0.0) if across else (0.0, float(size[0]))
        return Placement(source=size, target=size, matrix=matrix, shift=shift)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rotation:
    """Turns an image about its middle, clockwise as one sees it. A turn by a multiple of 90 degrees moves whole pixels.

    Example:
        >>> Rotation(degrees=90.0, canvas="around").placement((2, 3)).boxes(np.array([[0.0, 0.0, 1.0, 2.0]])).tolist()
        [[0.0, 0.0, 2.0, 1.0]]
    """

    degrees: float
    """The angle."""
    canvas: Literal["same", "around"] = "same"
    """``same`` keeps the size, and cuts off corners; ``around`` is the smallest that holds all of the image."""

    def __post_init__(self) -> None:
        check_choice("Rotation", "canvas", self.canvas, Literal["same", "around"])
        if not math.isfinite(self.degrees):
            raise ValueError(f"Rotation(degrees={self.degrees}): give a finite angle.")

    def placement(self, size: Size) -> Placement:
        """Of an image of this height and width."""
        _check_size("Rotation", size)
        height, width = size
        cos, sin = _cos_sin(self.degrees)
        target = size
        if self.canvas == "around":
            high = height * abs(cos) + width * abs(sin)
            wide = width * abs(cos) + height * abs(sin)
            # The sum of two products may pass a whole number by its rounding, and would get a pixel too many.
            target = (math.ceil(high - 1e-9 * high), math.ceil(wide - 1e-9 * wide))
        x, y = width / 2, height / 2
        shift = (target[1] / 2 - (cos * x - sin * y), target[0] / 2 - (sin * x + cos * y))
        return Placement(source=size, target=target, matrix=(cos, -sin, sin, cos), shift=shift)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CropTo:
    """Cuts a window out of an image, or out of what lies around it, which is filled.

    Example:
        >>> CropTo(left=4, top=2, size=(10, 10)).placement((20, 20)).boxes(np.array([[4.0, 2.0, 9.0, 9.0]])).tolist()
        [[0.0, 0.0, 5.0, 7.0]]
    """

    left: int
    """The window's first column; below 0, it begins outside of the image."""
    top: int
    """Its first row."""
    size: Size
    """Its height and width."""

    def __post_init__(self) -> None:
        _check_size("CropTo", self.size)

    def placement(self, size: Size) -> Placement:
        """Of an image of this height and width."""
        return Placement(source=size, target=self.size, shift=(-float(self.left), -float(self.top)))


@dataclasses.dataclass(frozen=True)
class Composition:
    """One transform after another, as one.

    Example:
        >>> both = Composition((Flip(), Letterbox(size=(10, 10))))
        >>> both.placement((20, 20)).boxes(np.array([[0.0, 0.0, 2.0, 4.0]])).tolist()
        [[9.0, 0.0, 10.0, 2.0]]
    """

    steps: tuple[GeometricTransform, ...]
    """The first is done first."""

    def placement(self, size: Size) -> Placement:
        """Of an image of this height and width."""
        made = Placement(source=size, target=size)
        for step in self.steps:
            made = made.then(step.placement(made.target))
        return made


@dataclasses.dataclass(frozen=True)
class Upright:
    """Turns and mirrors an image as the orientation of its EXIF tag says, and as viewers and decoders show it.

    Example:
        >>> Upright(6).placement((480, 640)).boxes(np.array([[0.0, 0.0, 10.0, 20.0]])).tolist()
        [[460.0, 0.0, 480.0, 10.0]]
    """

    orientation: int
    """1 to 8; 6 is a camera held upright, whose rows are stored as columns."""

    def __post_init__(self) -> None:
        if self.orientation not in range(1, 9):
            raise ValueError(f"Upright({self.orientation}): an EXIF orientation is a number from 1 to 8.")

    def placement(self, size: Size) -> Placement:
        """Of the image of this height and width, as it is stored."""
        _check_size("Upright", size)
        height, width = size
        # Where the stored image's axes go: x, y of its columns and of its rows.
        a, b, c, d = {
            1: (1, 0, 0, 1),
            2: (-1, 0, 0, 1),
            3: (-1, 0, 0, -1),
            4: (1, 0, 0, -1),
            5: (0, 1, 1, 0),
            6: (0, -1, 1, 0),
            7: (0, -1, -1, 0),
            8: (0, 1, -1, 0),
        }[self.orientation]
        target = (width, height) if a == 0 else size
        shift = (float(target[1]) if a + b < 0 else 0.0, float(target[0]) if c + d < 0 else 0.0)
        return Placement(source=size, target=target, matrix=(float(a), float(b), float(c), float(d)), shift=shift)


class Moved(NamedTuple):
    """An image that was moved, with what of its objects is left."""

    image: UInt8[np.ndarray, "H W c"]
    """The canvas."""
    boxes: Float[np.ndarray, "k 4"]
    """``xyxy`` on the canvas, clipped, float64."""
    points: Float[np.ndarray, "k p 2"] | None
    """The landmarks of each object, wherever they are."""
    kept: Bool[np.ndarray, "n"]
    """Which of the objects are left: their classes are ``classes[kept]``."""
    placement: Placement
    """How it was moved; its ``inverse()`` leads back."""


def move(
    transform: GeometricTransform,
    image: UInt8[np.ndarray, "h w c"],
    boxes: Shaped[np.ndarray, "n 4"],
    points: Shaped[np.ndarray, "m p 2"] | None = None,
    *,
    order: tuple[int, ...] | None = None,
    fill: int = 114,
    min_visible: float = 0.2,
    min_side: float = 1.0,
) -> Moved:
    """Moves an image and its objects together.

    Boxes are clipped once, at the end. A box is kept if its visible share, the part of its area that is on the canvas, is at
    least ``min_visible``, and what is seen of it has no side below ``min_side``: slivers at the border teach nothing, and boxes
    without width have no IoU (ultralytics/yolov5#8673).

    Args:
        transform: any of this module, or one of your own.
        image: gray or RGB.
        boxes: ``xyxy`` in the image's pixels.
        points: landmarks of each object, such as the five of a face.
        order: of the landmarks in the mirror, see :meth:`Placement.points`.
        fill: the value of what shows no image.
        min_visible: the least visible share, 0 to 1.
        min_side: the least side of what is left of a box, in pixels of the canvas.

    Raises:
        ValueError: ``min_visible`` or ``min_side`` is out of range, or there are not as many points as boxes.

    Example:
        >>> image, boxes = np.zeros((20, 20, 3), np.uint8), np.array([[0.0, 0.0, 10.0, 10.0], [0.0, 8.0, 11.0, 18.0]])
        >>> moved = move(CropTo(left=10, top=0, size=(20, 10)), image, boxes)
        >>> moved.kept.tolist(), len(moved.boxes)
        ([False, False], 0)
    """
    if not 0 <= min_visible <= 1 or not 0 <= min_side < math.inf:
        raise ValueError(
            f"move: min_visible is a share from 0 to 1 and min_side some pixels, not {min_visible} and {min_side}."
        )
    if points is not None and len(points) != len(boxes):
        raise ValueError(
            f"move: there are {len(boxes)} boxes and the landmarks of {len(points)} objects: give those of each box."
        )
    placement = transform.placement((image.shape[0], image.shape[1]))
    clipped, kept = keep_visible(placement, boxes, min_visible, min_side)
    return Moved(
        image=place_image(image, placement, fill=fill),
        boxes=clipped,
        points=None if points is None else np.asarray(placement.points(points[kept], order)),
        kept=kept,
        placement=placement,
    )


def keep_visible(
    placement: Placement, boxes: Shaped[np.ndarray, "n 4"], min_visible: float, min_side: float
) -> tuple[Float[np.ndarray, "k 4"], Bool[np.ndarray, "n"]]:
    """What is left of boxes on the canvas, clipped, and which are: the rule of :func:`move`."""
    seen, share = placement.show(boxes)
    sides = (seen[:, 2:] - seen[:, :2]).min(axis=1, initial=np.inf)
    kept = (share > 0) & (share >= min_visible - 1e-9) & (sides >= min_side - 1e-9)
    return seen[kept], kept


def _cos_sin(degrees: float) -> tuple[float, float]:
    """Exact for right angles, which `math.cos` is not."""
    turns, rest = divmod(degrees, 90.0)
    if rest == 0:
        return ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(turns % 4)]
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))


def _check_size(owner: str, size: Any) -> None:
    if len(size) != 2:
        raise ValueError(f"{owner}: a size is a height and a width, not {size!r}.")
    for name, side in zip(("height", "width"), size, strict=True):
        check_count(owner, name, side)
