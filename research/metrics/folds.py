"""K-fold verification accuracy, as Labeled Faces in the Wild defines it."""

import dataclasses
from typing import Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import stdtrit

from likeness.research.checks import UncheckedFlags, UncheckedLabels, UncheckedNumbers, as_numpy
from likeness.research.errors import UserError
from likeness.research.metrics.intervals import CONFIDENCE, Estimate, wilson_interval
from likeness.research.metrics.roc import best_threshold, checked

Compat: TypeAlias = Literal["exact", "strictest", "facenet"]


@dataclasses.dataclass(frozen=True)
class FoldAccuracy:
    """Accuracy on each fold at the threshold chosen on the other folds."""

    accuracies: Float[np.ndarray, "k"]
    thresholds: Float[np.ndarray, "k"]
    correct: Bool[np.ndarray, "n"]
    """Whether each pair was evaluated right while its fold was held out."""

    @property
    def mean(self) -> float:
        """Mean accuracy over the folds: the number LFW ranks by."""
        return float(self.accuracies.mean())

    @property
    def standard_error(self) -> float:
        """Standard error of the mean, ``std(ddof=1) / √k``: LFW's official uncertainty."""
        return self.fold_deviation / float(np.sqrt(len(self.accuracies)))

    @property
    def fold_deviation(self) -> float:
        """Deviation between folds, ``std(ddof=1)``: √k larger; some projects print it after the ±."""
        return float(self.accuracies.std(ddof=1))

    @property
    def estimate(self) -> Estimate:
        """The mean with Student's interval over folds, never narrower than Wilson's over the pairs."""
        k, n = len(self.accuracies), len(self.correct)
        reach = float(stdtrit(k - 1, 0.5 + CONFIDENCE / 2)) * self.standard_error
        low, high = wilson_interval(self.mean, n)
        interval = (max(0.0, min(low, self.mean - reach)), min(1.0, max(high, self.mean + reach)))
        return Estimate.around(self.mean, interval, n=n)


def contiguous_folds(n: int, k: int) -> Int[np.ndarray, "n"]:
    """Returns fold numbers for ``n`` pairs in LFW's file order: k runs of (nearly) equal length."""
    return np.repeat(np.arange(k), [len(part) for part in np.array_split(np.arange(n), k)])


def stratified_folds(same: UncheckedFlags, k: int, seed: int = 0) -> Int[np.ndarray, "n"]:
    """Returns seeded random fold numbers that spread both kinds of pair evenly over ``k`` folds."""
    if k < 2:
        raise UserError(f"There must be two folds or more, not {k}.")
    flags, rng = as_numpy("stratified_folds", "same-person flags", same, ("n",), "booleans"), np.random.default_rng(seed)
    folds = np.empty(len(flags), np.int64)
    for kind in (True, False):
        rows = rng.permutation(np.flatnonzero(flags == kind))
        folds[rows] = np.arange(len(rows)) % k
    return folds


def kfold_accuracy(
    distances: UncheckedNumbers,
    same: UncheckedFlags,
    folds: int | np.integer | UncheckedLabels = 10,
    *,
    balanced: bool = False,
    compat: Compat = "exact",
) -> FoldAccuracy:
    """Returns LFW's accuracy: for each fold, the threshold that is best on the others, applied to it.

    Args:
        distances: Smaller means more alike.
        same: Whether the pair shows one person.
        folds: The fold of each pair, or how many contiguous ones to cut (LFW's pairs come in the order of
            their folds).
        balanced: Let both kinds of pair count one half within a fold. On LFW, where folds hold as many of one
            as of the other, it changes nothing; for all pairs of a data set plain accuracy rewards saying
            "different" always.
        compat: "exact" tries every distinct distance and takes the middle between the best and the next, so that pairs that
            are apart are told apart; ``d ≤ τ`` is the same. "strictest" takes the best distance itself, the smallest of
            equally good ones, which says "different" of the farthest same-person pair while it is held out. "facenet" repeats
            davidsandberg/facenet and insightface: thresholds 0, 0.01, …, 3.99 for squared distances, ``d <
            τ``, the first of equally good thresholds.

    Raises:
        UserError: If a distance is NaN, there are fewer than two folds, or folds lack a kind of pair they
            need.

    Huang et al., "Labeled Faces in the Wild", 2007, view 2.
    """
    d, s = checked(distances, same)
    if compat not in get_args(Compat):
        raise ValueError(f"kfold_accuracy(compat={compat!r}): compat must be one of {', '.join(map(repr, get_args(Compat)))}.")
    if isinstance(folds, int | np.integer):
        if folds < 2:
            raise UserError(f"K-fold accuracy needs two folds or more, not {folds}.")
        fold = contiguous_folds(len(d), int(folds))
    else:
        fold = as_numpy("kfold_accuracy", "folds", folds, d.shape, "integers", "Give the fold of each pair, or their number.")
    numbers = np.unique(fold)
    if len(numbers) < 2:
        raise UserError(f"K-fold accuracy needs two folds or more; {len(d)} pairs gave {len(numbers)}.")
    if balanced and compat == "facenet":
        raise UserError('compat="facenet" counts every pair alike; leave out balanced=True.')
    accuracies, thresholds, correct = [], [], np.zeros(len(d), bool)
    for number in numbers:
        held_out = fold == number
        if compat == "facenet":
            threshold = _first_best_of_grid(d[~held_out], s[~held_out])
            accepted = d[held_out] < threshold
        else:
            tie = "strictest" if compat == "strictest" else "middle"
            threshold, _ = best_threshold(d[~held_out], s[~held_out], balanced, tie)
            accepted = d[held_out] <= threshold
        right = accepted == s[held_out]
        correct[held_out] = right
        thresholds.append(threshold)
        accuracies.append(_accuracy(right, s[held_out], balanced, int(number)))
    return FoldAccuracy(np.asarray(accuracies), np.asarray(thresholds), correct)


def _accuracy(right: np.ndarray, same: np.ndarray, balanced: bool, fold: int) -> float:
    if not balanced:
        return float(right.mean())
    if same.all() or not same.any():
        raise UserError(f"Fold {fold} holds one kind of pair only, so balanced accuracy is undefined: use fewer folds.")
    return float((right[same].mean() + right[~same].mean()) / 2)


def _first_best_of_grid(distances: np.ndarray, same: np.ndarray) -> float:
    grid = np.arange(0, 4, 0.01)
    positives, negatives = np.sort(distances[same]), np.sort(distances[~same])
    accepted_same = np.searchsorted(positives, grid, side="left")
    accepted_different = np.searchsorted(negatives, grid, side="left")
    return float(grid[np.argmax(accepted_same - accepted_different)])
