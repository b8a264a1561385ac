"""Do two verifiers differ? Both are measured on the same pairs, and the same people are drawn for both.

An interval for each of two error rates says little of their difference: people who are hard for one are hard for the other, and
that part of the uncertainty is common to both. Where the same people are drawn for both, it cancels.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.special import stdtr, stdtrit

from likeness.research.errors import UserError
from likeness.research.metrics import roc as curves
from likeness.research.metrics.bootstrap import FEWEST_PEOPLE, REPLICATES, between_people, replicate_weights
from likeness.research.metrics.intervals import CONFIDENCE
from likeness.research.metrics.pairs import Pairs


@dataclasses.dataclass(frozen=True)
class RateDifference:
    """The difference of two error rates that were measured on the same pairs."""

    first: float
    """Error rate of the first; of several runs their mean."""
    second: float
    """That of the second."""
    low: float
    """Of the 95 % interval of ``first - second``; NaN where there are too few people to say."""
    high: float
    p_value: float
    """How often chance alone would make a difference as large, if there were none; NaN where there are too few people."""
    people: int
    """How many of them the interval rests on."""

    @property
    def value(self) -> float:
        """``first - second``: negative where the first errs less."""
        return self.first - self.second

    def text(self) -> str:
        """The difference as people read it, in points of a percent.

        Example:
            >>> RateDifference(0.04, 0.05, -0.018, -0.002, 0.012, 100).text()
            '-1.00 points [-1.80, -0.20], p = 0.012'
        """
        if math.isnan(self.low):
            return f"{100 * self.value:+.2f} points, of {self.people} people: too few for an interval"
        return f"{100 * self.value:+.2f} points [{100 * self.low:+.2f}, {100 * self.high:+.2f}], p = {self.p_value:.2g}"


def paired_eer(first: Pairs | Sequence[Pairs], second: Pairs | Sequence[Pairs], seed: int = 0) -> RateDifference:
    """Returns the difference of two equal error rates on the same pairs, with an interval and a test.

    People are drawn with replacement, the same for both (:func:`~likeness.research.metrics.bootstrap.replicate_weights`). With
    the variance v of the resampled difference, the interval is ``difference ± t √v``, with Student's t of one degree of freedom
    fewer than people, and p is that of the same t.

    Args:
        first: The pairs with the distances of one verifier; or those of several runs of it (seeds), whose mean error counts.
        second: The same pairs with the distances of the other.
        seed: Of the resampling.

    Raises:
        UserError: The pairs are not the same, a kind of pair is missing, or a distance is NaN.

    What is drawn are people, so that the interval is of other people and the same runs: whether another seed of training would
    turn the difference around is seen by giving several, and by looking at each.
    """
    sides = [[side] if isinstance(side, Pairs) else list(side) for side in (first, second)]
    if not all(sides):
        raise UserError("paired_eer: there is no run to compare: give the pairs of one run or of several for both verifiers.")
    reference = sides[0][0]
    for each in (*sides[0], *sides[1]):
        if not (np.array_equal(each.rows, reference.rows) and np.array_equal(each.people, reference.people)):
            raise UserError(
                f"paired_eer: the verifiers were measured on different pairs ({len(each)} and {len(reference)}): evaluate both "
                "on the same images with the same protocol."
            )
        curves.refuse_nan(each.distances)
    if reference.same.all() or not reference.same.any():
        raise UserError("paired_eer: an equal error needs pairs of one person and pairs of two; give both kinds.")
    # In rising order, as resampling asks for them again and again.
    runs = [[_Ordered.of(each) for each in side] for side in sides]
    rate, other = (float(np.mean([run.eer(np.ones((1, len(reference)), np.int64))[0] for run in side])) for side in runs)
    samples = np.concatenate(
        [
            np.subtract(*(np.mean([run.eer(weights) for run in side], axis=0) for side in runs))
            for weights in replicate_weights(reference.people, REPLICATES, seed)
        ]
    )
    people = len(np.unique(reference.people))
    variance = between_people(samples, people) if people >= FEWEST_PEOPLE else math.nan
    if math.isnan(variance):
        return RateDifference(rate, other, math.nan, math.nan, math.nan, people)
    value, deviation = rate - other, math.sqrt(variance)
    reach = float(stdtrit(people - 1, 0.5 + CONFIDENCE / 2)) * deviation
    p_value = 2 * float(stdtr(people - 1, -abs(value) / deviation)) if deviation else float(value == 0)
    return RateDifference(rate, other, value - reach, value + reach, p_value, people)


@dataclasses.dataclass(frozen=True, eq=False)
class _Ordered:
    distances: Float[np.ndarray, "n"]
    same: np.ndarray
    order: np.ndarray

    @classmethod
    def of(cls, pairs: Pairs) -> "_Ordered":
        order = np.argsort(pairs.distances, kind="stable")
        return cls(pairs.distances[order], pairs.same[order], order)

    def eer(self, weights: np.ndarray) -> np.ndarray:
        return curves.eer(curves.roc(self.distances, self.same, np.take(weights, self.order, axis=1)))
