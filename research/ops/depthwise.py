"""Convolution of each channel by itself."""

import functools
import itertools

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from likeness.research.types import AnyArray, Array, Float, Precision

__all__ = ["Depthwise", "convolve_depthwise"]

ROWS = 14
"""Of a map, about, whose terms of the kernel's gradient are added up at once on a CPU."""


class Depthwise(nn.Module, kw_only=True):
    """Convolution of each channel by itself: ``y[i, j, c] = Σ_uv k[u, v, c] · x[i·stride + u, j·stride + v, c]``, plus a bias.

    The values and the parameters of ``flax.linen.Conv`` with as many groups as channels: ``kernel`` of shape (side, side, 1,
    c), and perhaps ``bias``. It is written as a sum of shifted products, in float32 whatever the compute dtype, because XLA:CPU
    has no good kernel for groups: with them :class:`likeness.research.encoders.MobileFaceNet` takes 65 ms of one core an image
    and 267 ms with the gradient by its pixels, with these 11 and 38 (jaxlib 0.10.2).
    """

    side: int
    """Side of the kernel."""
    stride: int = 1
    """Step between windows."""
    padding: int = 0
    """Zeros added on every side."""
    use_bias: bool = False
    """Whether there is one; batch normalization has its own."""
    dtype: Precision = "float32"
    """Dtype of the result."""

    @nn.compact
    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
        """(b, h, w, c) → (b, ⌊(h + 2·padding − side)/stride⌋ + 1, …, c)."""
        init = nn.initializers.variance_scaling(1.0, "fan_in", "truncated_normal")
        kernel = jnp.asarray(self.param("kernel", init, (self.side, self.side, 1, x.shape[-1]), jnp.float32))[:, :, 0]
        x = jnp.asarray(x)
        if not self.padding and x.shape[1:3] == kernel.shape[:2]:
            y = jnp.einsum("bhwc,hwc->bc", x.astype(jnp.float32), kernel)[:, None, None]
        else:
            y = convolve_depthwise(x, kernel, self.stride, self.padding)
        if self.use_bias:
            y = y + self.param("bias", nn.initializers.zeros_init(), (x.shape[-1],), jnp.float32)
        return y.astype(self.dtype)


def convolve_depthwise(
    x: Float[AnyArray, "b h w c"], kernel: Float[AnyArray, "k k c"], stride: int = 1, padding: int = 0
) -> Float[Array, "b h2 w2 c"]:
    """The convolution of :class:`Depthwise`, in float32.

    Args:
        x: images.
        kernel: the window.
        stride: step between windows.
        padding: zeros added on every side.

    Example:
        >>> convolve_depthwise(jnp.ones((1, 3, 3, 1)), jnp.ones((3, 3, 1)), 1, 1)[0, :, :, 0].tolist()
        [[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]
    """
    return _depthwise(jnp.asarray(x), jnp.asarray(kernel), stride, padding)


def _convolve(x: Array, kernel: Array, stride: int, padding: int) -> Array:
    x = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    return functools.reduce(
        jnp.add, [kernel[place] * piece.astype(jnp.float32) for place, piece in _windows(x, kernel, stride)]
    )


_depthwise = jax.custom_vjp(_convolve, nondiff_argnums=(2, 3))


def _forward(x: Array, kernel: Array, stride: int, padding: int) -> tuple[Array, tuple[Array, Array]]:
    return _convolve(x, kernel, stride, padding), (x, kernel)


def _backward(stride: int, padding: int, kept: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array]:
    # JAX's own derivative pads each shifted product by itself, and XLA:CPU computes whatever came before anew for each.
    x, kernel = kept
    side = kernel.shape[0]
    edges = []
    for length, count in zip(x.shape[1:3], cotangent.shape[1:3], strict=True):
        before = side - 1 - padding
        edges.append((before, length - 1 + side - before - (stride * (count - 1) + 1), stride - 1))
    spread = lax.pad(cotangent, jnp.zeros((), cotangent.dtype), ((0, 0, 0), *edges, (0, 0, 0)))

    def defined(x: Array, cotangent: Array) -> Array:
        padded = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
        sums = [jnp.einsum("bhwc,bhwc->c", cotangent, piece) for _, piece in _windows(padded, kernel, stride)]
        return jnp.stack(sums).reshape(kernel.shape)

    def by_rows(x: Array, cotangent: Array) -> Array:
        return _kernel_gradient(x, cotangent, side, stride, padding)

    by_kernel = lax.platform_dependent(x, cotangent, cpu=by_rows, default=defined)
    return _convolve(spread, kernel[::-1, ::-1], 1, 0).astype(x.dtype), by_kernel


_depthwise.defvjp(_forward, _backward)


def _kernel_gradient(x: Array, gradient: Array, side: int, stride: int, padding: int) -> Array:
    """Σ over all pixels of g times each place of the window, (side, side, c).

    Nine sums over maps larger than a processor's cache read them nine times. So the terms of several rows are added up first,
    for all places of the window side by side, which reads them once.
    """
    rows, columns = gradient.shape[1:3]
    blocks = -(-rows // ROWS)
    tall = -(-rows // blocks)
    below, right = (
        max(stride * (count - 1) + side - length - padding, 0)
        for count, length in zip((blocks * tall, columns), x.shape[1:3], strict=True)
    )
    x = jnp.pad(x, ((0, 0), (padding, below), (padding, right), (0, 0)))
    gradient = jnp.pad(gradient, ((0, 0), (0, blocks * tall - rows), (0, 0), (0, 0))).astype(jnp.float32)

    def of_place(u: int, v: int) -> Array:
        def of_row(row: int) -> Array:
            first = stride * row + u
            reach = stride * tall * (blocks - 1) + 1
            piece = x[:, first : first + reach : stride * tall, v : v + stride * (columns - 1) + 1 : stride]
            return gradient[:, row::tall] * piece.astype(jnp.float32)

        return functools.reduce(jnp.add, map(of_row, range(tall)))

    places = itertools.product(range(side), repeat=2)
    partial = lax.optimization_barrier(jnp.stack([of_place(u, v) for u, v in places], axis=3))
    return jnp.sum(partial, (0, 1, 2)).reshape(side, side, -1)


def _windows(x: Array, kernel: Array, stride: int) -> list[tuple[tuple[int, int], Array]]:
    """The place in the kernel, and what it is multiplied by at each place of the result."""
    side = kernel.shape[0]
    rows, columns = (stride * ((length - side) // stride) + 1 for length in x.shape[1:3])
    places = itertools.product(range(side), repeat=2)
    return [((u, v), x[:, u : u + rows : stride, v : v + columns : stride]) for u, v in places]
