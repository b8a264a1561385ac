"""Scores that mean what they say have no more calibration error than chance, and others have as much as they were given."""

import numpy as np
import pytest

from likeness.research.metrics.detection import CocoEvaluator, GroundTruth, Predictions, reliability


def detector(rng, images, says=lambda p: p, each=8):
    """Detections that are right with a probability, and say a function of it."""
    truths, predictions = [], []
    for _ in range(images):
        p = rng.random(each)
        right = rng.random(each) < p
        boxes = np.array([[20.0 * i, 0, 20 * i + 10, 10] for i in range(each)])
        truths.append(GroundTruth(boxes[right], np.zeros(right.sum(), int)))
        predictions.append(Predictions(boxes, says(p), np.zeros(each, int)))
    return CocoEvaluator()(truths, predictions)


def test_scores_that_are_right_have_no_more_error_than_chance():
    found = reliability(detector(np.random.default_rng(0), 400))
    assert found.counts.sum() == 3200 and found.ece.n == 3200
    assert found.ece.value < 1.6 * found.chance and found.chance < 0.03
    held = [each.low <= c <= each.high for each, c in zip(found.precision, found.confidence, strict=True)]
    assert sum(held) >= 9


def test_an_error_is_found_as_large_as_it_is():
    found = reliability(detector(np.random.default_rng(1), 400, lambda p: np.sqrt(p)))
    # ∫ (√p - p) dp = 2/3 - 1/2
    assert found.ece.low < 1 / 6 < found.ece.high and found.ece.value > 5 * found.chance
    assert found.worst == pytest.approx(0.25, abs=0.04)


def test_by_hand():
    truth = GroundTruth(np.array([[0.0, 0, 10, 10]]), np.array([0]))
    boxes = np.array([[0.0, 0, 10, 10], [50, 0, 60, 10], [80, 0, 90, 10]])
    evaluation = CocoEvaluator()([truth], [Predictions(boxes, np.array([0.9, 0.85, 0.1]), np.zeros(3, int))])
    found = reliability(evaluation, bins=2)
    assert found.counts.tolist() == [1, 2] and found.confidence.tolist() == [0.1, 0.875]
    assert found.ece.value == pytest.approx(1 / 3 * 0.1 + 2 / 3 * 0.375) and found.worst == pytest.approx(0.375)
    assert reliability(evaluation, bins=2, score_threshold=0.5).ece.value == pytest.approx(0.375)
    # The edge belongs to the bin below, and 1 to the last.
    assert reliability(evaluation, bins=10).counts.tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 2, 0]


def test_bins_of_equal_count():
    evaluation = detector(np.random.default_rng(2), 50, lambda p: p**6)
    assert reliability(evaluation, binning="count", bins=4).counts.tolist() == [100] * 4
    assert reliability(evaluation, bins=4).counts.tolist() != [100] * 4


def test_of_one_class_and_of_none():
    truth = GroundTruth(np.array([[0.0, 0, 10, 10]]), np.array([3]))
    evaluation = CocoEvaluator()([truth], [Predictions(truth.boxes, np.array([0.7]), np.array([3]))], np.array([3, 4]))
    assert reliability(evaluation, class_id=3).ece.value == pytest.approx(0.3)
    nothing = reliability(evaluation, class_id=4)
    assert not nothing.ece.resolved and np.isnan(nothing.chance) and np.isnan(nothing.worst)


def test_scores_that_are_no_probabilities_are_refused():
    truth = GroundTruth(np.array([[0.0, 0, 10, 10]]), np.array([3]))
    evaluation = CocoEvaluator()([truth], [Predictions(truth.boxes, np.array([7.0]), np.array([3]))])
    with pytest.raises(ValueError, match="scores run from 7 to 7"):
        reliability(evaluation)
