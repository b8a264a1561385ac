"""How much two boxes overlap, aligned or each with each; value and gradient are finite for empty boxes.

Boxes are ``xyxy``, in any unit. One whose corners are reversed in a JAX array has no area. The intersection of a box without
area with anything, itself included, is 0, and so is their IoU; an area of at most 1e-12 in a denominator counts as none. What
has a NaN gives NaN, so that a diverged network is seen. NumPy arrays are computed in float64 and JAX arrays in float32, as
:mod:`likeness.research.geometry.boxes` says.
"""

import math
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import numpy as np

from likeness.research.checks import check_array, check_choice
from likeness.research.geometry.boxes import UncheckedBoxes, checked_boxes, namespace
from likeness.research.types import AnyArray, Float

Overlap: TypeAlias = Literal["iou", "giou", "diou", "ciou", "ios"]
"""A measure of overlap, by the name of its function."""

_EMPTY = 1e-12
"""An area or a squared length that is taken for 0. A derivative divides by its square, which float32 can still hold."""

# An infinite box gives NaN without a warning, as it does in JAX.
_quiet = np.errstate(invalid="ignore", over="ignore")

__all__ = ["Overlap", "ciou", "diou", "giou", "ios", "iou", "pairwise"]


@_quiet
def iou(first: UncheckedBoxes, second: UncheckedBoxes) -> Float[AnyArray, "*b"]:
    """Intersection over union, ``|A ∩ B| / |A ∪ B|``, from 0 to 1.

    Args:
        first: (…, 4).
        second: (…, 4), with leading axes that broadcast with those of ``first``.

    Returns:
        (…,); 0 where the union is empty.

    Raises:
        ValueError: the boxes are not numbers of shape (…, 4), or the corners of one in a NumPy array are reversed.

    Example:
        >>> print(iou([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 6.0, 4.0]))
        0.3333333333333333
    """
    return _parts("iou", first, second).iou


@_quiet
def ios(first: UncheckedBoxes, second: UncheckedBoxes) -> Float[AnyArray, "*b"]:
    """Intersection over the smaller, ``|A ∩ B| / min(|A|, |B|)``, from 0 to 1, where one box lies in the other.

    It finds the parts of an object that was cut at a seam between two slices of an image. The arguments, the shape of the
    result and the errors are those of :func:`iou`.
    """
    parts = _parts("ios", first, second)
    return _quotient(parts.xp, parts.intersection, parts.xp.minimum(*parts.areas))


@_quiet
def giou(first: UncheckedBoxes, second: UncheckedBoxes) -> Float[AnyArray, "*b"]:
    """Generalized IoU, ``IoU - (|C| - |A ∪ B|) / |C|`` with C the smallest box around both; from -1 to 1.

    The loss is 1 minus this. It has a gradient where the boxes do not meet. The arguments, the shape of the result and the
    errors are those of :func:`iou`.

    Rezatofighi et al., "Generalized intersection over union", CVPR 2019.
    """
    parts = _parts("giou", first, second)
    around = parts.hull[..., 0] * parts.hull[..., 1]
    return parts.xp.asarray(parts.iou - _quotient(parts.xp, around - parts.union, around))


@_quiet
def diou(first: UncheckedBoxes, second: UncheckedBoxes) -> Float[AnyArray, "*b"]:
    """Distance IoU, ``IoU - ρ² / c²``; from -1 to 1.

    ρ is the distance of the centers and c the diagonal of the smallest box around both. The arguments, the shape of the result
    and the errors are those of :func:`iou`.

    Zheng et al., "Distance-IoU loss", AAAI 2020.
    """
    return _diou(_parts("diou", first, second))


@_quiet
def ciou(first: UncheckedBoxes, second: UncheckedBoxes) -> Float[AnyArray, "*b"]:
    """Complete IoU, ``IoU - ρ² / c² - α v``, which compares shapes as well.

        v = 4/π² (atan(w₁ / h₁) - atan(w₂ / h₂))²,    α = v / (1 - IoU + v)

    No gradient flows through α, as in the paper. A box without width and height has no shape, and is compared with none: v = 0.
    The arguments, the shape of the result and the errors are those of :func:`iou`.

    Zheng et al., "Distance-IoU loss", AAAI 2020.
    """
    parts = _parts("ciou", first, second)
    xp = parts.xp
    apart = _angle(xp, parts.sizes[0]) - _angle(xp, parts.sizes[1])
    shapeless = (_square(parts.sizes[0]) <= _EMPTY) | (_square(parts.sizes[1]) <= _EMPTY)
    v = xp.where(shapeless, 0.0, 4.0 / math.pi**2 * apart**2)
    alpha = _quotient(xp, v, 1.0 - parts.iou + v)
    alpha = alpha if xp is np else jax.lax.stop_gradient(alpha)
    return xp.asarray(_diou(parts) - alpha * v)


def pairwise(first: UncheckedBoxes, second: UncheckedBoxes, overlap: Overlap = "iou") -> Float[AnyArray, "n m"]:
    """The overlap of each box with each.

    Args:
        first: (n, 4).
        second: (m, 4).
        overlap: which.

    Returns:
        (n, m).

    Raises:
        ValueError: the boxes are not numbers of shape (n, 4), or the corners of one in a NumPy array are reversed; the overlap
        is
            unknown.

    Example:
        >>> print(pairwise([[0.0, 0.0, 4.0, 4.0]], [[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 2.0, 4.0], [5.0, 5.0, 6.0, 6.0]]))
        [[1.  0.5 0. ]]
    """
    check_choice("pairwise", "overlap", overlap, Overlap)
    pair = [checked_boxes("pairwise", name, boxes) for name, boxes in (("first", first), ("second", second))]
    for name, boxes in zip(("first", "second"), pair, strict=True):
        check_array("pairwise", name, boxes, ("n", 4))
    measure = {"iou": iou, "giou": giou, "diou": diou, "ciou": ciou, "ios": ios}[overlap]
    return measure(pair[0][:, None], pair[1][None])


class _Parts(NamedTuple):
    """What all measures are made of."""

    xp: Any
    sizes: tuple[AnyArray, AnyArray]
    """Widths and heights, at least 0."""
    areas: tuple[AnyArray, AnyArray]
    intersection: AnyArray
    union: AnyArray
    iou: AnyArray
    hull: AnyArray
    """Width and height of the smallest box around both."""
    apart: AnyArray
    """From center to center."""


def _parts(owner: str, first: UncheckedBoxes, second: UncheckedBoxes) -> _Parts:
    a, b = checked_boxes(owner, "first", first), checked_boxes(owner, "second", second)
    try:
        np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise ValueError(
            f"{owner}: boxes of shapes {a.shape} and {b.shape} do not go together box by box. `pairwise` "
            "compares each with each."
        ) from None
    xp = namespace(a, b)
    sizes = tuple(xp.maximum(boxes[..., 2:] - boxes[..., :2], 0.0) for boxes in (a, b))
    # No area is below 0. Were the product itself added to another area, compilers would fuse both and round once, not twice.
    areas = tuple(xp.maximum(size[..., 0] * size[..., 1], 0.0) for size in sizes)
    # Two negative extents would make a positive product, so each is clamped by itself.
    shared = xp.maximum(xp.minimum(a[..., 2:], b[..., 2:]) - xp.maximum(a[..., :2], b[..., :2]), 0.0)
    intersection = shared[..., 0] * shared[..., 1]
    union = areas[0] + areas[1] - intersection
    hull = xp.maximum(xp.maximum(a[..., 2:], b[..., 2:]) - xp.minimum(a[..., :2], b[..., :2]), 0.0)
    apart = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2
    return _Parts(xp, sizes, areas, intersection, union, _quotient(xp, intersection, union), hull, apart)


def _diou(parts: _Parts) -> AnyArray:
    return parts.xp.asarray(parts.iou - _quotient(parts.xp, _square(parts.apart), _square(parts.hull)))


def _square(vector: AnyArray) -> Any:
    return vector[..., 0] ** 2 + vector[..., 1] ** 2


def _angle(xp: Any, size: AnyArray) -> Any:
    """``atan(w / h)``, with derivative 0 where there is neither width nor height."""
    empty = _square(size) <= _EMPTY
    return xp.arctan2(xp.where(empty, 1.0, size[..., 0]), xp.where(empty, 1.0, size[..., 1]))


def _quotient(xp: Any, part: Any, whole: Any) -> AnyArray:
    """``part / whole``, and 0 with derivative 0 where the whole is empty.

    Replaced only in the result, the quotient would still hand NaN to the gradient: 0 · ∞.
    """
    empty = whole <= _EMPTY
    return xp.where(empty, 0.0, part / xp.where(empty, 1.0, whole))
