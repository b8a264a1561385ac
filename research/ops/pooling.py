"""Pooling: maximum, average and L2, on (b, h, w, c), and just so over one or three spatial axes; and enlarging.

Padding is the field's: a whole number of pixels added on every side, as in Torch and Caffe (``"SAME"`` of
TensorFlow pads unevenly under a stride). What does not fill a window at the right and lower border is
dropped, unless ``ceil`` says otherwise. All are written with strided slices: XLA:CPU takes several times as
long over the gradient of a window reduction. The maximum has a gradient of its own, since XLA:CPU pads and adds what JAX
derives from slices; reverse mode only.
"""

import functools
import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from likeness.research.types import AnyArray, Array, Float

__all__ = ["avg_pool", "enlarge", "l2_pool", "max_pool", "max_pool_2x2"]


def max_pool_2x2(x: Float[AnyArray, "b h w c"]) -> Float[Array, "b *pooled c"]:
    """Maximum over disjoint 2×2 windows: (b, h, w, c) → (b, ⌊h/2⌋, ⌊w/2⌋, c).

    The same values as ``flax.linen.max_pool(x, (2, 2), (2, 2))``. It is written as pairwise maxima of
    strided slices because XLA:CPU takes about ten times as long over the gradient of a window reduction.

    Where a window's maximum is attained more than once, the gradient is shared: each pairwise maximum hands
    half to either side, so four equal values get a quarter each (two equal in a row and one in the other: ¼,
    ¼, ½). It always sums to the incoming gradient. A window reduction gives all of it to the first. The two
    differ only at ties. Of a tie of zeros after a ReLU the gradient passes nothing on in either case; under a
    deconvnet's rule it does.

    Example:
        >>> max_pool_2x2(jnp.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0].tolist()
        [[5.0, 7.0], [13.0, 15.0]]
    """
    return max_pool(x, window=2)


def max_pool(
    x: Float[AnyArray, "b *space c"], window: int, stride: int | None = None, padding: int = 0, *, ceil: bool = False
) -> Float[Array, "b *pooled c"]:
    """Maximum over ``window``×``window`` pixels, every ``stride`` pixels along each spatial axis; padding never wins.

    Ties share the gradient, see :func:`max_pool_2x2`.

    Args:
        x: (b, h, w, c), (b, t, c) or (b, d, h, w, c).
        window: side of the window.
        stride: step between windows; the window's side when not given.
        padding: pixels added on each side.
        ceil: keep a last window that reaches over the right or lower edge, if it begins before it, as Caffe
            does.

    Returns:
        (b, ⌊(h + 2·padding − window)/stride⌋ + 1, …, c), rounded up with ``ceil``.

    Raises:
        ValueError: no window fits, or a window could lie in the padding alone.
    """
    stride = window if stride is None else stride
    _check(x, window, stride, padding, ceil)
    x = jnp.asarray(x)
    counts = [_count(side, window, stride, padding, ceil) for side in x.shape[1:-1]]
    if padding or ceil:
        after = [
            max(stride * (count - 1) + window - side - padding, 0) for count, side in zip(counts, x.shape[1:-1], strict=True)
        ]
        x = jnp.pad(x, ((0, 0), *((padding, more) for more in after), (0, 0)), constant_values=-math.inf)
    if window == stride == 2:
        inside = tuple(slice(0, 2 * count) for count in counts)
        return _halved(x[:, *inside])
    pooled: Array = x
    # Along one axis after the other: overlapping 3×3 windows then take 6 comparisons and not 9.
    for axis, count in reversed(list(enumerate(counts, 1))):
        pooled = _maximum(pooled, axis, window, stride, count)
    return pooled


def avg_pool(
    x: Float[AnyArray, "b *space c"], window: int, stride: int | None = None, padding: int = 0
) -> Float[Array, "b *pooled c"]:
    """Mean over ``window``×``window`` pixels; padding counts as zeros, as in Torch and Caffe.

    Arguments, result and errors as for :func:`max_pool`.
    """
    stride = window if stride is None else stride
    _check(x, window, stride, padding)
    lasts = [stride * (_count(side, window, stride, padding) - 1) + 1 for side in x.shape[1:-1]]
    x = jnp.pad(x, ((0, 0), *[(padding, padding)] * len(lasts), (0, 0)))
    slices = []
    for shifts in itertools.product(range(window), repeat=len(lasts)):
        parts = (slice(shift, shift + last, stride) for shift, last in zip(shifts, lasts, strict=True))
        slices.append(x[:, *parts])
    return functools.reduce(jnp.add, slices) / len(slices)


def l2_pool(
    x: Float[AnyArray, "b *space c"], window: int, stride: int | None = None, padding: int = 0
) -> Float[Array, "b *pooled c"]:
    """Root of the sum of squares over ``window``×``window`` pixels, Torch's ``SpatialLPPooling`` with p = 2.

    The squares are summed in float32. Over a window of zeros the gradient is zero (the root's own is
    infinite). Arguments, result and errors as for :func:`max_pool`.
    """
    squares = jnp.asarray(x, jnp.float32) ** 2
    total = avg_pool(squares, window, stride, padding) * window ** (x.ndim - 2)
    positive = total > 0
    root = jnp.where(positive, jnp.sqrt(jnp.where(positive, total, 1.0)), 0.0)
    return root.astype(x.dtype)


def hann_pool(x: Float[AnyArray, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
    """``(g * x² + 1e-12)^½`` at every other pixel, g the 3×3 window of Hann: an L2 pooling that lets less alias than 2×2.

    ``g = a aᵀ / Σ, a = (½, 1, ½)``, over zeros beyond the edge. (b, h, w, c) → (b, ⌈h/2⌉, ⌈w/2⌉, c), summed in float32.

    Hénaff and Simoncelli, "Geodesics of learned representations", 2016; the pooling of DISTS (Ding et al. 2020).
    """
    squares = jnp.asarray(x, jnp.float32) ** 2
    for axis in (1, 2):
        edges = [(0, 0)] * x.ndim
        edges[axis] = (1, 1)
        padded, count = jnp.pad(squares, edges), -(-squares.shape[axis] // 2)
        before, at, after = (_every(padded, axis, start, 2, count) for start in range(3))
        squares = 0.25 * before + 0.5 * at + 0.25 * after
    return jnp.sqrt(squares + 1e-12).astype(x.dtype)


def enlarge(x: Float[AnyArray, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
    """Each pixel becomes 2×2 of itself: nearest-neighbor interpolation.

    Followed by a convolution it leaves no checkerboard, as a transposed convolution does, whose windows overlap
    unevenly (Odena, Dumoulin and Olah, "Deconvolution and checkerboard artifacts", Distill 2016).

    Example:
        >>> enlarge(jnp.array([[[[1.0], [2.0]]]]))[0, :, :, 0].tolist()
        [[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]
    """
    images, height, width, channels = x.shape
    spread = jnp.broadcast_to(x[:, :, None, :, None], (images, height, 2, width, 2, channels))
    return spread.reshape(images, 2 * height, 2 * width, channels)


@jax.custom_vjp
def _halved(x: Any) -> Any:
    """The maximum over disjoint windows of two along each spatial axis, all of even length."""
    for axis in reversed(range(1, x.ndim - 1)):
        length = x.shape[axis]
        x = jnp.maximum(lax.slice_in_dim(x, 0, length, 2, axis), lax.slice_in_dim(x, 1, length, 2, axis))
    return x


def _halved_backward(x: Array, gradient: Any) -> tuple[Any]:
    axes = list(range(2, 2 * (x.ndim - 1), 2))
    # In pairs: each spatial axis is followed by one of length two.
    best = x.reshape(x.shape[0], *(part for side in x.shape[1:-1] for part in (side // 2, 2)), x.shape[-1])
    back = jnp.expand_dims(gradient, axes)
    for axis in reversed(axes):
        other = jnp.flip(best, axis)
        back = back * _share(best, other)
        best = jnp.maximum(best, other)
    return (back.reshape(x.shape),)


_halved.defvjp(lambda x: (_halved(x), x), _halved_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3, 4))
def _maximum(x: Array, axis: int, window: int, stride: int, count: int) -> Any:
    """The maximum over windows along one axis, paired with its neighbours until one is left."""
    return _tournament([_every(x, axis, shift, stride, count) for shift in range(window)])[-1][0]


def _maximum_forward(x: Array, axis: int, window: int, stride: int, count: int) -> tuple[Array, Array]:
    return _maximum(x, axis, window, stride, count), x


def _maximum_backward(axis: int, window: int, stride: int, count: int, x: Array, gradient: Any) -> tuple[Any]:
    x, gradient = lax.optimization_barrier((x, gradient))
    rounds = _tournament([_every(x, axis, shift, stride, count) for shift in range(window)])
    shares = [gradient]
    for players in reversed(rounds[:-1]):
        handed = []
        for index, share in enumerate(shares):
            pair = players[2 * index : 2 * index + 2]
            if len(pair) == 1:
                handed.append(share)
            else:
                handed += [share * _share(*pair), share * _share(*pair[::-1])]
        shares = handed
    length = x.shape[axis]
    places = -(-max(length, stride * (count - 1) + window) // stride)

    def laid(shift: int) -> Array:
        edges = [(0, 0, 0)] * x.ndim
        edges[axis] = (shift // stride, places - count - shift // stride, 0)
        return lax.pad(shares[shift], jnp.zeros((), x.dtype), edges)

    # Pixel stride·i + r gets what windows hand to their place r, r + stride, …
    lanes = [
        functools.reduce(jnp.add, [laid(shift) for shift in range(first, window, stride)])
        if first < window
        else jnp.zeros((*x.shape[:axis], places, *x.shape[axis + 1 :]), x.dtype)
        for first in range(stride)
    ]
    whole = jnp.stack(lanes, axis + 1).reshape(*x.shape[:axis], places * stride, *x.shape[axis + 1 :])
    return (lax.optimization_barrier(lax.slice_in_dim(whole, 0, length, 1, axis)),)


_maximum.defvjp(_maximum_forward, _maximum_backward)


def _tournament(arrays: list[Array]) -> list[list[Array]]:
    """Pairs neighbours until one is left, so that equal values share the gradient as evenly as pairs can; each round's."""
    rounds = [arrays]
    while len(arrays) > 1:
        arrays = [functools.reduce(jnp.maximum, arrays[i : i + 2]) for i in range(0, len(arrays), 2)]
        rounds.append(arrays)
    return rounds


def _share(x: Array, other: Array) -> Array:
    """Of what two are handed together: all for the larger, half if they are equal."""
    return jnp.where(x > other, 1, jnp.where(x == other, 0.5, 0)).astype(x.dtype)


def _count(side: int, window: int, stride: int, padding: int, ceil: bool = False) -> int:
    """Windows along an axis; with ``ceil``, the last one may reach over the edge but not begin beyond it."""
    over = side + 2 * padding - window
    if not ceil:
        return over // stride + 1
    count = -(-over // stride) + 1
    return count - 1 if stride * (count - 1) >= side + padding else count


def _every(x: Array, axis: int, start: int, stride: int, count: int) -> Array:
    return lax.slice_in_dim(x, start, start + stride * (count - 1) + 1, stride, axis)


def _check(x: AnyArray, window: int, stride: int, padding: int, ceil: bool = False) -> None:
    if window < 1 or stride < 1 or not 0 <= padding < window:
        raise ValueError(
            f"Pooling with window {window}, stride {stride}, padding {padding}: window and stride must be "
            "at least 1 and the padding smaller than the window."
        )
    if min(_count(side, window, stride, padding, ceil) for side in x.shape[1:-1]) < 1:
        sides, windows = ("×".join(map(str, lengths)) for lengths in (x.shape[1:-1], [window] * (x.ndim - 2)))
        raise ValueError(
            f"Pooling: a map of {sides} with padding {padding} is smaller than the "
            f"{windows} window; use larger images or fewer pooling layers."
        )
