"""How good detections are: average precision as COCO computes it, by class and size, and what is kept for others to look at."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from likeness.research.data.detection import DetectionExamples
from likeness.research.geometry.detections import Detections
from likeness.research.metrics.detection.average_precision import NO_TRUTH, CocoEvaluation, CocoEvaluator
from likeness.research.metrics.detection.truths import GroundTruth, Predictions
from likeness.research.metrics.detection.uncertainty import (
    PrecisionBand,
    per_class_intervals,
    precision_band,
    with_intervals,
)
from likeness.research.metrics.intervals import Estimate

__all__ = ["Evaluated", "evaluated", "metric_names", "records", "truths_of"]

_NAMES = {"ap": "AP", "ap50": "AP50", "ap75": "AP75", "ar": "AR@100"}
_SIZES = {"APs": "small", "APm": "medium", "APl": "large"}


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluated:
    """What was found beside what was there."""

    evaluation: CocoEvaluation
    class_names: tuple[str, ...]

    @property
    def metrics(self) -> dict[str, float | Estimate]:
        """AP, AP50, AP75 and AR, of what there is to be found."""
        numbers = self.evaluation.numbers
        return {f"detection/{name}": numbers[known] for name, known in _NAMES.items() if numbers[known] != NO_TRUTH}

    def with_intervals(self, resamples: int) -> dict[str, float | Estimate]:
        """The same with 95 % intervals, and by size and class.

        Args:
            resamples: draws of the images.
        """
        numbers = self.evaluation.numbers
        named = {f"detection/{name}": known for name, known in _NAMES.items()}
        named |= {f"detection/ap@{size}": known for known, size in _SIZES.items()}
        named = {name: known for name, known in named.items() if numbers[known] != NO_TRUTH}
        known = with_intervals(self.evaluation, tuple(named.values()), resamples)
        found: dict[str, float | Estimate] = {name: known[number] for name, number in named.items()}
        if len(self.class_names) > 1:
            of_class = metric_names(self.class_names)
            for metric in ("AP", "AP50"):
                for number, estimate in per_class_intervals(self.evaluation, metric, resamples).items():
                    if estimate.resolved:
                        found[f"detection/{metric.lower()}@{of_class[number]}"] = estimate
        return found

    def curves(self, resamples: int) -> Mapping[str, PrecisionBand]:
        """Precision by recall at an IoU of 0.5, of each class that there is to be found.

        Args:
            resamples: draws of the images.
        """
        known = self.evaluation.per_class()
        return {
            name: precision_band(self.evaluation, 0.5, number, resamples)
            for number, name in enumerate(self.class_names)
            if known[number]["AP"] != NO_TRUTH
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers must know."""
        return self.evaluation.notes


def metric_names(class_names: Sequence[str]) -> list[str]:
    """What stands behind the @ in a metric of each class: its name without spaces and slashes, and different from the others.

    A class may be called as the sizes are, and two may differ by a space only.

    >>> metric_names(["a b", "a_b", "small", "a/b"])
    ['a_b', 'a_b_2', 'small_2', 'a_b_3']
    """
    taken, names = set(_SIZES.values()), []
    for known in class_names:
        plain = known.replace(" ", "_").replace("/", "_")
        tried, number = plain, 2
        while tried in taken:
            tried, number = f"{plain}_{number}", number + 1
        taken.add(tried)
        names.append(tried)
    return names


def evaluated(examples: DetectionExamples, found: Sequence[Detections]) -> Evaluated:
    """Compares what was found with what is there.

    Args:
        examples: the images.
        found: in each of them, in its own pixels, down to low scores.
    """
    predictions = [Predictions.of(each) for each in found]
    classes = np.arange(len(examples.class_names))
    return Evaluated(CocoEvaluator()(truths_of(examples), predictions, classes), examples.class_names)


def truths_of(examples: DetectionExamples) -> list[GroundTruth]:
    """What there is to be found in each image."""
    truths = []
    for row in range(len(examples)):
        own = examples.objects(row)
        boxes = examples.boxes[own].astype(np.float64)
        areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
        if examples.areas is not None:
            areas = np.where(np.isnan(examples.areas[own]), areas, examples.areas[own])
        truths.append(
            GroundTruth(
                boxes,
                examples.classes[own],
                crowd=None if examples.crowd is None else examples.crowd[own],
                difficult=None if examples.difficult is None else examples.difficult[own],
                areas=areas,
            )
        )
    return truths


def records(examples: DetectionExamples, found: Sequence[Detections]) -> dict[str, Any]:
    """What was found, as COCO writes results, with the names of the images and classes."""
    numbers = examples.image_numbers.tolist()
    categories = examples.category_ids or tuple(range(1, len(examples.class_names) + 1))
    rows: list[dict[str, Any]] = []
    for number, each in zip(numbers, found, strict=True):
        for record in each.to_coco(number, categories):
            box = [round(side, 2) for side in record["bbox"]]
            rows.append(record | {"bbox": box, "score": round(record["score"], 4)})
    return {
        "images": [
            {"id": number, "file_name": name, "height": int(height), "width": int(width)}
            for number, name, (height, width) in zip(numbers, examples.names, examples.sizes.tolist(), strict=True)
        ],
        "categories": [{"id": number, "name": name} for number, name in zip(categories, examples.class_names, strict=True)],
        "detections": rows,
    }
