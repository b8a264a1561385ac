"""Laying faces over a template under ``jit``: similarities fitted to landmarks in batches, and crops cut by them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.types import AnyArray, Array, Float, Shaped

__all__ = ["Alignments", "align", "warp"]

_LEVELS = 5
"""Halvings of an image, at most: a crop is cut from one that is up to twice as fine as it."""
_EXACT = 1e-4
"""A scale that is above a power of two by less than this share is taken for it."""


class Alignments(NamedTuple):
    """How crops lie in their images. A pytree."""

    maps: Float[Array, "*n 4"]
    """(a, b, right, down): (x, y) of the crop is at (a x − b y + right, b x + a y + down) of the image, where (0, 0) is the
    center of the first pixel of either."""
    misfit: Float[Array, "*n"]
    """Root mean square distance of the fitted landmarks from the template's points, over those points' own spread: 0 where the
    landmarks are the template, turned, scaled and shifted, 1 where they say nothing. Infinite where all are in one place, or
    one is not finite; the map is then that which changes nothing."""


def align(landmarks: Float[AnyArray, "*n p 2"], template: Float[AnyArray, "q 2"]) -> Alignments:
    """Fits the similarities that lay landmarks over a template with the least sum of squared distances, and inverts them.

    As :func:`~likeness.research.geometry.fit_similarity`, for any number of faces at once, in float32, with a gradient.

    Args:
        landmarks: (x, y) of p points of each face in pixels of its image, (0, 0) the center of the first.
        template: (x, y) of the same points in the crop.

    Raises:
        ValueError: another number of points, or fewer than two.

    Paper: Umeyama, Least-squares estimation of transformation parameters between two point patterns, PAMI 1991.

    Example:
        >>> template = np.array([[1.0, 1.0], [3.0, 1.0], [2.0, 3.0]])
        >>> found = align(2 * template + 5, template)
        >>> np.allclose(found.maps, [2.0, 0.0, 5.0, 5.0], atol=1e-3), float(found.misfit) < 1e-2
        (True, True)
    """
    if landmarks.shape[-2:] != template.shape or template.shape[0] < 2:
        raise ValueError(
            f"align: landmarks {landmarks.shape} are laid over a template of {template.shape}: give as many points of each "
            "face, two or more, with x and y."
        )
    points, goal = jnp.asarray(landmarks, jnp.float32), jnp.asarray(template, jnp.float32)
    finite = jnp.isfinite(points).all((-1, -2))
    points = jnp.where(finite[..., None, None], points, 0.0)
    middle, center = points.mean(-2, keepdims=True), goal.mean(0)
    p, q = points - middle, goal - center
    # As complex numbers, the factor by which the landmarks are multiplied is Σ p̄ q / Σ |p|².
    spread = jnp.square(p).sum((-1, -2))
    a = (p * q).sum((-1, -2))
    b = (p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0]).sum(-1)
    squared = a**2 + b**2
    there = finite & (spread > 1e-8) & (squared > 1e-12 * spread)
    spread, squared = (jnp.where(there, each, 1.0) for each in (spread, squared))
    a, b = jnp.where(there, a, 1.0), jnp.where(there, b, 0.0)
    # Its inverse, from the template to the image.
    u, v = a * spread / squared, -b * spread / squared
    middle = jnp.where(there[..., None], middle[..., 0, :], center)
    right = middle[..., 0] - u * center[0] + v * center[1]
    down = middle[..., 1] - v * center[0] - u * center[1]
    # What is left of the template's spread when the best fit is taken away, by Pythagoras.
    total = jnp.square(q).sum()
    left = jnp.maximum(total - squared / spread, 0.0) / total
    # The root has no derivative at 0, a perfect fit.
    misfit = jnp.where(left > 0, jnp.sqrt(jnp.where(left > 0, left, 1.0)), 0.0)
    return Alignments(jnp.stack([u, v, right, down], axis=-1), jnp.where(there, misfit, jnp.inf))


def warp(
    images: Shaped[AnyArray, "b h w c"], maps: Float[AnyArray, "b k 4"], size: tuple[int, int]
) -> Float[Array, "b k H W c"]:
    """Cuts k crops out of each image, by :class:`Alignments`.

    An image is halved as often as a crop is coarser by more than twice, each pixel being the mean of four, so that every pixel
    below a crop counts; then a pixel of the crop is the mean of 2×2 places in it, or one place where the crop is not coarser,
    each looked up bilinearly. Outside of the image everything is black. With a scale of at most 2 that is
    :func:`~likeness.research.geometry.crop`.

    Args:
        images: of any dtype; sides are taken to be black beyond the image where halving needs more pixels.
        maps: of the crops, k of each image.
        size: height and width of the crops.

    Returns:
        float32, in the units of the images.

    Raises:
        ValueError: another number of maps than of images, or a side below 1.
    """
    count, height, width, _ = images.shape
    if maps.shape[0] != count or maps.shape[-1] != 4 or min(*size, height, width) < 1:
        raise ValueError(f"warp: images {images.shape}, maps {maps.shape} and a crop of {size} pixels do not go together.")
    levels = min(_LEVELS, max(height, width).bit_length() - 1)
    pyramid = [jnp.asarray(images, jnp.float32)]
    for _ in range(levels):
        pyramid.append(_halved(pyramid[-1]))
    sides = np.array([level.shape[1:3] for level in pyramid], np.int32)
    starts = np.concatenate([[0], np.cumsum(sides.prod(axis=1))[:-1]]).astype(np.int32)
    flat = jnp.concatenate([level.reshape(count, -1, level.shape[-1]) for level in pyramid], axis=1)
    cut = jax.vmap(jax.vmap(lambda pixels, a_map: _crop(pixels, a_map, size, sides, starts), (None, 0)))
    return cut(flat, jnp.asarray(maps, jnp.float32))


def _halved(images: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
    count, height, width, channels = images.shape
    padded = jnp.pad(images, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
    return padded.reshape(count, (height + 1) // 2, 2, (width + 1) // 2, 2, channels).mean((2, 4))


def _crop(
    pixels: Float[Array, "n c"],
    a_map: Float[Array, "4"],
    size: tuple[int, int],
    sides: np.ndarray,
    starts: np.ndarray,
) -> Float[Array, "H W c"]:
    a, b, right, down = a_map
    scale = jnp.sqrt(jax.lax.stop_gradient(a**2 + b**2))
    level = jnp.clip(jnp.floor(jnp.log2(scale * (1 - _EXACT))), 0, len(sides) - 1).astype(jnp.int32)
    coarser = 2.0 ** level.astype(jnp.float32)
    height, width = jnp.asarray(sides)[level]
    start = jnp.asarray(starts)[level]
    inside = jnp.where(scale > coarser * (1 + _EXACT), 0.25, 0.0)
    rows, columns = jnp.meshgrid(jnp.arange(size[0], dtype=jnp.float32), jnp.arange(size[1], dtype=jnp.float32), indexing="ij")
    total = jnp.zeros((*size, pixels.shape[-1]), jnp.float32)
    for beside, below in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
        x, y = columns + beside * inside, rows + below * inside
        x, y = a * x - b * y + right, b * x + a * y + down
        # The middle of a pixel of a coarser level lies between those that it was made of.
        x, y = (x + 0.5) / coarser - 0.5, (y + 0.5) / coarser - 0.5
        left, top = jnp.floor(x), jnp.floor(y)
        s, t = x - left, y - top
        for over, share_x in ((0, 1 - s), (1, s)):
            for under, share_y in ((0, 1 - t), (1, t)):
                column, row = left + over, top + under
                there = (column >= 0) & (column < width) & (row >= 0) & (row < height)
                index = jnp.where(there, start + row.astype(jnp.int32) * width + column.astype(jnp.int32), 0)
                looked_up = pixels.at[index].get(mode="promise_in_bounds")
                total = total + looked_up * jnp.where(there, share_x * share_y / 4, 0.0)[..., None]
    return total
