"""Pairs of images to verify, from the labels of a set of images."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int

from likeness.research.checks import UncheckedFlags, UncheckedLabels, UncheckedNumbers, as_numpy, check_numbers
from likeness.research.errors import UserError
from likeness.research.metrics.roc import refuse_nan
from likeness.research.types import AnyArray

PAIR_LIMIT = 100_000
"""Different-person pairs kept by default; enough to resolve a FAR of 1e-4."""


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Pairs of images with their distance; row i of each field is one pair."""

    distances: Float[np.ndarray, "n"]
    same: Bool[np.ndarray, "n"]
    people: Int[np.ndarray, "n 2"]
    """Labels of both images."""
    rows: Int[np.ndarray, "n 2"]
    """Which images: rows of the table the labels came from."""

    def __len__(self) -> int:
        return len(self.distances)


def pair_rows(labels: UncheckedLabels, limit: int | None = PAIR_LIMIT, seed: int = 0) -> Int[np.ndarray, "m 2"]:
    """Returns the rows (i, j), i < j, of the pairs of ``labels``, each pair once, in lexicographic order.

    All same-person pairs are kept. Different-person pairs grow with the square of the number of images; of
    more than ``limit``, a uniform sample without repetition is taken.

    Args:
        labels: The person in each image.
        limit: At most this many different-person pairs; None for all.
        seed: Of the sample; the same seed gives the same pairs.
    """
    if limit is not None and limit < 0:
        raise UserError(f"At most {limit} different-person pairs make no sense: give 0 or more, or None for all.")
    people = as_numpy("pair_rows", "labels", labels, ("n",), "integers", "Give the person in each image.")
    n = len(people)
    by_person = np.split(np.argsort(people, kind="stable"), np.cumsum(np.unique(people, return_counts=True)[1])[:-1])
    blocks = [np.stack([rows[i] for i in np.triu_indices(len(rows), 1)], axis=1) for rows in by_person]
    same = np.concatenate(blocks) if n else np.empty((0, 2), np.int64)
    different_count = n * (n - 1) // 2 - len(same)
    if limit is None or different_count <= limit:
        return np.stack(np.triu_indices(n, 1), axis=1)
    rng = np.random.default_rng(seed)
    if 2 * limit >= different_count:
        first, second = np.triu_indices(n, 1)
        candidates = np.flatnonzero(people[first] != people[second])
        codes = (first * n + second)[candidates]
    else:
        # Drawing and discarding avoids listing a quadratic number of pairs to keep a few of them.
        codes = np.empty(0, np.int64)
        while len(codes) < limit:
            first, second = rng.integers(n, size=(2, 2 * limit))
            keep = (first < second) & (people[first] != people[second])
            codes = np.union1d(codes, first[keep] * n + second[keep])
    codes = rng.choice(codes, size=limit, replace=False)
    codes = np.sort(np.concatenate([codes, same[:, 0] * n + same[:, 1]]))
    return np.stack(np.divmod(codes, n), axis=1)


def all_pairs(
    distances: Float[AnyArray, "rows columns"],
    labels: UncheckedLabels,
    limit: int | None = PAIR_LIMIT,
    seed: int = 0,
) -> Pairs:
    """Returns the pairs above the diagonal of a distance matrix, sampled as :func:`pair_rows` says.

    Args:
        distances: Distance of every image to every other; smaller means more alike.
        labels: The person in each image.
        limit: At most this many different-person pairs; None for all.
        seed: Of the sample.

    Raises:
        UserError: If the matrix does not belong to the labels.

    Example:
        >>> pairs = all_pairs(np.array([[0.0, 0.1, 0.9], [0.1, 0.0, 0.8], [0.9, 0.8, 0.0]]), np.array([3, 3, 5]))
        >>> pairs.distances.tolist(), pairs.same.tolist()
        ([0.1, 0.9, 0.8], [True, False, False])
    """
    matrix = np.asarray(distances)
    people = as_numpy("all_pairs", "labels", labels, ("n",), "integers", "Give the person in each image.")
    if matrix.shape != (len(people), len(people)):
        raise UserError(f"A distance matrix {matrix.shape} does not fit {len(people)} labels: it must be n by n.")
    rows = pair_rows(people, limit, seed)
    names = people[rows].reshape(-1, 2)
    return Pairs(matrix[rows[:, 0], rows[:, 1]].astype(np.float64), names[:, 0] == names[:, 1], names, rows)


def hardest(
    distances: UncheckedNumbers, same: UncheckedFlags, count: int, rows: UncheckedLabels | None = None
) -> tuple[Int[np.ndarray, "p"], Int[np.ndarray, "q"]]:
    """Returns the indices of the most distant same-person and the closest different-person pairs.

    Args:
        distances: Smaller means more alike.
        same: Whether the pair shows one person.
        count: At most this many of each kind, hardest first.
        rows: Which images the pairs are of; given, an image is in one pair of each kind at most, since the
            hardest pairs are often one odd image with each of its person's others.

    Raises:
        UserError: If a distance is NaN, or the count is negative.
    """
    d = check_numbers("hardest", "distances", distances)
    refuse_nan(d)
    if d.ndim != 1 or count < 0:
        raise UserError(f"The {count} hardest of distances {d.shape} cannot be told: give a list of them, and a count from 0.")
    s = as_numpy("hardest", "same-person flags", same, d.shape, "booleans", "Give one for each distance.")
    positives, negatives = np.flatnonzero(s), np.flatnonzero(~s)
    farthest = positives[np.argsort(-d[positives], kind="stable")]
    closest = negatives[np.argsort(d[negatives], kind="stable")]
    if rows is None:
        return farthest[:count], closest[:count]
    images = as_numpy("hardest", "rows", rows, (len(d), 2), "integers", "Give the two images of each pair.")
    return _without_repeats(farthest, images, count), _without_repeats(closest, images, count)


def _without_repeats(order: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """The first of ``order`` whose images none before them has."""
    seen: set[int] = set()
    chosen: list[int] = []
    for pair in order.tolist():
        if len(chosen) == count:
            break
        images = rows[pair].tolist()
        if seen.isdisjoint(images):
            seen.update(images)
            chosen.append(pair)
    return np.asarray(chosen, np.int64)
