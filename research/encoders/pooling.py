"""Pooling: maximum, average and L2, on (b, h, w, c).

Padding is the field's: a whole number of pixels added on every side, as in Torch and Caffe (``"SAME"`` of
TensorFlow pads unevenly under a stride). What does not fill a window at the right and lower border is
dropped.
"""

import functools
import itertools
import math

import jax.numpy as jnp
from flax import linen as nn

from research.types import AnyArray, Array, Float

__all__ = ["avg_pool", "l2_pool", "max_pool", "max_pool_2x2"]


def max_pool_2x2(x: Float[AnyArray, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
    """Maximum over disjoint 2×2 windows: (b, h, w, c) → (b, ⌊h/2⌋, ⌊w/2⌋, c).

    The same values as ``flax.linen.max_pool(x, (2, 2), (2, 2))``. It is written as pairwise maxima of the
    four strided slices because XLA:CPU takes about ten times as long over the gradient of a window reduction.

    Where a window's maximum is attained more than once, the gradient is shared: each pairwise maximum hands
    half to either side, so four equal values get a quarter each (two equal in a row and one in the other: ¼,
    ¼, ½). It always sums to the incoming gradient. A window reduction gives all of it to the first. The two
    differ only at ties, and a tie of zeros after a ReLU passes nothing on in either case.

    Example:
        >>> max_pool_2x2(jnp.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0].tolist()
        [[5.0, 7.0], [13.0, 15.0]]
    """
    return max_pool(x, window=2)


def max_pool(
    x: Float[AnyArray, "b h w c"], window: int, stride: int | None = None, padding: int = 0
) -> Float[Array, "b h2 w2 c"]:
    """Maximum over ``window``×``window`` pixels, every ``stride`` pixels; padding never wins.

    Ties share the gradient, see :func:`max_pool_2x2`.

    Args:
        x: (b, h, w, c).
        window: side of the window.
        stride: step between windows; the window's side when not given.
        padding: pixels added on each side.

    Returns:
        (b, ⌊(h + 2·padding − window)/stride⌋ + 1, …, c).

    Raises:
        ValueError: no window fits, or a window could lie in the padding alone.
    """
    stride = stride or window
    _check(x, window, stride, padding)
    x = jnp.asarray(x)
    if padding:
        edge = ((0, 0), (padding, padding), (padding, padding), (0, 0))
        x = jnp.pad(x, edge, constant_values=-math.inf)
    rows, columns = ((side - window) // stride + 1 for side in x.shape[1:3])

    def shifted(down: int, right: int) -> Array:
        last_row, last_column = down + stride * (rows - 1) + 1, right + stride * (columns - 1) + 1
        return x[:, down:last_row:stride, right:last_column:stride]

    slices = itertools.starmap(shifted, itertools.product(range(window), repeat=2))
    return _balanced_maximum(list(slices))


def avg_pool(
    x: Float[AnyArray, "b h w c"], window: int, stride: int | None = None, padding: int = 0
) -> Float[Array, "b h2 w2 c"]:
    """Mean over ``window``×``window`` pixels; padding counts as zeros, as in Torch and Caffe.

    Arguments, result and errors as for :func:`max_pool`.
    """
    stride = stride or window
    _check(x, window, stride, padding)
    x = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    return nn.avg_pool(x, (window, window), (stride, stride))


def l2_pool(
    x: Float[AnyArray, "b h w c"], window: int, stride: int | None = None, padding: int = 0
) -> Float[Array, "b h2 w2 c"]:
    """Root of the sum of squares over ``window``×``window`` pixels, Torch's ``SpatialLPPooling`` with p = 2.

    The squares are summed in float32. Over a window of zeros the gradient is zero (the root's own is
    infinite). Arguments, result and errors as for :func:`max_pool`.
    """
    squares = jnp.asarray(x, jnp.float32) ** 2
    total = avg_pool(squares, window, stride, padding) * window**2
    positive = total > 0
    root = jnp.where(positive, jnp.sqrt(jnp.where(positive, total, 1.0)), 0.0)
    return root.astype(x.dtype)


def _balanced_maximum(arrays: list[Array]) -> Array:
    """Pairs neighbours until one is left, so that equal values share the gradient as evenly as pairs can."""
    while len(arrays) > 1:
        arrays = [functools.reduce(jnp.maximum, arrays[i : i + 2]) for i in range(0, len(arrays), 2)]
    return arrays[0]


def _check(x: AnyArray, window: int, stride: int, padding: int) -> None:
    if window < 1 or stride < 1 or not 0 <= padding < window:
        raise ValueError(
            f"Pooling with window {window}, stride {stride}, padding {padding}: window and stride must be "
            "at least 1 and the padding smaller than the window."
        )
    if min(x.shape[1:3]) + 2 * padding < window:
        raise ValueError(
            f"Pooling: a map of {x.shape[1]}×{x.shape[2]} with padding {padding} is smaller than the "
            f"{window}×{window} window; use larger images or fewer pooling layers."
        )
