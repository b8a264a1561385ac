"""What is said of the detections of a test part, whoever found them: numbers with intervals, figures, and what is kept."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from likeness.experiments.config import to_json
from likeness.experiments.detection import diagnosis, figures
from likeness.experiments.detection.evaluation import Evaluated, evaluated, records, truths_of
from likeness.experiments.detection.evidence import Fates, fates, shown
from likeness.experiments.experiment import Evaluation
from likeness.research.data.detection import DetectionExamples
from likeness.research.detectors import DetectionModel
from likeness.research.geometry.detections import Detections
from likeness.research.geometry.placement import Size
from likeness.research.metrics.detection.calibration import reliability
from likeness.research.metrics.detection.confusion import confusion_matrix
from likeness.research.metrics.detection.curves import rates_at, score_curve
from likeness.research.metrics.detection.errors import KINDS
from likeness.research.metrics.detection.truths import Predictions
from likeness.research.metrics.intervals import Estimate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["outcome"]

_THRESHOLDS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
"""Score thresholds at which errors are counted."""


def outcome(
    examples: DetectionExamples,
    found: Sequence[Detections],
    model: DetectionModel,
    *,
    size: Size,
    source: str,
    score_threshold: float,
    resamples: int,
) -> Evaluation:
    """Evaluates detections on images that were not in training.

    Args:
        examples: the images.
        found: in each of them, in its own pixels, down to low scores.
        model: what found them, as it is used.
        size: height and width that images are scaled to.
        source: where the images come from.
        score_threshold: what scores this or less is not shown.
        resamples: draws of the images by which intervals are computed.
    """
    evaluation, names, known = evaluated(examples, found), examples.class_names, fates(examples, found)
    first, worst = shown(examples, found, known, score_threshold)
    drawn = {
        "detections": figures.beside_truth(first, names, "The first images of the test"),
        "precision_recall": figures.precision_recall(evaluation.curves(resamples)),
    }
    if worst:
        title = "The images of the test with most mistakes, the worst first"
        drawn["worst_images"] = figures.beside_truth(worst, names, title)
    metrics = evaluation.with_intervals(resamples)
    if known.shares.matches.counts.any():
        more, told = _diagnosed(evaluation, examples, found, known, score_threshold)
        metrics, drawn = metrics | told, drawn | more
    inputs = {"size": list(size), "class_names": list(names), "source": source, "model": to_json(model.suppression)}
    looked_at = {
        "score_threshold": score_threshold,
        "class_names": list(names),
        "first": [each.to_json() for each in first],
        "worst": [each.to_json() for each in worst],
    }
    kept = {"first": first, "worst": worst}
    return Evaluation(
        metrics=metrics,
        figures=drawn,
        artifacts={"detections": records(examples, found), "detector": inputs, "shown": looked_at},
        examples={
            f"detections/{kind}_{place:02d}": each.small() for kind, images in kept.items() for place, each in enumerate(images)
        },
        notes=(f"{len(examples):,} images, none of them in training", *evaluation.notes),
    )


def _diagnosed(
    evaluation: Evaluated, examples: DetectionExamples, found: Sequence[Detections], known: Fates, score_threshold: float
) -> tuple[dict[str, "Figure"], dict[str, float | Estimate]]:
    """Figures and metrics of what is wrong, where there is something to be found."""
    shares = known.shares
    above = shares.matches.scores > score_threshold
    counts = {kind: int((above & (shares.kinds == code)).sum()) for code, kind in enumerate(KINDS[:5])}
    ignored = examples.ignored
    unfound = [int((~ignored[examples.objects(row)] & ~(at > score_threshold)).sum()) for row, at in enumerate(known.found_at)]
    counts["missed"] = sum(unfound)
    calibration = reliability(evaluation.evaluation, score_threshold=score_threshold)
    rates = [rates_at(evaluation.evaluation, each) for each in _THRESHOLDS]
    best, _ = score_curve(evaluation.evaluation).best
    drawn = {
        "errors": diagnosis.errors(shares, counts, score_threshold),
        "calibration": diagnosis.scores(calibration),
        "thresholds": diagnosis.error_by_threshold(_THRESHOLDS, rates, score_threshold, best),
    }
    names = examples.class_names
    if len(names) <= diagnosis.MOST_CLASSES:
        least = float(np.nextafter(np.float64(score_threshold), 1))
        predictions = [Predictions.of(each) for each in found]
        matrix = confusion_matrix(truths_of(examples), predictions, np.arange(len(names)), score_threshold=least)
        drawn["confusion"] = diagnosis.confusions(matrix, names, score_threshold)
    told: dict[str, float | Estimate] = {"detection/calibration_error": calibration.ece}
    told |= {f"detection/gain@{kind}": shares.gains[kind] for kind in KINDS}
    return drawn, told
