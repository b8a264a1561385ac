"""All pairs of a set of embeddings, compared tile by tile and counted exactly, in memory that does not grow with the pairs.

A hundred million distances do not fit into memory, and to sort them takes longer than to compute them. But a rate at a
threshold asks only how many distances lie at or below it, and a threshold for a rate only for one order statistic. A float32 is
32 bits, and with the sign handled its bits, read as a whole number, are in the order of the numbers. So a first pass counts
both kinds of pair by the upper 16 bits of their distance, in 65,536 sorted bins. That tells which few bins hold an answer. A
second pass counts the distances of these bins by their lower 16 bits, after which a bin's every distinct distance has its own
count. Nothing is
approximated: each point of the resulting curve is a point of the ROC of all distances in one sorted array, and those that are
asked for are among them.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, UInt32

from likeness.research.checks import UncheckedEmbeddings, UncheckedLabels, as_numpy, check_count
from likeness.research.distances import Distance
from likeness.research.errors import UserError
from likeness.research.metrics.roc import Roc, check_rates
from likeness.research.tracking import Track, untracked
from likeness.research.types import AnyArray, Array, Shaped

SIDE = 1024
"""Rows and columns of a tile: a million distances, 4 MB."""

Compare: TypeAlias = Callable[[Any, Any], Any]
"""Distances (n, m) of n embeddings to m: what an embedder offers whose loss compares by weights of its own."""

_BINS = 1 << 16
_LOW = _BINS - 1
_MOST_PRODUCT = 1 << 62


@dataclasses.dataclass(frozen=True, eq=False)
class PairTile:
    """Some of the pairs."""

    distances: Float[np.ndarray, "n"]
    """float32."""
    same: Bool[np.ndarray, "n"]
    """Whether the pair shows one person."""
    place: Callable[[Int[np.ndarray, "k"]], tuple[Int[np.ndarray, "k"], Int[np.ndarray, "k"]]]
    """Which two rows of the embeddings some of the pairs are of."""


class PairStream:
    """The pairs (i, j), i < j, of n embeddings, in tiles, as often as one goes through them.

    A tile is compared on the device in one program of fixed shape, while the host counts the one before it. The same tile has
    the same distances in every pass.

    Args:
        embeddings: (n, d).
        labels: the person in each.
        distance: how they are compared; or a function of two tables that says so.
        side: of a tile. Memory is about ``30 · side²`` bytes beside the embeddings, whatever their number.
        track: told of each pass.

    Raises:
        ValueError: embeddings and labels do not belong together.

    Example:
        >>> from likeness.research.distances import Cosine
        >>> stream = PairStream(np.eye(3, dtype=np.float32), np.array([0, 0, 1]), Cosine())
        >>> [(tile.distances.tolist(), tile.same.tolist()) for tile in stream.tiles("looking at pairs")]
        [([1.0, 1.0, 1.0], [True, False, False])]
    """

    def __init__(
        self,
        embeddings: UncheckedEmbeddings,
        labels: UncheckedLabels,
        distance: Distance | Compare,
        side: int = SIDE,
        track: Track = untracked,
    ) -> None:
        check_count("PairStream", "side", side)
        table = as_numpy("PairStream", "embeddings", embeddings, ("n", "d"), help="Give one row for each image.")
        self.labels = as_numpy("PairStream", "labels", labels, (len(table),), "integers", "Give the person in each image.")
        self._track = track
        self._side = side = min(side, max(8, 1 << (max(1, len(table)) - 1).bit_length()))
        padded = np.zeros((-(-max(1, len(table)) // side) * side, table.shape[1]), np.float32)
        padded[: len(table)] = table
        self._compare = _comparing(padded, distance, side)

    @property
    def pairs(self) -> int:
        """How many there are."""
        return len(self.labels) * (len(self.labels) - 1) // 2

    def tiles(self, what: str) -> Iterator[PairTile]:
        """Goes through all pairs once.

        Args:
            what: is done with them, for people to read.

        Raises:
            UserError: a distance is NaN.
        """
        n, side = len(self.labels), self._side
        corners = [(i, j) for i in range(0, n, side) for j in range(i, n, side)]
        # One tile ahead, so that the device computes while the host counts.
        ahead = self._compare(*corners[0]) if corners else None
        for number, (i, j) in enumerate(self._track(what, corners), start=1):
            block = np.asarray(ahead)
            ahead = self._compare(*corners[number]) if number < len(corners) else None
            yield self._tile(i, j, block)

    def _tile(self, i: int, j: int, block: np.ndarray) -> PairTile:
        rows, columns = self.labels[i : i + self._side], self.labels[j : j + self._side]
        block = block[: len(rows), : len(columns)]
        same = rows[:, None] == columns[None, :]
        if i == j:
            above = np.flatnonzero(np.triu(np.ones(block.shape, bool), 1))
            distances, same = block.ravel()[above], same.ravel()[above]
        else:
            above, distances, same = None, np.ascontiguousarray(block).ravel(), same.ravel()
        if np.isnan(distances.max(initial=-np.inf)):
            raise UserError(
                "Some distances are NaN, so no rate can be computed from them. The embeddings they come from are not "
                "finite: look "
                "for a diverged run (the loss in metrics.jsonl) or images with NaN pixels."
            )
        wide = len(columns)

        def place(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            first, second = np.divmod(pairs if above is None else above[pairs], wide)
            return first + i, second + j

        return PairTile(distances, same, place)


def count_pairs(
    stream: PairStream,
    fars: Sequence[float] = (),
    thresholds: Sequence[float] = (),
    *,
    find_eer: bool = True,
    find_best: bool = False,
) -> Roc:
    """The part of the exact ROC of all pairs that answers what is asked; two passes.

    Between what is asked for, the curve goes on in steps of bins 2⁻⁷ wide, relative to the distance: their counts are exact,
    and their thresholds are the ends of bins instead of distances. At what is asked for,
    :func:`~likeness.research.metrics.roc.eer`, :func:`~likeness.research.metrics.roc.tar_at_far` and
    :func:`~likeness.research.metrics.roc.indices_at_far` give, to the bit, what they give of all distances sorted.

    Args:
        stream: of the pairs.
        fars: false-accept rates that will be looked up.
        thresholds: at which rates will be looked up (:func:`rates_at`).
        find_eer: whether the equal error rate will be.
        find_best: whether the threshold that is best where both kinds of pair count one half will be.

    Raises:
        UserError: a kind of pair is missing, a distance is NaN, or a rate does not lie in [0, 1].
    """
    check_rates(fars)
    same, different = _count(stream.tiles("counting pairs"))
    total_same, total_different = int(same.sum()), int(different.sum())
    if 0 in (total_same, total_different):
        raise UserError(
            f"Rates need pairs of both kinds; there are {total_same} same-person and {total_different} different-person pairs."
        )
    if total_same * total_different >= _MOST_PRODUCT:
        raise UserError(
            f"{total_same} same-person and {total_different} different-person pairs are too many to be counted exactly."
        )
    fine = _bins_to_refine(same, different, fars, thresholds, find_eer, find_best)
    return _curve(same, different, fine, _refine(stream.tiles("counting pairs close to the thresholds"), fine))


def rates_at(curve: Roc, thresholds: Sequence[float]) -> tuple[Float[np.ndarray, "t"], Float[np.ndarray, "t"]]:
    """FAR and TAR of ``d ≤ τ`` at thresholds that :func:`count_pairs` was told of."""
    at = np.searchsorted(curve.thresholds, np.asarray(thresholds, np.float64), side="right") - 1
    return curve.far[at], curve.tar[at]


def compare_blocks(
    first: UncheckedEmbeddings, second: UncheckedEmbeddings, distance: Distance | Compare, side: int = SIDE
) -> Float[np.ndarray, "n m"]:
    """The distance of each of n embeddings to each of m, float32, by programs of one fixed shape.

    Args:
        first: (n, d).
        second: (m, d).
        distance: how they are compared; or a function of two tables that says so.
        side: rows of ``first`` that are compared at once.

    Example:
        >>> from likeness.research.distances import SquaredEuclidean
        >>> compare_blocks(np.array([[0.0], [3.0]]), np.array([[1.0]]), SquaredEuclidean()).tolist()
        [[1.0], [4.0]]
    """
    rows = as_numpy("compare_blocks", "embeddings", first, ("n", "d"), help="Give one row for each image.")
    columns = as_numpy("compare_blocks", "embeddings", second, ("m", rows.shape[1]), help="Give one row for each image.")
    rows, columns = rows.astype(np.float32), columns.astype(np.float32)
    if not isinstance(distance, Distance):
        return np.array(distance(rows, columns), np.float32)
    found = np.empty((len(rows), len(columns)), np.float32)
    side = min(side, max(8, 1 << (max(1, len(rows)) - 1).bit_length()))
    on_device = jnp.asarray(columns)
    for start in range(0, len(rows), side):
        block = rows[start : start + side]
        padded = np.concatenate([block, np.zeros((side - len(block), rows.shape[1]), np.float32)])
        found[start : start + side] = np.asarray(_pairwise(distance, padded, on_device))[: len(block)]
    return found


def compare_pairs(
    embeddings: UncheckedEmbeddings,
    first: UncheckedLabels,
    second: UncheckedLabels,
    distance: Distance | Compare,
    side: int = SIDE,
) -> Float[np.ndarray, "n"]:
    """The distances of listed pairs, float64 of what is computed in float32.

    Args:
        embeddings: (n, d).
        first: the row of one embedding of each pair.
        second: the row of the other.
        distance: how they are compared; or a function of two tables that says so.
        side: pairs that are compared at once by a distance; a function compares a block of a sixteenth of that.

    Example:
        >>> from likeness.research.distances import SquaredEuclidean
        >>> compare_pairs(np.array([[0.0], [3.0], [5.0]]), np.array([0, 2]), np.array([1, 1]), SquaredEuclidean()).tolist()
        [9.0, 4.0]
    """
    table = as_numpy("compare_pairs", "embeddings", embeddings, ("n", "d"), help="Give one row for each image.").astype(
        np.float32
    )
    rows = as_numpy("compare_pairs", "rows", first, ("p",), "integers", "Give rows of the embeddings.")
    partners = as_numpy("compare_pairs", "rows", second, rows.shape, "integers", "Give rows of the embeddings.")
    found = np.empty(len(rows))
    step = side if isinstance(distance, Distance) else max(1, side // 16)
    for start in range(0, len(rows), step):
        one, other = table[rows[start : start + step]], table[partners[start : start + step]]
        if isinstance(distance, Distance):
            fill = ((0, step - len(one)), (0, 0))
            block = np.asarray(_paired(distance, np.pad(one, fill), np.pad(other, fill)))[: len(one)]
        else:
            block = np.diagonal(np.asarray(distance(one, other)))
        found[start : start + step] = block
    return found


def keys_of(distances: Float[AnyArray, "n"]) -> UInt32[np.ndarray, "n"]:
    """uint32 in the order of float32 distances; −0 and 0 are equal, as the numbers are.

    Example:
        >>> keys = keys_of(np.array([-1.5, -0.0, 0.0, 1e-9, 2.0], np.float32))
        >>> np.sign(np.diff(keys.astype(np.int64))).tolist()
        [1, 0, 1, 1]
    """
    bits = (np.asarray(distances, np.float32) + np.float32(0)).view(np.uint32)
    negative = (bits >> 31).astype(bool)
    if not negative.any():
        return bits | np.uint32(1 << 31)
    return np.where(negative, ~bits, bits | np.uint32(1 << 31))


def distances_of(keys: Shaped[AnyArray, "n"]) -> Float[np.ndarray, "n"]:
    """The float32 that :func:`keys_of` made keys of."""
    keys = np.asarray(keys, np.uint32)
    return np.where(keys >> 31, keys & np.uint32((1 << 31) - 1), ~keys).astype(np.uint32).view(np.float32)


def _count(tiles: Iterable[PairTile]) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of each kind by the upper 16 bits of their key."""
    same, every = np.zeros(_BINS, np.int64), np.zeros(_BINS, np.int64)
    for tile in tiles:
        upper = (keys_of(tile.distances) >> 16).astype(np.int64)
        every += np.bincount(upper, minlength=_BINS)
        # Pairs of one person are few: to pick them is cheaper than to pick the others.
        same += np.bincount(upper[np.flatnonzero(tile.same)], minlength=_BINS)
    return same, every - same


def _refine(tiles: Iterable[PairTile], fine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of each kind in each of the ``fine`` bins, by the lower 16 bits of their key."""
    slot = np.full(_BINS, -1, np.int64)
    slot[fine] = np.arange(len(fine))
    counts = np.zeros((2, len(fine) * _BINS), np.int64)
    for tile in tiles:
        keys = keys_of(tile.distances)
        slots = slot[keys >> 16]
        picked = np.flatnonzero(slots >= 0)
        cells, kinds = slots[picked] * _BINS + (keys[picked] & _LOW), tile.same[picked]
        for kind in (0, 1):
            found, times = np.unique(cells[kinds == kind], return_counts=True)
            counts[kind, found] += times
    different, same = counts.reshape(2, len(fine), _BINS)
    return same, different


def _bins_to_refine(
    same: np.ndarray,
    different: np.ndarray,
    fars: Sequence[float],
    thresholds: Sequence[float],
    find_eer: bool,
    find_best: bool,
) -> np.ndarray:
    filled = np.flatnonzero(same + different)
    upto_same, upto_different = np.cumsum(same)[filled], np.cumsum(different)[filled]
    total_same, total_different = int(upto_same[-1]), int(upto_different[-1])
    wanted: set[int] = set()
    for far in fars:
        # As `roc.indices_at_far` has it: the answer is the last point that accepts no more than this many.
        allowed = int(np.floor(total_different * far + 1e-9))
        beyond = int(np.searchsorted(upto_different, allowed, side="right"))
        wanted |= {beyond - 1, beyond}
    if find_eer:
        gap = upto_different * total_same + upto_same * total_different - total_same * total_different
        wanted.add(int(np.argmax(gap >= 0)))
    if find_best:
        # Within a bin nothing is better than to accept all of its same-person pairs and none of the others.
        before = np.concatenate([[0], upto_different[:-1]])
        reached = upto_same * total_different - upto_different * total_same
        possible = np.flatnonzero(upto_same * total_different - before * total_same >= max(0, int(reached.max())))
        wanted |= {*possible.tolist(), *(possible + 1).tolist()}
    for threshold in thresholds:
        bin = int(keys_of(np.array([_largest_float32(threshold)]))[0] >> 16)
        wanted.add(int(np.searchsorted(filled, bin, side="right")) - 1)
    kept = [place for place in sorted(wanted) if 0 <= place < len(filled)]
    return filled[kept]


def _largest_float32(threshold: float) -> np.float32:
    """The largest that is at most ``threshold``."""
    with np.errstate(over="ignore"):
        near = np.float32(threshold)
    return np.nextafter(near, np.float32(-np.inf)) if float(near) > threshold else near


def _curve(same: np.ndarray, different: np.ndarray, fine: np.ndarray, refined: tuple[np.ndarray, np.ndarray]) -> Roc:
    coarse = np.setdiff1d(np.flatnonzero(same + different), fine)
    slots, lows = np.nonzero(refined[0] + refined[1])
    keys = np.concatenate([coarse << 16 | _LOW, fine[slots] << 16 | lows])
    of_same = np.concatenate([same[coarse], refined[0][slots, lows]])
    of_different = np.concatenate([different[coarse], refined[1][slots, lows]])
    order = np.argsort(keys)
    # The bin of infinity ends among what is no number.
    keys = np.minimum(keys[order], int(keys_of(np.array([np.inf], np.float32))[0]))
    thresholds = distances_of(keys).astype(np.float64)
    return Roc(
        np.concatenate([[-np.inf], thresholds]),
        np.concatenate([[0], np.cumsum(of_same[order])]),
        np.concatenate([[0], np.cumsum(of_different[order])]),
    )


def _comparing(table: np.ndarray, distance: Distance | Compare, side: int) -> Callable[[int, int], Any]:
    if not isinstance(distance, Distance):
        return lambda i, j: distance(table[i : i + side], table[j : j + side])
    on_device = jnp.asarray(table)
    return lambda i, j: _tile(distance, side, on_device, i, j)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _tile(distance: Distance, side: int, table: Array, i: Any, j: Any) -> Array:
    first = jax.lax.dynamic_slice_in_dim(table, i, side)
    return distance.pairwise(first, jax.lax.dynamic_slice_in_dim(table, j, side))


@functools.partial(jax.jit, static_argnums=0)
def _pairwise(distance: Distance, first: Any, second: Any) -> Array:
    return distance.pairwise(first, second)


@functools.partial(jax.jit, static_argnums=0)
def _paired(distance: Distance, first: Any, second: Any) -> Array:
    return distance.paired(first, second)
