"""VOC's average precision beside the development kit's loops, and an example that others worked by hand."""

import numpy as np
import pytest
from detection_sets import random_coco

from likeness.research.metrics.detection import AREAS, GroundTruth, Predictions, VocEvaluator, coco_set

# 7 images, each with truths and detections (score, x, y, width, height), of rafaelpadilla/Object-Detection-Metrics (MIT),
# samples/sample_2, whose README works them out for an IoU of 0.3.
TRUTHS = (
    ((25, 16, 38, 56), (129, 123, 41, 62)),
    ((123, 11, 43, 55), (38, 132, 59, 45)),
    ((16, 14, 35, 48), (123, 30, 49, 44), (99, 139, 47, 47)),
    ((53, 42, 40, 52), (154, 43, 31, 34)),
    ((59, 31, 44, 51), (48, 128, 34, 52)),
    ((36, 89, 52, 76), (62, 58, 44, 67)),
    ((28, 31, 55, 63), (58, 67, 50, 58)),
)
FOUND = (
    ((0.88, 5, 67, 31, 48), (0.70, 119, 111, 40, 67), (0.80, 124, 9, 49, 67)),
    ((0.71, 64, 111, 64, 58), (0.54, 26, 140, 60, 47), (0.74, 19, 18, 43, 35)),
    (
        (0.18, 109, 15, 77, 39),
        (0.67, 86, 63, 46, 45),
        (0.38, 160, 62, 36, 53),
        (0.91, 105, 131, 47, 47),
        (0.44, 18, 148, 40, 44),
    ),
    ((0.35, 83, 28, 28, 26), (0.78, 28, 68, 42, 67), (0.45, 87, 89, 25, 39), (0.14, 10, 155, 60, 26)),
    ((0.62, 50, 38, 28, 46), (0.44, 95, 11, 53, 28), (0.95, 29, 131, 72, 29), (0.23, 29, 163, 72, 29)),
    ((0.45, 43, 48, 74, 38), (0.84, 17, 155, 29, 35), (0.43, 95, 110, 25, 42)),
    ((0.48, 16, 20, 101, 88), (0.95, 33, 116, 37, 49)),
)
RIGHT_BY_SCORE = "R . J . . . . . . B . P E X . . . . . . . . G ."
"""Its table: a letter for each true positive, by falling score."""


def devkit(truths, predictions, class_id, threshold, eleven, inclusive):
    """VOCevaldet, by its rules, as plain loops."""
    extra = int(inclusive)
    detections = sorted(
        (
            (-score, image, box)
            for image, each in enumerate(predictions)
            for box, score, label in zip(each.boxes, each.scores, each.classes, strict=True)
            if label == class_id
        ),
        key=lambda each: each[0],
    )
    rows = [np.flatnonzero(each.classes == class_id) for each in truths]
    total = sum(int((~each.difficult[row]).sum()) for each, row in zip(truths, rows, strict=True))
    taken = [np.zeros(len(each), bool) for each in truths]
    tp, fp = np.zeros(len(detections)), np.zeros(len(detections))
    for place, (_, image, box) in enumerate(detections):
        best, which = -np.inf, None
        for row in rows[image]:
            other = truths[image].boxes[row]
            width = min(box[2], other[2]) - max(box[0], other[0]) + extra
            height = min(box[3], other[3]) - max(box[1], other[1]) + extra
            if width > 0 and height > 0:
                whole = (box[2] - box[0] + extra) * (box[3] - box[1] + extra)
                whole += (other[2] - other[0] + extra) * (other[3] - other[1] + extra) - width * height
                if width * height / whole > best:
                    best, which = width * height / whole, row
        if best >= threshold:
            if not truths[image].difficult[which]:
                tp[place], fp[place] = (0, 1) if taken[image][which] else (1, 0)
                taken[image][which] = True
        else:
            fp[place] = 1
    fp, tp = np.cumsum(fp), np.cumsum(tp)
    recall = tp / total
    with np.errstate(invalid="ignore"):
        precision = np.nan_to_num(tp / (fp + tp))
    if eleven:
        # 0:0.1:1 is filled from both of its ends.
        points = [0.1 * i for i in range(6)] + [1 - 0.1 * i for i in range(4, -1, -1)]
        return sum(max(precision[recall >= point], default=0) / 11 for point in points)
    recall, precision = np.concatenate([[0], recall, [1]]), np.concatenate([[0], precision, [0]])
    for i in range(len(precision) - 2, -1, -1):
        precision[i] = max(precision[i], precision[i + 1])
    steps = np.flatnonzero(recall[1:] != recall[:-1]) + 1
    return float(np.sum((recall[steps] - recall[steps - 1]) * precision[steps]))


def corners(seed):
    read = coco_set(*random_coco(seed, ignore=True))

    def turned(boxes):
        return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)

    truths = [GroundTruth(turned(each.boxes), each.classes, difficult=each.difficult) for each in read.truths]
    return truths, [Predictions(turned(each.boxes), each.scores, each.classes) for each in read.predictions], read.class_ids


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("eleven", [True, False])
@pytest.mark.parametrize("threshold", [0.5, 0.3, 0.75])
def test_equal_to_the_development_kit(threshold, eleven, inclusive):
    evaluator = VocEvaluator("11-point" if eleven else "all-point", threshold, "inclusive" if inclusive else "continuous")
    compared = 0
    for seed in range(12):
        truths, predictions, classes = corners(seed)
        evaluation = evaluator(truths, predictions, classes)
        for class_id, ap, total in zip(classes, evaluation.ap[:, 0], evaluation.positives[:, 0], strict=True):
            if total:
                expected = devkit(truths, predictions, class_id, threshold, eleven, inclusive)
                assert ap == pytest.approx(expected, abs=1e-12)
                compared += 1
            else:
                assert ap == -1
    assert compared > 40


@pytest.mark.parametrize(
    ("interpolation", "ap"),
    [
        # Its four areas and eleven points, of which it prints 24.56 % and 26.84 % after it has cut each to four digits.
        ("all-point", 1 / 15 + 1 / 15 * 2 / 3 + 4 / 15 * 3 / 7 + 1 / 15 * 7 / 23),
        ("11-point", (1 + 2 / 3 + 3 * 3 / 7) / 11),
    ],
)
def test_an_example_that_was_worked_by_hand(interpolation, ap):
    """15 truths, 24 detections, seven of them right."""
    truths = [GroundTruth(np.array(each, float), np.zeros(len(each), int), format="xywh") for each in TRUTHS]
    guesses = []
    for each in FOUND:
        table = np.array(each, float)
        guesses.append(Predictions(table[:, 1:], table[:, 0], np.zeros(len(table), int), format="xywh"))
    evaluation = VocEvaluator(interpolation, 0.3, "inclusive")(truths, guesses)
    curve = evaluation.curves[0][0]
    assert evaluation.positives.tolist() == [[15]] and len(curve.recall) == 24
    assert (np.diff(curve.recall, prepend=0) > 0).tolist() == [letter != "." for letter in RIGHT_BY_SCORE.split()]
    assert evaluation.mean_ap == pytest.approx(ap, abs=1e-12)


def test_three_in_ten_is_below_the_kits_fourth_recall():
    boxes = np.array([[20.0 * i, 0, 20 * i + 10, 10] for i in range(10)])
    truth = GroundTruth(boxes, np.zeros(10, int))
    for count, points in ((2, 3), (3, 3), (4, 5), (6, 7), (7, 8), (10, 11)):
        guess = Predictions(boxes[:count], np.linspace(1, 0.5, count), np.zeros(count, int))
        assert VocEvaluator("11-point")([truth], [guess]).mean_ap == pytest.approx(points / 11)


def test_a_second_detection_of_an_object_is_wrong_even_if_another_is_free():
    """COCO lets it take the other."""
    truth = GroundTruth(np.array([[0.0, 0, 10, 10], [2, 0, 12, 10]]), np.array([0, 0]))
    guess = Predictions(np.array([[0.0, 0, 10, 10], [0, 0, 10, 9.5]]), np.array([0.9, 0.8]), np.array([0, 0]))
    assert VocEvaluator()([truth], [guess]).curves[0][0].precision.tolist() == [1, 0.5]


def test_a_difficult_object_counts_neither_way():
    truth = GroundTruth(np.array([[0.0, 0, 10, 10], [50, 50, 60, 60]]), np.array([0, 0]), difficult=np.array([False, True]))
    hard = np.array([[50.0, 50, 60, 60], [50, 50, 60, 61]])
    guess = Predictions(np.concatenate([hard, [[0.0, 0, 10, 10]]]), np.array([0.9, 0.8, 0.7]), np.zeros(3, int))
    evaluation = VocEvaluator()([truth], [guess])
    assert evaluation.mean_ap == 1 and evaluation.positives.tolist() == [[1]] and len(evaluation.curves[0][0].scores) == 1


def test_per_class_and_per_size():
    """bes-dev/mean_average_precision#23: a class that is nowhere counts in no mean."""
    boxes = np.array([[0.0, 0, 10, 10], [100, 100, 250, 250], [300, 0, 310, 10]])
    truth = GroundTruth(boxes, np.array([0, 0, 1]))
    guess = Predictions(boxes[:2], np.array([0.9, 0.8]), np.array([0, 0]))
    evaluation = VocEvaluator(areas=AREAS)([truth], [guess], np.array([0, 1, 7]))
    assert evaluation.per_class() == {0: 1, 1: 0, 7: -1} and evaluation.mean_ap == 0.5
    assert evaluation.per_size() == {"all": 0.5, "small": 0.5, "medium": -1, "large": 1}
    assert evaluation.per_class(3) == {0: 1, 1: -1, 7: -1}


def test_nothing_found_and_nothing_there():
    nothing, empty = GroundTruth(np.empty((0, 4)), np.empty(0, int)), Predictions.none()
    assert VocEvaluator()([nothing], [empty]).mean_ap == -1
    there = GroundTruth(np.array([[0.0, 0, 9, 9]]), np.array([3]))
    assert VocEvaluator()([there], [empty]).mean_ap == 0
    assert (
        VocEvaluator("11-point")([nothing, there], [Predictions(there.boxes, np.array([1.0]), np.array([3])), empty]).mean_ap
        == 0
    )


@pytest.mark.parametrize("fields", [{"iou_threshold": 0.0}, {"iou_threshold": 1.5}, {"areas": ()}])
def test_what_makes_no_sense_is_refused(fields):
    with pytest.raises(ValueError, match="VocEvaluator"):
        VocEvaluator(**fields)
