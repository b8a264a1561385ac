"""Precision, recall and F1 by score threshold, and each of them at one threshold with its interval."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int

from likeness.research.metrics.bootstrap import REPLICATES, clustered_interval, clustered_rate
from likeness.research.metrics.detection.average_precision import CocoEvaluation
from likeness.research.metrics.detection.matching import Matches
from likeness.research.metrics.intervals import Estimate


@dataclasses.dataclass(frozen=True, eq=False)
class ScoreCurve:
    """What is found, and how much of it is right, if detections below a score are left out.

    A row for each score that occurs, the highest first; detections of one score are kept together.
    """

    thresholds: Float[np.ndarray, "n"]
    precision: Float[np.ndarray, "n"]
    recall: Float[np.ndarray, "n"]
    f1: Float[np.ndarray, "n"]
    positives: int
    """How many truths must be found."""

    @property
    def best(self) -> tuple[float, float]:
        """The score threshold of highest F1, the highest of several, and that F1; infinite and 0 if nothing is ever found."""
        if not len(self.f1) or not self.f1.max() > 0:
            return float("inf"), 0.0
        place = int(self.f1.argmax())
        return float(self.thresholds[place]), float(self.f1[place])

    def at(self, score_threshold: float) -> tuple[float, float, float]:
        """Returns precision, recall and F1 of the detections whose score is at least so high; NaN, 0 and 0 if there is none.

        Args:
            score_threshold: Any number.
        """
        place = int(np.searchsorted(-self.thresholds, -score_threshold, side="right")) - 1
        if place < 0:
            return float("nan"), 0.0, 0.0
        return float(self.precision[place]), float(self.recall[place]), float(self.f1[place])


def score_curve(evaluation: CocoEvaluation, iou_threshold: float = 0.5, class_id: int | None = None) -> ScoreCurve:
    """Returns precision, recall and F1 by score threshold.

    What a detection finds does not depend on detections of lower score, so the curve says exactly what a detector would do that
    leaves those out.

        precision = TP / n        recall = TP / P        F1 = 2 TP / (n + P)

    Args:
        evaluation: What was measured.
        iou_threshold: One of those that were measured.
        class_id: Of one class; None takes all together, so that frequent classes count more.

    Raises:
        ValueError: The threshold was not measured, there is no such class, or it has nothing to be found.
    """
    found, rows, truths, step = _part(evaluation, iou_threshold, class_id)
    rows = rows[~found.ignored[0, step, rows]]
    rows = rows[np.argsort(-found.scores[rows], kind="stable")]
    scores, positives = found.scores[rows], int(truths.sum())
    last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)) if len(rows) else np.empty(0, np.int64)
    tp, n = np.cumsum(found.hit[0, step, rows])[last], last + 1
    return ScoreCurve(scores[last], tp / n, tp / positives, 2 * tp / (n + positives), positives)


def rates_at(
    evaluation: CocoEvaluation,
    score_threshold: float,
    iou_threshold: float = 0.5,
    class_id: int | None = None,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Returns ``precision``, ``recall`` and ``f1`` of the detections of at least a score, with 95 % intervals.

    Images are resampled, since what is in one image is found, or not, together.

    Args:
        evaluation: What was measured.
        score_threshold: Detections below are left out.
        iou_threshold: One of those that were measured.
        class_id: Of one class; None takes all together.
        seed: Of the resampling.

    Raises:
        ValueError: The threshold was not measured, there is no such class, or it has nothing to be found.
    """
    found, rows, truths, step = _part(evaluation, iou_threshold, class_id)
    rows = rows[~found.ignored[0, step, rows] & (found.scores[rows] >= score_threshold)]
    right = found.hit[0, step, rows]
    seen = np.zeros(len(truths), bool)
    seen[found.matched[0, step, rows[right]]] = True
    images, truth_images = found.detections.image[rows], found.truths.image[truths]
    twice = np.bincount(images[right], minlength=found.images) * 2.0
    both = np.bincount(images, minlength=found.images) + np.bincount(truth_images, minlength=found.images)
    return {
        "precision": clustered_rate(right, images, seed=seed),
        "recall": clustered_rate(seen[truths], truth_images, seed=seed),
        "f1": ratio_of_images(twice, both, seed),
    }


def ratio_of_images(
    part: Float[np.ndarray, "i"] | Int[np.ndarray, "i"], whole: Float[np.ndarray, "i"] | Int[np.ndarray, "i"], seed: int = 0
) -> Estimate:
    """Returns Σ part / Σ whole, a rate, with an interval that resamples images.

    Args:
        part: Of each image.
        whole: Of each image; those with 0 say nothing and are left out.
        seed: Of the resampling.
    """
    some = whole > 0
    part, whole = part[some], whole[some]
    n, total = len(whole), float(whole.sum())
    if not n:
        return Estimate.unresolvable(0, "there are no trials")
    rate = float(part.sum() / total)
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=REPLICATES)
    samples = (weights @ part) / (weights @ whole)
    return Estimate.around(rate, clustered_interval(rate, samples, n, total, total / n), round(total))


def _part(
    evaluation: CocoEvaluation, iou_threshold: float, class_id: int | None
) -> tuple[Matches, Int[np.ndarray, "n"], Bool[np.ndarray, "m"], int]:
    """The rows of detections, which truths must be found, and the place of the threshold."""
    found, step = evaluation.matches, evaluation.step(iou_threshold)
    rows, truths = np.arange(len(found.scores)), found.counts[0]
    if class_id is not None:
        place = evaluation.place(class_id)
        rows = np.flatnonzero(found.detections.classes == place)
        truths = truths & (found.truths.classes == place)
    if not truths.any():
        what = "any class" if class_id is None else f"class {class_id}"
        raise ValueError(f"score_curve: there is no truth of {what}, so nothing can be found and recall is no number.")
    return found, rows, truths, step
