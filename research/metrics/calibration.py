"""A threshold chosen for a false-accept rate, and the rate that people never seen before can expect of it.

The rate counted on the pairs that chose the threshold is not that rate: it is what was asked for, whatever the data. Let
F be the distribution of the distance between two strangers. Of n independent pairs F(d_(k)) is distributed as
Beta(k, n + 1 - k), whatever F is, so the k-th smallest distance accepts k / (n + 1) of new strangers on average (David and
Nagaraja, "Order statistics", 2003, section 2.3; any larger threshold that accepts no further pair accepts up to
(k + 1) / (n + 1), twice as many where k = 1).

Pairs that share people know less. That six people happen to hold two who look alike says little of the next six, and the
threshold is chosen by just such pairs. How much is lost is measured by leaving out: for two people i, j the threshold
τ_ij is chosen again on the pairs with neither, and counted on the pairs of i with j, who are new to it:

    excess(P - 2) = Σ_ij (#{d of i with j ≤ τ_ij} - #{d of i with j ≤ τ}) / n

is unbiased for what P - 2 people lose. With P people it is less. A mean over pairs of people varies by a part that falls as
1 / P, of those who resemble everybody, and one that falls as 1 / P (P - 1), of pairs that resemble each other (Hoeffding,
"A class of statistics with asymptotically normal distribution", 1948), and what a quantile loses is half the derivative of
that variance; the geometric mean of both takes the excess from P - 2 people to P.
"""

import dataclasses
import math

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import betaincinv

from likeness.research.checks import UncheckedFlags, UncheckedNumbers, check_numbers, check_threshold
from likeness.research.errors import UserError
from likeness.research.metrics import roc as curves
from likeness.research.metrics.bootstrap import PeoplePairs, clustered_rate, replicate_weights, share_people
from likeness.research.metrics.intervals import CONFIDENCE, Estimate
from likeness.research.metrics.verification import checked_people, needed_pairs, rate_name

FEWEST_STRANGERS = 4
"""With fewer nobody is left to compare once two are left out, so nothing is known of strangers."""

_LEFT_OUT = 1000
"""Pairs of people left out, at most; of more, some are drawn."""


@dataclasses.dataclass(frozen=True)
class Calibration:
    """A threshold chosen for a false-accept rate, and what can be expected of it."""

    threshold: float
    target_far: float
    far: Estimate
    """Of strangers: people who were not among those the threshold was chosen on. It may lie above the target, where the pairs
    come from few people, and is unresolvable where they come from fewer than :data:`FEWEST_STRANGERS`."""
    tar: Estimate
    """On the pairs the threshold was chosen on."""


def threshold_at_far(
    distances: UncheckedNumbers,
    same: UncheckedFlags,
    far: float,
    people_pairs: PeoplePairs | None = None,
    seed: int = 0,
) -> Calibration:
    """Returns the k-th smallest different-person distance, k = ⌊n · far⌋, and what it does to strangers.

    Of different-person distances that tie, those are accepted together that keep the measured rate at ``far`` or below.

    Args:
        distances: Of validation pairs; smaller means more alike.
        same: Whether the pair shows one person.
        far: The false-accept rate aimed at.
        people_pairs: The people of each pair; None declares the pairs independent.
        seed: Of the resampling.

    Raises:
        UserError: If a kind of pair is missing, there are fewer than 1/far different-person pairs, or no
            threshold is strict enough.
    """
    d, s = curves.checked(distances, same)
    if not 0 < far <= 1:
        raise UserError(f"A false-accept rate of {far} cannot be aimed at: choose one between 0 and 1, such as 0.01.")
    negatives = np.sort(d[~s])
    n, needed = len(negatives), needed_pairs(far)
    if not s.any() or n < needed:
        raise UserError(
            f"A threshold for FAR {rate_name(far)} needs same-person pairs and at least {needed} different-person "
            f"pairs, but there are {int(s.sum())} and {n}: calibrate on more people or more "
            "images of each, or aim at a larger FAR."
        )
    # The slack forgives the rounding of 0.01 · 300 and the like.
    rank = min(n, math.floor(n * far + 1e-9))
    if rank < n and negatives[rank] == negatives[rank - 1]:
        rank = int(np.searchsorted(negatives, negatives[rank], side="left"))
    if rank == 0:
        smallest = int(np.searchsorted(negatives, negatives[0], side="right"))
        raise UserError(
            f"No threshold reaches FAR {rate_name(far)}: {smallest} of {n} different-person pairs share the smallest distance "
            f"of all, {negatives[0]:g}. The embedding has probably collapsed to a point; look at the collapse monitor "
            "in the run's log and train again, or aim at a larger FAR."
        )
    threshold = float(negatives[rank - 1])
    people = checked_people(people_pairs, len(d))
    people = np.arange(2 * len(d)).reshape(-1, 2) if people is None else people
    return Calibration(
        threshold=threshold,
        target_far=far,
        far=stranger_rate(d[~s], threshold, people[~s], seed=seed),
        tar=clustered_rate(d[s] <= threshold, people[s], seed=seed),
    )


def stranger_rate(distances: UncheckedNumbers, threshold: float, people_pairs: PeoplePairs, seed: int = 0) -> Estimate:
    """Returns how often strangers come within a threshold that is one of the distances and was chosen by them.

    The interval is that of Beta(p (m + 1), (1 - p) (m + 1)) for the rate p, exact for m independent pairs; where pairs share
    people, m is how many independent ones they are worth by the variance of resampled people, and never more than there are
    pairs of people.

    Args:
        distances: Of pairs of different people.
        threshold: The k-th smallest of them, for any k.
        people_pairs: The people of each pair.
        seed: Of the resampling.

    Raises:
        UserError: If a distance is NaN.
        ValueError: If the threshold is NaN, or accepts none of the distances.
    """
    check_threshold("stranger_rate", threshold)
    given = check_numbers("stranger_rate", "distances", distances)
    curves.refuse_nan(given)
    if not np.any(given <= threshold):
        raise ValueError(f"stranger_rate: a threshold of {threshold:g} is none of the distances, all of which are larger.")
    order = np.argsort(given, kind="stable")
    d, pairs = given[order], np.asarray(checked_people(people_pairs, len(order)))[order]
    n, rank = len(d), int(np.searchsorted(d, threshold, side="right"))
    worth, rate = float(n), rank / (n + 1)
    if share_people(pairs):
        people, index = np.unique(pairs, return_inverse=True)
        if len(people) < FEWEST_STRANGERS:
            why = f"{len(people)} people say nothing of strangers, of whom {FEWEST_STRANGERS} or more do"
            return Estimate.unresolvable(n, why)
        rate += max(0.0, _lost(d, index.reshape(-1, 2), rank, seed)) * n / (n + 1)
        worth = _worth(np.arange(n) < rank, pairs, seed)
    rate = min(rate, worth / (worth + 1))
    tail, hits = (1 - CONFIDENCE) / 2, rate * (worth + 1)
    low, high = (float(betaincinv(hits, worth + 1 - hits, q)) for q in (tail, 1 - tail))
    return Estimate.around(rate, (low, high), n=n)


def _worth(accepted: Bool[np.ndarray, "n"], pairs: Int[np.ndarray, "n 2"], seed: int) -> float:
    """How many independent pairs the pairs are worth: at most one of each two people, who are close in all of theirs or in
    none, since the threshold is where the closest two begin."""
    most = len(np.unique(np.sort(pairs, axis=1), axis=0))
    people, rate = len(np.unique(pairs)), float(accepted.mean())
    counted = accepted.astype(np.float64)
    with np.errstate(invalid="ignore"):
        samples = np.concatenate([w @ counted / w.sum(axis=1) for w in replicate_weights(pairs, seed=seed)])
    variance = float(np.nanvar(samples)) * people / (people - 1)
    return min(float(most), rate * (1 - rate) / variance) if variance > 0 else float(most)


def _lost(distances: Float[np.ndarray, "n"], pairs: Int[np.ndarray, "n 2"], rank: int, seed: int) -> float:
    """The excess of the module's docstring, taken to all people.

    Args:
        distances: Rising.
        pairs: People numbered from 0.
        rank: How many of the distances the threshold accepts.
    """
    n, people = len(distances), int(pairs.max()) + 1
    lower, upper = np.sort(pairs, axis=1).T
    codes = lower * people + upper
    of_person = np.bincount(pairs.ravel(), minlength=people)
    of_both = dict(zip(*(column.tolist() for column in np.unique(codes, return_counts=True)), strict=True))
    # A threshold chosen again lies near the first: only pairs about as close can come or go.
    window = min(n, 4 * rank + 1000)
    near = np.unique(codes[:window])
    drawn = near if len(near) <= _LEFT_OUT else np.random.default_rng(seed).choice(near, _LEFT_OUT, replace=False)
    total = 0.0
    for code in drawn.tolist():
        i, j = divmod(code, people)
        wanted = (n - int(of_person[i] + of_person[j]) + of_both[code]) * rank / n
        ranks = (math.floor(wanted), math.ceil(wanted))
        for end in (window, n):
            a, b = lower[:end], upper[:end]
            kept = np.flatnonzero((a != i) & (b != i) & (a != j) & (b != j))
            if ranks[1] <= len(kept):
                break
        own = distances[:end][codes[:end] == code]
        # Between two ranks a coin is tossed, so that the rate aimed at is the same without the two people.
        again = [_accepted(own, float(distances[kept[k - 1]])) if k else 0 for k in ranks]
        total += again[0] + wanted % 1 * (again[1] - again[0]) - _accepted(own, float(distances[rank - 1]))
    first_order = (people - 2) / people
    second_order = first_order * (people - 3) / (people - 1)
    return total * len(near) / len(drawn) / n * math.sqrt(first_order * second_order)


def _accepted(rising: Float[np.ndarray, "m"], threshold: float) -> int:
    return int(np.searchsorted(rising, threshold, side="right"))
