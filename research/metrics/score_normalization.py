"""Distances of a pair in units of what each side has to strangers: z-, t-, s- and adaptive s-norm.

Some images are near to everybody, blurred ones for example, and others to nobody, so that one threshold cannot serve both. A
cohort of other people tells: with the mean μ and the standard deviation σ of an embedding's distances to the cohort, for a
pair (e, t) of what is enrolled and what is tested,

- z-norm: (d(e, t) - μ_e) / σ_e; Li and Porter, ICASSP 1988;
- t-norm: (d(e, t) - μ_t) / σ_t; Auckenthaler, Carey and Lloyd-Thomas, Digital Signal Processing, 2000;
- s-norm: the mean of both; Kenny, Odyssey 2010;
- adaptive: the s-norm, with mean and deviation of each side's nearest of the cohort alone; Matějka et al., Interspeech 2017.

A normalized distance is in standard deviations: τ and T(N) of the plain distance say nothing of it, and have to be chosen anew.
"""

import dataclasses
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float

from likeness.research.checks import UncheckedEmbeddings, UncheckedNumbers, as_numpy, check_numbers
from likeness.research.distances import Cosine, Distance
from likeness.research.errors import UserError
from likeness.research.metrics.pair_stream import Compare, compare_blocks

Norm: TypeAlias = Literal["z", "t", "s", "adaptive"]
NORMS: tuple[Norm, ...] = ("z", "t", "s", "adaptive")

_LEAST = 4 * float(np.finfo(np.float32).eps)
"""A deviation of less than this share of the largest distance is that of float32's rounding."""


def normalized_distances(
    distances: UncheckedNumbers,
    enrolled: UncheckedNumbers,
    tested: UncheckedNumbers,
    norm: Norm = "s",
    nearest: int = 100,
) -> Float[np.ndarray, "n m"]:
    """Returns the distances of n enrolled to m tested embeddings, normalized by their distances to a cohort; float64.

    Args:
        distances: (n, m).
        enrolled: (n, c), of the enrolled to the cohort.
        tested: (m, c), of the tested to the cohort.
        norm: ``z``, ``t``, ``s`` or ``adaptive``.
        nearest: Of the adaptive norm, how many of the cohort count, at most.

    Raises:
        UserError: The shapes do not belong together, a distance is not finite, the cohort has fewer than two people, or
            somebody is at one distance from all who count, to float32's rounding, so that there is no unit.

    Example:
        >>> d = np.array([[1.0, 3.0]])
        >>> normalized_distances(d, np.array([[2.0, 4.0]]), np.array([[1.0, 3.0], [1.0, 3.0]])).tolist()
        [[-1.5, 0.5]]
    """
    if norm not in NORMS:
        raise UserError(f"norm={norm!r} is none of {', '.join(NORMS)}.")
    pairs, first, second = (
        check_numbers("normalized_distances", name, each).astype(np.float64)
        for name, each in (("distances", distances), ("enrolled", enrolled), ("tested", tested))
    )
    if pairs.ndim != 2 or first.ndim != 2 or second.ndim != 2 or (len(first), len(second)) != pairs.shape:
        raise UserError(
            f"Distances {pairs.shape} do not fit those of {first.shape} and {second.shape} to a cohort: give a row for each of "
            "the enrolled, and one for each of the tested."
        )
    if first.shape[1] != second.shape[1] or first.shape[1] < 2 or not _counts(nearest):
        raise UserError(
            f"Cohorts of {first.shape[1]} and {second.shape[1]} people, of whom {nearest} count, give no mean and deviation: "
            "give the same cohort for both, and two people or more."
        )
    if not all(np.isfinite(each).all() for each in (pairs, first, second)):
        raise UserError(
            "A distance is not finite, so nothing can be normalized by it: check the embeddings for NaN and infinity."
        )
    sides = _sides(first, second, norm, nearest)
    for side in sides:
        if (unlike := side.unit == 0).any():
            raise UserError(
                f"Row {int(np.argmax(unlike))} of the {side.name} lies at one distance from all of the cohort who count, so "
                "its distances have no unit: give a cohort of different people."
            )
    return _normalized(pairs, sides)


def _counts(nearest: int) -> bool:
    return isinstance(nearest, int | np.integer) and nearest >= 2


class _Side(NamedTuple):
    """What a norm takes of the enrolled, as a column, or of the tested, as a row."""

    name: str
    mean: np.ndarray
    unit: np.ndarray
    """0 for whom there is none."""


def _sides(first: np.ndarray, second: np.ndarray, norm: Norm, nearest: int) -> list[_Side]:
    count = nearest if norm == "adaptive" else first.shape[1]
    given = (("enrolled", first, "t", (-1, 1)), ("tested", second, "z", (1, -1)))
    return [
        _Side(name, *(each.reshape(shape) for each in _spread(distances, count)))
        for name, distances, other, shape in given
        if norm != other
    ]


def _normalized(pairs: np.ndarray, sides: list[_Side]) -> np.ndarray:
    """Infinite where a side lies at one distance from all who count; NaN where a distance is."""
    total = np.mean([(pairs - side.mean) / np.where(side.unit == 0, 1.0, side.unit) for side in sides], axis=0)
    for side in sides:
        total = np.where((side.unit == 0) & ~np.isnan(pairs), np.inf, total)
    return total


def _spread(distances: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each row's ``count`` least; 0 for a deviation of nothing but rounding."""
    if count < distances.shape[1]:
        distances = np.partition(distances, count - 1, axis=1)[:, :count]
    deviation = distances.std(axis=1)
    rounding = deviation <= _LEAST * np.abs(distances).max(axis=1)
    return distances.mean(axis=1), np.where(rounding, 0.0, deviation)


@dataclasses.dataclass(frozen=True, eq=False)
class CohortNormalized:
    """A comparison by normalized distances, which every metric of embeddings takes in the place of a distance.

    What lies at one distance from all of the cohort, such as an embedding without a direction, is infinitely far from
    everybody.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> by = CohortNormalized(rng.normal(size=(50, 4)).astype(np.float32), norm="adaptive", nearest=10)
        >>> by(np.ones((2, 4), np.float32), np.ones((3, 4), np.float32)).shape
        (2, 3)
    """

    cohort: UncheckedEmbeddings
    """(c, d), of people whom nobody is compared with; one image of each, so that all count alike."""
    distance: Distance | Compare = dataclasses.field(default_factory=Cosine)
    """That is normalized."""
    norm: Norm = "s"
    """Which; the rows of the first table are tested and those of the second enrolled, as all metrics compare."""
    nearest: int = 100
    """Of the adaptive norm, how many of the cohort count."""

    def __call__(self, first: UncheckedEmbeddings, second: UncheckedEmbeddings) -> Float[np.ndarray, "n m"]:
        """Normalized distances (n, m) of n embeddings to m, float64.

        Raises:
            UserError: The cohort has fewer than two people or an embedding that is not finite, or the norm is none.
        """
        if self.norm not in NORMS or len(np.asarray(self.cohort)) < 2 or not _counts(self.nearest):
            raise UserError(
                f"CohortNormalized by norm={self.norm!r} with a cohort of {len(np.asarray(self.cohort))}, of whom "
                f"{self.nearest} count: give one of {', '.join(NORMS)}, and two people or more."
            )
        table = as_numpy("CohortNormalized", "cohort", self.cohort, ("c", "d"), help="Give one row for each of its people.")
        if (broken := ~np.isfinite(table).all(axis=1)).any():
            raise UserError(
                f"Row {int(np.argmax(broken))} of the cohort is not finite, so nothing can be normalized by it: leave out "
                "people whose embedding has NaN or infinity."
            )
        pairs, tested, enrolled = (
            compare_blocks(one, other, self.distance).astype(np.float64)
            for one, other in ((first, second), (first, table), (second, table))
        )
        return _normalized(pairs.T, _sides(enrolled, tested, self.norm, self.nearest)).T
