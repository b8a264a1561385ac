"""Exact search for the nearest people."""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from likeness.research.checks import UncheckedLabels, check_array, check_count
from likeness.research.distances import Distance, SquaredEuclidean
from likeness.research.errors import UserError
from likeness.research.gallery.blocks import (
    STORES,
    Nearest,
    Order,
    RowBlock,
    Store,
    blocks_of,
    directed,
    nearest_groups,
    no_groups,
    placed,
    rows_of_groups,
)
from likeness.research.gallery.records import Codes
from likeness.research.types import AnyArray, Array, Bool, Float, Int

BLOCK = 8192
_QUERIES = (1, 8, 64, 256, 1024)
_ON_CPUS = 64
"""Queries at once on a CPU: the products of more of them with a block leave its caches."""
_SPARE = 8
_ELEMENTS = 1 << 24
_WIDER: dict[Store, int] = {"float32": 1, "bfloat16": 2, "int8": 4}
"""Candidates of each store, in those of float32: what rounding moves is caught by more of them."""
_SHORTEST, _LONGEST = 1e-15, 1e18
_UNIT = 2.0**-20
"""No direction is farther than this from itself, computed twice in float32."""

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
    passes: Int[np.ndarray, "q"]
    """1 where the products with what is stored prove the answer; 2 where the float32 embeddings had to be multiplied too, which
    a store of float32 never needs; 3 where each pair was compared."""


class Index:
    """Embeddings on the device in blocks, searched exactly.

    A person's distance is that of the nearest of their embeddings. A query passes over the blocks and keeps
    the candidates so far, so a queries × gallery matrix never exists. Under the Euclidean order
    (``distance.euclidean``) a block costs one matrix product, ``‖x‖² − 2 x·y + ‖y‖²`` about the gallery's mean, and the
    candidates' distances are computed again by ``distance`` itself: what is answered is what comparing both codes
    directly gives. Of a distance that orders pairs by their directions (``distance.directional``), x and y are these. Where the
    product's rounding could have left somebody nearer out, as in a gallery of two groups that lie 10⁵ times farther apart than
    their members do, and for a distance of another order, it is evaluated on every pair.

    Stores of bfloat16 and int8 take a half and a quarter of the device's memory, and answer the same to the bit. What is
    stored of y, ŷ, is within ``e = max ‖y − ŷ‖`` of it, which is measured when the index is made. Let r² be the least
    ``‖x − ŷ‖²`` of all that are no candidates. Then ``‖x − y‖ ≥ r − e`` for each of them, and where the k-th of the
    candidates, whose distances are computed of the float32 embeddings, is nearer than that by more than what float32 rounds,
    nobody was left out. Where it is not, the float32 embeddings are searched, block after block, once for all queries of a
    call. They stay on the host, and in their file if they are a ``np.memmap`` of float32 in the order of people.

    With a mesh each block is shared by its devices. Each finds candidates among its rows, and those of all are merged.

    Ties go to the person, then the row, that comes first. Programs are compiled for 1, 8, 64, 256 and
    1024 queries (on a CPU for up to 64) and for a few sizes of blocks, powers of two from 1024 on. A gallery whose people come
    and go compiles anew where it outgrows a power of two for the first time, or the images of one person do.

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
        store: Store = "float32",
        mesh: jax.sharding.Mesh | None = None,
    ) -> None:
        """Puts the embeddings on the device.

        Args:
            vectors: (n, d).
            owners: (n,), index of the person of each row.
            distance: between embeddings.
            store: what the device keeps of each number: float32, bfloat16 or int8.
            mesh: devices that share the work; None for one. Its size in rows is divided over all axes.

        Raises:
            ValueError: the lengths differ, a vector is not finite or too long to be squared, or an owner is negative.
            UserError: a small store is asked for a distance whose order is not that of Euclid.
        """
        if store not in STORES:
            raise ValueError(f"Index: store={store!r} is none of {', '.join(STORES)}.")
        if store != "float32" and not (distance.euclidean or distance.directional):
            raise UserError(
                f"A store of {store} is searched in the Euclidean order of embeddings or their directions, which {distance!r} "
                "has not. Use float32."
            )
        self._vectors = np.asarray(vectors, np.float32)
        given = np.asarray(owners)
        if given.size:
            check_array("Index", "owners", given, ("n",), "integers", "Give the person of each row.")
        self._owners = given.astype(np.int64)
        if self._vectors.ndim != 2 or self._owners.shape != self._vectors.shape[:1]:
            raise ValueError(
                f"An index takes (n, d) vectors and (n,) owners, not {self._vectors.shape} and {self._owners.shape}."
            )
        count, self.dimension = self._vectors.shape
        # In parts, so that a gallery in a file is never in memory as a whole.
        parts = [slice(start, start + BLOCK) for start in range(0, count, BLOCK)]
        strange = (part.start + np.flatnonzero(~np.isfinite(self._vectors[part]).all(axis=1)) for part in parts)
        if row := next((f"{found[0]}" for found in strange if found.size), None):
            raise ValueError(f"An index takes numbers, and row {row} holds NaN or infinity. Leave it out.")
        if self._owners.size and self._owners.min() < 0:
            raise ValueError("An index takes owners from 0 on; one is negative.")
        self.distance, self._mesh = distance, mesh
        self.store: Store = store
        # In the order of people, which is also that of candidates at one distance.
        self._rows = np.argsort(self._owners, kind="stable")
        if not np.array_equal(self._rows, np.arange(count)):
            self._vectors, self._owners = self._vectors[self._rows], self._owners[self._rows]
        self._most = int(np.bincount(self._owners).max()) if count else 0
        self._order: Order | None = self._searched_by(parts)
        # About the mean, norms are no larger than distances, so that their difference cancels few digits.
        self._shift: np.ndarray | float = 0.0
        if self._order is not None and count:
            total = sum((self._placed(self._vectors[part]).sum(axis=0, dtype=np.float64) for part in parts), np.zeros(1))
            self._shift = (total / count).astype(np.float32)
        self._farthest = max(
            (float(np.linalg.norm(self._placed(self._vectors[part]), axis=1).max()) for part in parts), default=0.0
        )
        if self._farthest and not _SHORTEST < self._farthest < _LONGEST:
            raise ValueError(
                f"An index takes vectors of lengths between {_SHORTEST:g} and {_LONGEST:g}, whose squares float32 can hold, "
                f"and the longest here, about their mean, is {self._farthest:.3g}. Scale all, and what is searched for, "
                "alike."
            )
        self._blocks = tuple(self._made(store, mesh)) if self._order is not None else ()

    @classmethod
    def of(
        cls,
        codes: Codes,
        *,
        distance: Distance = SquaredEuclidean(),
        store: Store = "float32",
        mesh: jax.sharding.Mesh | None = None,
    ) -> "Index":
        """The index of a gallery's codes."""
        return cls(codes.vectors, codes.owners, distance=distance, store=store, mesh=mesh)

    def _searched_by(self, parts: Sequence[slice]) -> Order | None:
        """What products are taken of; None where each pair is compared."""
        if self.distance.euclidean:
            return "euclidean"
        # What has no direction lies at one distance from everybody, which no Euclidean one is.
        if self.distance.directional and all(directed(self._vectors[part]).all() for part in parts):
            return "directional"
        return None

    @property
    def _placed_by(self) -> Order:
        return "euclidean" if self._order is None else self._order

    def _placed(self, rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """Embeddings where products are taken of them."""
        return placed(rows, self._shift, self._placed_by)

    def _made(self, store: Store, mesh: jax.sharding.Mesh | None) -> Iterator[RowBlock]:
        return blocks_of(self._vectors, self._shift, store, mesh, self._placed_by)

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
        check_count("nearest", "k", k)
        if queries.ndim != 2 or queries.shape[1] != self.dimension:
            raise ValueError(f"nearest: queries of shape {queries.shape} against codes of {self.dimension} numbers.")
        distances, rows, passes = _nobody(len(queries), k)
        if len(self) and len(queries):
            distances, rows, passes = self._found(queries, k)
        if not len(self):
            return Neighbors(distances, rows, rows, passes)
        people, found = (np.where(rows >= 0, table[rows], -1) for table in (self._owners, self._rows))
        return Neighbors(distances, people, found, passes)

    def _found(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Distances, rows and passes of the queries."""
        distances, found, passes = _nobody(len(queries), k)
        # (k − 1) people can hold at most (k − 1) · most of the nearest rows, so one more belongs to the k-th.
        wanted = (k - 1) * self._most + 1 + _SPARE
        wanted = -(-wanted // 4) * 4 if self._most == 1 else _power_of_two(wanted)
        room = _power_of_two(max(len(self), _SPARE))
        left = np.arange(len(queries))
        if self._order is not None:
            wide = min(_WIDER[self.store] * wanted, room)
            distances, found, unsure = self._by_products(queries, wide, k, self._blocks, self._mesh)
            left = np.flatnonzero(unsure)
            if left.size and self.store != "float32":
                passes[left] = 2
                # Made for once, so not shared.
                again = self._made("float32", None)
                distances[left], found[left], unsure = self._by_products(queries[left], min(wanted, room), k, again)
                left = left[unsure]
        for part in _programs(left):
            passes[part] = 3
            asked = _padded(queries[part])
            rows = self._everywhere(asked, min(wanted, room))
            exact = self._exact(asked, rows)
            distances[part], found[part] = self._by_person(exact[: len(part)], rows[: len(part)], k)
        return distances, found, passes

    def _by_products(
        self, queries: np.ndarray, wanted: int, k: int, blocks: Iterable[RowBlock], mesh: jax.sharding.Mesh | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Distances and rows by the products with blocks, and which of the queries they prove nothing of."""
        parts = _programs(queries)
        asked = [_padded(part) for part in parts]
        nearest, shifted = [no_groups(len(each), wanted) for each in asked], [self._placed(each) for each in asked]
        layout, error = [], 0.0
        # Each block is made once, however many queries there are.
        for block in blocks:
            nearest = [nearest_groups(*each, block, mesh) for each in zip(nearest, shifted, strict=True)]
            layout.append((block.start, block.stride))
            error = max(error, block.error)
        answers = []
        for part, padded, groups in zip(parts, asked, nearest, strict=True):
            count = len(part)
            rows = rows_of_groups(np.asarray(groups[1]), layout, len(self))
            distances, found = self._by_person(self._exact(padded, rows)[:count], rows[:count], k)
            bound = np.asarray(groups[0])[:count, -1]
            answers.append((distances, found, self._unsure(part, found[:, -1], bound, error)))
        distances, found, unsure = (np.concatenate(each) for each in zip(*answers, strict=True))
        return distances, found, unsure

    def _unsure(
        self, queries: Float[np.ndarray, "q d"], last: Int[np.ndarray, "q"], bound: Float[np.ndarray, "q"], error: float
    ) -> Bool[np.ndarray, "q"]:
        """Whose candidates may lack one of the k nearest people for rounding.

        Args:
            queries: what was asked.
            last: the row found for the k-th person; −1 where there are fewer people, all of whom are candidates.
            bound: of all rows that are no candidates, the least ``‖y‖² − 2 x·y`` by the product.
            error: how far a row may lie from what was multiplied.
        """
        shifted = self._placed(queries).astype(np.float64)
        apart = shifted - self._placed(self._vectors[last])
        own = np.square(shifted).sum(axis=1)
        # Sums of d products are off by d units in the last place of theirs at most; twice that, for what a device adds up, and
        # twice again, for the rounding of `distance` itself.
        reach = np.sqrt(own) + self._farthest + error
        rounding = (self.dimension + 8) * 2.0**-22 * np.square(reach)
        if self._order == "directional":
            rounding += 2 * _UNIT * (reach + _UNIT)
        least = bound + own
        if error:
            # No row that is no candidate is nearer.
            least = np.square(np.maximum(np.sqrt(np.maximum(least - rounding, 0.0)) - error, 0.0))
        clear = np.isfinite(own) & ((last < 0) | (np.square(apart).sum(axis=1) + rounding < least))
        # A query that is no number has no neighbor; one without a direction has.
        return ~clear & np.isfinite(queries).all(axis=1)

    def _everywhere(self, queries: Float[np.ndarray, "q d"], wanted: int) -> Int[np.ndarray, "q wanted"]:
        """The nearest rows by `distance` itself; −1 where there are fewer."""
        asked = jnp.asarray(queries)
        nearest = no_groups(len(queries), wanted)
        size = min(BLOCK, _power_of_two(len(self)), _power_of_two(max(1, _ELEMENTS // (len(queries) * self.dimension))))
        for start in range(0, len(self), size):
            vectors = self._vectors[start : start + size]
            missing = size - len(vectors)
            padded = np.concatenate([vectors, np.zeros((missing, self.dimension), np.float32)])
            nobody = np.concatenate([np.zeros(len(vectors), np.float32), np.full(missing, np.inf, np.float32)])
            nearest = _nearest_rows(self.distance, nearest, asked, padded, nobody, np.int32(start))
        return np.asarray(nearest[1])

    def _exact(self, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Distances of the candidates by `distance` itself, (q, candidates); infinite for nobody and what is no number."""
        step = _power_of_two(max(1, _ELEMENTS // (2 * rows.shape[1] * self.dimension)))
        parts = [
            _paired(self.distance, queries[i : i + step], self._vectors[rows[i : i + step]]) for i in range(0, len(rows), step)
        ]
        exact = np.concatenate([np.asarray(part) for part in parts])
        return np.where((rows >= 0) & ~np.isnan(exact), exact, np.inf)

    def _by_person(self, distances: np.ndarray, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Keeps each person's nearest row and of those the nearest k."""
        rows = np.where(np.isfinite(distances), rows, -1)
        nobody = np.iinfo(np.int64).max
        owners = np.where(rows >= 0, self._owners[rows], nobody)
        order = np.lexsort((rows, owners, distances))
        again = np.zeros(rows.shape, bool)
        if self._most > 1:
            again = ~_first_of_each(np.take_along_axis(owners, order, axis=1))
            # Who came before goes to the end.
            last = np.argsort(again, axis=1, kind="stable")
            order, again = (np.take_along_axis(x, last, axis=1) for x in (order, again))
        chosen, count = order[:, :k], min(k, rows.shape[1])
        out_distances = np.full((len(rows), k), np.inf, np.float32)
        out_rows = np.full((len(rows), k), -1, np.int64)
        out_rows[:, :count] = np.where(again[:, :k], -1, np.take_along_axis(rows, chosen, axis=1))
        out_distances[:, :count] = np.take_along_axis(distances, chosen, axis=1)
        out_distances[out_rows < 0] = np.inf
        return out_distances, out_rows


def _first_of_each(owners: Int[np.ndarray, "q n"]) -> Bool[np.ndarray, "q n"]:
    """Whether nobody before in the row has the same owner."""
    order = np.argsort(owners, axis=1, kind="stable")
    ordered = np.take_along_axis(owners, order, axis=1)
    first = np.ones_like(ordered, bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    out = np.empty_like(first)
    np.put_along_axis(out, order, first, axis=1)
    return out


@functools.partial(jax.jit, static_argnums=0)
def _nearest_rows(
    distance: Distance,
    nearest: Nearest,
    queries: Array,
    vectors: AnyArray,
    offsets: AnyArray,
    start: AnyArray,
) -> Nearest:
    """The nearest rows so far and those of a part, merged."""
    wanted = nearest[0].shape[1]
    distances = distance.paired(queries[:, None], jnp.asarray(vectors)[None]) + offsets
    # NaN would win every comparison of top_k; it is nobody's neighbor.
    distances = jnp.where(jnp.isnan(distances), jnp.inf, distances)
    values, rows = lax.top_k(-distances, min(wanted, distances.shape[1]))
    rows = jnp.where(jnp.isfinite(values), rows + start, -1).astype(jnp.int32)
    values, order = lax.top_k(jnp.concatenate([-nearest[0], values], axis=1), wanted)
    return -values, jnp.take_along_axis(jnp.concatenate([nearest[1], rows], axis=1), order, axis=1)


@functools.partial(jax.jit, static_argnums=0)
def _paired(distance: Distance, queries: AnyArray, candidates: AnyArray) -> Array:
    return distance.paired(jnp.asarray(queries)[:, None], jnp.asarray(candidates))


def _nobody(queries: int, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.full((queries, k), np.inf, np.float32), np.full((queries, k), -1, np.int64), np.ones(queries, np.int64)


def _programs(queries: np.ndarray) -> list[np.ndarray]:
    """As many queries as one program takes, and as many again."""
    largest = _ON_CPUS if jax.default_backend() == "cpu" else _QUERIES[-1]
    return [queries[start : start + largest] for start in range(0, len(queries), largest)]


def _padded(queries: Float[np.ndarray, "q d"]) -> Float[np.ndarray, "p d"]:
    """As many queries as a program takes."""
    missing = next(size for size in _QUERIES if size >= len(queries)) - len(queries)
    return np.concatenate([queries, np.zeros((missing, queries.shape[1]), np.float32)])


def _power_of_two(at_least: int) -> int:
    return 1 << (at_least - 1).bit_length()
