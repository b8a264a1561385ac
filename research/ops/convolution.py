"""A convolution of stride 1 whose value and gradients are each computed the fastest way a device knows."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jax.nn.initializers import Initializer

from likeness.research.ops.winograd import (
    convolve_by_tiles,
    convolve_turned_by_tiles,
    kernel_gradient_by_tiles,
    tiles_pay,
    tiles_pay_for_kernel,
)
from likeness.research.types import AnyArray, Array, Float, Precision

__all__ = ["SameConvolution", "convolve_same"]


@jax.custom_vjp
def convolve_same(x: Float[AnyArray, "b h w c"], kernel: Float[AnyArray, "kh kw c d"]) -> Float[Array, "b h w d"]:
    """Cross-correlation of stride 1 with an odd window, between zeros, that keeps the size.

    Values and gradients are those of ``lax.conv_general_dilated``, which is what runs on accelerators. On a CPU, in float32,
    windows of 3×3 between many channels are computed by tiles (:mod:`likeness.research.ops.winograd`): XLA:CPU takes up to
    twice as long over such a convolution, and up to six times as long over its gradient by the kernel
    (``python -m likeness.experiments.benchmarks.convolutions``).

    Where they are not, the gradient by x is written as what it is: the incoming gradient convolved with the kernel, turned by
    half a turn and its channels exchanged. JAX's own form of it is as fast on a CPU, but not inside ``lax.scan``,
    ``while_loop`` or ``fori_loop``, where XLA:CPU has no fast kernel for it (jaxlib 0.10.2;
    ``python -m likeness.experiments.benchmarks.loops``). Reverse mode only.

    Example:
        >>> convolve_same(jnp.ones((1, 3, 3, 1)), jnp.ones((3, 3, 1, 1)))[0, :, :, 0].tolist()
        [[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]
    """
    return _convolve(x, kernel)


def _convolve(x: Any, kernel: Any) -> Array:
    if _exact(x, kernel) and tiles_pay(x.shape, kernel.shape):
        return lax.platform_dependent(x, kernel, cpu=convolve_by_tiles, default=_plain)
    return _plain(x, kernel)


def _plain(x: Any, kernel: Any) -> Array:
    padding = [(side // 2, side // 2) for side in kernel.shape[:2]]
    return lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _turned(gradient: Any, kernel: Any) -> Array:
    # Without the barrier XLA folds the turning into the convolution, and is back at the form without a fast kernel.
    return _plain(gradient, lax.optimization_barrier(jnp.flip(kernel, (0, 1)).swapaxes(2, 3)))


def _exact(x: Any, kernel: Any) -> bool:
    return x.dtype == kernel.dtype == jnp.float32


def _forward(x: Any, kernel: Any) -> tuple[Array, tuple[Any, Any]]:
    return _convolve(x, kernel), (x, kernel)


def _backward(kept: tuple[Any, Any], gradient: Array) -> tuple[Array, Array]:
    x, kernel = kept

    def by_kernel(x: Any, gradient: Any) -> Array:
        return jax.linear_transpose(lambda kernel: _plain(x, kernel), kernel)(gradient)[0]

    if _exact(x, kernel) and tiles_pay(gradient.shape, kernel.shape[:2] + kernel.shape[:1:-1]):
        by_x = lax.platform_dependent(gradient, kernel, cpu=convolve_turned_by_tiles, default=_turned)
    else:
        by_x = _turned(gradient, kernel)
    if _exact(x, kernel) and tiles_pay_for_kernel(x.shape, kernel.shape):
        return by_x, lax.platform_dependent(x, gradient, cpu=kernel_gradient_by_tiles, default=by_kernel)
    return by_x, by_kernel(x, gradient)


convolve_same.defvjp(_forward, _backward)


class SameConvolution(nn.Module):
    """``flax.linen.Conv`` of stride 1 that keeps the size, by :func:`convolve_same`. Parameters: ``kernel``, ``bias``."""

    features: int
    """Channels that come out."""
    kernel_init: Initializer
    """Draws the kernel."""
    side: int = 3
    """Of the window; odd."""
    dtype: Precision = "float32"
    """Compute dtype; parameters stay float32."""

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
        """The convolution plus a bias for each channel."""
        shape = (self.side, self.side, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,), jnp.float32)
        dtype = jnp.dtype(self.dtype)
        return convolve_same(x.astype(dtype), kernel.astype(dtype)) + bias.astype(dtype)
