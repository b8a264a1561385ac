"""How far apart embeddings are: one field that losses, evaluation and galleries share.

Two things go wrong in the usual ``|x|² + |y|² - 2 x·y``. The subtraction cancels: nearby points far from the
origin lose all their digits, and in bfloat16 every distance of a collapsed batch is exactly 0. And the clamp
(or root) that hides negative results has no derivative there, which turns the diagonal of every batch into
NaN. Here a small batch is compared by its differences; in a large one points are moved to their common center first and the
product is float32 at the highest precision. The derivative is written down instead of derived.
"""

import abc
import dataclasses
import math
from typing import ClassVar

import jax
import jax.numpy as jnp

from likeness.research.checks import check_last_axis
from likeness.research.types import AnyArray, Array, Bool, Float

_FEW = 1 << 20
"""Differences that are formed one by one: a millisecond on one core of a CPU."""

SHORT = 1e-12
"""What has no larger entry has no direction."""


class Distance(abc.ABC):
    """How far apart two embeddings are: smaller is more alike, and two are of one identity iff it is at most a threshold τ.

    Derive your own as a frozen dataclass with :meth:`paired`. A similarity is negated. What else is known of it, ``lowest``,
    ``euclidean`` and ``directional``, is taken for unknown unless the class that defines ``paired`` says it.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Manhattan(Distance):
        ...     lowest: ClassVar[float] = 0.0
        ...
        ...     def paired(self, first, second):
        ...         return jnp.sum(jnp.abs(first - second), axis=-1)
        >>> print(Manhattan().pairwise(jnp.array([[0.0, 0.0], [1.0, 2.0]])))
        [[0. 3.]
         [3. 0.]]
    """

    lowest: ClassVar[float] = -math.inf
    """No two embeddings are nearer than this, but for rounding. A loss that squares distances needs 0."""

    euclidean: ClassVar[bool] = False
    """Whether it orders pairs as the Euclidean distance does. Then a gallery finds the nearest by one matrix product; otherwise
    it compares a query with everybody."""

    directional: ClassVar[bool] = False
    """Whether it orders pairs as the Euclidean distance of their directions (:func:`unit`) does, where both have one. A gallery
    then searches the directions by one matrix product."""

    def __init_subclass__(cls) -> None:
        # A class that measures anew, and says nothing else, must not pass for what it derives from.
        if "paired" in vars(cls):
            for name in {"pairwise", "lowest", "euclidean", "directional"} - set(vars(cls)):
                setattr(cls, name, vars(Distance)[name])

    @abc.abstractmethod
    def paired(self, first: Float[AnyArray, "... d"], second: Float[AnyArray, "... d"]) -> Float[Array, "..."]:
        """The distance of each embedding to its partner.

        Args:
            first: embeddings (…, d).
            second: embeddings whose leading shape broadcasts with that of ``first``.

        Returns:
            float32 distances of the broadcast leading shape.
        """

    def pairwise(self, first: Float[AnyArray, "n d"], second: Float[AnyArray, "m d"] | None = None) -> Float[Array, "n m"]:
        """The distance of every row of ``first`` to every row of ``second``, or of ``first`` itself. By :meth:`paired`, in
        O(n m d) memory, where a class has no better way."""
        return self.paired(first[:, None], (first if second is None else second)[None])

    def __call__(self, first: Float[AnyArray, "... d"], second: Float[AnyArray, "... d"]) -> Float[Array, "..."]:
        """As :meth:`paired`."""
        return self.paired(first, second)


@dataclasses.dataclass(frozen=True)
class SquaredEuclidean(Distance):
    """``|x - y|²``, from 0 on; up to 4 for embeddings of unit length, where it is twice the cosine distance.

    Example:
        >>> print(SquaredEuclidean()(jnp.array([3.0, 0.0]), jnp.array([0.0, 4.0])))
        25.0
    """

    lowest: ClassVar[float] = 0.0
    euclidean: ClassVar[bool] = True

    def paired(self, first: Float[AnyArray, "... d"], second: Float[AnyArray, "... d"]) -> Float[Array, "..."]:
        return squared_distance(first, second)

    def pairwise(self, first: Float[AnyArray, "n d"], second: Float[AnyArray, "m d"] | None = None) -> Float[Array, "n m"]:
        return pairwise_squared_distances(first) if second is None else cross_squared_distances(first, second)


@dataclasses.dataclass(frozen=True)
class Euclidean(Distance):
    """``|x - y|``, from 0 on, with derivative 0 where both are equal.

    Example:
        >>> print(Euclidean()(jnp.array([3.0, 0.0]), jnp.array([0.0, 4.0])))
        5.0
    """

    lowest: ClassVar[float] = 0.0
    euclidean: ClassVar[bool] = True

    def paired(self, first: Float[AnyArray, "... d"], second: Float[AnyArray, "... d"]) -> Float[Array, "..."]:
        return safe_sqrt(squared_distance(first, second))

    def pairwise(self, first: Float[AnyArray, "n d"], second: Float[AnyArray, "m d"] | None = None) -> Float[Array, "n m"]:
        return safe_sqrt(SquaredEuclidean().pairwise(first, second))


@dataclasses.dataclass(frozen=True)
class Cosine(Distance):
    """``1 - x·y / (|x| |y|)``, from 0 to 2. What has no direction (:func:`unit`) is 1 from everything, itself included.

    It is taken as half of the squared distance of the directions, which is the same and keeps the digits of small ones.

    Example:
        >>> print(Cosine()(jnp.array([3.0, 0.0]), jnp.array([0.0, 4.0])))
        1.0
    """

    # Not `euclidean`: lengths, which it does not see, count for Euclid.
    lowest: ClassVar[float] = 0.0
    directional: ClassVar[bool] = True

    def paired(self, first: Float[AnyArray, "... d"], second: Float[AnyArray, "... d"]) -> Float[Array, "..."]:
        check_last_axis("Cosine", first, second)
        first, second = unit(first), unit(second)
        return jnp.where(_directed(first) & _directed(second), 0.5 * squared_distance(first, second), 1.0)

    def pairwise(self, first: Float[AnyArray, "n d"], second: Float[AnyArray, "m d"] | None = None) -> Float[Array, "n m"]:
        check_last_axis("Cosine", first, first if second is None else second)
        first, second = unit(first), None if second is None else unit(second)
        directed = _directed(first)[:, None] & _directed(first if second is None else second)[None]
        return jnp.where(directed, 0.5 * SquaredEuclidean().pairwise(first, second), 1.0)


@dataclasses.dataclass(frozen=True)
class Dot(Distance):
    """``-x·y``, without bounds: a longer embedding is nearer to what lies in its direction, and may be nearer than to itself.

    Example:
        >>> print(Dot()(jnp.array([3.0, 1.0]), jnp.array([2.0, 4.0])))
        -10.0
    """

    def paired(self, first: Float[AnyArray, "... d"], second: Float[AnyArray, "... d"]) -> Float[Array, "..."]:
        check_last_axis("Dot", first, second)
        return -jnp.sum(jnp.asarray(first, jnp.float32) * jnp.asarray(second, jnp.float32), axis=-1)

    def pairwise(self, first: Float[AnyArray, "n d"], second: Float[AnyArray, "m d"] | None = None) -> Float[Array, "n m"]:
        second = first if second is None else second
        check_last_axis("Dot", first, second)
        return -_matmul(jnp.asarray(first, jnp.float32), jnp.asarray(second, jnp.float32).T)


def unit(x: Float[AnyArray, "... d"]) -> Float[Array, "... d"]:
    """Each vector at unit length, float32; 0 with derivative 0 where it has no direction, that is no entry above 1e-12.

    Example:
        >>> print(unit(jnp.array([[0.0, 2e30], [0.0, 0.0]])))
        [[0. 1.]
         [0. 0.]]
    """
    x = jnp.asarray(x, jnp.float32)
    # Dividing first by the largest entry keeps squares from overflowing, and length takes no part in the derivative.
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(x), axis=-1, keepdims=True))
    short = largest <= SHORT
    x = jnp.where(short, 0.0, x / jnp.where(short, 1.0, largest))
    squares = jnp.sum(x * x, axis=-1, keepdims=True)
    return x * jax.lax.rsqrt(jnp.where(short, 1.0, squares))


def _directed(units: Float[Array, "... d"]) -> Bool[Array, "..."]:
    return jnp.any(units != 0, axis=-1)


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


def cross_squared_distances(first: Float[AnyArray, "n _"], second: Float[AnyArray, "m _"]) -> Float[Array, "n m"]:
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
    return _pairwise(jnp.asarray(first, jnp.float32), jnp.asarray(second, jnp.float32))


def pairwise_squared_distances(embeddings: Float[AnyArray, "b d"]) -> Float[Array, "b b"]:
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
