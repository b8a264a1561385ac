"""Boxes: four numbers in ``xyxy``, the continuous pixel coordinates (x1, y1, x2, y2) of two opposite corners.

x runs to the right and y down; (0, 0) is the outer corner of the upper left pixel, so that an image of width W reaches from 0
to W. The width of a box is x2 - x1, without the +1 of inclusive pixel indices. Every other convention lives in a named
conversion, codec or reader.

NumPy arrays and lists are computed on the host in float64 and stay NumPy arrays. JAX arrays are computed in float32, whatever
their dtype: in bfloat16, whose spacing at 640 is 4 pixels, a tenth of the boxes that suppression keeps would be others.
"""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.checks import check_array, check_choice
from likeness.research.types import AnyArray, Array, Bool, Float, Shaped

BoxFormat: TypeAlias = Literal["xyxy", "xywh", "cxcywh"]
"""``xyxy``: two corners. ``xywh``: the upper left corner, width and height, as COCO has it. ``cxcywh``: the center, width and
height."""

UncheckedBoxes: TypeAlias = Shaped[AnyArray, "..."] | Sequence[Any]
"""Boxes ``(…, 4)`` of any dtype, as a caller hands them over."""

# An infinite coordinate gives NaN without a warning, as it does in JAX.
_quiet = np.errstate(invalid="ignore", over="ignore")

__all__ = [
    "BoxFormat",
    "UncheckedBoxes",
    "area",
    "as_boxes",
    "centers",
    "checked_boxes",
    "clip_boxes",
    "convert",
    "is_degenerate",
    "sizes",
]


@_quiet
def convert(boxes: UncheckedBoxes, source: BoxFormat, target: BoxFormat) -> Float[AnyArray, "*b 4"]:
    """The same boxes in another format.

    Args:
        boxes: (…, 4) in the format ``source``.
        source: how they are written.
        target: how they are wanted.

    Raises:
        ValueError: the format is unknown; the boxes are not numbers of shape (…, 4).

    Example:
        >>> print(convert([[10.0, 20.0, 30.0, 60.0]], "xyxy", "cxcywh"))
        [[20. 40. 20. 40.]]
    """
    check_choice("convert", "source", source, BoxFormat)
    check_choice("convert", "target", target, BoxFormat)
    given = numbers_of("convert", "boxes", boxes)
    if source == target:
        return given
    first, second = given[..., :2], given[..., 2:]
    match source:
        case "xyxy":
            low, high = first, second
        case "xywh":
            low, high = first, first + second
        case "cxcywh":
            low, high = first - second / 2, first + second / 2
    match target:
        case "xyxy":
            pair = low, high
        # What is copied keeps every bit.
        case "xywh":
            pair = low, (second if source == "cxcywh" else high - low)
        case "cxcywh":
            size = second if source == "xywh" else high - low
            pair = (first + size / 2 if source == "xywh" else (low + high) / 2), size
    return namespace(given).concatenate(pair, axis=-1)


@_quiet
def area(boxes: UncheckedBoxes) -> Float[AnyArray, "*b"]:
    """``max(x2 - x1, 0) · max(y2 - y1, 0)`` in square pixels.

    A box in a JAX array whose corners are reversed has area 0; one with a NaN has area NaN.

    Raises:
        ValueError: the boxes are not numbers of shape (…, 4), or the corners of one in a NumPy array are reversed.
    """
    given = checked_boxes("area", "boxes", boxes)
    xp = namespace(given)
    size = xp.maximum(given[..., 2:] - given[..., :2], 0.0)
    return xp.asarray(size[..., 0] * size[..., 1])


@_quiet
def sizes(boxes: UncheckedBoxes) -> Float[AnyArray, "*b 2"]:
    """Width and height, ``(x2 - x1, y2 - y1)``, in pixels; negative where corners are reversed.

    Raises:
        ValueError: the boxes are not numbers of shape (…, 4).
    """
    given = numbers_of("sizes", "boxes", boxes)
    return given[..., 2:] - given[..., :2]


@_quiet
def centers(boxes: UncheckedBoxes) -> Float[AnyArray, "*b 2"]:
    """``((x1 + x2) / 2, (y1 + y2) / 2)``.

    Raises:
        ValueError: the boxes are not numbers of shape (…, 4).
    """
    given = numbers_of("centers", "boxes", boxes)
    return (given[..., :2] + given[..., 2:]) / 2


def clip_boxes(
    boxes: UncheckedBoxes, height: float | int | Shaped[AnyArray, "..."], width: float | int | Shaped[AnyArray, "..."]
) -> Float[AnyArray, "*b 4"]:
    """Boxes cut off at the borders of their image: x into [0, width] and y into [0, height].

    What lies wholly outside becomes a box without area on the border, which :func:`is_degenerate` finds. An infinite coordinate
    goes to the border, and a NaN stays one.

    Args:
        boxes: (…, 4).
        height: of the image in pixels, or of each image, broadcasting with the leading axes of the boxes.
        width: likewise.

    Raises:
        ValueError: the boxes are not numbers of shape (…, 4).
    """
    given = numbers_of("clip_boxes", "boxes", boxes)
    xp = namespace(given)
    if xp is np and any(isinstance(each, jax.Array) for each in (height, width)):
        xp, given = jnp, jnp.asarray(given, jnp.float32)
    high = xp.stack(xp.broadcast_arrays(xp.asarray(width, given.dtype), xp.asarray(height, given.dtype)), axis=-1)
    return xp.minimum(xp.maximum(given, 0.0), xp.concatenate([high, high], axis=-1))


def is_degenerate(boxes: UncheckedBoxes) -> Bool[AnyArray, "*b"]:
    """Whether a box is not one: a coordinate is not finite, or ``x2 ≤ x1`` or ``y2 ≤ y1``.

    Raises:
        ValueError: the boxes are not numbers of shape (…, 4).
    """
    given = numbers_of("is_degenerate", "boxes", boxes)
    xp = namespace(given)
    empty = (given[..., 2] <= given[..., 0]) | (given[..., 3] <= given[..., 1])
    return xp.asarray(empty | ~xp.all(xp.isfinite(given), axis=-1))


def as_boxes(owner: str, name: str, boxes: UncheckedBoxes) -> Float[Array, "*b 4"]:
    """The boxes as a JAX array of float32.

    Raises:
        ValueError: they are not numbers of shape (…, 4), or the corners of one in a NumPy array are reversed.
    """
    return jnp.asarray(checked_boxes(owner, name, boxes), jnp.float32)


def checked_boxes(owner: str, name: str, boxes: UncheckedBoxes) -> Float[AnyArray, "*b 4"]:
    """The boxes as NumPy's float64 or JAX's float32, depending on what they are.

    The values of a NumPy array are known here, so one with reversed corners, whose area would be negative, is refused. In a JAX
    array it is for the caller to treat as a box without area.

    Raises:
        ValueError: they are not numbers of shape (…, 4), or the corners of one in a NumPy array are reversed.
    """
    given = numbers_of(owner, name, boxes)
    if isinstance(given, np.ndarray):
        # NaN compares false, and is no reversed corner.
        reversed_corners = np.argwhere((given[..., 2:] < given[..., :2]).any(axis=-1))
        if len(reversed_corners):
            where = tuple(reversed_corners[0].tolist())
            at = f" number {where[0] if len(where) == 1 else where}" if where else ""
            raise ValueError(
                f"{owner}: {name}{at} is {given[where].tolist()}, and its corners are reversed: (x1, y1) must be the upper "
                f"left one and (x2, y2) the lower right one. {_guess(given[where])}"
            )
    return given


def numbers_of(owner: str, name: str, boxes: UncheckedBoxes) -> Float[AnyArray, "*b 4"]:
    """Four numbers a box, as NumPy's float64 or JAX's float32, with corners in any order.

    Raises:
        ValueError: they are something else.
    """
    given = boxes if isinstance(boxes, jax.Array) else np.asanyarray(boxes)
    help = "Give four numbers for each box; where there are no boxes, an array of shape (0, 4)."
    check_array(owner, name, given, (*given.shape[:-1], 4), "numbers", help)
    return given.astype(jnp.float32) if isinstance(given, jax.Array) else np.asarray(given, np.float64)


def namespace(*arrays: AnyArray) -> Any:
    """The module that computes with some arrays: NumPy if all are on the host, else JAX's."""
    return jnp if any(isinstance(array, jax.Array) for array in arrays) else np


def _guess(box: Float[np.ndarray, "4"]) -> str:
    """What may have happened to a box with reversed corners."""
    if (box[2:] >= 0).all():
        return 'If the last two are width and height, `convert(boxes, "xywh", "xyxy")` makes corners of them.'
    return "Exchange them where they are read."
