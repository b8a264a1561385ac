"""Does a score of 0.8 mean that eight of ten such detections are right?"""

import dataclasses
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Int

from likeness.research.checks import check_choice, check_count
from likeness.research.metrics.bootstrap import REPLICATES, clustered_rate
from likeness.research.metrics.detection.average_precision import CocoEvaluation
from likeness.research.metrics.intervals import CONFIDENCE, Estimate

Binning: TypeAlias = Literal["width", "count"]


@dataclasses.dataclass(frozen=True, eq=False)
class Reliability:
    """Scores beside the share of detections that are right, bin by bin, and how far they are apart."""

    edges: Float[np.ndarray, "b1"]
    """Of the bins; the upper one belongs to a bin, and 0 to the first."""
    counts: Int[np.ndarray, "b"]
    confidence: Float[np.ndarray, "b"]
    """The mean score in each bin; NaN in an empty one."""
    precision: tuple[Estimate, ...]
    """The share that is right in each bin, with an interval that resamples images."""
    ece: Estimate
    """The expected calibration error."""
    chance: float
    """The mean of what the expected calibration error of these scores would be if each were right as often as it says: an error
    of so much is no sign of anything."""

    @property
    def worst(self) -> float:
        """The largest distance of a bin (maximum calibration error)."""
        gaps = [abs(e.value - c) for e, c in zip(self.precision, self.confidence.tolist(), strict=True) if e.value is not None]
        return max(gaps, default=float("nan"))


def reliability(
    evaluation: CocoEvaluation,
    iou_threshold: float = 0.5,
    score_threshold: float = 0.0,
    bins: int = 10,
    binning: Binning = "width",
    class_id: int | None = None,
    seed: int = 0,
) -> Reliability:
    """Returns the reliability diagram of detections, and their expected calibration error.

        ECE = Σ_b n_b / n · |precision_b − mean score_b|

    A detection is right if it found a truth by COCO's rules; those that are ignored do not count. Most detectors emit many
    detections of next to no score, which make the error look small: give the threshold that is used in practice. The error of
    few detections is above 0 even where scores are perfect, so :attr:`Reliability.chance` stands beside it.

    Args:
        evaluation: What was measured.
        iou_threshold: One of those that were measured.
        score_threshold: Detections below are left out.
        bins: How many.
        binning: Bins of equal ``width`` from 0 to 1, or of equal ``count``.
        class_id: Of one class; None takes all together.
        seed: Of the resampling.

    Raises:
        ValueError: The threshold was not measured, there is no such class, or scores do not lie between 0 and 1.

    Guo et al., "On calibration of modern neural networks", ICML 2017; for detections Küppers et al., "Multivariate confidence
    calibration for object detection", CVPR Workshops 2020.
    """
    check_count("reliability", "bins", bins)
    check_choice("reliability", "binning", binning, Binning)
    found, step = evaluation.matches, evaluation.step(iou_threshold)
    some = ~found.ignored[0, step] & (found.scores >= score_threshold)
    if class_id is not None:
        some &= found.detections.classes == evaluation.place(class_id)
    scores, right, images = found.scores[some], found.hit[0, step, some], found.detections.image[some]
    if len(scores) and not 0 <= scores.min() <= scores.max() <= 1:
        raise ValueError(
            f"reliability: scores run from {scores.min():g} to {scores.max():g}, and only those between 0 and 1 say how often "
            "they are right. Give probabilities, after a sigmoid, say."
        )
    edges = np.linspace(0, 1, bins + 1)
    if binning == "count" and len(scores):
        edges = np.concatenate([[0.0], np.quantile(scores, np.linspace(0, 1, bins + 1))[1:-1], [1.0]])
    which = np.clip(np.searchsorted(edges, scores, side="left") - 1, 0, bins - 1)
    counts = np.bincount(which, minlength=bins)
    with np.errstate(invalid="ignore"):
        confidence = np.bincount(which, scores, minlength=bins) / counts
    inside = [which == b for b in range(bins)]
    precision = tuple(clustered_rate(right[each], images[each], seed=seed) for each in inside)
    ece, chance = _error(scores, right, images, which, bins, found.images, seed)
    return Reliability(edges, counts, confidence, precision, ece, chance)


def _error(
    scores: Float[np.ndarray, "n"],
    right: np.ndarray,
    images: Int[np.ndarray, "n"],
    which: Int[np.ndarray, "n"],
    bins: int,
    count: int,
    seed: int,
) -> tuple[Estimate, float]:
    n = len(scores)
    if not n:
        return Estimate.unresolvable(0, "there are no detections"), float("nan")
    rng = np.random.default_rng(seed)
    gaps = np.bincount(which, right - scores, minlength=bins)
    value = float(np.abs(gaps).sum() / n)
    drawn = rng.random((REPLICATES, n)) < scores
    by_chance = [np.abs(np.bincount(which, each - scores, minlength=bins)).sum() / n for each in drawn]
    # Gaps of each image and bin, so that an image which is drawn twice counts twice.
    table = np.bincount(images * bins + which, right - scores, minlength=count * bins).reshape(count, bins)
    sizes = np.bincount(images, minlength=count)
    weights = rng.multinomial(count, np.full(count, 1 / count), size=REPLICATES)
    with np.errstate(invalid="ignore"):
        samples = np.abs(weights @ table).sum(axis=1) / (weights @ sizes)
    samples = samples[~np.isnan(samples)]
    tail = (1 - CONFIDENCE) / 2
    # Resampling adds noise to every gap, and their absolute values take it for error.
    low, high = np.quantile(samples, [tail, 1 - tail]) - (samples.mean() - value)
    return Estimate.around(value, (max(0.0, float(low)), float(high)), n), float(np.mean(by_chance))
