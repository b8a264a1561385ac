"""Squared Euclidean distances that keep their digits and have a derivative everywhere.

Two things go wrong in the usual ``|x|² + |y|² - 2 x·y``. The subtraction cancels: nearby points far from the
origin lose all their digits, and in bfloat16 every distance of a collapsed batch is exactly 0. And the clamp
(or root) that hides negative results has no derivative there, which turns the diagonal of every batch into
NaN. Here a small batch is compared by its differences; in a large one points are moved to their common center first and the
product is float32 at the highest precision. The derivative is written down instead of derived.
"""

import jax
import jax.numpy as jnp

from likeness.research.checks import check_last_axis
from likeness.research.types import AnyArray, Array, Float

_FEW = 1 << 20
"""Differences that are formed one by one: a millisecond on one core of a CPU."""


def squared_distance(first: Float[AnyArray, "..."], second: Float[AnyArray, "..."]) -> Float[Array, "..."]:
    """Squared L2 distance of two embeddings, ``d(x, y) = Σ_k (x_k - y_k)²``, over the last axis.

    Args:
        first: embeddings, any leading shape.
        second: embeddings whose leading shape broadcasts with that of ``first``.

    Returns:
        float32 distances of the broadcast leading shape.

    Raises:
        ValueError: the last axes differ.

    Example:
        >>> import jax.numpy as jnp
        >>> print(squared_distance(jnp.array([3.0, 0.0]), jnp.array([0.0, 4.0])))
        25.0
    """
    check_last_axis("squared_distance", first, second)
    difference = jnp.asarray(first, jnp.float32) - jnp.asarray(second, jnp.float32)
    return jnp.sum(difference * difference, axis=-1)


def safe_sqrt(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Square root of a nonnegative array whose derivative at 0 is 0 instead of infinity."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def cross_squared_distances(first: Float[Array, "n _"], second: Float[Array, "m _"]) -> Float[Array, "n m"]:
    """Squared L2 distance of every row of ``first`` to every row of ``second``, in O(n m) memory.

    With ``W = ∂L/∂d`` the derivative is ``∂L/∂x = 2 (rowsum(W) x - W y)`` and ``∂L/∂y = 2 (colsum(W) y - Wᵀ
    x)``, exactly: the clamp of rounding errors at 0 takes no part in it.

    Up to n · m · d = 2²⁰ (90 rows of 128 numbers, each to each) the differences themselves are squared and added up. So equal
    rows are exactly 0 apart, and distances that are equal whole numbers are equal here. Beyond that the expansion
    ``|x|² + |y|² - 2 x·y`` is used: it is one matrix product, and its rounding, some 1e-7 of ``|x|² + |y|²`` about the center,
    decides between distances that are closer than that.

    Args:
        first: n embeddings of any float dtype; computed in float32.
        second: m embeddings.

    Returns:
        float32 distances, never negative.

    Raises:
        ValueError: the last axes differ.
    """
    check_last_axis("cross_squared_distances", first, second)
    return _pairwise(first.astype(jnp.float32), second.astype(jnp.float32))


def pairwise_squared_distances(embeddings: Float[Array, "b d"]) -> Float[Array, "b b"]:
    """Squared L2 distance of every pair in the batch, with an exactly zero diagonal.

    Up to b · b · d = 2²⁰ equal rows are exactly 0 apart and ties of whole numbers are ties; beyond that rounding decides, see
    :func:`cross_squared_distances`.

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


def _centered(x: Array, y: Array) -> tuple[Array, Array]:
    """Distances do not see a common shift; the smaller the norms, the less an expansion cancels."""
    center = jax.lax.stop_gradient(jnp.sum(x, axis=0) / max(len(x), 1))
    return x - center, y - center


@jax.custom_jvp
def _pairwise(x: Array, y: Array) -> Array:
    if len(x) * len(y) * x.shape[1] <= _FEW:
        difference = x[:, None, :] - y[None, :, :]
        return jnp.sum(difference * difference, axis=2)
    x, y = _centered(x, y)
    squares = jnp.sum(x * x, axis=1)[:, None] + jnp.sum(y * y, axis=1)[None, :]
    return jnp.maximum(squares - 2.0 * _matmul(x, y.T), 0.0)


@_pairwise.defjvp
def _pairwise_derivative(at: tuple[Array, Array], along: tuple[Array, Array]) -> tuple[Array, Array]:
    x, y = _centered(*at)
    x_dot, y_dot = along
    squares = jnp.sum(x * x_dot, axis=1)[:, None] + jnp.sum(y * y_dot, axis=1)[None, :]
    return _pairwise(*at), 2.0 * (squares - _matmul(x_dot, y.T) - _matmul(x, y_dot.T))
