"""Squared Euclidean distances that keep their digits and have a derivative everywhere.

Two things go wrong in the usual ``|x|² + |y|² - 2 x·y``. The subtraction cancels: nearby points far from the
origin lose all their digits, and in bfloat16 every distance of a collapsed batch is exactly 0. And the clamp
(or root) that hides negative results has no derivative there, which turns the diagonal of every batch into
NaN. Here points are moved to their common center first, the product is float32 at the highest precision, and
the derivative is written down instead of derived.
"""

import jax
import jax.numpy as jnp

from research.types import AnyArray, Array, Float


def squared_distance(first: Float[AnyArray, "... d"], second: Float[AnyArray, "... d"]) -> Float[Array, "..."]:
    """Squared L2 distance of two embeddings, ``d(x, y) = Σ_k (x_k - y_k)²``, over the last axis.

    Args:
        first: embeddings, any leading shape.
        second: embeddings whose leading shape broadcasts with that of ``first``.

    Returns:
        float32 distances of the broadcast leading shape.

    Example:
        >>> import jax.numpy as jnp
        >>> print(squared_distance(jnp.array([3.0, 0.0]), jnp.array([0.0, 4.0])))
        25.0
    """
    difference = jnp.asarray(first, jnp.float32) - jnp.asarray(second, jnp.float32)
    return jnp.sum(difference * difference, axis=-1)


def safe_sqrt(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Square root of a nonnegative array whose derivative at 0 is 0 instead of infinity."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def cross_squared_distances(first: Float[Array, "n d"], second: Float[Array, "m d"]) -> Float[Array, "n m"]:
    """Squared L2 distance of every row of ``first`` to every row of ``second``, in O(n m) memory.

    With ``W = ∂L/∂d`` the derivative is ``∂L/∂x = 2 (rowsum(W) x - W y)`` and ``∂L/∂y = 2 (colsum(W) y - Wᵀ
    x)``, exactly: the clamp of rounding errors at 0 takes no part in it.

    Args:
        first: n embeddings of any float dtype; computed in float32.
        second: m embeddings.

    Returns:
        float32 distances, never negative.
    """
    first, second = first.astype(jnp.float32), second.astype(jnp.float32)
    # Distances do not see a common shift; the smaller the norms, the less the expansion cancels.
    center = jax.lax.stop_gradient(jnp.mean(first, axis=0))
    return _expanded(first - center, second - center)


def pairwise_squared_distances(embeddings: Float[Array, "b d"]) -> Float[Array, "b b"]:
    """Squared L2 distance of every pair in the batch, with an exactly zero diagonal.

    Args:
        embeddings: one row an example, any float dtype; computed in float32.

    Returns:
        float32 matrix ``d_ij = |f_i - f_j|²``, never negative.

    Example:
        >>> import jax.numpy as jnp
        >>> print(pairwise_squared_distances(jnp.array([[0.0], [1.0], [3.0]])))
        [[0. 1. 9.]
         [1. 0. 4.]
         [9. 4. 0.]]
    """
    distances = cross_squared_distances(embeddings, embeddings)
    return jnp.where(jnp.eye(len(embeddings), dtype=bool), 0.0, distances)


def _matmul(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


@jax.custom_vjp
def _expanded(x: Array, y: Array) -> Array:
    squares = jnp.sum(x * x, axis=1)[:, None] + jnp.sum(y * y, axis=1)[None, :]
    return jnp.maximum(squares - 2.0 * _matmul(x, y.T), 0.0)


def _expanded_forward(x: Array, y: Array) -> tuple[Array, tuple[Array, Array]]:
    return _expanded(x, y), (x, y)


def _expanded_backward(saved: tuple[Array, Array], weights: Array) -> tuple[Array, Array]:
    x, y = saved
    to_x = jnp.sum(weights, axis=1)[:, None] * x - _matmul(weights, y)
    to_y = jnp.sum(weights, axis=0)[:, None] * y - _matmul(weights.T, x)
    return 2.0 * to_x, 2.0 * to_y


_expanded.defvjp(_expanded_forward, _expanded_backward)
