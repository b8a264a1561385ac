"""The bootstrap that resamples people, for rates whose trials share people.

Pairs of images are not independent: one person who is hard to recognize spoils all of their pairs at once.
Resampling pairs would hide that; here the people are drawn with replacement and every pair counts as often as
the people in it were drawn.
"""

import math
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.special import ndtri, stdtrit

from likeness.research.checks import UncheckedFlags, UncheckedLabels, as_numpy
from likeness.research.metrics.intervals import CONFIDENCE, Estimate, wilson_interval
from likeness.research.types import AnyArray

REPLICATES = 200
"""Resampled sets of people behind every interval; enough for a variance to within a tenth or so."""

FEWEST_PEOPLE = 3
"""Of fewer a rate tells nothing."""

_FURTHER, _EXPECTED = 2, 0.5
"""What is believed of how alike the trials of one person are, before any are seen: as though so many people had shown so high
a correlation."""

_FEWEST_SAMPLES = 20
"""Of fewer resamples in which a rate exists nothing is concluded."""

_CELLS = 400_000
"""Weights held at once: batches of replicates are cut to this size to stay within caches."""

PeoplePairs: TypeAlias = Shaped[AnyArray, "..."]
"""Integers ``(n, 2)``: the people on both sides of each pair. What is not is refused in a sentence."""


def share_people(people_pairs: PeoplePairs) -> bool:
    """Returns whether any person takes part in more than one of the pairs (or trials)."""
    pairs = _checked("share_people", people_pairs)
    both_sides = np.concatenate([pairs[:, 0], pairs[pairs[:, 0] != pairs[:, 1], 1]])
    return len(np.unique(both_sides)) < len(both_sides)


def replicate_weights(
    people_pairs: PeoplePairs, replicates: int = REPLICATES, seed: int = 0
) -> Iterator[Int[np.ndarray, "r n"]]:
    """Yields, a batch of replicates at a time, how often each pair counts when people are resampled.

    With multiplicities m ~ Multinomial(P, 1/P), a pair of different people i, j weighs ``m_i m_j`` and one of
    the same person ``m_i``: copies of one person are never compared with each other.

    Args:
        people_pairs: The people on both sides of each pair. A trial with a single person names them twice.
        replicates: How many resampled sets in all.
        seed: The same seed draws the same people, whatever the batch size.

    Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 2007.
    """
    people, index = np.unique(_checked("replicate_weights", people_pairs), return_inverse=True)
    first, second = index.reshape(-1, 2).T
    different = first != second
    rng = np.random.default_rng(seed)
    multiplicities = rng.multinomial(len(people), np.full(len(people), 1 / len(people)), size=replicates)
    multiplicities = multiplicities.astype(np.int32)
    size = max(1, _CELLS // max(1, len(first)))
    for start in range(0, replicates, size):
        drawn = multiplicities[start : start + size]
        weights = np.take(drawn, first, axis=1)
        weights *= np.where(different, np.take(drawn, second, axis=1), 1)
        yield weights


def independent_pairs(people_pairs: PeoplePairs) -> tuple[int, int]:
    """Returns how many independent trials same-person and different-person pairs are taken to be at most.

    An image that goes wrong spoils all of its pairs, so a person whose m pairs need k images, k(k-1)/2 ≥ m, counts as
    k trials, and never as more than the m; two people whose m pairs take √m images of each count as so many (rounded up).
    Without this bound a verifier that makes no mistake on a few people, each imaged often, would look
    certain to make none on others, since resampling shows no variance where there is no mistake.
    """
    pairs = np.sort(_checked("independent_pairs", people_pairs), axis=1)
    same = pairs[:, 0] == pairs[:, 1]
    repeats = np.unique(pairs[same, 0], return_counts=True)[1]
    images = np.ceil((1 + np.sqrt(1 + 8 * repeats)) / 2)
    trials = np.minimum(images, repeats).sum()
    of_two = np.unique(pairs[~same], axis=0, return_counts=True)[1]
    return int(trials), int(np.ceil(np.sqrt(of_two)).sum())


def clustered_interval(
    rate: float, samples: Float[np.ndarray, "r"], people: int, trials: float | int, repeats: float = 1.0
) -> tuple[float, float]:
    """Returns Wilson's interval for the number of independent trials that the bootstrap finds the data worth.

    The variance v of the resampled rate gives the effective number n* = p(1-p)/v, never more than ``trials``; quantiles of
    Student's t with one degree of freedom fewer than people replace the normal ones. Unlike percentiles of the resamples it
    keeps a width at a rate of 0 or 1, is skewed the right way near them, and does not shrink when few people were seen.
    The central 95 % of the resamples is always inside.

    Few people often hide that people differ: where a tenth of them always fail, half of all samples of six hold none of
    these, and nothing varies. So the correlation ρ of one person's trials, which is what a design effect of
    1 + (repeats - 1) ρ means, is taken for the mean of the one found and of :data:`_EXPECTED` for :data:`_FURTHER` more
    people; with many people it is the one found.

    Args:
        rate: The measured rate.
        samples: The rate in each resample; those in which it does not exist (NaN) are left out.
        people: How many people were resampled. With fewer than three nothing is known: [0, 1].
        trials: The number of independent trials that the data are worth at most.
        repeats: How many of them are one person's, or of the same two people, and may succeed or fail together.

    Korn and Graubard, "Confidence intervals for proportions with small expected number of positive counts
    estimated from survey data", Survey Methodology 1998; for pairs that share people recommended by Fogliato, Patil and
    Perona, "Confidence intervals for error rates in 1:1 matching tasks: critical statistical analysis and recommendations",
    arXiv:2306.01198. How often it holds the truth is measured by ``python -m likeness.experiments.benchmarks.thresholds``.
    """
    samples = samples[~np.isnan(samples)]
    if people < FEWEST_PEOPLE or len(samples) < _FEWEST_SAMPLES:
        return 0.0, 1.0
    low, high = varying_interval(rate, between_people(samples, people), people, trials, repeats)
    tail = (1 - CONFIDENCE) / 2
    sample_low, sample_high = np.quantile(samples, [tail, 1 - tail])
    return min(low, float(sample_low)), max(high, float(sample_high))


def between_people(samples: Float[np.ndarray, "r"], people: int) -> float:
    """Returns the variance of what samples of so many people measure; NaN where resampling says too little of it."""
    samples = samples[~np.isnan(samples)]
    return math.nan if len(samples) < _FEWEST_SAMPLES else float(samples.var()) * people / (people - 1)


def varying_interval(rate: float, variance: float, people: int, trials: float | int, repeats: float) -> tuple[float, float]:
    """Returns the interval of :func:`clustered_interval` for a rate whose variance between samples of people is known."""
    if people < FEWEST_PEOPLE or math.isnan(variance):
        return 0.0, 1.0
    binomial = rate * (1 - rate) / trials
    design_effect = max(1.0, variance / binomial) if binomial > 0 else 1.0
    if repeats > 1:
        found = min(1.0, (design_effect - 1) / (repeats - 1))
        correlation = (people * found + _FURTHER * _EXPECTED) / (people + _FURTHER)
        design_effect = max(design_effect, 1 + (repeats - 1) * correlation)
    student = float(stdtrit(people - 1, 0.5 + CONFIDENCE / 2) / ndtri(0.5 + CONFIDENCE / 2))
    return wilson_interval(rate, trials / design_effect / student**2)


def clustered_rate(
    hits: UncheckedFlags,
    people: UncheckedLabels | PeoplePairs,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Estimate:
    """Returns the rate of ``hits`` with an interval that knows which trials share people.

    Where no trials do, the interval is Wilson's; otherwise :func:`clustered_interval`.

    Args:
        hits: Outcome of each trial.
        people: The person behind each trial, or the two people of each pair (all the same or all different).
        replicates: How many times people are resampled.
        seed: Of the resampling.
    """
    outcomes = as_numpy("clustered_rate", "hits", hits, ("n",), "booleans").astype(np.float64)
    n, who = len(outcomes), np.asarray(people)
    if who.ndim != 2:
        who = as_numpy("clustered_rate", "people", who, (n,), "integers", "Give the person, or the two people, of each hit.")
    if n == 0:
        return Estimate.unresolvable(0, "there are no trials")
    rate = float(outcomes.mean())
    pairs = np.stack([who, who], axis=1) if who.ndim == 1 else _checked("clustered_rate", who, n)
    if not share_people(pairs):
        return Estimate.around(rate, wilson_interval(rate, n), n=n)
    trials = n if who.ndim == 1 else sum(independent_pairs(who))
    people_seen = len(np.unique(pairs))
    # Of different people it is two people's trials that succeed or fail together.
    repeats = trials / len(np.unique(np.sort(pairs, axis=1), axis=0))
    with np.errstate(invalid="ignore"):
        batches = [w @ outcomes / w.sum(axis=1) for w in replicate_weights(pairs, replicates, seed)]
    interval = clustered_interval(rate, np.concatenate(batches), people_seen, trials, repeats)
    return Estimate.around(rate, interval, n=n)


def _checked(owner: str, people_pairs: PeoplePairs, count: int | str = "n") -> Int[np.ndarray, "n 2"]:
    return as_numpy(owner, "people_pairs", people_pairs, (count, 2), "integers", "Give the two people of each pair.")
