"""What is said of the detections of a test part, whoever found them: numbers with intervals, figures, and what is kept."""

from collections.abc import Sequence

from likeness.experiments.config import to_json
from likeness.experiments.detection import figures
from likeness.experiments.detection.evaluation import evaluated, records
from likeness.experiments.detection.evidence import shown
from likeness.experiments.experiment import Evaluation
from likeness.research.data.detection import DetectionExamples
from likeness.research.detectors import DetectionModel
from likeness.research.geometry.detections import Detections
from likeness.research.geometry.placement import Size

__all__ = ["outcome"]


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
    evaluation, names = evaluated(examples, found), examples.class_names
    best = [each.filter(score_threshold) for each in found]
    inputs = {
        "size": list(size),
        "class_names": list(names),
        "source": source,
        "model": to_json(model.suppression),
    }
    return Evaluation(
        metrics=evaluation.with_intervals(resamples),
        figures={
            "detections": figures.beside_truth(shown(examples, best), names),
            "precision_recall": figures.precision_recall(evaluation.curves(resamples)),
        },
        artifacts={"detections": records(examples, found), "detector": inputs},
        notes=(f"{len(examples):,} images, none of them in training", *evaluation.notes),
    )
