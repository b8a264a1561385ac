"""Recall of proposals beside a loop, and beside COCO's AR."""

import coco_oracle
import numpy as np
import pytest
from detection_sets import random_coco

from likeness.research.metrics.detection import CocoEvaluator, GroundTruth, Predictions, coco_set, proposal_recall


@pytest.mark.parametrize("seed", range(6))
def test_average_recall_is_cocos(seed):
    read = coco_set(*random_coco(seed, ignore=True))
    recall = proposal_recall(read.truths, read.predictions, (1, 5, 40))
    evaluation = CocoEvaluator(max_detections=(1, 5, 40), class_agnostic=True)(read.truths, read.predictions)
    np.testing.assert_allclose(recall.recall, evaluation.recall[:, 0, 0, :].T, atol=1e-12)
    for k in (1, 5, 40):
        estimate = recall.average[k]
        assert estimate.value == pytest.approx(evaluation.numbers[f"AR@{k}"], abs=1e-12)
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
        assert recall.at_half[k].value == pytest.approx(evaluation.recall[0, 0, 0, (1, 5, 40).index(k)])
    assert np.all(np.diff(recall.recall, axis=0) >= 0)


def test_recall_beside_a_loop():
    rng = np.random.default_rng(0)
    truths, proposals = [], []
    for _ in range(8):
        corner = rng.integers(0, 60, (4, 2)) * 1.0
        truths.append(GroundTruth(np.concatenate([corner, corner + 20], axis=1), rng.integers(0, 3, 4)))
        near = np.tile(corner, (5, 1)) + rng.normal(0, 6, (20, 2))
        proposals.append(Predictions(np.concatenate([near, near + 20], axis=1), rng.random(20), np.zeros(20, int)))
    recall = proposal_recall(truths, proposals, (3, 20), (0.3, 0.7))
    for t, threshold in enumerate((0.3, 0.7)):
        for k, most in enumerate((3, 20)):
            hits = 0
            for truth, proposal in zip(truths, proposals, strict=True):
                order = np.argsort(-proposal.scores)[:most]
                said, _ = coco_oracle.outcomes(
                    [([*b[:2], *(b[2:] - b[:2])], 400, False, False) for b in truth.boxes],
                    [
                        ([*proposal.boxes[i, :2], *(proposal.boxes[i, 2:] - proposal.boxes[i, :2])], proposal.scores[i])
                        for i in order
                    ],
                    threshold,
                    0,
                    1e10,
                )
                hits += sum(outcome > 0 for _, outcome in said)
            assert recall.recall[k, t] == hits / 32


def test_nothing_to_be_found():
    recall = proposal_recall([GroundTruth(np.empty((0, 4)), np.empty(0, int))], [Predictions.none()])
    assert not recall.average[100].resolved and np.isnan(recall.recall).all()


@pytest.mark.parametrize(
    "fields", [{"ks": (0,)}, {"iou_thresholds": (0.5, 0.5)}, {"iou_thresholds": ()}, {"iou_thresholds": (0.5, 2.0)}]
)
def test_what_makes_no_sense_is_refused(fields):
    with pytest.raises(ValueError, match="proposal_recall"):
        proposal_recall([GroundTruth(np.empty((0, 4)), np.empty(0, int))], [Predictions.none()], **fields)
