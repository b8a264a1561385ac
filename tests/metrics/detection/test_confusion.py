"""Each detection and each truth stands in one cell of the confusion matrix."""

import numpy as np
import pytest
from detection_sets import random_coco

from likeness.research.metrics.detection import CocoEvaluator, GroundTruth, Predictions, coco_set, confusion_matrix


def one(boxes, classes, **fields):
    return GroundTruth(np.array(boxes, np.float64).reshape(-1, 4), np.array(classes, int), **fields)


def found(boxes, classes, scores=None):
    scores = np.linspace(0.9, 0.5, len(boxes)) if scores is None else np.array(scores)
    return Predictions(np.array(boxes, np.float64).reshape(-1, 4), scores, np.array(classes, int))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("score_threshold", [0.0, 0.45])
def test_rows_and_columns_add_up(seed, score_threshold):
    """mmdetection#10631: nothing is counted twice. ultralytics#18407: nothing is lost."""
    read = coco_set(*random_coco(seed, ignore=True))
    matrix = confusion_matrix(read.truths, read.predictions, read.class_ids, 0.5, score_threshold)
    labels = np.concatenate([each.classes[~each.crowd & ~each.difficult] for each in read.truths])
    assert matrix.counts[:-1].sum(axis=1).tolist() == [int((labels == k).sum()) for k in read.class_ids]
    detections = sum(int((each.scores >= score_threshold).sum()) for each in read.predictions)
    assert matrix.counts[:, :-1].sum() + matrix.ignored == detections
    assert matrix.counts[-1, -1] == 0


@pytest.mark.parametrize("seed", range(4))
def test_the_diagonal_counts_cocos_true_positives(seed):
    read = coco_set(*random_coco(seed, ignore=True))
    evaluation = CocoEvaluator(max_detections=(1000,))(read.truths, read.predictions, read.class_ids)
    hits = evaluation.matches.hit[0, 0]
    right = np.bincount(evaluation.matches.detections.classes[hits], minlength=len(read.class_ids))
    counts = confusion_matrix(read.truths, read.predictions, read.class_ids).counts
    assert np.diag(counts)[:-1].tolist() == right.tolist()


def test_a_better_box_of_a_wrong_class_takes_nothing_from_the_right_one():
    """supervision#1853: two right and one wrong detection were counted as one right, two wrong and one missed."""
    truth = one([[0, 0, 10, 10], [50, 0, 60, 10]], [0, 1])
    guess = found([[0, 0, 10, 10], [0, 0, 10, 8], [50, 0, 60, 10]], [1, 0, 1])
    matrix = confusion_matrix([truth], [guess])
    assert matrix.counts.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]


def test_a_confusion_is_neither_missed_nor_background():
    """supervision#1619, mmdetection#10631: one detection is not two mistakes."""
    matrix = confusion_matrix([one([[0, 0, 10, 10]], [0])], [found([[0, 0, 10, 9]], [1])])
    assert matrix.counts.tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]


def test_a_detection_that_overlaps_nothing_is_background():
    """ultralytics#18407: with an IoU of 0 the truth was missed and the detection was nowhere."""
    matrix = confusion_matrix([one([[0, 0, 10, 10]], [0])], [found([[50, 50, 60, 60]], [0])])
    assert matrix.counts.tolist() == [[0, 1], [1, 0]] and matrix.missed.tolist() == [1] and matrix.background.tolist() == [1]


def test_crowds_and_difficult_truths_count_nowhere():
    """ultralytics#17270, #24637: who finds a crowd is no false positive."""
    truth = one([[0, 0, 100, 100], [200, 0, 220, 20]], [0, 0], crowd=np.array([True, False]), difficult=np.array([False, True]))
    guess = found([[0, 0, 10, 10], [20, 20, 30, 30], [200, 0, 220, 20]], [0, 0, 0])
    matrix = confusion_matrix([truth], [guess])
    assert matrix.counts.tolist() == [[0, 0], [0, 0]] and matrix.ignored == 3


def test_images_without_truth_or_without_predictions_count():
    """supervision#1836."""
    truths, guesses = [one([], []), one([[0, 0, 10, 10]], [4])], [found([[0, 0, 10, 10]], [4]), Predictions.none()]
    assert confusion_matrix(truths, guesses).counts.tolist() == [[0, 1], [1, 0]]


def test_pairs_of_other_classes_that_overlap_most_come_first():
    truth = one([[0, 0, 10, 10], [0, 0, 10, 7]], [0, 1])
    matrix = confusion_matrix([truth], [found([[0, 0, 10, 9], [0, 0, 10, 7]], [2, 3], [0.9, 0.1])], np.arange(4))
    assert matrix.counts[0, 2] == 1 and matrix.counts[1, 3] == 1


def test_shares_and_thresholds():
    truth = one([[0, 0, 10, 10], [20, 0, 30, 10]], [0, 0])
    guess = found([[0, 0, 10, 10], [20, 0, 30, 10]], [0, 0], [0.9, 0.2])
    matrix = confusion_matrix([truth], [guess], np.array([0, 1]), score_threshold=0.5)
    np.testing.assert_array_equal(matrix.shares(), [[0.5, 0, 0.5], [np.nan] * 3])
    for wrong in ({"iou_threshold": 0.0}, {"score_threshold": float("nan")}):
        with pytest.raises(ValueError, match="confusion_matrix"):
            confusion_matrix([truth], [guess], **wrong)
