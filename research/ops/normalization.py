"""Batch normalization, of which a pooling may go before what it multiplies and adds."""

from typing import NamedTuple

import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from likeness.research.ops.pooling import max_pool
from likeness.research.types import AnyArray, Array, Float, Precision

__all__ = ["BatchNorm", "Normalization"]


class Normalization(NamedTuple):
    """What batch normalization does to a value of each channel: ``x · factor + shift``, in float32.

    As PyTorch computes it. Of a gradient by the factor XLA:CPU would write x − μ to memory, had that been subtracted first.
    """

    factor: Float[Array, "c"]
    """γ/√(σ² + ε)."""
    shift: Float[Array, "c"]
    """β − μ · factor."""
    dtype: Precision
    """Of what comes out."""

    def __call__(self, x: Float[AnyArray, "... c"]) -> Float[Array, "... c"]:
        """The same shape, normalized."""
        return (jnp.asarray(x) * self.factor + self.shift).astype(self.dtype)

    def of_maxima(self, x: Float[AnyArray, "b *space c"], window: int) -> Float[Array, "b *pooled c"]:
        """The maximum over windows of what is normalized, ``max_pool(self(x), window)``, normalizing the maxima alone.

        Normalization keeps the order of a channel's values where γ ≥ 0 and reverses it elsewhere, so what is pooled is x,
        there with its sign changed. It is the same to rounding; where values differ by less than rounding, or γ is 0, the
        gradient goes to the largest x alone.
        """
        sign = jnp.where(self.factor < 0, -1, 1).astype(x.dtype)
        return self(sign * max_pool(sign * jnp.asarray(x), window))


class BatchNorm(nn.Module, kw_only=True):
    """Batch normalization: ``γ (x − μ)/√(σ² + ε) + β`` for each channel, over all other axes.

    μ and σ² are the batch's (biased) mean and variance in training, computed in float32 as Σx²/n − μ², and else running
    averages of them, kept by ``momentum``. Parameters and statistics are those of ``flax.linen.BatchNorm``: ``scale``,
    ``bias``; ``mean``, ``var``.

    Paper: Ioffe and Szegedy, Batch normalization, ICML 2015.
    """

    train: bool
    """Whether to normalize by the batch and to update the averages."""
    use_scale: bool = True
    """Whether there is a γ; else it is 1."""
    momentum: float = 0.9
    """Of the running averages, what stays at a step."""
    epsilon: float = 1e-5
    """ε."""
    dtype: Precision = "float32"
    """Of what comes out."""

    def __call__(self, x: Float[AnyArray, "... c"]) -> Float[Array, "... c"]:
        """The same shape, normalized."""
        return self.measure(x)(x)

    @nn.compact
    def measure(self, x: Float[AnyArray, "... c"]) -> Normalization:
        """What is to be done to x, for a caller who has something to do before; updates the averages in training."""
        channels = (x.shape[-1],)
        mean = self.variable("batch_stats", "mean", jnp.zeros, channels, jnp.float32)
        variance = self.variable("batch_stats", "var", jnp.ones, channels, jnp.float32)
        if self.train:
            values, axes = jnp.asarray(x, jnp.float32), tuple(range(x.ndim - 1))
            center = jnp.mean(values, axes)
            spread = jnp.maximum(0, jnp.mean(values * values, axes) - center * center)
            if not self.is_initializing():
                mean.value = self.momentum * mean.value + (1 - self.momentum) * center
                variance.value = self.momentum * variance.value + (1 - self.momentum) * spread
        else:
            center, spread = mean.value, variance.value
        factor = lax.rsqrt(spread + self.epsilon)
        if self.use_scale:
            factor = factor * self.param("scale", nn.initializers.ones_init(), channels, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros_init(), channels, jnp.float32)
        return Normalization(factor, bias - center * factor, self.dtype)
