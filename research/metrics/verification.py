"""Face verification: do two images show the same person?

The convention everywhere: a distance is smaller when two images are more alike, and they are called the
same person iff ``d ≤ τ``.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.special import expit, logit, ndtri

from likeness.research.checks import UncheckedFlags, UncheckedNumbers, as_numpy, check_threshold
from likeness.research.errors import UserError
from likeness.research.metrics import roc as curves
from likeness.research.metrics.bootstrap import (
    REPLICATES,
    PeoplePairs,
    between_people,
    clustered_interval,
    clustered_rate,
    independent_pairs,
    replicate_weights,
    share_people,
    varying_interval,
)
from likeness.research.metrics.folds import FoldAccuracy, kfold_accuracy, stratified_folds
from likeness.research.metrics.intervals import CONFIDENCE, Estimate, wilson_interval

FARS = (1e-1, 1e-2, 1e-3)
"""False-accept rates at which the true-accept rate is reported."""


@dataclasses.dataclass(frozen=True)
class Rates:
    """Both rates of a verifier at one threshold."""

    far: Estimate
    tar: Estimate


@dataclasses.dataclass(frozen=True)
class RocBand:
    """True-accept rate over false-accept rate with a pointwise 95 % band."""

    far: Float[np.ndarray, "f"]
    tar: Float[np.ndarray, "f"]
    low: Float[np.ndarray, "f"]
    high: Float[np.ndarray, "f"]


def rate_name(rate: float) -> str:
    """Returns a rate as metric names spell it.

    Example:
        >>> rate_name(0.01), rate_name(0.025)
        ('1e-2', '2.5e-2')
    """
    return np.format_float_scientific(rate, trim="-", exp_digits=1)


def needed_pairs(far: float) -> int:
    """Returns how many different-person pairs a false-accept rate can be told by: 1 / far."""
    return int(np.ceil(1 / far - 1e-9))


def verification(
    distances: UncheckedNumbers,
    same: UncheckedFlags,
    people_pairs: PeoplePairs | None = None,
    fars: Sequence[float] = FARS,
    seed: int = 0,
    *,
    folds: int = 10,
    replicates: int = REPLICATES,
) -> dict[str, Estimate]:
    """Returns every verification metric by its path, each with n and a 95 % interval.

    ``verification/eer``, ``verification/auc``, ``verification/accuracy`` (k folds, both kinds of pair
    counting one half) and ``verification/tar@far=…``. Where pairs share people the intervals come from
    resampling people (:mod:`likeness.research.metrics.bootstrap`); otherwise they are Wilson's, DeLong's for AUC and
    Student's over folds. A rate the pairs cannot resolve is an unresolvable estimate. The ``n`` of EER and
    AUC counts the scarcer kind of pair, that of TAR the same-person pairs, that of accuracy all pairs.

    Args:
        distances: Smaller means more alike.
        same: Whether the pair shows one person.
        people_pairs: The people of each pair; None declares the pairs independent.
        fars: False-accept rates at which to report the true-accept rate.
        seed: Of folds and resampling.
        folds: How many folds accuracy is measured on.
        replicates: How many times people are resampled.

    Raises:
        UserError: If a distance is NaN, a rate of ``fars`` is not within (0, 1], or there are fewer than two folds.
    """
    d, s = curves.checked(distances, same)
    curves.check_rates(fars)
    if folds < 2 or replicates < 1 or not all(fars):
        raise UserError(
            "Verification is measured at rates above 0, on two folds or more, by one replicate or more, and not at "
            f"{tuple(fars)}, on {folds}, by {replicates}."
        )
    people_pairs = checked_people(people_pairs, len(d))
    pairs_same, pairs_different = int(s.sum()), int((~s).sum())
    scarce = min(pairs_same, pairs_different)
    names = ["eer", "auc", *(f"tar@far={rate_name(far)}" for far in fars), "accuracy"]
    if scarce == 0:
        why = f"{pairs_same} same-person and {pairs_different} different-person pairs; both kinds are needed"
        return {f"verification/{name}": Estimate.unresolvable(0, why) for name in names}
    accuracy = None
    if scarce >= folds:
        accuracy = kfold_accuracy(d, s, stratified_folds(s, folds, seed), balanced=True)
    values = [*_rates(curves.roc(d, s), fars).tolist(), math.nan if accuracy is None else accuracy.mean]
    if people_pairs is not None and share_people(people_pairs):
        n_same, n_different = independent_pairs(people_pairs)
        # Balanced accuracy is the mean of two rates; one rate of this many trials has the same variance.
        fewest = min(n_same, pairs_different)
        trials = [fewest, fewest, *[n_same] * len(fars), 4 / (1 / n_same + 1 / n_different)]
        samples = _resampled(d, s, people_pairs, fars, accuracy, replicates, seed)
        people = len(np.unique(np.asarray(people_pairs)))
        columns, repeats = list(zip(values, samples.T, trials, strict=True)), n_same / people
        # Resamples of areas and equal error rates are biased: they tell how much these vary, but not where they lie.
        intervals = [
            varying_interval(value, between_people(each, people), people, t, repeats) for value, each, t in columns[:2]
        ]
        intervals += [clustered_interval(value, each, people, t, repeats) for value, each, t in columns[2:]]
    else:
        intervals = [wilson_interval(values[0], scarce), delong_interval(d, s)]
        intervals += [wilson_interval(value, pairs_same) for value in values[2:-1]]
        intervals += [(0.0, 1.0) if accuracy is None else accuracy.estimate.interval]
    counts = [scarce, scarce, *[pairs_same] * len(fars), len(d)]
    estimates = [Estimate.around(*measured) for measured in zip(values, intervals, counts, strict=True)]
    for i, far in enumerate(fars, start=2):
        if pairs_different < needed_pairs(far):
            why = f"FAR {rate_name(far)} needs {needed_pairs(far)} different-person pairs, there are {pairs_different}"
            estimates[i] = Estimate.unresolvable(pairs_same, why)
    if accuracy is None:
        why = f"{folds} folds need {folds} pairs of each kind, one kind has {scarce}"
        estimates[-1] = Estimate.unresolvable(len(d), why)
    return {f"verification/{name}": estimate for name, estimate in zip(names, estimates, strict=True)}


def at_threshold(
    distances: UncheckedNumbers,
    same: UncheckedFlags,
    threshold: float,
    people_pairs: PeoplePairs | None = None,
    seed: int = 0,
) -> Rates:
    """Returns the false- and true-accept rate of ``d ≤ threshold``; unresolvable where there is no such pair.

    Args:
        distances: Smaller means more alike.
        same: Whether the pair shows one person.
        threshold: The largest distance still called the same person.
        people_pairs: The people of each pair; None declares the pairs independent.
        seed: Of the resampling.

    Raises:
        UserError: If a distance is NaN.
        ValueError: If the threshold is NaN.
    """
    d, s = curves.checked(distances, same)
    check_threshold("verification", threshold)
    accepted, people = d <= threshold, checked_people(people_pairs, len(d))
    people = np.arange(2 * len(d)).reshape(-1, 2) if people is None else people
    return Rates(
        far=clustered_rate(accepted[~s], people[~s], seed=seed),
        tar=clustered_rate(accepted[s], people[s], seed=seed),
    )


def roc_band(
    distances: UncheckedNumbers,
    same: UncheckedFlags,
    people_pairs: PeoplePairs | None = None,
    *,
    points: int = 64,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> RocBand:
    """Returns the ROC at evenly spaced log-FARs, from the smallest the pairs resolve to 1, with a pointwise band.

    For a figure. The curve itself is exact at each point; the band is made like the intervals of
    :func:`verification`.

    Raises:
        UserError: If a kind of pair is missing or a distance is NaN.
    """
    d, s = curves.checked(distances, same)
    people_pairs = checked_people(people_pairs, len(d))
    curve = curves.roc(d, s)
    if 0 in (curve.same_count, curve.different_count):
        raise UserError(
            f"A ROC curve needs pairs of both kinds; there are {curve.same_count} same-person and "
            f"{curve.different_count} different-person pairs."
        )
    fars = np.geomspace(1 / curve.different_count, 1.0, points)
    tar = curves.tar_at_far(curve, fars)
    low, high = np.array([wilson_interval(float(rate), curve.same_count) for rate in tar]).T
    if people_pairs is not None and share_people(people_pairs):
        people = len(np.unique(np.asarray(people_pairs)))
        batches = replicate_weights(people_pairs, replicates, seed)
        samples = np.concatenate([curves.tar_at_far(curves.roc(d, s, w), fars) for w in batches])
        trials, _ = independent_pairs(people_pairs)
        columns = zip(tar, samples.T, strict=True)
        low, high = np.array([clustered_interval(float(r), column, people, trials, trials / people) for r, column in columns]).T
    return RocBand(fars, tar, low, high)


def delong_interval(distances: UncheckedNumbers, same: UncheckedFlags) -> tuple[float, float]:
    """Returns the interval of AUC for independent pairs, symmetric on the logit scale.

    DeLong et al., "Comparing the areas under two or more correlated ROC curves", Biometrics 1988. An area of
    exactly 0 or 1, or fewer than two pairs of a kind, gives no variance; the interval is then Wilson's for
    the scarcer kind.
    """
    d, s = curves.checked(distances, same)
    positives, negatives = np.sort(d[s]), np.sort(d[~s])
    for_positives = 1 - _mid_ranks(negatives, positives)
    for_negatives = _mid_ranks(positives, negatives)
    area = float(for_positives.mean())
    if not 0 < area < 1 or min(len(positives), len(negatives)) < 2:
        return wilson_interval(area, min(len(positives), len(negatives)))
    variance = for_positives.var(ddof=1) / len(positives) + for_negatives.var(ddof=1) / len(negatives)
    reach = float(ndtri(0.5 + CONFIDENCE / 2)) * np.sqrt(variance) / (area * (1 - area))
    low, high = expit(logit(area) + np.array([-reach, reach]))
    return float(low), float(high)


def checked_people(people_pairs: PeoplePairs | None, count: int) -> np.ndarray | None:
    """Returns the people of each pair, refusing in a sentence what is not two integers for each."""
    if people_pairs is None:
        return None
    help = "Give the two people of each distance."
    return as_numpy("verification", "people_pairs", people_pairs, (count, 2), "integers", help)


def _rates(curve: curves.Roc, fars: Sequence[float]) -> np.ndarray:
    rates = np.stack([curves.eer(curve), curves.auc(curve)], axis=-1)
    return np.concatenate([rates, curves.tar_at_far(curve, np.asarray(fars, np.float64))], axis=-1)


def _resampled(
    distances: np.ndarray,
    same: np.ndarray,
    people_pairs: PeoplePairs,
    fars: Sequence[float],
    accuracy: FoldAccuracy | None,
    replicates: int,
    seed: int,
) -> np.ndarray:
    order = np.argsort(distances, kind="stable")
    d, s, people = distances[order], same[order], np.asarray(people_pairs)[order]
    correct = np.zeros(len(d), bool) if accuracy is None else accuracy.correct[order]
    counted = np.stack([correct & s, s, correct & ~s, ~s], axis=1).astype(np.float64)
    samples = []
    for weights in replicate_weights(people, replicates, seed):
        right_same, of_same, right_different, of_different = (weights.astype(np.float64) @ counted).T
        with np.errstate(invalid="ignore"):
            balanced = (right_same / of_same + right_different / of_different) / 2
        samples.append(np.column_stack([_rates(curves.roc(d, s, weights), fars), balanced]))
    return np.concatenate(samples)


def _mid_ranks(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    below = np.searchsorted(ordered, values, side="left")
    return (below + np.searchsorted(ordered, values, side="right")) / (2 * len(ordered))
