"""How well the landmarks of objects are found, where an image may have several of them."""

from collections.abc import Sequence

import numpy as np

from likeness.research.data.detection import DetectionExamples
from likeness.research.geometry.detections import Detections
from likeness.research.geometry.iou import pairwise
from likeness.research.metrics.detection.landmarks import box_sizes, landmark_errors
from likeness.research.metrics.intervals import Estimate

__all__ = ["of_found_landmarks"]

_SURE = 0.5
"""What scores more is taken to be there, and what overlaps an object with an IoU of as much is taken to be it."""


def of_found_landmarks(examples: DetectionExamples, found: Sequence[Detections]) -> dict[str, Estimate]:
    """``landmarks/nme``: the mean distance of landmarks over the square root of the area of the object's box, of objects that
    were found; nothing where the data have no landmarks.

    An object is found by a detection of a score above 0.5 and an IoU of at least 0.5: of several by the one that overlaps it
    most.

    Args:
        examples: the images.
        found: in each of them.
    """
    if examples.points is None:
        return {}
    said, true, boxes = [], [], []
    for row, each in enumerate(found):
        sure = each.confidence > _SURE
        own = examples.objects(row)
        if each.landmarks is None or not sure.any() or own.start == own.stop:
            continue
        overlap = np.asarray(pairwise(examples.boxes[own].astype(np.float64), each.xyxy[sure].astype(np.float64)))
        right = overlap.max(axis=1) >= _SURE
        said.append(each.landmarks[sure][overlap.argmax(axis=1)[right]])
        true.append(examples.points[own][right])
        boxes.append(examples.boxes[own][right])
    if not any(len(each) for each in said):
        return {"landmarks/nme": Estimate.unresolvable(0, "no landmarks were found")}
    errors = landmark_errors(np.concatenate(said), np.concatenate(true), box_sizes(np.concatenate(boxes)))
    return {"landmarks/nme": errors.nme}
