"""Affine maps of images: what they are made of, and looking an image up at moved places."""

from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp

from likeness.research.types import AnyArray, Array, Float, Shaped

Border: TypeAlias = Literal["edge", "constant"]
"""What lies outside an image: its edge continued, or one value."""

__all__ = ["Border", "affine_matrices", "look_up", "places"]


def affine_matrices(
    angle: Float[AnyArray, "n"],
    slope: Float[AnyArray, "n"],
    zoom: Float[AnyArray, "n"],
    mirror: Float[AnyArray, "n"] | float = 1.0,
) -> Float[Array, "n 2 2"]:
    """``A = zoom R(-angle) [[1, slope], [0, 1]] diag(mirror, 1)``, x to the right and y down.

    Args:
        angle: in radians.
        slope: of the shear along x.
        zoom: of the looked-up window: 2 shows the image at half its size.
        mirror: -1 swaps left and right, 1 does not.
    """
    cos, sin = zoom * jnp.cos(angle), zoom * jnp.sin(angle)
    rows = [
        jnp.stack([cos * mirror, cos * slope + sin], axis=-1),
        jnp.stack([-sin * mirror, cos - sin * slope], axis=-1),
    ]
    return jnp.stack(rows, axis=-2)


def places(
    matrix: Float[AnyArray, "n 2 2"], offset: Float[AnyArray, "n 2"], height: int, width: int
) -> tuple[Float[Array, "n h w"], Float[Array, "n h w"]]:
    """Where each pixel of the result looks: column u and row v, in pixels.

    A pixel at p from the center looks at ``A p + o (width, height)`` from the center.
    """
    x = jnp.arange(width, dtype=jnp.float32) - (width - 1) / 2
    y = jnp.arange(height, dtype=jnp.float32)[:, None] - (height - 1) / 2
    a, o = jnp.asarray(matrix)[:, :, :, None, None], jnp.asarray(offset)[:, :, None, None]
    u = a[:, 0, 0] * x + a[:, 0, 1] * y + o[:, 0] * width + (width - 1) / 2
    v = a[:, 1, 0] * x + a[:, 1, 1] * y + o[:, 1] * height + (height - 1) / 2
    return u, v


def look_up(
    images: Shaped[AnyArray, "n h w c"],
    u: Float[AnyArray, "n h w"],
    v: Float[AnyArray, "n h w"],
    border: Border = "edge",
    fill: float = 0.0,
) -> Float[Array, "n h w c"]:
    """Bilinear interpolation of each image at its columns u and rows v, as float32 in the image's own unit.

    Args:
        images: images of any dtype.
        u: columns, in pixels.
        v: rows, in pixels.
        border: what lies outside.
        fill: its value where the border is constant.
    """
    count, height, width, channels = images.shape
    left, top = jnp.floor(u), jnp.floor(v)
    pixels = jnp.asarray(images).reshape(count, height * width, channels)

    def corner(column: Array, row: Array) -> Array:
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        column = jnp.clip(column, 0, width - 1).astype(jnp.int32)
        row = jnp.clip(row, 0, height - 1).astype(jnp.int32)
        index = (row * width + column).reshape(count, height * width)
        taken = jax.vmap(lambda flat, at: flat.at[at].get(mode="promise_in_bounds"))(pixels, index)
        taken = taken.astype(jnp.float32).reshape(images.shape)
        return taken if border == "edge" else jnp.where(inside[..., None], taken, fill)

    s, t = (u - left)[..., None], (v - top)[..., None]
    upper = corner(left, top) * (1.0 - s) + corner(left + 1.0, top) * s
    lower = corner(left, top + 1.0) * (1.0 - s) + corner(left + 1.0, top + 1.0) * s
    return upper * (1.0 - t) + lower * t
