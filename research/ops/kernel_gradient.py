"""The gradient of a convolution by its kernel, for CPUs: block by block, in the form for which XLA has a fast kernel."""

from typing import Any

import jax.numpy as jnp
from jax import lax

from likeness.research.types import AnyArray, Array, Float

__all__ = ["blocks_pay", "kernel_gradient_by_blocks"]

PIXELS = 1600
"""Of the incoming gradient in a block, about."""


def blocks_pay(gradient: tuple[int, ...]) -> bool:
    """Whether a gradient of shape (b, h, w, d) has the pixels for which XLA:CPU's own form is slow."""
    batch, height, width, _ = gradient
    return batch * height * width >= 2**13


def kernel_gradient_by_blocks(
    x: Float[AnyArray, "b h w c"],
    gradient: Float[AnyArray, "b h2 w2 d"],
    side: int,
    stride: int = 1,
    padding: int = 0,
) -> Float[Array, "side side c d"]:
    """``dk[u, v] = Σ_bij x[b, i·stride + u − padding, j·stride + v − padding] ⊗ g[b, i, j]``, a block of pixels at a time.

    It is itself a convolution, of x by g: the batch takes the place of the channels, and g that of the window. XLA:CPU has a
    fast kernel for it only where arrays already lie in that order, and is slow where the window is large. So blocks of some
    rows of one image, or of some small images, are laid in that order and convolved, one after another in a loop, whose sum
    it is. Of 64 maps of 32×32, from 64 to 64 channels, that is 26 ms of one core instead of 46, and of 8 of 112×112 it is 38
    instead of 89 (jaxlib 0.10.2; ``python -m likeness.experiments.benchmarks.convolutions``).

    Args:
        x: images.
        gradient: that of the convolution's result.
        side: of the square window.
        stride: step between windows.
        padding: zeros on every side of x.

    Example:
        >>> kernel_gradient_by_blocks(jnp.ones((2, 3, 3, 1)), jnp.ones((2, 3, 3, 1)), 3, 1, 1)[:, :, 0, 0].tolist()
        [[8.0, 12.0, 8.0], [12.0, 18.0, 12.0], [8.0, 12.0, 8.0]]
    """
    (batch, height, width, channels), (_, rows, columns, features) = x.shape, gradient.shape
    images = _share(batch, PIXELS // (rows * columns))
    tall = _share(rows, PIXELS // columns)
    below = stride * (rows - 1) + side - height - padding
    if tall < rows:
        # Blocks of rows overlap, and the first and the last have zeros beside them.
        x, above, below = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), (padding, below, 0), (0, 0, 0), (0, 0, 0))), 0, 0
        reach = stride * (tall - 1) + side
    else:
        above, reach = padding, height
    x, gradient = jnp.asarray(x), jnp.asarray(gradient)
    right = stride * (columns - 1) + side - width - padding

    def block(index: Any, total: Array) -> Array:
        image, row = index // (rows // tall), index % (rows // tall)
        of_x = lax.dynamic_slice(x, (image * images, row * tall * stride, 0, 0), (images, reach, width, channels))
        of_g = lax.dynamic_slice(gradient, (image * images, row * tall, 0, 0), (images, tall, columns, features))
        # Without the barrier XLA folds the transpositions into the convolution, which then has no fast kernel.
        lhs, rhs = lax.optimization_barrier((of_x.transpose(3, 1, 2, 0), of_g.transpose(1, 2, 0, 3)))
        return total + lax.conv_general_dilated(
            lhs,
            rhs,
            (1, 1),
            [(above, below), (padding, right)],
            rhs_dilation=(stride, stride),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )

    blocks = batch // images * (rows // tall)
    start = jnp.zeros((channels, side, side, features), x.dtype)
    total = block(0, start) if blocks == 1 else lax.fori_loop(0, blocks, block, start)
    return total.transpose(1, 2, 0, 3)


def _share(number: int, most: int) -> int:
    """The largest divisor that is at most so much; all, where that is far less, as of a prime: small blocks are slow."""
    divisor = max(part for part in range(1, max(most, 1) + 1) if number % part == 0)
    return divisor if 4 * divisor >= min(most, number) else number
