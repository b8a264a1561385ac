"""Kinds of error beside plain loops, and their gains beside mended predictions that are evaluated anew."""

import coco_oracle
import numpy as np
import pytest
from detection_sets import random_coco

from likeness.research.metrics.detection import CocoEvaluator, GroundTruth, Predictions, coco_set, error_shares
from likeness.research.metrics.detection.errors import KINDS

HALF = CocoEvaluator(iou_thresholds=(0.5,), max_detections=(10_000,))


def one(boxes, classes=None, **fields):
    boxes = np.array(boxes, np.float64).reshape(-1, 4)
    return GroundTruth(boxes, np.zeros(len(boxes), int) if classes is None else np.array(classes, int), **fields)


def found(boxes, classes=None, scores=None):
    boxes = np.array(boxes, np.float64).reshape(-1, 4)
    scores = np.linspace(0.9, 0.5, len(boxes)) if scores is None else np.array(scores)
    return Predictions(boxes, scores, np.zeros(len(boxes), int) if classes is None else np.array(classes, int))


def kind_by_loops(shares, row):
    """By TIDE's definitions, of one detection that is wrong."""
    detections, truths = shares.matches.detections, shares.matches.truths
    box = [*detections.corners[row, :2], *detections.sides[row]]
    own = other = 0.0
    for m in range(len(truths)):
        if truths.image[m] == detections.image[row] and shares.matches.counts[0, m]:
            iou = coco_oracle.overlap(box, [*truths.corners[m, :2], *truths.sides[m]], crowd=False)
            if truths.classes[m] == detections.classes[row]:
                own = max(own, iou)
            else:
                other = max(other, iou)
    if 0.1 <= own < 0.5:
        return "localization"
    if other >= 0.5:
        return "classification"
    if own >= 0.5:
        return "duplicate"
    return "background" if max(own, other) < 0.1 else "both"


def mended(read, shares, kind):
    """Truths and predictions in which one kind is mended, for an evaluator that knows nothing of kinds."""
    matches = shares.matches
    truths, rows = [], [[] for _ in read.truths]
    code = KINDS.index(kind)
    wrong = np.flatnonzero(shares.kinds == code)
    best: dict[int, int] = {}
    open_ = matches.counts[0].copy()
    open_[matches.matched[0, 0][matches.hit[0, 0]]] = False
    for row in wrong[np.argsort(-matches.scores[wrong], kind="stable")]:
        box = [*matches.detections.corners[row, :2], *matches.detections.sides[row]]
        ious = []
        for m in range(len(matches.truths)):
            same = matches.truths.classes[m] == matches.detections.classes[row]
            near = matches.truths.image[m] == matches.detections.image[row] and matches.counts[0, m]
            if near and (kind == "localization") == same:
                there = [*matches.truths.corners[m, :2], *matches.truths.sides[m]]
                ious.append((coco_oracle.overlap(box, there, crowd=False), m))
        if ious and kind in ("localization", "classification") and open_[max(ious)[1]]:
            best.setdefault(max(ious)[1], int(row))
    target = {row: truth for truth, row in best.items()}
    for row in range(len(matches.scores)):
        if shares.kinds[row] == code and row not in target:
            continue
        corners, label = matches.detections.corners[row], matches.detections.classes[row]
        if row in target:
            # On its truth to the bit, so that nothing else can take its place.
            corners, label = matches.truths.corners[target[row]], matches.truths.classes[target[row]]
        rows[matches.detections.image[row]].append((corners, matches.scores[row], read.class_ids[label]))
    gone = np.zeros(len(matches.truths), bool) if kind != "missed" else shares.missed
    for image, truth in enumerate(read.truths):
        keep = np.ones(len(truth), bool)
        keep[matches.truth_rows[gone & (matches.truths.image == image)]] = False
        boxes = np.concatenate([truth.boxes[:, :2], truth.boxes[:, :2] + truth.boxes[:, 2:]], axis=1)
        truths.append(GroundTruth(boxes[keep], truth.classes[keep], truth.crowd[keep], truth.difficult[keep]))
    predictions = [
        Predictions(np.array([r[0] for r in image]), np.array([r[1] for r in image]), np.array([r[2] for r in image]))
        if image
        else Predictions.none()
        for image in rows
    ]
    return truths, predictions


def sparse(seed):
    """Objects apart from one another, so that a mended box finds its own truth and no other."""
    rng = np.random.default_rng(seed)
    truths, predictions = [], []
    for _ in range(12):
        n = rng.integers(0, 7)
        corner = np.stack([rng.permutation(9)[:n] * 100, rng.integers(0, 3, n) * 100], axis=1) + 10.0
        boxes = np.concatenate([corner, corner + rng.integers(20, 60, (n, 2))], axis=1)
        classes = rng.integers(0, 3, n)
        truths.append(one(boxes, classes, difficult=rng.random(n) < 0.1))
        some = rng.integers(0, n, rng.integers(0, 16)) if n else np.empty(0, int)
        shift = rng.choice([0.0, 3, 12, 25, 55], (len(some), 1)) * rng.choice([-1, 1], (len(some), 2))
        near = boxes[some] + np.tile(shift, 2)
        said = np.where(rng.random(len(some)) < 0.7, classes[some], rng.integers(0, 3, len(some)))
        predictions.append(found(near, said, rng.permutation(len(some)) / 20 + rng.random() / 100))
    return truths, predictions


@pytest.mark.parametrize("seed", range(8))
def test_kinds_are_those_of_plain_loops(seed):
    read = coco_set(*random_coco(seed, images=8, ignore=True))
    shares = error_shares(read.truths, read.predictions, read.class_ids)
    wrong = ~shares.matches.hit[0, 0] & ~shares.matches.ignored[0, 0]
    assert np.array_equal(shares.kinds >= 0, wrong)
    for row in np.flatnonzero(wrong):
        assert KINDS[shares.kinds[row]] == kind_by_loops(shares, row)
    assert sum(shares.counts[kind] for kind in KINDS[:5]) == wrong.sum()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", KINDS)
def test_gains_are_those_of_mended_predictions(seed, kind):
    truths, predictions = sparse(seed)
    classes = np.arange(3)
    shares = error_shares(truths, predictions, classes)
    assert shares.ap == pytest.approx(HALF(truths, predictions, classes).numbers["AP"], abs=1e-12)

    class Read:
        class_ids = classes

    Read.truths = [
        GroundTruth(
            np.concatenate([each.boxes[:, :2], each.boxes[:, 2:] - each.boxes[:, :2]], axis=1),
            each.classes,
            each.crowd,
            each.difficult,
            format="xywh",
        )
        for each in truths
    ]
    again = HALF(*mended(Read, shares, kind), classes).numbers["AP"]
    assert shares.gains[kind] == pytest.approx(again - shares.ap, abs=1e-12)
    assert shares.gains[kind] >= -1e-12


def test_each_kind_once():
    truth = one([[0, 0, 10, 10], [100, 0, 110, 10], [200, 0, 210, 10], [300, 0, 310, 10], [400, 0, 410, 10]], [0, 0, 0, 1, 0])
    guess = found(
        [
            [0, 0, 10, 10],  # right
            [0, 0, 10, 9],  # the same again
            [100, 0, 110, 4],  # a poor box
            [300, 0, 310, 10],  # the wrong class
            [304, 0, 320, 10],  # the wrong class and a poor box
            [600, 0, 610, 10],  # nothing there
        ]
    )
    shares = error_shares([truth], [guess])
    assert shares.counts == dict(zip(KINDS, (1, 1, 1, 1, 1, 2), strict=True))
    # The truths at 200 and 400; that at 100 has a box that could be mended, and that of class 1 a detection.
    assert shares.missed.tolist() == [False, False, True, True, False]
    assert shares.text().splitlines()[0] == f"AP {shares.ap:.3f}" and len(shares.text().splitlines()) == 7


@pytest.mark.parametrize("count", [3, 150])
def test_truth_given_as_prediction_leaves_no_error(count):
    """dbolya/tide#40: there it showed missed truths."""
    boxes = [[30 * i, 0, 30 * i + 20, 20] for i in range(count)]
    truth = one([*boxes, [0, 50, 20, 70]], [0] * count + [1], crowd=np.arange(count + 1) == count)
    shares = error_shares([truth, one([])], [found(truth.boxes, truth.classes), Predictions.none()])
    assert set(shares.counts.values()) == {0}
    assert list(shares.gains.values()) == pytest.approx([0] * 6) and shares.ap == pytest.approx(1)
    assert shares.false_positives == pytest.approx(0) and shares.false_negatives == pytest.approx(0)


def test_everything_that_is_not_found_is_missed():
    shares = error_shares([one([[0, 0, 10, 10], [20, 0, 30, 10]])], [found([[0, 0, 10, 10]])])
    assert shares.counts["missed"] == 1 and shares.gains["missed"] == pytest.approx(1 - 51 / 101)
    assert shares.false_negatives == shares.gains["missed"]
    nothing = error_shares([one([[0, 0, 10, 10]])], [Predictions.none()])
    assert nothing.ap == 0 and nothing.gains["missed"] == nothing.false_negatives == 1
    empty = error_shares([one([])], [found([[0, 0, 1, 1]])])
    assert empty.ap == -1 and empty.false_negatives == 0


@pytest.mark.parametrize("fields", [{"background": 0.6}, {"iou_threshold": 1.5}, {"max_detections": 0}])
def test_what_makes_no_sense_is_refused(fields):
    with pytest.raises(ValueError, match="error_shares"):
        error_shares([one([])], [Predictions.none()], **fields)
