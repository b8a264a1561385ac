"""What the losses of detectors are made of.

What is undefined, such as the box of an image without an object, never reaches a gradient: inputs are replaced first and the
result is masked then. Masked alone, an infinite term would still give ``0 · ∞ = NaN``.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from likeness.research.checks import check_array
from likeness.research.types import AnyArray, Array, Bool, Float, Scalar, Shaped

__all__ = ["as_outputs", "binary_cross_entropy", "cross_entropy", "mean_over", "squared_error", "total"]


def as_outputs(owner: str, name: str, values: Shaped[AnyArray, "..."], shape: tuple[int | str, ...], help: str) -> Array:
    """A network's outputs as float32.

    Raises:
        ValueError: another shape or dtype.
    """
    check_array(owner, name, values, shape, "numbers", help)
    return jnp.asarray(values, jnp.float32)


def squared_error(
    outputs: Float[Array, "*shape"], targets: Float[Array, "*shape"], mask: Bool[Array, "*mask"]
) -> Float[Array, "*shape"]:
    """``(ŷ - y)²`` where the mask is true, and 0 elsewhere."""
    mask = jnp.broadcast_to(mask, outputs.shape)
    difference = jnp.where(mask, outputs, 0.0) - jnp.where(mask, targets, 0.0)
    return difference * difference


def binary_cross_entropy(logits: Float[Array, "*shape"], targets: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """``-y log σ(z) - (1 - y) log(1 - σ(z))``, without rounding for large z."""
    return -targets * jax.nn.log_sigmoid(logits) - (1.0 - targets) * jax.nn.log_sigmoid(-logits)


def cross_entropy(logits: Float[Array, "*b K"], targets: Float[Array, "*b K"], mask: Bool[Array, "*b"]) -> Float[Array, "*b"]:
    """``-Σ_j y_j log softmax(z)_j`` where the mask is true, and 0 elsewhere."""
    logits, targets = (jnp.where(mask[..., None], each, 0.0) for each in (logits, targets))
    return -jnp.sum(targets * jax.nn.log_softmax(logits, axis=-1), axis=-1)


def mean_over(values: Float[Array, "..."], count: Float[Array, ""] | float | int) -> Scalar:
    """Their sum divided by a count, of which 0 counts as 1."""
    return jnp.sum(values) / jnp.maximum(count, 1.0)


def total(parts: Mapping[str, Any], weights: Mapping[str, float]) -> Scalar:
    """The weighted sum of the parts of a loss."""
    return jnp.asarray(sum(weights[name] * value for name, value in parts.items()), jnp.float32)
