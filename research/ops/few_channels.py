"""Convolutions of an image's few channels to few features, as detectors begin, for processors without matrix units."""

import functools
import itertools
from collections.abc import Sequence

import jax.numpy as jnp
from jax import lax

from likeness.research.types import AnyArray, Array, Float

__all__ = ["convolve_few_channels", "few_channels_pay"]

_TERMS, _FEATURES = 27, 32
"""Of a window over three colors, and of the layers for which XLA:CPU has no fast kernel."""


def few_channels_pay(kernel: Sequence[int]) -> bool:
    """Whether XLA:CPU's own convolution is slower than a sum of products, from the shape of the kernel alone.

    It is fast from 64 features on, and spends most of its time on moving data where 3×3×3 numbers become 16, 24 or 32
    (``python -m likeness.experiments.benchmarks.convolutions`` prints the times of both).

    Args:
        kernel: shape (kh, kw, c, d).

    Example:
        >>> few_channels_pay((3, 3, 3, 16)), few_channels_pay((3, 3, 3, 64))
        (True, False)
    """
    height, width, channels, features = kernel
    return height == width > 1 and height * width * channels <= _TERMS and features <= _FEATURES


def convolve_few_channels(
    x: Float[AnyArray, "b h w c"], kernel: Float[AnyArray, "k k c d"], stride: int = 1, padding: int = 0
) -> Float[Array, "b h2 w2 d"]:
    """``y[i, j] = Σ_uvc x[i·stride + u − padding, j·stride + v − padding, c] · k[u, v, c]``, term by term.

    One loop over the result holds a pixel's features in registers, and adds to them one number of the image times a row of the
    kernel after another.

    Args:
        x: images.
        kernel: the window.
        stride: step between windows.
        padding: zeros added on every side.

    Example:
        >>> convolve_few_channels(jnp.ones((1, 3, 3, 1)), jnp.ones((3, 3, 1, 1)), 1, 1)[0, :, :, 0].tolist()
        [[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]
    """
    (batch, height, width, channels), side = x.shape, kernel.shape[0]
    # Rows of numbers, since of a loop over three channels no processor makes vectors. Without the barrier XLA computes what
    # comes before anew for each term.
    lines = jnp.asarray(x).reshape(batch, height, width * channels)
    lines = jnp.pad(lines, ((0, 0), (padding, padding), (padding * channels, padding * channels)))
    padded: Array = lax.optimization_barrier(lines).reshape(batch, height + 2 * padding, width + 2 * padding, channels)
    rows, columns = (stride * ((length - side) // stride) + 1 for length in padded.shape[1:3])
    places = itertools.product(range(side), range(side), range(channels))
    terms = [padded[:, u : u + rows : stride, v : v + columns : stride, c : c + 1] * kernel[u, v, c] for u, v, c in places]
    return functools.reduce(jnp.add, terms)
