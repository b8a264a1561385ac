"""Images of other sizes: means of areas where they shrink, cubic interpolation where they grow."""

import functools
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.types import Array, Float

_AROUND = 2
"""Pixels of the other side that a cubic looks at."""


def resize(pixels: Float[Array, "*b h w c"], size: tuple[int, int]) -> Float[Array, "*b H W c"]:
    """Resizes the last axes but one, each by itself; linear in the pixels.

    An axis that shrinks: each new pixel is the mean of the old ones over the interval it covers, those at its ends
    counting by the part covered, so the whole keeps its mean and nothing aliases. An axis that grows: cubic convolution
    with a = -1/2, whose weights are normalized at the border (Keys, "Cubic convolution interpolation for digital image
    processing", 1981). An axis that stays: unchanged.

    Growing can overshoot by up to an eighth of a step on each axis: clip what must be an image.

    Args:
        pixels: images, or whatever lives on their pixels, such as an optimizer's moments.
        size: new height and width.

    Returns:
        float32.

    Raises:
        ValueError: a side below 1.
    """
    if min(size) < 1 or min(pixels.shape[-3:-1]) < 1:
        raise ValueError(f"Cannot resize {pixels.shape[-3]} x {pixels.shape[-2]} pixels to {size[0]} x {size[1]}.")
    return _resize(pixels, _weights(pixels.shape[-3], size[0]), _weights(pixels.shape[-2], size[1]))


def fit(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """Height and width of the same proportions whose longer side is ``longest``, rounded, at least 1.

    >>> fit((600, 800), 400), fit((3, 3000), 512)
    ((300, 400), (1, 512))

    Raises:
        ValueError: a side below 1.
    """
    if min(size) < 1 or longest < 1:
        raise ValueError(f"fit({size}, {longest}): sides are at least 1 pixel.")
    height, width = (max(1, round(side * longest / max(size))) for side in size)
    return height, width


def resize_around(
    pixels: Float[Array, "b h w c"], size: tuple[int, int], method: Literal["linear", "cubic"]
) -> Float[Array, "b H W c"]:
    """Resizes images that go on at their other side, as tiles do, by interpolation: there is no border in the result either.

    What grows is interpolated as ``jax.image.resize`` does inside; nothing is averaged where it shrinks.

    Args:
        pixels: images, or what lives on their pixels.
        size: new height and width.
        method: how.

    Returns:
        float32.
    """
    _, height, width, channels = pixels.shape
    around = jnp.pad(pixels.astype(jnp.float32), ((0, 0), (_AROUND, _AROUND), (_AROUND, _AROUND), (0, 0)), mode="wrap")
    scale = jnp.asarray([size[0] / height, size[1] / width], jnp.float32)
    return jax.image.scale_and_translate(
        around, (len(pixels), *size, channels), (1, 2), scale, -_AROUND * scale, method, antialias=False
    )


@jax.jit
def _resize(pixels: Array, rows: Array | None, columns: Array | None) -> Array:
    pixels = pixels.astype(jnp.float32)
    exact = jax.lax.Precision.HIGHEST
    # Whichever axis shrinks more goes first: the other then has less to do.
    for axis in sorted("hw", key=lambda axis: _growth({"h": rows, "w": columns}[axis])):
        if axis == "h" and rows is not None:
            pixels = jnp.einsum("Hh,...hwc->...Hwc", rows, pixels, precision=exact)
        if axis == "w" and columns is not None:
            pixels = jnp.einsum("Ww,...hwc->...hWc", columns, pixels, precision=exact)
    return pixels


def _growth(weights: Array | None) -> float:
    return 1.0 if weights is None else weights.shape[0] / weights.shape[1]


@functools.lru_cache(maxsize=16)
def _weights(old: int, new: int) -> Float[np.ndarray, "new old"] | None:
    """What each old pixel contributes to each new one; None leaves the axis alone."""
    if new == old:
        return None
    edges = np.arange(new + 1) * (old / new)
    if new < old:
        low = np.maximum(edges[:-1, None], np.arange(old))
        high = np.minimum(edges[1:, None], np.arange(old) + 1.0)
        weights = np.maximum(high - low, 0.0)
    else:
        distance = np.abs(0.5 * (edges[:-1] + edges[1:])[:, None] - 0.5 - np.arange(old))
        near = (1.5 * distance - 2.5) * distance**2 + 1.0
        far = ((-0.5 * distance + 2.5) * distance - 4.0) * distance + 2.0
        weights = np.where(distance < 1.0, near, np.where(distance < 2.0, far, 0.0))
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)
