"""Convolutions of small images, laid side by side so that several cores share them."""

import math
import os
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from likeness.research.types import Array

__all__ = ["lay_side_by_side", "side_by_side_pays"]

WIDTH = 128
"""Pixels of a row for each core."""


def side_by_side_pays(images: tuple[int, ...], kernel: tuple[int, ...], cores: int | None = None) -> bool:
    """Whether XLA:CPU would leave a convolution that keeps the size to one core of several.

    It divides one along its rows, if they are of more than a hundred pixels, or among its features, if those are more than two
    hundred, and never among its images (jaxlib 0.10.2; ``python -m likeness.experiments.benchmarks.convolutions --threads 2``
    prints the times of both). Laying images side by side copies them, which one core does not repay, nor a layer of few
    channels, and where a process has several devices each has a core already.

    Args:
        images: shape (b, h, w, c).
        kernel: shape (kh, kw, c, d).
        cores: that there are; by default those that this process may use.

    Example:
        >>> side_by_side_pays((64, 32, 32, 64), (3, 3, 64, 64), cores=2)
        True
        >>> side_by_side_pays((8, 112, 112, 64), (3, 3, 64, 64), cores=2)
        False
    """
    batch, _, width, channels = images
    cores = _cores() if cores is None else cores
    narrow = width < 100 and kernel[3] < 256
    alone = jax.device_count() == 1
    return alone and cores > 1 and batch > 1 and narrow and channels >= 16 and math.prod(images) * kernel[3] >= 2**25


def lay_side_by_side(convolve: Callable[[Array], Array], x: Array, gap: int) -> Array:
    """A convolution that keeps the size, of images laid side by side between columns of zeros.

    Args:
        convolve: the convolution, with a border of zeros of its own.
        x: (b, h, w, c).
        gap: columns of zeros between two: as many as its window reaches to either side.

    Returns:
        What ``convolve(x)`` is, (b, h, w, d).
    """
    batch, height, width, channels = x.shape
    enough = -(-WIDTH * _cores() // (width + gap))
    row = min((number for number in range(1, batch + 1) if batch % number == 0 and number >= enough), default=batch)
    laid = jnp.pad(x.reshape(batch // row, row, height, width, channels), ((0, 0), (0, 0), (0, 0), (0, gap), (0, 0)))
    laid = laid.transpose(0, 2, 1, 3, 4).reshape(batch // row, height, row * (width + gap), channels)
    # Without the barrier XLA computes what comes before in this order, which reads memory across.
    y = convolve(lax.optimization_barrier(laid))
    y = y.reshape(batch // row, height, row, width + gap, -1)[:, :, :, :width]
    return y.transpose(0, 2, 1, 3, 4).reshape(batch, height, width, -1)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
