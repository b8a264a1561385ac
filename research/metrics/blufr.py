"""BLUFR: verification over all pairs and open-set identification on ten random splits of Labeled Faces in the Wild.

Each trial verifies some 47 million pairs of people who were not in training, reports the verification rate at a false-accept
rate of 0.1 %, enrolls a thousand people with an image each, and reports how many of their other images are found at rank 1
(DIR) while 1 % of the images of strangers are taken for somebody. What is published is the mean over the trials minus their
standard deviation. The lists' training people also tell what a threshold is worth: it is set on them and counted on the test
people.

Liao, Lei, Yi and Li, "A benchmark study of large-scale unconstrained face recognition", IJCB 2014.
"""

import dataclasses
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from likeness.research.checks import UncheckedEmbeddings, UncheckedLabels, as_numpy
from likeness.research.distances import Cosine, Distance
from likeness.research.errors import UserError
from likeness.research.metrics import roc as curves
from likeness.research.metrics.all_pairs import parts_of_far, parts_of_tar, person_counts, slope_of, totals_of, variance_of
from likeness.research.metrics.bootstrap import varying_interval
from likeness.research.metrics.intervals import Estimate
from likeness.research.metrics.pair_stream import (
    SIDE,
    Compare,
    PairStream,
    compare_blocks,
    count_pairs,
    rates_at,
)
from likeness.research.metrics.verification import rate_name
from likeness.research.tracking import Track, untracked

FAR, FPIR = 1e-3, 1e-2
"""At which the benchmark's two numbers are reported."""


@runtime_checkable
class TrialRows(Protocol):
    """Rows of a table, as :class:`likeness.research.data.blufr.BlufrTrial` has them."""

    @property
    def train(self) -> Int[np.ndarray, "t"]: ...
    @property
    def test(self) -> Int[np.ndarray, "n"]: ...
    @property
    def gallery(self) -> Int[np.ndarray, "g"]: ...
    @property
    def probes(self) -> Int[np.ndarray, "p"]: ...


@dataclasses.dataclass(frozen=True)
class BlufrRates:
    """What one trial measures."""

    verification_rate: float
    """True-accept rate at the false-accept rate of the benchmark."""
    detection_rate: float
    """Open-set detection and identification rate, rank 1."""
    threshold: float
    """The distance that accepts the promised share of the training people's different-person pairs."""
    observed_far: float
    """What it accepts of the test people's."""
    observed_tar: float
    """What it accepts of their same-person pairs."""
    parts: Float[np.ndarray, "4 people"]
    """What each person adds to the four rates above when they are drawn once more."""


@dataclasses.dataclass(frozen=True, eq=False)
class BlufrResult:
    """The trials, and the numbers that are published of them."""

    trials: tuple[BlufrRates, ...]
    images: Int[np.ndarray, "people"]
    """How many test images each person has, in the trial that has most."""
    far: float
    fpir: float

    @property
    def metrics(self) -> dict[str, Estimate]:
        """By path: ``blufr/vr@far=1e-3`` and ``blufr/dir@far=1e-2``, the means over the trials; the same with
        ``,mean-sd``, as published; ``blufr/observed_far@promised=1e-3`` and ``blufr/tar@promised=1e-3``.

        The trials share most of their people, so that the spread of ten of them is no measure of how much ten others would
        differ. The intervals are those of drawing the test people anew: thresholds that are set on them move with them, and the
        one that the training people promise is held. n counts the trials.
        """
        far, fpir = rate_name(self.far), rate_name(self.fpir)
        rates = np.array(
            [[t.verification_rate, t.detection_rate, t.observed_far, t.observed_tar] for t in self.trials], np.float64
        )
        parts = np.stack([trial.parts for trial in self.trials])
        names = f"vr@far={far}", f"dir@far={fpir}", f"observed_far@promised={far}", f"tar@promised={far}"
        found = {}
        for column, name in enumerate(names):
            found[f"blufr/{name}"] = self._estimate(rates[:, column], parts[:, column], published=False)
            if column < 2 and len(self.trials) > 1:
                found[f"blufr/{name},mean-sd"] = self._estimate(rates[:, column], parts[:, column], published=True)
        return found

    def _estimate(self, rates: np.ndarray, parts: np.ndarray, published: bool) -> Estimate:
        weights = np.full(len(rates), 1 / len(rates))
        value, deviation = float(rates.mean()), float(rates.std(ddof=1)) if len(rates) > 1 else 0.0
        if published:
            value -= deviation
            if deviation > 0:
                weights = weights - (rates - rates.mean()) / ((len(rates) - 1) * deviation)
        took_part = np.abs(parts).sum(axis=0) > 0
        people = int(took_part.sum()) if took_part.any() else len(self.images)
        trials = int(self.images[took_part].sum()) if took_part.any() else int(self.images.sum())
        interval = varying_interval(
            min(1.0, max(0.0, value)), variance_of(weights @ parts, people), people, trials, trials / people
        )
        return Estimate.around(value, interval, len(rates))


def blufr(
    embeddings: UncheckedEmbeddings,
    labels: UncheckedLabels,
    trials: Sequence[TrialRows],
    distance: Distance | Compare | None = None,
    *,
    far: float = FAR,
    fpir: float = FPIR,
    side: int = SIDE,
    track: Track = untracked,
) -> BlufrResult:
    """Returns the benchmark's numbers for embeddings of its images; nothing is sampled.

    Args:
        embeddings: (n, d), of all images of the lists.
        labels: The person in each.
        trials: Rows of the embeddings: :func:`likeness.research.data.blufr.read_blufr` reads the official ones.
        distance: How embeddings are compared; the cosine distance by default.
        far: False-accept rate of verification, and that promised by the training people.
        fpir: Share of strangers that are taken for somebody in identification, which the benchmark calls FAR too.
        side: Of a tile of distances that are computed at once.
        track: Is told of the trials.

    Raises:
        UserError: There is no trial, a rate does not lie in (0, 1), a distance is NaN, or a part of a trial lacks a kind of
            pair.
    """
    if not len(trials) or not 0 < far < 1 or not 0 < fpir < 1:
        raise UserError(f"BLUFR needs trials and rates between 0 and 1, not {len(trials)} trials, FAR {far} and FPIR {fpir}.")
    by = Cosine() if distance is None else distance
    table = as_numpy("blufr", "embeddings", embeddings, ("n", "d"), help="Give one row for each image.").astype(np.float32)
    names = as_numpy("blufr", "labels", labels, (len(table),), "integers", "Give the person in each image.")
    people, who = np.unique(names, return_inverse=True)
    found = [_trial(table, who, trial, by, far, fpir, side, len(people)) for trial in track("trials of BLUFR", list(trials))]
    images = np.max([np.bincount(who[trial.test], minlength=len(people)) for trial in trials], axis=0)
    return BlufrResult(tuple(found), images, far, fpir)


def _trial(
    table: np.ndarray,
    who: np.ndarray,
    trial: TrialRows,
    by: Distance | Compare,
    far: float,
    fpir: float,
    side: int,
    people: int,
) -> BlufrRates:
    training = PairStream(table[trial.train], who[trial.train], by, side)
    chosen = count_pairs(training, [far], find_eer=False)
    threshold = float(chosen.thresholds[curves.indices_at_far(chosen, [far])[0]])
    test = PairStream(table[trial.test], who[trial.test], by, side)
    curve = count_pairs(test, [far, far / 2, min(1.0, 2 * far)], [threshold], find_eer=False)
    at = int(curves.indices_at_far(curve, [far])[0])
    observed_far, observed_tar = (float(rate[0]) for rate in rates_at(curve, [threshold]))
    at_far, promised = person_counts(test, [curve.thresholds[at], threshold])
    totals = totals_of(test.labels)
    parts = np.zeros((4, people))
    tested = np.unique(test.labels)
    parts[0, tested] = parts_of_tar(at_far, totals) - slope_of(curve, far) * parts_of_far(at_far, totals)
    parts[2, tested] = parts_of_far(promised, totals)
    parts[3, tested] = parts_of_tar(promised, totals)
    detection, parts[1] = _open_set(table, who, trial, by, fpir, side, people)
    return BlufrRates(float(curve.tar[at]), detection, threshold, observed_far, observed_tar, parts)


def _open_set(
    table: np.ndarray, who: np.ndarray, trial: TrialRows, by: Distance | Compare, fpir: float, side: int, people: int
) -> tuple[float, np.ndarray]:
    distances = compare_blocks(table[trial.probes], table[trial.gallery], by, side)
    curves.refuse_nan(distances)
    shown, enrolled = who[trial.probes], who[trial.gallery]
    nearest = distances.argmin(axis=1)
    best = distances[np.arange(len(distances)), nearest]
    mated = np.isin(shown, enrolled)
    # A tie counts against the right person, as in `identification.mate_ranks`.
    correct = (enrolled[nearest] == shown) & ((distances <= best[:, None]).sum(axis=1) == 1)
    curve = curves.roc(np.where(mated & ~correct, np.inf, best), mated)
    at = curves.indices_at_far(curve, [fpir])[0]
    accepted = best <= curve.thresholds[at]
    parts = np.zeros(people)
    for kind, hits, weight in ((mated, accepted & correct, 1.0), (~mated, accepted, -slope_of(curve, fpir))):
        rate = hits[kind].mean()
        parts += weight * np.bincount(shown[kind], hits[kind] - rate, minlength=people) / kind.sum()
    return float(curve.tar[at]), parts


__all__ = ["BlufrRates", "BlufrResult", "blufr"]
