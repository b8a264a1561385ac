"""Which pixels of an image a number depends on: a class's score, a unit's activation, how alike two faces are."""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.types import AnyArray, Array, Float, PRNGKey

__all__ = [
    "Score",
    "gradient_times_input",
    "integrated_gradients",
    "occlusion",
    "saliency",
    "smooth_gradient",
    "without_rounding",
]

Score: TypeAlias = Callable[[Float[Array, "n *space c"]], Float[Array, "n"]]
"""A number for each image, of that image alone. Differentiable, but for :func:`occlusion`."""


def saliency(score: Score, images: Float[AnyArray, "n *space c"]) -> Float[Array, "n *space c"]:
    """The score's gradient by the pixels (Simonyan et al. 2014).

    Example:
        >>> saliency(lambda x: 3 * x.sum(axis=(1, 2, 3)), np.zeros((1, 1, 1, 2), np.float32)).ravel()
        Array([3., 3.], dtype=float32)
    """
    return jax.grad(lambda pixels: jnp.sum(score(pixels)))(jnp.asarray(images))


def gradient_times_input(score: Score, images: Float[AnyArray, "n *space c"]) -> Float[Array, "n *space c"]:
    """x times the score's gradient: what each pixel gives to the score's tangent at the image (Shrikumar et al. 2016)."""
    pixels = jnp.asarray(images)
    return pixels * saliency(score, pixels)


def smooth_gradient(
    score: Score, images: Float[AnyArray, "n *space c"], key: PRNGKey, *, samples: int = 25, noise: float = 0.15
) -> Float[Array, "n *space c"]:
    """The mean gradient over images with normal noise added (Smilkov et al. 2017).

    Args:
        score: of images.
        images: in [0, 1].
        key: of the noise.
        samples: how many noisy copies.
        noise: standard deviation, as a share of each image's range of values.
    """
    pixels = jnp.asarray(images)
    axes = tuple(range(1, pixels.ndim))
    spread = noise * (pixels.max(axes, keepdims=True) - pixels.min(axes, keepdims=True))
    total = jnp.zeros_like(pixels)
    for number in range(samples):
        drawn = jax.random.normal(jax.random.fold_in(key, number), pixels.shape, pixels.dtype)
        total += saliency(score, pixels + spread * drawn)
    return total / samples


def integrated_gradients(
    score: Score, images: Float[AnyArray, "n *space c"], baseline: Float[AnyArray, "n *space c"], *, steps: int = 64
) -> Float[Array, "n *space c"]:
    """(x − b) times the mean gradient on the straight line from the baseline b to the image x (Sundararajan et al. 2017).

    Complete: over all pixels it sums to score(x) − score(b), up to the error of the midpoint rule, which falls with the square
    of ``steps`` where the score is smooth. It is not at a baseline where the score jumps, as an embedding scaled to unit length
    does at 0.
    """
    pixels, start = jnp.asarray(images), jnp.asarray(baseline)
    total = jnp.zeros_like(pixels)
    for number in range(steps):
        total += saliency(score, start + (number + 0.5) / steps * (pixels - start))
    return (pixels - start) * total / steps


def occlusion(
    score: Callable[[np.ndarray], np.ndarray],
    image: Float[np.ndarray, "h w c"],
    *,
    window: int,
    stride: int = 1,
    value: float = 0.5,
    batch: int = 64,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> Float[np.ndarray, "h w"]:
    """How far the score falls when a place is covered: the mean over all windows that cover it (Zeiler and Fergus 2014).

    Args:
        score: of images (n, h, w, c), n numbers. Need not be differentiable.
        image: one.
        window: side of the square that is covered, in pixels.
        stride: step between squares; the last one lies at the edge, so that every pixel is covered.
        value: what the square is painted with.
        batch: images at a time.
        tell: told how many of the squares are done, and of how many, with 0 first.

    Raises:
        ValueError: the window is larger than the image, or an argument is not positive.
    """
    height, width, _ = image.shape
    if not 1 <= window <= min(height, width) or stride < 1 or batch < 1:
        raise ValueError(
            f"window {window}, stride {stride} and batch {batch} must be positive, and the window at most the image's "
            f"{height} x {width} pixels"
        )
    rows, columns = (sorted({*range(0, side - window + 1, stride), side - window}) for side in (height, width))
    places = [(row, column) for row in rows for column in columns]
    tell(0, len(places))
    whole = float(score(image[None])[0])
    fallen, covered = np.zeros((height, width)), np.zeros((height, width))
    for start in range(0, len(places), batch):
        some = places[start : start + batch]
        # Always as many, or the last batch would be compiled for itself.
        images = np.repeat(image[None], batch, axis=0)
        for one, (row, column) in zip(images, some, strict=False):
            one[row : row + window, column : column + window] = value
        for found, (row, column) in zip(np.asarray(score(images)), some, strict=False):
            fallen[row : row + window, column : column + window] += whole - float(found)
            covered[row : row + window, column : column + window] += 1
        tell(min(start + batch, len(places)), len(places))
    return (fallen / covered).astype(np.float32)


def without_rounding(
    maps: Float[np.ndarray, "n *space"], sizes: Float[np.ndarray, "n"], share: float = 1e-5
) -> Float[np.ndarray, "n *space"]:
    """Makes those maps 0 that rounding has left: all of such a map together is below a share of the size of what is explained.

    A squared distance of an image to itself has the slope 0, but what is computed is some ten-millionths of its parts. On a
    scale of its own it looks like any map.

    Args:
        maps: of each of n numbers.
        sizes: of the numbers, or of what they are compared with.
        share: below which nothing is left, of the sum of a map's absolute values.

    Example:
        >>> without_rounding(np.array([[1e-9, 2e-9], [1.0, 1e-9]]), np.array([0.5, 0.5])).tolist()
        [[0.0, 0.0], [1.0, 1e-09]]
    """
    total = np.abs(maps).sum(axis=tuple(range(1, maps.ndim)), dtype=np.float64)
    something = total > share * np.abs(sizes)
    return np.where(something.reshape(-1, *(1,) * (maps.ndim - 1)), maps, np.zeros_like(maps))
