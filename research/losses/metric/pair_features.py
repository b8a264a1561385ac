"""Weighted sums of elementwise pair features, ``s_ij = Σ_k w_k φ(f_ik, f_jk)``, in O(b²) memory instead of O(b² d)."""

import functools
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp

from likeness.research.losses.style.layers import absolute
from likeness.research.types import AnyArray, Array, Float

Feature: TypeAlias = Literal["absolute", "chi_square"]
"""``absolute``: |x - y|. ``chi_square``: (x - y)² / (|x| + |y|), 0 where both are 0; the χ² feature (x - y)²
/ (x + y) for nonnegative codes, and bounded by |x| + |y| for signed ones, where x + y could vanish."""


def pair_feature(feature: Feature, first: Float[AnyArray, "..."], second: Float[AnyArray, "..."]) -> Float[Array, "..."]:
    """The feature φ(x, y) elementwise; symmetric, zero where x = y, with a bounded derivative everywhere, 0 where it jumps.

    Args:
        feature: which φ.
        first: x, any shape.
        second: y, of a shape that broadcasts with x's.

    Returns:
        float32 φ(x, y).

    Example:
        >>> import jax.numpy as jnp
        >>> print(pair_feature("chi_square", jnp.array([3.0, 0.0]), jnp.array([1.0, 0.0])))
        [1. 0.]
    """
    first, second = jnp.asarray(first, jnp.float32), jnp.asarray(second, jnp.float32)
    if feature == "absolute":
        return absolute(first - second)
    difference = first - second
    total = jnp.abs(first) + jnp.abs(second)
    ratio = jnp.where(total > 0, difference / jnp.where(total > 0, total, 1.0), 0.0)
    # (x - y)² itself would underflow long before the quotient does.
    return difference * ratio


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def pairwise_feature_sum(feature: Feature, weights: Float[Array, "d"], codes: Float[Array, "b d"]) -> Float[Array, "b b"]:
    """``s_ij = Σ_k w_k φ(f_ik, f_jk)`` for every pair of the batch, one dimension k at a time.

    Args:
        feature: which φ.
        weights: w, float32.
        codes: f, float32, one row an image.

    Returns:
        Symmetric float32 matrix.
    """

    def add_dimension(k: Array, total: Array) -> Array:
        column = codes[:, k]
        return total + weights[k] * pair_feature(feature, column[:, None], column[None, :])

    zeros = jnp.zeros((len(codes), len(codes)), jnp.float32)
    return jax.lax.fori_loop(0, codes.shape[1], add_dimension, zeros, unroll=min(8, max(codes.shape[1], 1)))


def _forward(feature: Feature, weights: Array, codes: Array) -> tuple[Array, tuple[Array, Array]]:
    return pairwise_feature_sum(feature, weights, codes), (weights, codes)


def _slope(feature: Feature, first: Array, second: Array) -> Array:
    """∂φ/∂x at (first, second)."""
    difference = first - second
    if feature == "absolute":
        return jnp.sign(difference)
    total = jnp.abs(first) + jnp.abs(second)
    ratio = jnp.where(total > 0, difference / jnp.where(total > 0, total, 1.0), 0.0)
    return 2.0 * ratio - ratio * ratio * jnp.sign(first)


def _backward(feature: Feature, saved: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array]:
    weights, codes = saved
    # φ is symmetric, so both roles of an image fold into one sum over its row.
    both = cotangent + cotangent.T

    def dimension(_: None, column: Array) -> tuple[None, tuple[Array, Array]]:
        first, second = column[:, None], column[None, :]
        to_weight = 0.5 * jnp.sum(jnp.sum(both * pair_feature(feature, first, second), axis=1))
        to_code = jnp.sum(both * _slope(feature, first, second), axis=1)
        return None, (to_weight, to_code)

    _, (to_weights, to_codes) = jax.lax.scan(dimension, None, codes.T)
    return to_weights, weights * to_codes.T


pairwise_feature_sum.defvjp(_forward, _backward)
