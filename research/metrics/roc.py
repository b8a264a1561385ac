"""Receiver operating characteristic of distances, exact: every distinct distance is a threshold, no grid."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from likeness.research.checks import UncheckedFlags, UncheckedNumbers, check_array, check_numbers
from likeness.research.errors import UserError


@dataclasses.dataclass(frozen=True)
class Roc:
    """How many pairs of each kind are accepted as "same" (``d ≤ τ``) at each threshold.

    The first threshold is -∞, where nothing is accepted; then follow the distinct distances in rising order,
    so the last accepts everything. Leading axes of the counts are bootstrap replicates.
    """

    thresholds: Float[np.ndarray, "t"]
    accepted_same: Int[np.ndarray, "*r t"]
    accepted_different: Int[np.ndarray, "*r t"]

    @property
    def tar(self) -> Float[np.ndarray, "*r t"]:
        """True-accept rate at each threshold; NaN where no same-person pair is left in a replicate."""
        return _rate(self.accepted_same)

    @property
    def far(self) -> Float[np.ndarray, "*r t"]:
        """False-accept rate at each threshold; NaN where no different-person pair is left in a replicate."""
        return _rate(self.accepted_different)

    @property
    def same_count(self) -> int:
        """Same-person pairs of an unresampled curve."""
        return int(self.accepted_same[..., -1].max())

    @property
    def different_count(self) -> int:
        """Different-person pairs of an unresampled curve."""
        return int(self.accepted_different[..., -1].max())


def checked(distances: UncheckedNumbers, same: UncheckedFlags) -> tuple[Float[np.ndarray, "n"], Bool[np.ndarray, "n"]]:
    """Returns distances as float64 and flags as bool, on the host.

    Raises:
        UserError: If the lengths differ or a distance is NaN.
        ValueError: If the flags are no booleans: integers are labels, and would all be "same" but for 0; if the distances are
            no numbers, or masked.
    """
    d, s = check_numbers("verification", "distances", distances), np.asanyarray(same)
    if d.shape != s.shape or d.ndim != 1:
        raise UserError(f"Distances {d.shape} and same-person flags {s.shape} must be two lists of one length.")
    if len(s):
        check_array("verification", "same-person flags", s, d.shape, "booleans", "Compare the labels of both sides first.")
    refuse_nan(d)
    return d, s.astype(bool)


def check_rates(fars: UncheckedNumbers | Sequence[float]) -> None:
    """Raises a UserError unless all are rates: below 0 the last threshold would stand for all, above 1 nothing is asked."""
    wanted = np.asarray(fars, np.float64)
    if wanted.ndim != 1 or not np.all((wanted >= 0) & (wanted <= 1)):
        raise UserError(f"False-accept rates {fars} cannot be looked up: give a list of rates from 0 to 1, such as (0.01,).")


def _checked_weights(weights: UncheckedNumbers, count: int) -> np.ndarray:
    """Half a pair would be rounded away where counts are added up, and one number stretched over all pairs."""
    given = np.asanyarray(weights)
    leading = tuple(given.shape[:-1])
    check_array("roc", "weights", given, (*leading, count), "integers", "Say how often each pair counts.")
    if given.size and given.min() < 0:
        raise ValueError("roc: a weight is negative, and no pair counts less than never.")
    return given


def refuse_nan(distances: np.ndarray) -> None:
    """Raises a UserError that counts the NaN among ``distances``, if any."""
    count = int(np.isnan(distances).sum())
    if count:
        raise UserError(
            f"{count} of {distances.size} distances are NaN, so no rate can be computed from them. The embeddings they "
            "come from are not finite: look for a diverged run (the loss in metrics.jsonl) or images with NaN pixels."
        )


def roc(distances: UncheckedNumbers, same: UncheckedFlags, weights: UncheckedNumbers | None = None) -> Roc:
    """Returns the exact ROC; tied distances are accepted together.

    Args:
        distances: Smaller means more alike; a pair is accepted as the same person iff ``d ≤ τ``.
        same: Whether the pair shows one person.
        weights: How often each pair counts, with any leading axes (bootstrap replicates); once by default.

    Raises:
        UserError: If a distance is NaN or the lengths differ.
        ValueError: If the weights are not whole numbers from 0 on, one for each pair.

    Example:
        >>> curve = roc(np.array([0.1, 0.4, 0.4]), np.array([True, True, False]))
        >>> curve.far.tolist(), curve.tar.tolist()
        ([0.0, 0.0, 1.0], [0.0, 0.5, 1.0])
    """
    d, s = checked(distances, same)
    w = np.ones(len(d), np.int64) if weights is None else _checked_weights(weights, len(d))
    # Resampling asks again and again with the same distances, already in order.
    if np.any(d[1:] < d[:-1]):
        order = np.argsort(d, kind="stable")
        d, s, w = d[order], s[order], np.take(w, order, axis=-1)
    last_of_tie = np.flatnonzero(np.append(d[1:] != d[:-1], True)) if len(d) else np.empty(0, np.int64)
    return Roc(
        np.concatenate([[-np.inf], d[last_of_tie]]),
        _accumulate(w * s, last_of_tie),
        _accumulate(w * ~s, last_of_tie),
    )


def auc(curve: Roc) -> Float[np.ndarray, "*r"]:
    """Returns the area under the curve: P(same-person d < different-person d), a tie counting one half.

    One number per replicate; NaN where a replicate lacks one kind of pair.
    """
    same, different = curve.accepted_same, curve.accepted_different
    doubled = np.sum(np.diff(different, axis=-1) * (same[..., 1:] + same[..., :-1]), axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(doubled / (2.0 * same[..., -1] * different[..., -1]))


def eer(curve: Roc) -> Float[np.ndarray, "*r"]:
    """Returns the equal error rate, where false accepts and false rejects are equally frequent.

    NaN where a replicate lacks one kind of pair.

    The rule: neighbouring thresholds' points (FAR, FRR) are joined by straight lines (the rates of a system
    that tosses a coin between the two thresholds). FAR - FRR rises strictly from -1 to 1 along that line, so
    the crossing exists and is unique, and it depends on the order of the distances only.
    """
    same, different = curve.accepted_same, curve.accepted_different
    if same.shape[-1] < 2:
        return np.full(same.shape[:-1], np.nan)
    total_same, total_different = same[..., -1:], different[..., -1:]
    # FAR - FRR times both totals, in whole numbers.
    gap = different * total_same + same * total_different - total_same * total_different
    after = np.maximum(np.argmax(gap >= 0, axis=-1), 1)[..., None]
    at_crossing = np.concatenate([after - 1, after], axis=-1)
    gap_before, gap_after = np.moveaxis(np.take_along_axis(gap, at_crossing, axis=-1), -1, 0)
    before, beyond = np.moveaxis(np.take_along_axis(different, at_crossing, axis=-1), -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = gap_before / (gap_before - gap_after)
        return np.asarray((before + share * (beyond - before)) / total_different[..., 0])


def indices_at_far(curve: Roc, fars: UncheckedNumbers | Sequence[float]) -> Int[np.ndarray, "*r f"]:
    """Returns, for each wanted FAR, the index of the largest threshold whose measured FAR does not exceed it.

    Raises:
        UserError: If a wanted FAR does not lie in [0, 1].
    """
    check_rates(fars)
    counts = curve.accepted_different
    rows = counts.reshape(-1, counts.shape[-1])
    # A count is allowed when count / total <= far; the slack forgives the rounding of 0.01 * 300 and the like.
    allowed = np.floor(rows[:, -1:] * np.asarray(fars, np.float64) + 1e-9)
    found = [np.searchsorted(row, limit, side="right") - 1 for row, limit in zip(rows, allowed, strict=True)]
    return np.asarray(found, np.int64).reshape(*counts.shape[:-1], len(np.asarray(fars)))


def tar_at_far(curve: Roc, fars: UncheckedNumbers | Sequence[float]) -> Float[np.ndarray, "*r f"]:
    """Returns the true-accept rate at the largest threshold whose measured FAR is at most each of ``fars``.

    No interpolation: the rate is that of a threshold one can set. NaN where a replicate lacks one kind of
    pair.
    """
    accepted = np.take_along_axis(curve.accepted_same, indices_at_far(curve, fars), axis=-1)
    with np.errstate(invalid="ignore"):
        rates = accepted / curve.accepted_same[..., -1:]
    return np.where(curve.accepted_different[..., -1:] > 0, rates, np.nan)


def best_threshold(
    distances: UncheckedNumbers,
    same: UncheckedFlags,
    balanced: bool = False,
    tie: Literal["middle", "strictest"] = "middle",
) -> tuple[float, float]:
    """Returns the threshold of highest accuracy and that accuracy.

    Every distinct distance is tried, and -∞ ("never the same"). From one distance up to the next all thresholds are equally
    good on these pairs, but not on others: where both kinds are apart, one at the farthest same-person pair rejects the
    next pair that is a little farther.

    Args:
        distances: Smaller means more alike.
        same: Whether the pair shows one person.
        balanced: Let both kinds of pair count one half, however many there are of each.
        tie: Which of equally good thresholds: "middle", halfway from a distance to the next, and of several such gaps the
            one in their middle; or "strictest", the smallest that is one of the distances, as many scripts have it.

    Raises:
        UserError: If there are no pairs, or if ``balanced`` and one kind is missing.
    """
    return best_of(roc(distances, same), balanced, tie)


def best_of(curve: Roc, balanced: bool = False, tie: Literal["middle", "strictest"] = "middle") -> tuple[float, float]:
    """Returns what :func:`best_threshold` does, of a curve.

    Raises:
        UserError: If it counts no pairs, or if ``balanced`` and one kind is missing.
    """
    total_same, total_different = curve.same_count, curve.different_count
    if total_same + total_different == 0 or (balanced and 0 in (total_same, total_different)):
        raise UserError(
            f"No best threshold exists for {total_same} same-person and {total_different} different-person pairs: "
            "give pairs of both kinds."
        )
    # Whole numbers, so that equally good thresholds are found equal.
    for_same, for_different = (total_different, total_same) if balanced else (1, 1)
    right = curve.accepted_same * for_same + (total_different - curve.accepted_different) * for_different
    best = np.flatnonzero(right == right.max())
    index = int(best[0] if tie == "strictest" else best[(len(best) - 1) // 2])
    threshold = float(curve.thresholds[index])
    if tie == "middle" and index + 1 < len(curve.thresholds):
        halfway = threshold + (float(curve.thresholds[index + 1]) - threshold) / 2
        # Nothing lies halfway to infinity, and next to nothing between two neighboring numbers.
        threshold = halfway if threshold < halfway < curve.thresholds[index + 1] else threshold
    return threshold, float(right[index] / (total_same * for_same + total_different * for_different))


def _rate(counts: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return counts / counts[..., -1:]


def _accumulate(counts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    sums = np.cumsum(counts, axis=-1, dtype=np.int64)
    sums = sums if len(ends) == sums.shape[-1] else sums[..., ends]
    return np.concatenate([np.zeros((*sums.shape[:-1], 1), np.int64), sums], axis=-1)
