"""Regions of interest: what a feature map holds under each box, in a grid of fixed size."""

import dataclasses
import functools
import math
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp

from likeness.research.checks import check_array, check_choice, check_count, check_finite_positive
from likeness.research.types import AnyArray, Array, Float, Int, Shaped

RoiMethod: TypeAlias = Literal["auto", "matrix", "gather"]

_FEW_PLACES = 8192
"""Places of a feature map up to which matrix products are as quick as looking places up, or quicker."""

__all__ = ["RoiAlign", "RoiMethod", "RoiPool"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RoiAlign:
    """The mean of bilinear samples of the features in each of P × Q equal parts of a box.

    With σ the ``spatial_scale`` and o = ½ where ``aligned`` and else 0, a box (x1, y1, x2, y2) lies at σ y1 - o … σ y2 - o
    among the centers of the map's places, of which the first is 0. Part p of the P along y has the samples

        y = σ y1 - o + (p + (i + ½) / n) (σ y2 - σ y1) / P,   i = 0 … n - 1,

    and n² samples along both axes are averaged. A sample beyond -1 or beyond the size H of the map is 0; between -1 and 0, and
    between H - 1 and H, it is the value at the border. These are torchvision's rules.

    - Where not ``aligned``, a side shorter than one place counts as one place long, as torchvision has it. Where aligned, a box
      of no area is what lies at its corner, or 0 with ``sampling_ratio=0``.
    - Bilinear interpolation and the mean are separable, so the result is ``A F Bᵀ`` for each channel, with rows of A and B that
      hold the weights of the map's rows and columns.
    - It is differentiable by the features everywhere and by the boxes almost everywhere. Faster R-CNN takes proposals for
      constants: hand it ``stop_gradient(boxes)`` for that, or the head will move the proposals too.
    - A box that is not finite gives NaN. Features must be finite: by matrix products, one that is not is in every box.
    - Sums are float32, the result has the features' dtype.

    He et al., "Mask R-CNN", 2017.

    Example:
        >>> import jax.numpy as jnp
        >>> features = jnp.arange(16.0).reshape(1, 4, 4, 1)
        >>> pooled = RoiAlign(output_size=2, spatial_scale=0.5)(features, jnp.array([[[0.0, 0.0, 8.0, 8.0]]]))
        >>> print(pooled[0, 0, :, :, 0])
        [[ 2.5  4.5]
         [10.5 12.5]]
    """

    output_size: int | tuple[int, int] = 7
    """P and Q, the parts along y and x; one number for both."""

    spatial_scale: float = 1.0
    """σ, places of the map for each pixel of the image: 1/8 of a layer whose total stride is 8."""

    sampling_ratio: int = 2
    """n, samples along each axis of a part. 0: as many as a part is places long, rounded up, for each box and axis; of these no
    more are taken than a part of a box that is as large as the map has, which only matters to a larger box."""

    aligned: bool = True
    """Whether boxes are in continuous coordinates, where the first place's center is ½, as everywhere in this project.
    Without, they are half a place off, as in Detectron's first version and in torchvision unless asked."""

    method: RoiMethod = "auto"
    """``matrix`` multiplies by A and B, ``gather`` looks every sample's four places up. They are equal but for rounding."""

    def __post_init__(self) -> None:
        _check_size("RoiAlign", self.output_size)
        check_finite_positive("RoiAlign", "spatial_scale", self.spatial_scale)
        check_count("RoiAlign", "sampling_ratio", self.sampling_ratio, least=0)
        check_choice("RoiAlign", "method", self.method, RoiMethod)

    def __call__(self, features: Shaped[AnyArray, "..."], boxes: Shaped[AnyArray, "..."]) -> Float[Array, "b k P Q c"]:
        """Features of each box.

        Args:
            features: (b, h, w, c), floats.
            boxes: (b, k, 4), the boxes of each image, ``xyxy`` in pixels of the image.

        Returns:
            (b, k, P, Q, c), in the features' dtype.

        Raises:
            ValueError: another shape or dtype.
        """
        features, boxes = _as_arrays("RoiAlign", features, boxes)
        height, width = features.shape[1:3]
        rows, columns = _pair(self.output_size)
        offset = 0.5 if self.aligned else 0.0
        corners = boxes.astype(jnp.float32) * self.spatial_scale - offset
        y = self._samples(corners[..., 1], corners[..., 3], rows, height)
        x = self._samples(corners[..., 0], corners[..., 2], columns, width)
        method = self.method
        if method == "auto":
            method = "matrix" if height * width <= _FEW_PLACES else "gather"
        if method == "matrix":
            below, beside = _interpolation(*y, height), _interpolation(*x, width)
            found = _both_sides(below, features, beside)
        else:
            found = jax.vmap(_look_up)(features.astype(jnp.float32), *y, *x)
        return found.astype(features.dtype)

    def _samples(
        self, start: Float[Array, "b k"], stop: Float[Array, "b k"], parts: int, size: int
    ) -> tuple[Float[Array, "b k parts n"], Float[Array, "b k parts n"]]:
        """Where the samples of each part lie along one axis, and how much each weighs."""
        length = stop - start if self.aligned else jnp.maximum(stop - start, 1.0)
        if self.sampling_ratio:
            most = self.sampling_ratio
            count = jnp.full(length.shape, float(most))
        else:
            most = math.ceil(size / parts)
            count = jnp.clip(jnp.ceil(jax.lax.stop_gradient(length) / parts), 0, most)
        index = jnp.arange(most, dtype=jnp.float32)
        inside_part = (index + 0.5) / jnp.maximum(count, 1.0)[..., None, None]
        part = jnp.arange(parts, dtype=jnp.float32)[:, None]
        places = start[..., None, None] + (part + inside_part) * (length / parts)[..., None, None]
        weight = jnp.where(index < count[..., None, None], 1.0 / jnp.maximum(count, 1.0)[..., None, None], 0.0)
        # Not `places < -1`, of which NaN would be neither.
        outside = (places < -1.0) | (places > size)
        weight = jnp.where(outside, 0.0, jnp.broadcast_to(weight, places.shape))
        return jnp.clip(places, 0.0, size - 1.0), weight


@dataclasses.dataclass(frozen=True, kw_only=True)
class RoiPool:
    """The greatest feature in each of P × Q parts of a box, whose borders are whole places of the map.

    With σ the ``spatial_scale``, a box (x1, y1, x2, y2) has along y the places from round(σ y1) to round(σ y2), both included,
    r = max(round(σ y2) - round(σ y1) + 1, 1) in number; part p of the P has those from ⌊p r / P⌋ to below ⌈(p + 1) r / P⌉
    further. Halves are rounded away from 0. A part without a place on the map is 0. These are torchvision's rules, which count
    one place more than the box is wide and shift it by up to half a place; :class:`RoiAlign` has neither fault.

    - It is differentiable by the features: where several are greatest, they share the derivative. Boxes have none.
    - A box that is not finite, or ends millions of places beyond the map, holds no place and is 0.
    - Parts are counted in whole numbers. (Where torchvision's float32 rounds ``P r / P`` up, the last part has a place more.)
    - A table of the greatest of every 2ⁱ × 2ʲ places is made of each map, log₂ H log₂ W times as large. A part looks four
      of its numbers up, however large it is.

    Girshick, "Fast R-CNN", 2015.

    Example:
        >>> import jax.numpy as jnp
        >>> features = jnp.arange(16.0).reshape(1, 4, 4, 1)
        >>> pooled = RoiPool(output_size=2)(features, jnp.array([[[0.0, 0.0, 3.0, 3.0]]]))
        >>> print(pooled[0, 0, :, :, 0])
        [[ 5.  7.]
         [13. 15.]]
    """

    output_size: int | tuple[int, int] = 7
    """P and Q, the parts along y and x; one number for both."""

    spatial_scale: float = 1.0
    """σ, places of the map for each pixel of the image."""

    def __post_init__(self) -> None:
        _check_size("RoiPool", self.output_size)
        check_finite_positive("RoiPool", "spatial_scale", self.spatial_scale)

    def __call__(self, features: Shaped[AnyArray, "..."], boxes: Shaped[AnyArray, "..."]) -> Float[Array, "b k P Q c"]:
        """Features of each box.

        Args:
            features: (b, h, w, c), floats.
            boxes: (b, k, 4), the boxes of each image, ``xyxy`` in pixels of the image.

        Returns:
            (b, k, P, Q, c), in the features' dtype.

        Raises:
            ValueError: another shape or dtype.
        """
        features, boxes = _as_arrays("RoiPool", features, boxes)
        height, width = features.shape[1:3]
        rows, columns = _pair(self.output_size)
        corners = _round_half_away(jax.lax.stop_gradient(boxes).astype(jnp.float32) * self.spatial_scale)
        y = _part_spans(corners[..., 1], corners[..., 3], rows, height)
        x = _part_spans(corners[..., 0], corners[..., 2], columns, width)
        return jax.vmap(_greatest)(features, *y, *x)


def _interpolation(places: Float[Array, "b k parts n"], weight: Float[Array, "b k parts n"], size: int) -> Array:
    """What each place of the map counts in each part, (b, k, parts, size): the hat function of its distance to each sample."""
    distance = jnp.abs(places[..., None] - jnp.arange(size, dtype=jnp.float32))
    return jnp.sum(weight[..., None] * jnp.maximum(1.0 - distance, 0.0), axis=-2)


def _both_sides(below: Float[Array, "b k P h"], features: Float[Array, "b h w c"], beside: Float[Array, "b k Q w"]) -> Array:
    """``A F Bᵀ`` of each box and channel, in float32."""

    def of_image(image: tuple[Array, Array, Array]) -> Array:
        rows, values, columns = image
        (count, p, height), q, (width, channels) = rows.shape, columns.shape[1], values.shape[1:]
        # Products of two axes, and the second one box and row after another: XLA computes them several times faster on a CPU
        # than sums over axes in any place.
        flat = values.reshape(height, width * channels)
        half = jnp.matmul(rows.reshape(count * p, height), flat, precision=jax.lax.Precision.HIGHEST)
        repeated = jnp.broadcast_to(columns[:, None], (count, p, q, width)).reshape(count * p, q, width)
        whole = jnp.matmul(repeated, half.reshape(count * p, width, channels), precision=jax.lax.Precision.HIGHEST)
        return whole.reshape(count, p, q, channels)

    inputs = (below, features.astype(jnp.float32), beside)
    return jax.lax.platform_dependent(
        inputs, cpu=lambda images: jax.lax.map(of_image, images), default=lambda images: jax.vmap(of_image)(images)
    )


def _look_up(
    features: Float[Array, "h w c"],
    y: Float[Array, "k P n"],
    y_weight: Float[Array, "k P n"],
    x: Float[Array, "k Q m"],
    x_weight: Float[Array, "k Q m"],
) -> Float[Array, "k P Q c"]:
    """The weighted samples of one image's boxes, by their four neighbors."""
    height, width, channels = features.shape
    flat = features.reshape(height * width, channels)
    upper, left = jnp.floor(y), jnp.floor(x)

    def corner(down: int, right: int) -> Array:
        # At the last place the share of the next one, which is not there, is 0.
        row = jnp.minimum(upper.astype(jnp.int32) + down, height - 1)[:, :, None, :, None]
        column = jnp.minimum(left.astype(jnp.int32) + right, width - 1)[:, None, :, None, :]
        row_share = y_weight * (y - upper if down else 1.0 - (y - upper))
        column_share = x_weight * (x - left if right else 1.0 - (x - left))
        share = row_share[:, :, None, :, None] * column_share[:, None, :, None, :]
        taken = flat.at[row * width + column].get(mode="clip")
        return jnp.sum(taken * share[..., None], axis=(3, 4))

    return corner(0, 0) + corner(0, 1) + corner(1, 0) + corner(1, 1)


def _part_spans(
    start: Float[Array, "b k"], stop: Float[Array, "b k"], parts: int, size: int
) -> tuple[Int[Array, "b k parts"], Int[Array, "b k parts"]]:
    """The first place of an axis that each part holds, and the one after its last; nothing is between them if it holds none."""
    # Whole numbers below 2²⁴ are exact in float32, and products below 2³¹ are in int32.
    most = 2.0**24 / (parts + 1)
    known = (jnp.abs(start) < most) & (jnp.abs(stop) < most)
    first, last = (jnp.where(known, end, -most).astype(jnp.int32)[..., None] for end in (start, stop))
    length = jnp.maximum(last - first + 1, 1)
    part = jnp.arange(parts, dtype=jnp.int32)
    begin, end = first + part * length // parts, first - (-(part + 1) * length // parts)
    return jnp.clip(begin, 0, size), jnp.clip(end, 0, size)


def _greatest(
    features: Float[Array, "h w c"],
    top: Int[Array, "k P"],
    bottom: Int[Array, "k P"],
    left: Int[Array, "k Q"],
    right: Int[Array, "k Q"],
) -> Float[Array, "k P Q c"]:
    """Of all places of one image's parts, by a table of the greatest of every 2ⁱ × 2ʲ places: four of these cover a part."""
    height, width, channels = features.shape
    table = jnp.stack([jnp.stack(_doubled(rows, axis=1)) for rows in _doubled(features, axis=0)])
    flat = table.reshape(-1, channels)
    (i, upper, lower), (j, near, far) = _two_spans(top, bottom, height), _two_spans(left, right, width)
    level = i[:, :, None] * table.shape[1] + j[:, None, :]
    looked_up = [
        flat.at[(level * height + row[:, :, None]) * width + column[:, None, :]].get(mode="clip")
        for row in (upper, lower)
        for column in (near, far)
    ]
    found = functools.reduce(jnp.maximum, looked_up)
    empty = (bottom <= top)[:, :, None] | (right <= left)[:, None, :]
    return jnp.where(empty[..., None], jnp.zeros((), features.dtype), found)


def _doubled(values: Float[Array, "h w c"], axis: int) -> list[Array]:
    """The greatest of 1, 2, 4 … places along an axis, from each place on."""
    size = values.shape[axis]
    levels = [values]
    for j in range(size.bit_length() - 1):
        # Beyond the end stands the last place, where no span that is looked up begins.
        later = jnp.take(levels[-1], jnp.minimum(jnp.arange(size) + 2**j, size - 1), axis=axis, mode="clip")
        levels.append(jnp.maximum(levels[-1], later))
    return levels


def _two_spans(begin: Int[Array, "k P"], end: Int[Array, "k P"], size: int) -> tuple[Array, Array, Array]:
    """The greatest power 2ʲ that fits between two places, as j, and the first places of the two spans so long that cover it."""
    length = jnp.maximum(end - begin, 1)
    level = sum((jnp.where(length >= 2**j, 1, 0) for j in range(1, size.bit_length())), jnp.zeros_like(length))
    return level, jnp.minimum(begin, size - 1), jnp.maximum(end - jnp.left_shift(1, level), 0)


def _round_half_away(values: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    whole = jnp.trunc(values)
    return whole + jnp.where(jnp.abs(values - whole) >= 0.5, jnp.sign(values), 0.0)


def _as_arrays(owner: str, features: AnyArray, boxes: AnyArray) -> tuple[Array, Array]:
    check_array(owner, "features", features, ("b", "h", "w", "c"), "floats", help="Give the maps of a batch, channels last.")
    check_array(owner, "boxes", boxes, (features.shape[0], "k", 4), help="Give k boxes xyxy for each image of the batch.")
    if 0 in features.shape[1:3]:
        raise ValueError(f"{owner}: features of shape {tuple(features.shape)} have no place to look at.")
    return jnp.asarray(features), jnp.asarray(boxes)


def _check_size(owner: str, size: int | tuple[int, int]) -> None:
    for side in _pair(size):
        check_count(owner, "output_size", side)


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return size if isinstance(size, tuple) else (size, size)
