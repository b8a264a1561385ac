"""Local response normalization across channels."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from likeness.research.types import AnyArray, Array, Float

__all__ = ["local_response_norm"]


def local_response_norm(
    x: Float[AnyArray, "b h w c"], size: int = 5, alpha: float = 1e-4, beta: float = 0.75
) -> Float[Array, "b h w c"]:
    """``yᵢ = xᵢ / sᵢ^β`` with ``sᵢ = 1 + α/n · Σⱼ xⱼ²``, the sum over the n channels around i.

    Its gradient is written out, ``dxᵢ = gᵢ/sᵢ^β − 2αβ/n · xᵢ · Σⱼ gⱼ xⱼ/sⱼ^(β+1)``: in the one that
    JAX derives, XLA:CPU computes the power anew for each of the n channels. Reverse mode only.

    Args:
        x: (b, h, w, c).
        size: n, odd.
        alpha: α.
        beta: β.

    Returns:
        An array like ``x``; the sum and the power are float32.

    Paper: Krizhevsky et al., ImageNet classification with deep convolutional neural networks, NeurIPS 2012.
    """
    normalized: Array = _normalized(jnp.asarray(x, jnp.float32), size, alpha, beta)
    return normalized.astype(x.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def _normalized(x: Any, size: int, alpha: float, beta: float) -> Any:
    return x * _inverse_power(1.0 + alpha / size * _around(x * x, size), beta)


def _forward(x: Any, size: int, alpha: float, beta: float) -> tuple[Any, tuple[Any, Any]]:
    total = 1.0 + alpha / size * _around(x * x, size)
    return x * _inverse_power(total, beta), (x, total)


def _backward(size: int, alpha: float, beta: float, kept: tuple[Any, Any], gradient: Any) -> tuple[Any]:
    x, total = kept
    direct = gradient * _inverse_power(total, beta)
    return (direct - 2.0 * alpha * beta / size * x * _around(direct * x / total, size),)


_normalized.defvjp(_forward, _backward)


def _around(x: Array, size: int) -> Array:
    """The sum over so many channels around each."""
    half, channels = size // 2, x.shape[-1]
    # The barrier has what is summed computed once, and not once for each of its neighbours.
    padded = lax.optimization_barrier(jnp.pad(x, ((0, 0), (0, 0), (0, 0), (half, half))))
    return functools.reduce(jnp.add, [padded[..., shift : shift + channels] for shift in range(size)])


def _inverse_power(x: Array, beta: float) -> Array:
    if beta == 0.75:
        # Two roots are quicker than a power.
        root = lax.rsqrt(x)
        return root * jnp.sqrt(root)
    return x**-beta
