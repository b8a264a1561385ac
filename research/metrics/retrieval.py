"""Retrieval: are the nearest neighbors of an image of the same class?"""

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from likeness.research.checks import UncheckedEmbeddings, UncheckedLabels, as_numpy
from likeness.research.distances import Cosine, Distance
from likeness.research.errors import UserError
from likeness.research.metrics import roc as curves
from likeness.research.metrics.bootstrap import REPLICATES, clustered_interval, share_people
from likeness.research.metrics.intervals import Estimate, wilson_interval
from likeness.research.metrics.pair_stream import Compare, compare_blocks
from likeness.research.tracking import Track, untracked

_ROWS = 256


@dataclasses.dataclass(frozen=True)
class RetrievalScores:
    """How well each query's own class is found; row i of each field is one query."""

    queries: Int[np.ndarray, "q"]
    """Rows of the embeddings that have others of their class."""
    precision_at_1: Float[np.ndarray, "q"]
    """1 where the nearest other image is of the same class."""
    r_precision: Float[np.ndarray, "q"]
    """The share of the same class among the nearest R, the number of its other images."""
    map_at_r: Float[np.ndarray, "q"]
    """Mean average precision at R."""


def retrieve(
    embeddings: UncheckedEmbeddings,
    labels: UncheckedLabels,
    distance: Distance | Compare | None = None,
    track: Track = untracked,
) -> RetrievalScores:
    """Finds for every image how near the others of its class are; every other image is a candidate.

    With R other images of the class, of which the k-th nearest is at position p_k among all candidates,

        P@1 = [p_1 = 1],   R-precision = #{k: p_k ≤ R} / R,   MAP@R = 1/R · Σ_{k: p_k ≤ R} k / p_k

    (Musgrave, Belongie and Lim, "A metric learning reality check", ECCV 2020). R is the query's own. Images that are the only
    one of their class are no queries, but candidates. A tie counts against the query's class, so that embeddings that are all
    equal find nothing.

    Args:
        embeddings: (n, d).
        labels: The class of each.
        distance: How they are compared; the cosine distance by default.
        track: Is told of the blocks of queries.

    Raises:
        UserError: A distance is NaN, or no class has two images.

    Example:
        >>> from likeness.research.distances import SquaredEuclidean
        >>> found = retrieve(np.array([[0.0], [1.0], [1.5], [9.0]]), np.array([0, 0, 1, 1]), SquaredEuclidean())
        >>> found.precision_at_1.tolist(), found.map_at_r.tolist()
        ([1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0])
    """
    table = as_numpy("retrieve", "embeddings", embeddings, ("n", "d"), help="Give one row for each image.").astype(np.float32)
    classes = as_numpy("retrieve", "labels", labels, (len(table),), "integers", "Give the class of each image.")
    _, who, counts = np.unique(classes, return_inverse=True, return_counts=True)
    queries = np.flatnonzero(counts[who] > 1)
    if not len(queries):
        raise UserError("No class has two images, so that none can be retrieved by another: give more images of each.")
    by = Cosine() if distance is None else distance
    parts = []
    for rows in track("retrieving", [queries[i : i + _ROWS] for i in range(0, len(queries), _ROWS)]):
        distances = compare_blocks(table[rows], table, by, _ROWS)
        curves.refuse_nan(distances)
        parts.append(_of_block(distances, rows, who, counts))
    return RetrievalScores(queries, *np.concatenate(parts, axis=1))


def retrieval(
    embeddings: UncheckedEmbeddings,
    labels: UncheckedLabels,
    distance: Distance | Compare | None = None,
    seed: int = 0,
    track: Track = untracked,
) -> dict[str, Estimate]:
    """Returns ``retrieval/p@1``, ``retrieval/r_precision`` and ``retrieval/map@r``, the means over queries.

    The intervals resample classes, since queries of one class succeed and fail together. As :func:`retrieve` otherwise.

    Args:
        embeddings: (n, d).
        labels: The class of each.
        distance: How they are compared; the cosine distance by default.
        seed: Of the resampling.
        track: Is told of the blocks of queries.
    """
    if np.size(labels) == len(np.unique(np.asarray(labels))):
        none = Estimate.unresolvable(0, "no class has two images")
        return {f"retrieval/{name}": none for name in ("p@1", "r_precision", "map@r")}
    found = retrieve(embeddings, labels, distance, track)
    classes = np.asarray(labels)[found.queries]
    fields = {"p@1": found.precision_at_1, "r_precision": found.r_precision, "map@r": found.map_at_r}
    return {f"retrieval/{name}": mean_by_class(values, classes, seed) for name, values in fields.items()}


def mean_by_class(values: Float[np.ndarray, "n"], classes: UncheckedLabels, seed: int = 0) -> Estimate:
    """Returns the mean of numbers from 0 to 1 with an interval that resamples the classes they belong to.

    Args:
        values: In [0, 1].
        classes: The class of each.
        seed: Of the resampling.
    """
    names = as_numpy("mean_by_class", "classes", classes, values.shape, "integers", "Give the class of each value.")
    if not len(values):
        return Estimate.unresolvable(0, "there are no values")
    mean, n = float(values.mean()), len(values)
    if not share_people(np.stack([names, names], axis=1)):
        return Estimate.around(mean, wilson_interval(mean, n), n)
    _, who = np.unique(names, return_inverse=True)
    people = int(who.max()) + 1
    sums, sizes = np.bincount(who, values), np.bincount(who)
    drawn = np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), size=REPLICATES)
    samples = (drawn @ sums) / (drawn @ sizes)
    return Estimate.around(mean, clustered_interval(mean, samples, people, n, n / people), n)


def _of_block(distances: np.ndarray, rows: np.ndarray, who: np.ndarray, counts: np.ndarray) -> np.ndarray:
    others = counts[who[rows]] - 1
    same = who[rows][:, None] == who[None, :]
    wide = int(others.max())
    # Of the other classes only the nearest R can push an image of the own class out of the first R.
    strangers = np.where(same, np.inf, distances)
    nearest = np.sort(np.partition(strangers, wide - 1, axis=1)[:, :wide] if wide < strangers.shape[1] else strangers, axis=1)
    found = np.zeros((3, len(rows)))
    for place, (row, r) in enumerate(zip(rows.tolist(), others.tolist(), strict=True)):
        own = np.flatnonzero(same[place])
        ranked = np.sort(distances[place, own[own != row]])
        k = np.arange(1, r + 1)
        position = k + np.searchsorted(nearest[place], ranked, side="right")
        hit = position <= r
        found[:, place] = position[0] == 1, hit.mean(), (k / position)[hit].sum() / r
    return found
