"""Exact search for the nearest people."""

import dataclasses
import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from likeness.research.checks import UncheckedLabels, check_array
from likeness.research.distances import Distance, SquaredEuclidean
from likeness.research.gallery.records import Codes
from likeness.research.types import AnyArray, Array, Float, Int

BLOCK = 8192
_QUERIES = (1, 8, 64, 256, 1024)
_SPARE = 8
_ELEMENTS = 1 << 24

__all__ = ["Index", "Neighbors"]


@dataclasses.dataclass(frozen=True)
class Neighbors:
    """The nearest people of each query, nearest first."""

    distances: Float[np.ndarray, "q k"]
    """To each person's nearest embedding; infinite where there are fewer than k people."""
    people: Int[np.ndarray, "q k"]
    """Index of the person; −1 where there are fewer than k people."""
    rows: Int[np.ndarray, "q k"]
    """Index of the embedding; −1 likewise."""


class Index:
    """Embeddings on the device in blocks of 8192 rows, searched exactly.

    A person's distance is that of the nearest of their embeddings. A query passes over the blocks and keeps
    the candidates so far, so a queries × gallery matrix never exists. Under the Euclidean order
    (``distance.euclidean``) a block costs one matrix product, ``‖x‖² − 2 x·y + ‖y‖²`` about the gallery's mean, and the
    candidates' distances are computed again by ``distance`` itself: what is answered is what comparing both codes
    directly gives. Where the product's rounding could have left somebody nearer out, as in a gallery of two groups that
    lie 10⁵ times farther apart than their members do, and for a distance whose order is not the Euclidean one, it is
    evaluated on every pair.

    Ties go to the person, then the row, that comes first. Programs are compiled for 1, 8, 64, 256 and
    1024 queries and for block sizes of powers of two up to 8192, whatever the gallery's size.

    Example:
        >>> index = Index(np.eye(3, dtype=np.float32), owners=[0, 1, 1])
        >>> neighbors = index.nearest(np.asarray([[0.0, 0.9, 0.0]], np.float32), k=2)
        >>> neighbors.people.tolist(), neighbors.rows.tolist()
        ([[1, 0]], [[1, 0]])
    """

    def __init__(
        self,
        vectors: Float[AnyArray, "n d"],
        owners: Sequence[int] | UncheckedLabels,
        *,
        distance: Distance = SquaredEuclidean(),
    ) -> None:
        """Puts the embeddings on the device.

        Args:
            vectors: (n, d).
            owners: (n,), index of the person of each row.
            distance: between embeddings.

        Raises:
            ValueError: the lengths differ, or an owner is negative.
        """
        self._vectors = np.asarray(vectors, np.float32)
        given = np.asarray(owners)
        if given.size:
            check_array("Index", "owners", given, ("n",), "integers", "Give the person of each row.")
        self._owners = given.astype(np.int64)
        if self._vectors.ndim != 2 or self._owners.shape != self._vectors.shape[:1]:
            raise ValueError(
                f"An index takes (n, d) vectors and (n,) owners, not {self._vectors.shape} and {self._owners.shape}."
            )
        if self._owners.size and self._owners.min() < 0:
            raise ValueError("An index takes owners from 0 on; one is negative.")
        self.distance = distance
        count, self.dimension = self._vectors.shape
        self._most = int(np.bincount(self._owners).max()) if count else 0
        # About the mean, norms are no larger than distances, so that their difference cancels few digits.
        centered = distance.euclidean and count > 0
        self._shift = self._vectors.mean(axis=0, dtype=np.float64).astype(np.float32) if centered else np.float32(0)
        size = min(BLOCK, _power_of_two(max(count, 1)))
        self._blocks = [self._block(start, size) for start in range(0, count, size)]
        parts = (self._vectors[start : start + size] - self._shift for start in range(0, count, size))
        self._farthest = max((float(np.linalg.norm(part, axis=1).max()) for part in parts), default=0.0)

    @classmethod
    def of(cls, codes: Codes, *, distance: Distance = SquaredEuclidean()) -> "Index":
        """The index of a gallery's codes."""
        return cls(codes.vectors, codes.owners, distance=distance)

    def __len__(self) -> int:
        """The number of embeddings."""
        return len(self._vectors)

    def nearest(self, queries: Float[AnyArray, "q d"], k: int = 1) -> Neighbors:
        """The k nearest people of each query.

        Args:
            queries: (q, d).
            k: how many people.

        Returns:
            (q, k) each.

        Raises:
            ValueError: k is not positive or the dimension is another.
        """
        queries = np.asarray(queries, np.float32)
        if k < 1:
            raise ValueError(f"nearest: k is {k}; it must be at least 1.")
        if queries.ndim != 2 or queries.shape[1] != self.dimension:
            raise ValueError(f"nearest: queries of shape {queries.shape} against codes of {self.dimension} numbers.")
        largest = _QUERIES[-1]
        parts = [self._part(queries[start : start + largest], k) for start in range(0, len(queries), largest)]
        parts = parts or [(np.zeros((0, k), np.float32), np.zeros((0, k), np.int64))]
        distances, rows = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        people = np.where(rows >= 0, self._owners[rows] if len(self) else -1, -1)
        return Neighbors(distances, people, rows)

    def _part(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        count = len(queries)
        if not self._blocks:
            return np.full((count, k), np.inf, np.float32), np.full((count, k), -1, np.int64)
        padded = next(size for size in _QUERIES if size >= count)
        queries = np.concatenate([queries, np.zeros((padded - count, self.dimension), np.float32)])
        # (k − 1) people can hold at most (k − 1) · most of the nearest rows, so one more belongs to the k-th.
        wanted = _power_of_two(min((k - 1) * self._most + 1 + _SPARE, len(self)))
        carry = (jnp.full((padded, wanted), jnp.inf), jnp.full((padded, wanted), -1, jnp.int32))
        merge = _merge_euclidean if self.distance.euclidean else self._merge_learned
        shifted = jnp.asarray(queries - self._shift)
        for start, vectors, offsets in self._blocks:
            carry = merge(carry, shifted, vectors, offsets, start)
        rows = np.array(carry[1])
        if self.distance.euclidean and wanted < len(self):
            unsure = np.flatnonzero(self._unsure(queries[:count], np.asarray(carry[0])[:count], rows[:count], k))
            if unsure.size:
                rows[unsure] = self._everywhere(queries[unsure], wanted)
        exact = np.array(self._exact(queries, rows))
        return self._by_person(exact[:count], rows[:count], k)

    def _unsure(self, queries: np.ndarray, found: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
        """Whose candidates, rising, may lack one of the k nearest people for rounding."""
        lengths = np.linalg.norm(queries.astype(np.float64) - self._shift, axis=1)
        # Sums of d products are off by d units in the last place of theirs at most; twice that, for what a device adds up.
        rounding = (self.dimension + 8) * 2.0**-23 * np.square(lengths + self._farthest)
        last = np.array([np.sort(np.unique(self._owners[row], return_index=True)[1])[k - 1] for row in rows])
        clear = found[np.arange(len(rows)), last] + 2 * rounding < found[:, -1]
        return ~clear & np.isfinite(lengths)

    def _everywhere(self, queries: np.ndarray, wanted: int) -> np.ndarray:
        """The nearest rows by `distance` itself, (q, wanted)."""
        padded = next(size for size in _QUERIES if size >= len(queries))
        asked = jnp.asarray(np.concatenate([queries, np.zeros((padded - len(queries), self.dimension), np.float32)]))
        carry = (jnp.full((padded, wanted), jnp.inf), jnp.full((padded, wanted), -1, jnp.int32))
        size = min(BLOCK, _power_of_two(len(self)), _power_of_two(max(1, _ELEMENTS // (padded * self.dimension))))
        for begin in range(0, len(self), size):
            vectors = self._vectors[begin : begin + size]
            start, vectors, offsets = _filled(begin, vectors, np.zeros(len(vectors), np.float32), size)
            carry = _merge_any(self.distance, carry, asked, vectors, offsets, start)
        return np.asarray(carry[1])[: len(queries)]

    def _exact(self, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Distances of the candidates by `distance` itself, (q, candidates)."""
        step = _power_of_two(max(1, _ELEMENTS // (rows.shape[1] * self.dimension)))
        parts = [
            _paired(self.distance, queries[i : i + step], self._vectors[rows[i : i + step]]) for i in range(0, len(rows), step)
        ]
        return np.where(rows >= 0, np.concatenate([np.asarray(part) for part in parts]), np.inf)

    def _merge_learned(
        self, carry: tuple[Array, Array], queries: Array, vectors: Array, offsets: Array, start: Array
    ) -> tuple[Array, Array]:
        """Blocks of a learned distance in slices, so that queries × rows × d stays small."""
        rows = min(len(vectors), _power_of_two(max(1, _ELEMENTS // (len(queries) * self.dimension))))
        for begin in range(0, len(vectors), rows):
            part = slice(begin, begin + rows)
            carry = _merge_any(self.distance, carry, queries, vectors[part], offsets[part], start + begin)
        return carry

    def _by_person(self, distances: np.ndarray, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Keeps each person's nearest row and of those the nearest k."""
        owners = np.where(rows >= 0, self._owners[rows], np.iinfo(np.int64).max)
        order = np.lexsort((rows, owners, distances))
        distances, rows, owners = (np.take_along_axis(x, order, axis=1) for x in (distances, rows, owners))
        out_distances = np.full((len(rows), k), np.inf, np.float32)
        out_rows = np.full((len(rows), k), -1, np.int64)
        for query in range(len(rows)):
            _, first = np.unique(owners[query], return_index=True)
            first = np.sort(first)[:k]
            first = first[rows[query, first] >= 0]
            out_distances[query, : len(first)] = distances[query, first]
            out_rows[query, : len(first)] = rows[query, first]
        return out_distances, out_rows

    def _block(self, start: int, size: int) -> tuple[Array, Array, Array]:
        """The block's first row, its vectors padded to `size`, and what to add to each row's distance."""
        vectors = self._vectors[start : start + size] - self._shift
        offsets = (vectors * vectors).sum(axis=1) if self.distance.euclidean else np.zeros(len(vectors), np.float32)
        return _filled(start, vectors, offsets, size)


def _filled(start: int, vectors: np.ndarray, offsets: np.ndarray, size: int) -> tuple[Array, Array, Array]:
    """A block with rows that are nobody's up to a size."""
    missing = size - len(vectors)
    padded = np.concatenate([vectors, np.zeros((missing, vectors.shape[1]), np.float32)])
    return (
        jnp.asarray(start, jnp.int32),
        jnp.asarray(padded),
        jnp.asarray(np.concatenate([offsets, np.full(missing, np.inf, np.float32)])),
    )


@jax.jit
def _merge_euclidean(
    carry: tuple[Array, Array], queries: Array, vectors: Array, norms: Array, start: Array
) -> tuple[Array, Array]:
    products = jnp.matmul(queries, vectors.T, precision=lax.Precision.HIGHEST)
    # The queries' own norms shift a whole row and change no order.
    return _keep_nearest(carry, norms - 2.0 * products, start)


@functools.partial(jax.jit, static_argnums=0)
def _merge_any(
    distance: Distance,
    carry: tuple[Array, Array],
    queries: Array,
    vectors: Array,
    offsets: Array,
    start: Array,
) -> tuple[Array, Array]:
    return _keep_nearest(carry, distance.paired(queries[:, None], vectors[None]) + offsets, start)


def _keep_nearest(carry: tuple[Array, Array], distances: Array, start: Array) -> tuple[Array, Array]:
    wanted = carry[0].shape[1]
    # NaN would win every comparison of top_k; it is nobody's neighbor.
    distances = jnp.where(jnp.isnan(distances), jnp.inf, distances)
    values, rows = lax.top_k(-distances, min(wanted, distances.shape[1]))
    rows = jnp.where(jnp.isfinite(values), rows + start, -1).astype(jnp.int32)
    values, order = lax.top_k(jnp.concatenate([-carry[0], values], axis=1), wanted)
    return -values, jnp.take_along_axis(jnp.concatenate([carry[1], rows], axis=1), order, axis=1)


@functools.partial(jax.jit, static_argnums=0)
def _paired(distance: Distance, queries: AnyArray, candidates: AnyArray) -> Array:
    return distance.paired(jnp.asarray(queries)[:, None], jnp.asarray(candidates))


def _power_of_two(at_least: int) -> int:
    return 1 << (at_least - 1).bit_length()
