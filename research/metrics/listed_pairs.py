"""Verification over a list of pairs, as Labeled Faces in the Wild's View 2 and the sets like it report it."""

from collections.abc import Sequence

import numpy as np

from likeness.research.checks import UncheckedEmbeddings, UncheckedFlags, UncheckedLabels, UncheckedNumbers, as_numpy
from likeness.research.distances import Cosine, Distance
from likeness.research.errors import UserError
from likeness.research.metrics import roc as curves
from likeness.research.metrics.bootstrap import PeoplePairs, clustered_rate
from likeness.research.metrics.folds import FoldAccuracy, contiguous_folds, kfold_accuracy
from likeness.research.metrics.intervals import Estimate
from likeness.research.metrics.pair_stream import SIDE, Compare, PairStream, count_pairs
from likeness.research.metrics.verification import checked_people, verification
from likeness.research.tracking import Track, untracked

FARS = (1e-2, 1e-3)
"""False-accept rates at which the true-accept rate is reported."""


def listed_pairs(
    distances: UncheckedNumbers,
    same: UncheckedFlags,
    folds: int | np.integer | UncheckedLabels | FoldAccuracy = 10,
    people_pairs: PeoplePairs | None = None,
    fars: Sequence[float] = FARS,
    seed: int = 0,
    *,
    name: str = "pairs",
) -> dict[str, float | Estimate]:
    """Returns the metrics of a list of pairs by path.

    ``pairs/accuracy`` is the mean over folds, each at the threshold that is best on the others; ``pairs/standard_error`` is
    LFW's official uncertainty of it, and ``pairs/fold_deviation``, √k times as large, what many projects print instead.
    ``pairs/accuracy@best`` is that of the one threshold that is best on these very pairs, as some tables have it (deepface's,
    of the 1,000 pairs of ``pairsDevTest.txt``): it cannot be had on new pairs. ``pairs/eer``, ``pairs/auc`` and
    ``pairs/tar@far=…`` are those of :func:`likeness.research.metrics.verification.verification`.

    Args:
        distances: Smaller means more alike.
        same: Whether the pair shows one person.
        folds: The fold of each pair; how many contiguous ones to cut; or what was measured on folds already.
        people_pairs: The people of each pair; None declares the pairs independent.
        fars: False-accept rates at which to report the true-accept rate.
        seed: Of resampling people.
        name: What the paths begin with.

    Raises:
        UserError: As :func:`likeness.research.metrics.folds.kfold_accuracy` and ``verification`` do.

    Huang et al., "Labeled Faces in the Wild", 2007, View 2.
    """
    d, s = curves.checked(distances, same)
    measured = folds if isinstance(folds, FoldAccuracy) else kfold_accuracy(d, s, folds)
    _, best = curves.best_threshold(d, s)
    found = verification(d, s, people_pairs, fars, seed)
    renamed = {path.replace("verification", name, 1): each for path, each in found.items()}
    return {
        **renamed,
        f"{name}/accuracy": measured.estimate,
        f"{name}/standard_error": measured.standard_error,
        f"{name}/fold_deviation": measured.fold_deviation,
        f"{name}/accuracy@best": best,
    }


def accuracy_at(
    distances: UncheckedNumbers, same: UncheckedFlags, threshold: float, people_pairs: PeoplePairs | None = None, seed: int = 0
) -> Estimate:
    """Returns how many pairs a threshold that was chosen on others gets right.

    Args:
        distances: Smaller means more alike.
        same: Whether the pair shows one person.
        threshold: The largest distance still called the same person.
        people_pairs: The people of each pair; None declares the pairs independent.
        seed: Of resampling people.
    """
    d, s = curves.checked(distances, same)
    people = checked_people(people_pairs, len(d))
    right = (d <= threshold) == s
    # Both kinds of pair at once, of which the bootstrap takes one: a pair is its own trial where people are not known.
    if people is None:
        return clustered_rate(right, np.arange(len(d)), seed=seed)
    return clustered_rate(right, people, seed=seed)


def unrestricted_folds(
    embeddings: UncheckedEmbeddings,
    labels: UncheckedLabels,
    first: UncheckedLabels,
    second: UncheckedLabels,
    distances: UncheckedNumbers,
    folds: int | np.integer | UncheckedLabels = 10,
    distance: Distance | Compare | None = None,
    *,
    side: int = SIDE,
    track: Track = untracked,
) -> FoldAccuracy:
    """Returns LFW's accuracy in the unrestricted setting: the threshold of a fold is best on all pairs of the others' images.

    In the restricted setting (:func:`likeness.research.metrics.folds.kfold_accuracy`) only the listed pairs of the other folds
    may be used; here whom their images show is known too, so that every two of them are a pair: some 24 million in place of
    5,400. Both kinds of pair count one half. They are counted exactly and are never in memory together.

    Args:
        embeddings: (n, d).
        labels: The person in each.
        first: The row of one image of each listed pair.
        second: The row of the other.
        distances: Of the listed pairs, compared by the same distance.
        folds: The fold of each pair, or how many contiguous ones to cut.
        distance: How embeddings are compared; the cosine distance by default.
        side: Of a tile of distances that are computed at once.
        track: Is told of the folds.

    Raises:
        UserError: There are fewer than two folds, a distance is NaN, or the images of some folds lack a kind of pair.
    """
    table = as_numpy("unrestricted_folds", "embeddings", embeddings, ("n", "d"), help="Give one row for each image.")
    people = as_numpy("unrestricted_folds", "labels", labels, (len(table),), "integers", "Give the person in each image.")
    rows = [
        as_numpy("unrestricted_folds", "rows", each, ("p",), "integers", "Give rows of the embeddings.")
        for each in (first, second)
    ]
    count = len(rows[0])
    same = people[rows[0]] == people[rows[1]]
    d, _ = curves.checked(distances, same)
    fold = contiguous_folds(count, int(folds)) if isinstance(folds, int | np.integer) else np.asarray(folds)
    numbers = np.unique(fold)
    if len(numbers) < 2 or fold.shape != d.shape:
        raise UserError(
            f"The unrestricted setting needs two folds or more, one for each pair; {count} pairs have {len(numbers)}."
        )
    accuracies, thresholds, correct = [], [], np.zeros(count, bool)
    for number in track("folds", numbers.tolist()):
        held_out = fold == number
        others = np.unique(np.concatenate([each[~held_out] for each in rows]))
        stream = PairStream(table[others], people[others], Cosine() if distance is None else distance, side)
        threshold, _ = curves.best_of(count_pairs(stream, find_eer=False, find_best=True), balanced=True)
        correct[held_out] = (d[held_out] <= threshold) == same[held_out]
        thresholds.append(threshold)
        accuracies.append(float(correct[held_out].mean()))
    return FoldAccuracy(np.array(accuracies), np.array(thresholds), correct)
