"""Statistics of each channel of each image, and normalization by them."""

import jax.numpy as jnp
from flax import linen as nn

from likeness.research.types import AnyArray, Array, Float

__all__ = ["InstanceNorm", "mean_and_variance", "normalize"]


def mean_and_variance(x: Float[AnyArray, "b h w c"]) -> tuple[Float[Array, "b 1 1 c"], Float[Array, "b 1 1 c"]]:
    """``μ`` and the biased ``σ²`` over the places of each image, in float32 whatever the dtype of x.

    The mean is subtracted before squares are taken: a channel that is nearly constant keeps its digits.
    """
    x = jnp.asarray(x).astype(jnp.float32)
    mean = jnp.mean(x, axis=(1, 2), keepdims=True)
    return mean, jnp.mean(jnp.square(x - mean), axis=(1, 2), keepdims=True)


def normalize(x: Float[AnyArray, "b h w c"], epsilon: float) -> Float[Array, "b h w c"]:
    """``(x - μ)/√(σ² + ε)``, in float32.

    Example:
        >>> normalize(jnp.array([[[[1.0], [3.0]]]]), 0.0).ravel().tolist()
        [-1.0, 1.0]
    """
    mean, variance = mean_and_variance(x)
    return (jnp.asarray(x).astype(jnp.float32) - mean) / jnp.sqrt(variance + epsilon)


class InstanceNorm(nn.Module, kw_only=True):
    """``γ (x - μ)/√(σ² + ε) + β`` with μ and σ² over the places of each image and channel.

    The same in training and in use, and whatever else is in the batch. Parameters: ``scale`` γ and ``bias`` β, (c,).

    Ulyanov, Vedaldi and Lempitsky, Instance normalization: the missing ingredient for fast stylization, 2016.
    """

    epsilon: float = 1e-5
    """ε, in squared units of x."""

    @nn.compact
    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b h w c"]:
        """float32."""
        scale = self.param("scale", nn.initializers.ones_init(), (x.shape[-1],), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros_init(), (x.shape[-1],), jnp.float32)
        return scale * normalize(x, self.epsilon) + bias
