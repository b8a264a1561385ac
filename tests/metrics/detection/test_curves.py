"""Precision, recall and F1 by score threshold, beside detectors that leave detections out."""

import numpy as np
import pytest
from detection_sets import random_coco

from likeness.research.metrics.detection import CocoEvaluator, GroundTruth, Predictions, coco_set, rates_at, score_curve
from likeness.research.metrics.detection.curves import ratio_of_images
from likeness.research.metrics.intervals import wilson


def evaluated(seed, keep=lambda scores: scores > -1):
    read = coco_set(*random_coco(seed, images=10, ignore=True))
    guesses = []
    for each in read.predictions:
        rows = keep(each.scores)
        guesses.append(Predictions(each.boxes[rows], each.scores[rows], each.classes[rows], format="xywh"))
    return CocoEvaluator(max_detections=(1000,))(read.truths, guesses, read.class_ids)


@pytest.mark.parametrize("seed", range(5))
def test_a_threshold_is_a_detector_that_leaves_those_below_out(seed):
    evaluation = evaluated(seed)
    for class_id in (None, int(evaluation.class_ids[np.argmax(evaluation.matches.positives[:, 0])])):
        curve = score_curve(evaluation, 0.5, class_id)
        assert np.all(np.diff(curve.thresholds) < 0)
        for threshold in (0.05, 0.3, 0.5, 0.9):
            kept = evaluated(seed, lambda scores, least=threshold: scores >= least)
            matches = kept.matches
            mine = (
                np.ones(len(matches.scores), bool) if class_id is None else matches.detections.classes == kept.place(class_id)
            )
            hits, counted = matches.hit[0, 0][mine].sum(), (~matches.ignored[0, 0])[mine].sum()
            expected = (hits / counted, hits / curve.positives, 2 * hits / (counted + curve.positives))
            assert curve.at(threshold) == pytest.approx(expected)
            rates = rates_at(evaluation, threshold, 0.5, class_id)
            assert [rates[name].value for name in ("precision", "recall", "f1")] == pytest.approx(expected)
            assert all(each.low <= each.value <= each.high for each in rates.values())
        best, f1 = curve.best
        assert f1 == max(curve.at(each)[2] for each in curve.thresholds) == curve.at(best)[2]


def test_scores_that_tie_are_kept_together():
    truth = GroundTruth(np.array([[0.0, 0, 10, 10]]), np.array([0]))
    guess = Predictions(np.array([[0.0, 0, 10, 10], [50, 0, 60, 10]]), np.array([0.5, 0.5]), np.array([0, 0]))
    curve = score_curve(CocoEvaluator()([truth], [guess]))
    assert curve.thresholds.tolist() == [0.5] and curve.precision.tolist() == [0.5] and curve.recall.tolist() == [1]
    assert curve.best == (0.5, pytest.approx(2 / 3))
    assert np.isnan(curve.at(0.6)[0]) and curve.at(0.6)[1:] == (0, 0)


def test_nothing_found_and_nothing_to_be_found():
    truth, empty = GroundTruth(np.array([[0.0, 0, 10, 10]]), np.array([4])), Predictions.none()
    evaluation = CocoEvaluator()([truth], [empty], np.array([4, 5]))
    assert score_curve(evaluation).best == (np.inf, 0) and len(score_curve(evaluation).thresholds) == 0
    rates = rates_at(evaluation, 0.5)
    assert not rates["precision"].resolved and rates["recall"].value == 0 and rates["f1"].value == 0
    with pytest.raises(ValueError, match="no truth of class 5"):
        score_curve(evaluation, class_id=5)
    with pytest.raises(ValueError, match=r"class 7 was not evaluated: there are \[4, 5\]"):
        score_curve(evaluation, class_id=7)
    with pytest.raises(ValueError, match="IoU threshold 0.4 was not measured: there are 0.5, 0.55"):
        rates_at(evaluation, 0.5, iou_threshold=0.4)


def test_a_ratio_of_images_is_no_surer_than_its_images():
    rng = np.random.default_rng(0)
    whole = rng.integers(0, 9, 60)
    part = np.where(rng.random(60) < 0.7, whole, 0)
    estimate = ratio_of_images(part, whole)
    alone = wilson(int(part.sum()), int(whole.sum()))
    assert estimate.value == pytest.approx(alone.value) and estimate.n == whole.sum()
    assert estimate.high - estimate.low > 1.5 * (alone.high - alone.low)
    assert not ratio_of_images(np.zeros(3), np.zeros(3)).resolved
