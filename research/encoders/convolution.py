"""A convolution whose gradient by its input is as fast inside a loop as outside of one."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jax.nn.initializers import Initializer

from research.encoders.layers import Precision
from research.types import AnyArray, Array, Float

__all__ = ["SameConvolution", "convolve_same"]


@jax.custom_vjp
def convolve_same(x: Float[AnyArray, "b h w c"], kernel: Float[AnyArray, "kh kw c d"]) -> Float[Array, "b h w d"]:
    """Cross-correlation of stride 1 with an odd window, between zeros, that keeps the size.

    Values and gradients are those of ``lax.conv_general_dilated``. The gradient by x is written as what it is: the incoming
    gradient convolved with the kernel, turned by half a turn and its channels exchanged. JAX's own form of it is as fast on a
    CPU, but not inside ``lax.scan``, ``while_loop`` or ``fori_loop``, where XLA:CPU has no fast kernel for it (jaxlib 0.10.2;
    ``python -m experiments.benchmarks.loops``). Reverse mode only.

    Example:
        >>> convolve_same(jnp.ones((1, 3, 3, 1)), jnp.ones((3, 3, 1, 1)))[0, :, :, 0].tolist()
        [[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]
    """
    return _convolve(x, kernel)


def _convolve(x: Any, kernel: Any) -> Array:
    padding = [(side // 2, side // 2) for side in kernel.shape[:2]]
    return lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _forward(x: Any, kernel: Any) -> tuple[Array, tuple[Any, Any]]:
    return _convolve(x, kernel), (x, kernel)


def _backward(kept: tuple[Any, Any], gradient: Array) -> tuple[Array, Array]:
    x, kernel = kept
    # Without the barrier XLA folds the turning into the convolution, and is back at the form without a fast kernel.
    turned = lax.optimization_barrier(jnp.flip(kernel, (0, 1)).swapaxes(2, 3))
    by_kernel = jax.linear_transpose(lambda kernel: _convolve(x, kernel), kernel)
    return _convolve(gradient, turned), by_kernel(gradient)[0]


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
