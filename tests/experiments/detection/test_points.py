"""Landmarks of the objects that were found."""

import numpy as np
import pytest

from likeness.experiments.detection.points import of_found_landmarks
from likeness.research.data.detection import FaceScenes, Shapes
from likeness.research.geometry.detections import Detections

EXAMPLES = FaceScenes(train=1, validation=1, test=30).open().select(np.arange(2, 32))


def found_in(examples, *, off=(0.0, 0.0), score=0.9):
    """What is there, with every landmark a little beside its place."""
    return [
        Detections(
            xyxy=examples.boxes[examples.objects(row)],
            confidence=np.full(len(examples.boxes_of(row)), score, np.float32),
            class_id=examples.classes_of(row),
            class_names=examples.class_names,
            landmarks=examples.points[examples.objects(row)] + np.float32(off),
        )
        for row in range(len(examples))
    ]


def test_the_error_is_in_sides_of_each_face():
    sides = np.sqrt(np.prod(EXAMPLES.boxes[:, 2:] - EXAMPLES.boxes[:, :2], axis=1))
    error = of_found_landmarks(EXAMPLES, found_in(EXAMPLES, off=(3.0, 4.0)))["landmarks/nme"]
    assert error.value == pytest.approx(float((5 / sides).mean()), rel=1e-5)
    assert error.n == len(EXAMPLES.boxes)


def test_what_is_not_found_does_not_count():
    found = found_in(EXAMPLES)
    first = next(row for row in range(len(EXAMPLES)) if len(found[row]) > 1)
    # A face found beside its place, one not at all, and a false one whose landmarks are far away.
    kept = found[first][1:]
    beside = Detections(
        xyxy=np.concatenate([kept.xyxy, [[0.0, 0.0, 3.0, 3.0]]]),
        confidence=np.append(kept.confidence, 0.99),
        class_id=np.append(kept.class_id, 0),
        class_names=EXAMPLES.class_names,
        landmarks=np.concatenate([kept.landmarks, np.full((1, 5, 2), 1000.0)]),
    )
    found[first] = beside
    error = of_found_landmarks(EXAMPLES, found)["landmarks/nme"]
    assert error.value == 0.0
    assert error.n == len(EXAMPLES.boxes) - 1


def test_nothing_is_said_where_there_is_nothing():
    assert not of_found_landmarks(EXAMPLES, found_in(EXAMPLES, score=0.3))["landmarks/nme"].resolved
    shapes = Shapes(train=1, validation=1, test=1).open()
    assert of_found_landmarks(shapes, [Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))] * 3) == {}
