"""How well the one object of each image is localized, and its landmarks, in data that have no more of them."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import stdtrit

from likeness.research.data.detection import DetectionExamples
from likeness.research.geometry.detections import Detections
from likeness.research.metrics.detection.landmarks import box_sizes, distance_between, landmark_errors
from likeness.research.metrics.intervals import CONFIDENCE, Estimate, wilson

__all__ = ["of_single_objects"]

_SURE = 0.5
"""What scores more is taken to be there."""

_EYES = {5: ((0,), (1,)), 68: (tuple(range(36, 42)), tuple(range(42, 48)))}
"""Which of so many landmarks are the one eye's and which the other's."""


def of_single_objects(examples: DetectionExamples, found: Sequence[Detections]) -> dict[str, float | Estimate]:
    """What the surest detection of each image says of its object; nothing where an image has several objects.

    ``localization/iou`` is the mean IoU over images with an object, 0 where nothing was found. ``localization/correct`` is the
    share of images in which what was said is right: there is an object, and a score above 0.5, the right class and an IoU of at
    least 0.5; or there is none, and no such score. ``landmarks/nme`` is the mean distance of landmarks from where they are over
    the square root of the area of the object's box, and ``landmarks/nme@eyes`` over the distance of the eyes, if there are the
    5 or 68 landmarks of :class:`~likeness.research.data.detection.DrawnFaces`; both of images in which something was found.

    Args:
        examples: the images.
        found: in each of them.
    """
    if examples.most_boxes != 1 or examples.ignored.any():
        return {}
    there = np.diff(examples.starts) == 1
    sure = [int(each.confidence.argmax()) if len(each) else -1 for each in found]
    iou, right = np.zeros(len(found)), np.zeros(len(found), bool)
    for row, (best, each) in enumerate(zip(sure, found, strict=True)):
        seen = best >= 0 and each.confidence[best] > _SURE
        if there[row] and best >= 0:
            iou[row] = _iou(examples.boxes_of(row)[0], each.xyxy[best])
            right[row] = seen and iou[row] >= 0.5 and each.class_id[best] == examples.classes_of(row)[0]
        elif not there[row]:
            right[row] = not seen
    metrics: dict[str, float | Estimate] = {
        "localization/iou": _mean(iou[there]),
        "localization/correct": wilson(int(right.sum()), len(right)),
    }
    if examples.points is not None:
        metrics |= _landmarks(examples, found, there & np.array([best >= 0 for best in sure]), sure)
    return metrics


def _landmarks(
    examples: DetectionExamples, found: Sequence[Detections], some: Bool[np.ndarray, "n"], sure: Sequence[int]
) -> dict[str, Estimate]:
    rows = np.flatnonzero(some).tolist()
    marks = [found[row].landmarks for row in rows]
    if not rows or any(each is None for each in marks) or examples.points is None:
        return {"landmarks/nme": Estimate.unresolvable(0, "no landmarks were found")}
    said = np.stack([np.asarray(each)[sure[row]] for row, each in zip(rows, marks, strict=True)])
    true = examples.points[examples.starts[rows]]
    metrics = {"landmarks/nme": landmark_errors(said, true, box_sizes(examples.boxes[examples.starts[rows]])).nme}
    if (eyes := _EYES.get(true.shape[1])) is not None:
        metrics["landmarks/nme@eyes"] = landmark_errors(said, true, distance_between(true, *eyes)).nme
    return metrics


def _iou(a: Float[np.ndarray, "4"], b: Float[np.ndarray, "4"]) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    inner = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0).prod()
    union = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - inner
    return float(inner / union) if union > 0 else 0.0


def _mean(values: Float[np.ndarray, "n"]) -> Estimate:
    """With Student's interval."""
    n = len(values)
    if n < 2:
        return Estimate.unresolvable(n, "a mean needs two images for an interval")
    mean, reach = float(values.mean()), float(stdtrit(n - 1, 0.5 + CONFIDENCE / 2) * values.std(ddof=1) / np.sqrt(n))
    return Estimate.around(mean, (max(0.0, mean - reach), min(1.0, mean + reach)), n)
