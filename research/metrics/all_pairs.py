"""Verification over all pairs of a set, however many: exact rates in constant memory, with intervals that know the people."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from likeness.research.checks import UncheckedEmbeddings, UncheckedLabels, check_threshold
from likeness.research.distances import Cosine, Distance
from likeness.research.metrics import roc as curves
from likeness.research.metrics.bootstrap import FEWEST_PEOPLE, varying_interval
from likeness.research.metrics.intervals import Estimate
from likeness.research.metrics.pair_stream import SIDE, Compare, PairStream, count_pairs
from likeness.research.metrics.verification import needed_pairs, rate_name
from likeness.research.tracking import Track, untracked

FARS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
"""False-accept rates at which the true-accept rate is reported."""

_SLOPE = 2.0
"""The slope of the ROC at a rate is that of its chord from the rate over this to the rate times this."""


@dataclasses.dataclass(frozen=True)
class PersonCounts:
    """Pairs accepted at one threshold, by person; a pair of two people counts for both."""

    same: Int[np.ndarray, "p"]
    different: Int[np.ndarray, "p"]


def verify_all_pairs(
    embeddings: UncheckedEmbeddings,
    labels: UncheckedLabels,
    distance: Distance | Compare | None = None,
    fars: Sequence[float] = FARS,
    *,
    side: int = SIDE,
    track: Track = untracked,
) -> dict[str, float | Estimate]:
    """Returns ``all_pairs/eer``, ``all_pairs/tar@far=…`` and ``all_pairs/threshold@far=…`` of all n(n - 1)/2 pairs.

    The values are those of :mod:`likeness.research.metrics.roc` on all distances sorted, to the bit, at the memory of one tile
    (:mod:`likeness.research.metrics.pair_stream`). Thresholds carry no interval, and are left out where the pairs cannot
    resolve the rate.

    The intervals are linear in how often each person is drawn, which is what resampling people
    (:mod:`likeness.research.metrics.bootstrap`) comes to where there are many: with A accepted of T pairs, a person's part in
    the rate is ``r_p = (A_p - T_p A / T) / T`` over the pairs that they are in. A true-accept rate at a given false-accept rate
    moves with both kinds of pair, so that its part is ``r_p(same) - s · r_p(different)`` with the slope s of the ROC there.

    Args:
        embeddings: (n, d).
        labels: The person in each.
        distance: How they are compared; the cosine distance by default.
        fars: False-accept rates at which to report; what the pairs cannot resolve is an unresolvable estimate.
        side: Of a tile of distances that are computed at once.
        track: Is told of each of three passes.

    Raises:
        UserError: A distance is NaN, or a rate is not within (0, 1].

    Example:
        >>> codes = np.random.default_rng(0).normal(size=(200, 16)).astype(np.float32)
        >>> found = verify_all_pairs(codes, np.arange(200) // 4, fars=(1e-2,))
        >>> sorted(found)
        ['all_pairs/eer', 'all_pairs/tar@far=1e-2', 'all_pairs/threshold@far=1e-2']
    """
    stream = PairStream(embeddings, labels, Cosine() if distance is None else distance, side, track)
    same, different = (int(total.sum()) for total in totals_of(stream.labels))
    different //= 2
    if 0 in (same, different):
        none = Estimate.unresolvable(0, f"{same} same-person and {different} different-person pairs; both kinds are needed")
        names = ["eer", *(f"tar@far={rate_name(far)}" for far in fars)]
        return {f"all_pairs/{name}": none for name in names}
    resolved = [far for far in fars if different >= needed_pairs(far)] if different and all(fars) else list(fars)
    around = [min(1.0, far * times) for far in resolved for times in (1 / _SLOPE, _SLOPE)]
    curve = count_pairs(stream, [*resolved, *around])
    at = curves.indices_at_far(curve, resolved)
    rate = float(curves.eer(curve))
    at_eer = _crossing(curve)
    counts = person_counts(stream, curve.thresholds[[*at, at_eer]])
    totals = totals_of(stream.labels)
    people = int((totals[0] > 0).sum())
    found: dict[str, float | Estimate] = {"all_pairs/eer": _eer(curve, rate, at_eer, counts[-1], totals, stream.labels)}
    tars, of_same = curves.tar_at_far(curve, resolved), _trials(stream.labels)[0]
    for far in fars:
        name = f"all_pairs/tar@far={rate_name(far)}"
        if far not in resolved:
            why = f"FAR {rate_name(far)} needs {needed_pairs(far)} different-person pairs, there are {different}"
            found[name] = Estimate.unresolvable(curve.same_count, why)
            continue
        place = resolved.index(far)
        parts = parts_of_tar(counts[place], totals) - slope_of(curve, far) * parts_of_far(counts[place], totals)
        interval = varying_interval(float(tars[place]), variance_of(parts, people), people, of_same, of_same / people)
        found[name] = Estimate.around(float(tars[place]), interval, curve.same_count)
        found[f"all_pairs/threshold@far={rate_name(far)}"] = float(curve.thresholds[at[place]])
    return found


def rates_of_all_pairs(stream: PairStream, thresholds: Sequence[float]) -> list[tuple[Estimate, Estimate]]:
    """Returns FAR and TAR over all pairs at thresholds that were chosen elsewhere, each with its interval; one pass.

    A rate without a pair of its kind is unresolvable.

    Raises:
        UserError: A distance is NaN.
        ValueError: A threshold is NaN.
    """
    for threshold in thresholds:
        check_threshold("rates_of_all_pairs", threshold)
    totals, trials = totals_of(stream.labels), _trials(stream.labels)
    people_same, people_different = (int((total > 0).sum()) for total in totals)
    couples = people_different * (people_different - 1) / 2
    n_same, n_different = int(totals[0].sum()), int(totals[1].sum()) // 2
    found = []
    for each in person_counts(stream, thresholds):
        far = Estimate.unresolvable(0, "there is no pair of two people")
        tar = Estimate.unresolvable(0, "there is no pair of one person")
        if n_different:
            rate, variance = (
                float(each.different.sum() / totals[1].sum()),
                variance_of(parts_of_far(each, totals), people_different),
            )
            interval = varying_interval(rate, variance, people_different, trials[1], max(1.0, trials[1] / couples))
            far = Estimate.around(rate, interval, n_different)
        if n_same:
            rate, variance = float(each.same.sum() / n_same), variance_of(parts_of_tar(each, totals), people_same)
            tar = Estimate.around(
                rate, varying_interval(rate, variance, people_same, trials[0], trials[0] / people_same), n_same
            )
        found.append((far, tar))
    return found


def person_counts(stream: PairStream, thresholds: Sequence[float] | Float[np.ndarray, "t"]) -> list[PersonCounts]:
    """How many pairs of each kind each person has within each threshold; one pass, and memory by people and thresholds."""
    people, index = np.unique(stream.labels, return_inverse=True)
    limits = np.asarray(thresholds, np.float64)
    order = np.argsort(limits)
    counts = np.zeros((len(limits), 2, len(people)), np.int64)
    for tile in stream.tiles("counting pairs by person"):
        near = np.flatnonzero((tile.distances <= limits.max(initial=-np.inf)) | tile.same)
        first, second = (index[rows] for rows in tile.place(near))
        # The first of the rising limits that a distance is within; one more than there are where it is beyond all.
        within = np.searchsorted(limits[order], tile.distances[near].astype(np.float64), side="left")
        same = tile.same[near]
        for rank, place in enumerate(order):
            new = within == rank
            counts[place, 0] += np.bincount(first[new & same], minlength=len(people))
            for side in (first, second):
                counts[place, 1] += np.bincount(side[new & ~same], minlength=len(people))
    counts[order] = np.cumsum(counts[order], axis=0)
    return [PersonCounts(same, different) for same, different in counts]


def totals_of(labels: UncheckedLabels) -> tuple[np.ndarray, np.ndarray]:
    """Same-person and different-person pairs that each person is in."""
    images = np.unique(labels, return_counts=True)[1].astype(np.int64)
    return images * (images - 1) // 2, images * (len(labels) - images)


def _trials(labels: np.ndarray) -> tuple[int, int]:
    """What :func:`likeness.research.metrics.bootstrap.independent_pairs` says of all pairs, without a list of them."""
    images = np.unique(labels, return_counts=True)[1].astype(np.int64)
    pairs = images * (images - 1) // 2
    of_same = int(np.minimum(images, pairs).sum())
    sizes, people = np.unique(images, return_counts=True)
    roots = np.ceil(np.sqrt(np.multiply.outer(sizes, sizes)))
    couples = np.multiply.outer(people, people).astype(np.float64)
    np.fill_diagonal(couples, people * (people - 1.0))
    return of_same, int((roots * couples).sum() / 2)


def parts_of_tar(counts: PersonCounts, totals: tuple[np.ndarray, np.ndarray]) -> Float[np.ndarray, "p"]:
    """What each person adds to the rate when they are drawn once more."""
    return (counts.same - counts.same.sum() / totals[0].sum() * totals[0]) / totals[0].sum()


def parts_of_far(counts: PersonCounts, totals: tuple[np.ndarray, np.ndarray]) -> Float[np.ndarray, "p"]:
    """Each of two people adds the whole pair, so that the sums over people count it twice."""
    return 2 * (counts.different - counts.different.sum() / totals[1].sum() * totals[1]) / totals[1].sum()


def variance_of(parts: Float[np.ndarray, "p"], people: int) -> float:
    """The variance of a rate between samples of so many people, of whom each adds its part; NaN where they are too few."""
    return math.nan if people < FEWEST_PEOPLE else float((parts**2).sum()) * people / (people - 1)


def slope_of(curve: curves.Roc, far: float) -> float:
    """dTAR / dFAR at a false-accept rate: of the chord from half of it to twice."""
    ends = np.array([far / _SLOPE, min(1.0, far * _SLOPE)])
    at = curves.indices_at_far(curve, ends)
    rise, run = np.diff(curve.tar[at])[0], np.diff(curve.far[at])[0]
    return float(rise / run) if run > 0 else 0.0


def _crossing(curve: curves.Roc) -> int:
    return int(np.argmax(curve.far + curve.tar >= 1))


def _eer(
    curve: curves.Roc,
    rate: float,
    at: int,
    counts: PersonCounts,
    totals: tuple[np.ndarray, np.ndarray],
    labels: np.ndarray,
) -> Estimate:
    """At the crossing FAR = FRR, ``(1 + s) · EER`` moves as ``s · FAR + FRR``."""
    slope = slope_of(curve, min(1.0, max(rate, 1 / curve.different_count)))
    people = int((totals[0] > 0).sum())
    parts = (slope * parts_of_far(counts, totals) - parts_of_tar(counts, totals)) / (1 + slope)
    trials = _trials(labels)[0]
    interval = varying_interval(rate, variance_of(parts, people), people, trials, trials / people)
    return Estimate.around(rate, interval, min(curve.same_count, curve.different_count))
