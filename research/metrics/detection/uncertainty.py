"""How far an average precision can be trusted, and whether two detectors differ on the same images."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtri, stdtr, stdtrit

from likeness.research.metrics.bootstrap import REPLICATES
from likeness.research.metrics.detection.average_precision import CocoEvaluation, TablePart
from likeness.research.metrics.detection.resampling import ImageResampler
from likeness.research.metrics.intervals import CONFIDENCE, Estimate, wilson_interval

NAMES = ("AP", "AP50", "AP75")
"""The numbers that intervals are computed of unless others are named."""

_FEWEST_IMAGES = 3
"""Of fewer nothing is known."""

_FURTHER = 2
"""What is believed of a class before any of it is seen: as though so many images had shown it found half the time."""

_HALVED = 1 / (np.sqrt(2) - 1)
"""An error that falls with the root of the number of images is so many times what halving them adds to it."""


@dataclasses.dataclass(frozen=True)
class PairedDifference:
    """One number of two detectors that were shown the same images."""

    first: float
    second: float
    difference: Estimate
    """First less second, with the interval of what it would be on other images."""
    p_value: float
    """Two-sided: how often two detectors of equal AP differ by so much, or more, on so many images. 1 where nothing can be
    told."""


@dataclasses.dataclass(frozen=True, eq=False)
class PrecisionBand:
    """A precision-recall curve with 95 % of its resamples, recall by recall."""

    recalls: Float[np.ndarray, "r"]
    precision: Float[np.ndarray, "r"]
    low: Float[np.ndarray, "r"]
    high: Float[np.ndarray, "r"]


def with_intervals(
    evaluation: CocoEvaluation, names: Sequence[str] = NAMES, replicates: int = REPLICATES, seed: int = 0
) -> dict[str, Estimate]:
    """Returns numbers of an evaluation with 95 % intervals of what they would be on unlimited images of the same kind.

    Images are matched once and drawn with replacement many times, since what is in one image is found, or not, together.
    Three things are done that percentiles of the resamples leave out; without them intervals are too low or too narrow:

    * AP of few images is too high: the highest precision at a recall *or a higher one* picks the luckiest stretch of a curve
      that wavers. The error falls with the root of the number of images, so it is 1/(√2 − 1) times what AP rises by when only
      half of the images are looked at, which is measured on random halves and their complements. The interval is moved down by
      it; the number itself stays as COCO has it, and is always inside.
    * A class that is in few images hides how much it varies: one image gives no variance at all. Each class is therefore taken
      to vary as though two more images had shown it found half the time, and Student's t replaces the normal quantiles with
      the degrees of freedom of Welch and Satterthwaite.
    * Near 0 and 1 intervals are skewed. They are Wilson's for the number of independent trials that the variance amounts to.

    How often they hold the truth is measured by ``python -m likeness.experiments.benchmarks.detection_intervals``.

    Args:
        evaluation: What was measured.
        names: Some of those in :attr:`CocoEvaluation.numbers`.
        replicates: How many times images are drawn; as many are halved.
        seed: Of the drawing.

    Returns:
        An estimate for each name, whose n is the number of images. It is unresolvable where there is nothing to be found.

    Raises:
        ValueError: There is no such number.
    """
    draws = _Draws(evaluation, replicates, seed)
    return {name: draws.estimate(_part(evaluation, name)) for name in names}


def per_class_intervals(
    evaluation: CocoEvaluation, name: str = "AP", replicates: int = REPLICATES, seed: int = 0
) -> dict[int, Estimate]:
    """Returns one number of each class, by its number, with the intervals of :func:`with_intervals`.

    Args:
        evaluation: What was measured.
        name: One of those in :attr:`CocoEvaluation.numbers`.
        replicates: How many times images are drawn.
        seed: Of the drawing.

    Raises:
        ValueError: There is no such number.
    """
    draws, part = _Draws(evaluation, replicates, seed), _part(evaluation, name)
    return {class_id: draws.estimate(part, k) for k, class_id in enumerate(evaluation.class_ids.tolist())}


def compare(
    first: CocoEvaluation,
    second: CocoEvaluation,
    names: Sequence[str] = NAMES,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> dict[str, PairedDifference]:
    """Returns whether two detectors differ, evaluated on the same images.

    Both are resampled together: an image that is hard for both moves both numbers alike and their difference little, so far
    smaller differences can be told than by looking at whether two intervals overlap. Student's t gives the interval. What few
    images add to AP they add to both, so it is left alone here.

    Args:
        first: What was measured of one detector.
        second: And of the other, on the same truths in the same order.
        names: Some of those in :attr:`CocoEvaluation.numbers`.
        replicates: How many times images are drawn.
        seed: Of the drawing.

    Raises:
        ValueError: The two were not evaluated on the same truths by the same rules, or there is no such number.
    """
    _check_same(first, second)
    one, other = (_Draws(each, replicates, seed) for each in (first, second))
    return {name: _difference(one, other, _part(first, name)) for name in names}


def precision_band(
    evaluation: CocoEvaluation,
    iou_threshold: float = 0.5,
    class_id: int | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> PrecisionBand:
    """Returns precision at each recall, with the central 95 % of what resampled images give.

    Args:
        evaluation: What was measured.
        iou_threshold: One of those that were measured.
        class_id: Of one class; None for the mean over classes, whose mean is AP at that threshold.
        replicates: How many times images are drawn.
        seed: Of the drawing.

    Raises:
        ValueError: The threshold was not measured, or there is no such class, or it has nothing to be found.
    """
    step = evaluation.step(iou_threshold)
    known = evaluation.recall[step, :, 0, -1] >= 0
    if class_id is not None:
        known &= evaluation.class_ids == evaluation.class_ids[evaluation.place(class_id)]
    if not known.any():
        raise ValueError("precision_band: there is nothing to be found, so there is no curve.")
    table = ImageResampler(evaluation).precision(_resamples(evaluation.matches.images, replicates, seed), step)[:, :, known]
    measured = evaluation.precision[step][:, known, 0, -1]
    curves = np.where(np.isnan(table), measured, table).mean(axis=2)
    curve = measured.mean(axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(curves, [tail, 1 - tail], axis=0)
    return PrecisionBand(evaluation.recalls, curve, np.minimum(low, curve), np.maximum(high, curve))


class _Drawn(NamedTuple):
    """A number of the classes that are known, measured once, resampled, and on halves of the images."""

    measured: Float[np.ndarray, "k"]
    resampled: Float[np.ndarray, "b k"]
    halved: Float[np.ndarray, "h k"]
    images: Int[np.ndarray, "k"]
    """In how many images each class is to be found."""


class _Draws:
    """Resamples of an evaluation, drawn when they are first asked for."""

    def __init__(self, evaluation: CocoEvaluation, replicates: int, seed: int) -> None:
        self.evaluation = evaluation
        self.images = evaluation.matches.images
        weights = _resamples(self.images, replicates, seed)
        self.weights = np.concatenate([np.ones((1, self.images), np.int64), weights, _halves(self.images, replicates, seed)])
        self.replicates = replicates
        self.known: dict[tuple[int, int], tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def drawn(self, part: TablePart, k: int | None = None) -> _Drawn | None:
        """None where there is nothing to be found, or no such part."""
        if part.most is None or not len(part.steps):
            return None
        place = part.area, part.most
        if place not in self.known:
            resampler = ImageResampler(self.evaluation, *place)
            self.known[place] = (*resampler(self.weights), resampler.positive_images)
        precision, recall, images = self.known[place]
        table = (precision if part.table == "precision" else recall)[:, part.steps].mean(axis=1)
        some = images > 0 if k is None else (images > 0) & (np.arange(len(images)) == k)
        if not some.any():
            return None
        measured = table[0, some]
        # A class that a resample happens to lack is taken to be as it was measured.
        table = np.where(np.isnan(table[:, some]), measured, table[:, some])
        return _Drawn(measured, table[1 : self.replicates + 1], table[self.replicates + 1 :], images[some])

    def estimate(self, part: TablePart, k: int | None = None) -> Estimate:
        found, n = self.drawn(part, k), self.images
        if found is None:
            return Estimate.unresolvable(n, "there is nothing to be found")
        value = float(found.measured.mean())
        if n < _FEWEST_IMAGES:
            return Estimate(value, 0.0, 1.0, n)
        p, m = found.measured, found.images
        # Shrunk to a half by the images that are believed to have been seen before.
        shrunk = (m * p + _FURTHER / 2) / (m + _FURTHER)
        seen = found.resampled.var(axis=0, ddof=1) * n / (n - 1)
        each = (m * seen + _FURTHER * shrunk * (1 - shrunk) / m) / (m + _FURTHER)
        # A class in which nothing goes wrong shows no variance, however few its images.
        each += np.maximum(0.0, shrunk * (1 - shrunk) - p * (1 - p)) / m
        together = found.resampled.mean(axis=1).var(ddof=1) * n / (n - 1)
        variance = together + float((each - seen).sum()) / len(p) ** 2
        student = _student(each, m) / float(ndtri(0.5 + CONFIDENCE / 2))
        center = min(1.0, max(0.0, value - _excess(found)))
        whole = int(m.sum())
        middle = (whole * value + _FURTHER / 2) / (whole + _FURTHER)
        trials = middle * (1 - middle) / max(variance, 1e-12)
        return Estimate.around(value, wilson_interval(center, trials / student**2), n)


def _excess(found: _Drawn) -> float:
    """By how much a number is too high for being measured on so few images."""
    return float(_HALVED * (found.halved.mean() - found.measured.mean()))


def _student(variances: Float[np.ndarray, "k"], images: Int[np.ndarray, "k"]) -> float:
    """Student's quantile for a sum of variances, each known from so many images."""
    total = float(variances.sum())
    freedom = total**2 / float((variances**2 / (images + _FURTHER - 1)).sum()) if total > 0 else float(images.sum())
    return float(stdtrit(freedom, 0.5 + CONFIDENCE / 2))


def _difference(one: _Draws, other: _Draws, part: TablePart) -> PairedDifference:
    first, second, n = one.drawn(part), other.drawn(part), one.images
    values = (one.evaluation.mean(part), other.evaluation.mean(part))
    if first is None or second is None:
        return PairedDifference(*values, Estimate.unresolvable(n, "there is nothing to be found"), 1.0)
    value = float(first.measured.mean() - second.measured.mean())
    if n < _FEWEST_IMAGES:
        return PairedDifference(*values, Estimate(value, -1.0, 1.0, n), 1.0)
    apart = first.resampled - second.resampled
    deviation = float(np.sqrt(apart.mean(axis=1).var(ddof=1) * n / (n - 1)))
    if deviation == 0:
        # Nothing tells them apart, whichever images are drawn.
        return PairedDifference(*values, Estimate.around(value, (value, value), n), 1.0 if value == 0 else 0.0)
    each = apart.var(axis=0, ddof=1)
    freedom = float(each.sum() ** 2 / (each**2 / np.maximum(first.images - 1, 1)).sum())
    reach = float(stdtrit(freedom, 0.5 + CONFIDENCE / 2)) * deviation
    interval = max(-1.0, value - reach), min(1.0, value + reach)
    p_value = 2 * float(stdtr(freedom, -abs(value) / deviation))
    return PairedDifference(*values, Estimate.around(value, interval, n), p_value)


def _resamples(images: int, replicates: int, seed: int) -> Int[np.ndarray, "b i"]:
    return np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), size=replicates)


def _halves(images: int, replicates: int, seed: int) -> Int[np.ndarray, "h i"]:
    """Random halves, each with its complement, so that what an image adds to the one it takes from the other."""
    rng = np.random.default_rng((seed, 1))
    half = rng.permuted(np.tile(np.arange(images) < images // 2, (max(1, replicates // 2), 1)), axis=1).astype(np.int64)
    return np.concatenate([half, 1 - half])


def _part(evaluation: CocoEvaluation, name: str) -> TablePart:
    parts = evaluation.parts()
    if name not in parts:
        raise ValueError(f"with_intervals: no number is named {name!r}: there are {', '.join(parts)}.")
    return parts[name]


def _check_same(first: CocoEvaluation, second: CocoEvaluation) -> None:
    one, other = first.matches, second.matches
    rules = [(each.areas, each.max_detections, each.iou_thresholds.tolist(), each.recalls.tolist()) for each in (first, second)]
    same = (
        rules[0] == rules[1]
        and one.images == other.images
        and np.array_equal(one.class_ids, other.class_ids)
        and np.array_equal(one.truths.image, other.truths.image)
        and np.array_equal(one.truths.corners, other.truths.corners)
        and np.array_equal(one.counts, other.counts)
    )
    if not same:
        raise ValueError(
            "compare: the two were not evaluated on the same truths by the same rules. Evaluate both on one list of truths, "
            "with one evaluator and the same class_ids (without these they are the classes that occur, and predictions can add "
            "some)."
        )
