"""COCO's numbers: equal to pycocotools to the bit, to loops written from the rules, and where both are wrong, right."""

import contextlib
import copy
import io
import json

import coco_oracle
import numpy as np
import pytest
from detection_sets import random_coco

from likeness.research.metrics.detection import (
    AREAS,
    AreaRange,
    CocoEvaluator,
    GroundTruth,
    Predictions,
    coco_set,
    evaluate_coco,
)

NUMBERS = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR@1", "AR@10", "AR@100", "ARs", "ARm", "ARl"]
TABLES = ("precision", "recall", "scores")


def pycocotools(annotations, detections, max_detections=(1, 10, 100), agnostic=False, ious=None, summarize=True):
    """What pycocotools says; it writes into what it is given."""
    coco, cocoeval = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO()
        truth.dataset = copy.deepcopy(annotations)
        truth.createIndex()
        evaluation = cocoeval.COCOeval(truth, truth.loadRes(copy.deepcopy(detections)), "bbox")
        evaluation.params.maxDets = list(max_detections)
        evaluation.params.useCats = int(not agnostic)
        if ious is not None:
            evaluation.params.iouThrs = np.array(ious)
        evaluation.evaluate()
        evaluation.accumulate()
        if summarize:
            evaluation.summarize()
    return evaluation


def assert_equal(ours, theirs, numbers=True):
    for name in TABLES:
        np.testing.assert_array_equal(getattr(ours, name), theirs.eval[name])
    if numbers:
        np.testing.assert_array_equal(list(ours.numbers.values()), theirs.stats)


ONE = pytest.approx(1, abs=1e-15)
"""COCO adds 2⁻⁵² to the number of detections, so that the precision of a first one is not 1."""


def one(boxes, classes=None, **fields):
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    return GroundTruth(boxes, np.zeros(len(boxes), int) if classes is None else np.array(classes, int), **fields)


def found(boxes, scores=None, classes=None, **fields):
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    scores = np.linspace(0.9, 0.5, len(boxes)) if scores is None else np.array(scores, np.float64)
    return Predictions(boxes, scores, np.zeros(len(boxes), int) if classes is None else np.array(classes, int), **fields)


@pytest.mark.parametrize("seed", range(100))
def test_equal_to_pycocotools_to_the_bit(seed):
    annotations, detections = random_coco(seed)
    assert_equal(evaluate_coco(annotations, detections), pycocotools(annotations, detections))


@pytest.mark.parametrize("seed", range(20))
def test_equal_in_its_faults_where_asked_for(seed):
    """An id of 0, difficult truths, and AP that is looked up under 100 detections."""
    annotations, detections = random_coco(200 + seed, ids_from=0, ignore=True)
    for most in ((1, 10, 100), (2, 3, 50)):
        ours = evaluate_coco(annotations, detections, CocoEvaluator(max_detections=most, reading="pycocotools"))
        assert_equal(ours, pycocotools(annotations, detections, most))
        assert not any("pycocotools" in note for note in ours.notes)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("most", [(1, 10, 100), (1, 3, 7), (5, 40, 300)])
@pytest.mark.parametrize("agnostic", [False, True])
def test_equal_for_any_number_of_detections_and_without_classes(seed, most, agnostic):
    annotations, detections = random_coco(300 + seed, images=6, most=30)
    ours = evaluate_coco(annotations, detections, CocoEvaluator(max_detections=most, class_agnostic=agnostic))
    assert_equal(ours, pycocotools(annotations, detections, most, agnostic), numbers=100 in most)


@pytest.mark.parametrize("most", [(100,), (3, 7), (1, 2, 5, 9)])
@pytest.mark.parametrize("ious", [(0.5,), (0.1, 0.75, 1.0), (0.3, 0.5)])
def test_equal_for_other_thresholds_and_fewer_or_more_numbers(most, ious):
    annotations, detections = random_coco(7)
    ours = evaluate_coco(annotations, detections, CocoEvaluator(iou_thresholds=ious, max_detections=most))
    assert_equal(ours, pycocotools(annotations, detections, most, ious=ious, summarize=False), numbers=False)


@pytest.mark.data
def test_equal_to_pycocotools_on_real_annotations(real_data):
    """100 images of COCO with nine crowds, and the official made-up results."""
    folder = real_data / "coco_sample"
    annotations = json.loads((folder / "instances_val2014_100.json").read_text())
    detections = json.loads((folder / "fakebbox100_results.json").read_text())
    ours = evaluate_coco(annotations, detections)
    printed = ".505 .697 .573 .586 .519 .501 .387 .594 .595 .640 .566 .564"
    assert [f"{value:.3f}".lstrip("0") for value in ours.numbers.values()] == printed.split()
    assert list(ours.numbers.values())[:3] == [0.5045806987249628, 0.6969727247299577, 0.5729816669904824]
    assert not ours.notes
    for agnostic in (False, True):
        evaluated = evaluate_coco(annotations, detections, CocoEvaluator(class_agnostic=agnostic))
        assert_equal(evaluated, pycocotools(annotations, detections, agnostic=agnostic))


@pytest.mark.parametrize("seed", range(8))
def test_equal_to_loops_written_from_the_rules(seed):
    """With difficult truths and an id of 0, of which pycocotools is no oracle."""
    annotations, detections = random_coco(400 + seed, images=7, most=8, ids_from=0, ignore=True)
    read = coco_set(annotations, detections)
    ours = CocoEvaluator()(read.truths, read.predictions, read.class_ids)
    images = [
        (
            list(zip(truth.classes, truth.boxes.tolist(), truth.areas, truth.crowd, truth.difficult, strict=True)),
            list(zip(guess.classes, guess.boxes.tolist(), guess.scores, strict=True)),
        )
        for truth, guess in zip(read.truths, read.predictions, strict=True)
    ]
    tables = coco_oracle.evaluate(images, read.class_ids.tolist())
    for t, threshold in enumerate(coco_oracle.IOUS):
        for k, class_id in enumerate(read.class_ids.tolist()):
            for a, area in enumerate(coco_oracle.AREAS):
                if (threshold, class_id, area) in tables:
                    precision, recall = tables[threshold, class_id, area]
                    np.testing.assert_allclose(ours.precision[t, :, k, a, -1], precision, rtol=0, atol=1e-12)
                    assert ours.recall[t, k, a, -1] == recall
                else:
                    assert np.all(ours.precision[t, :, k, a] == -1) and np.all(ours.recall[t, k, a] == -1)


def test_corners_and_sides_say_the_same():
    annotations, detections = random_coco(3)
    read = coco_set(annotations, detections)

    def corners(boxes):
        return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)

    truths = [GroundTruth(corners(t.boxes), t.classes, t.crowd, t.difficult, t.areas, format="xyxy") for t in read.truths]
    predictions = [Predictions(corners(p.boxes), p.scores, p.classes) for p in read.predictions]
    first = CocoEvaluator()(read.truths, read.predictions, read.class_ids).numbers
    second = CocoEvaluator()(truths, predictions, read.class_ids).numbers
    np.testing.assert_allclose(list(first.values()), list(second.values()), atol=1e-2)


def test_of_equal_overlaps_the_later_truth_is_taken():
    """The first detection takes the second of two equal truths, so that the other stays for one that fits the first only."""
    first, second = [0, 0, 10, 10], [4, 0, 14, 10]
    middle, left = [2, 0, 12, 10], [0, 0, 9, 10]
    evaluator = CocoEvaluator(iou_thresholds=(0.5,))
    assert evaluator([one([first, second])], [found([middle, left])]).numbers["AP"] == ONE
    # Written the other way around, the first takes what the second needs.
    assert evaluator([one([second, first])], [found([middle, left])]).numbers["AR@100"] == 0.5


def test_both_ends_of_an_area_range_belong_to_it():
    numbers = CocoEvaluator()([one([[0, 0, 32, 32]])], [found([[0, 0, 32, 32]])]).numbers
    assert (numbers["APs"], numbers["APm"], numbers["APl"]) == (ONE, ONE, -1)


def test_a_crowd_may_be_found_many_times_and_need_not_be():
    """ultralytics#17270: who finds a crowd is no false positive."""
    truth = one([[0, 0, 10, 10], [50, 50, 90, 90]], crowd=np.array([False, True]))
    inside = [[50, 50, 60, 60], [60, 60, 70, 70], [80, 80, 90, 90]]
    evaluation = CocoEvaluator()([truth], [found([*inside, [0, 0, 10, 10]])])
    assert evaluation.numbers["AP"] == ONE and evaluation.numbers["AR@1"] == 0.0
    assert evaluation.matches.ignored[0, :, :3].all()
    assert CocoEvaluator()([truth], [found([[0, 0, 10, 10]])]).numbers["AP"] == ONE


def test_a_free_truth_is_preferred_to_a_crowd_that_fits_better():
    truth = one([[0, 0, 10, 10], [0, 0, 20, 20]], crowd=np.array([False, True]))
    assert CocoEvaluator(iou_thresholds=(0.5,))([truth], [found([[0, 0, 10, 8]])]).numbers["AP"] == ONE


def test_truth_without_predictions_counts_nothing_found():
    """torchmetrics#794: 0, and not -1."""
    numbers = CocoEvaluator()([one([[0, 0, 50, 50]])], [Predictions.none()]).numbers
    assert numbers["AP"] == 0 and numbers["AR@100"] == 0 and numbers["APm"] == 0 and numbers["APs"] == -1


def test_recalls_that_are_never_reached_count_zero():
    """cocoapi#683 expects 1 where two of three objects are found, exactly and by sure detections alone: 67 of the 101 recalls,
    0 to .66, are reached, and AP is the area under the whole curve. AP is not the precision of what was found."""
    boxes = [[0, 0, 20, 20], [30, 30, 60, 60], [100, 100, 140, 140]]
    numbers = CocoEvaluator()([one(boxes)], [found(boxes[:2])]).numbers
    assert numbers["AP"] == numbers["AP50"] == pytest.approx(67 / 101) and numbers["AR@100"] == pytest.approx(2 / 3)


def test_a_class_only_predicted_is_told_by_minus_one_and_counts_in_no_mean():
    """torchmetrics#1184, bes-dev/mean_average_precision#23: absent classes count neither as 0 nor as 1."""
    truth = one([[0, 0, 20, 20], [30, 30, 50, 50]], [0, 1])
    guess = found([[0, 0, 20, 20], [30, 30, 50, 50], [70, 70, 90, 90], [100, 100, 120, 120]], [0.6] * 4, [0, 1, 2, 3])
    evaluation = CocoEvaluator(iou_thresholds=(0.5,))([truth], [guess])
    assert evaluation.numbers["AP"] == pytest.approx(1)
    assert [row["AP"] for row in evaluation.per_class().values()] == pytest.approx([1, 1, -1, -1])
    # Of a class that no image shows and nobody predicts nothing is known either.
    wider = CocoEvaluator(iou_thresholds=(0.5,))([truth], [guess], np.arange(10))
    assert wider.numbers["AP"] == evaluation.numbers["AP"] and wider.per_class()[9]["AP"] == -1


@pytest.mark.parametrize("most", [(1, 10, 1000), (1, 10, 50), (500,), (1, 2, 3, 4)])
def test_any_number_of_detections_has_an_ap(most):
    """torchmetrics#1153, #2560, cocoapi#558: AP was -1 but for 100 detections."""
    truth, guess = (
        [one([[0, 0, 100, 100], [0, 0, 50, 50]], [0, 1])],
        [found([[0, 0, 100, 100], [0, 0, 50, 50]], [1, 0.9], [0, 1])],
    )
    evaluation = CocoEvaluator(max_detections=most)(truth, guess)
    numbers = evaluation.numbers
    assert numbers["AP"] == ONE and numbers["AP50"] == ONE and numbers[f"AR@{most[-1]}"] == 1
    assert sum(name.startswith("AR@") for name in numbers) == len(most)
    assert evaluation.notes == (f"pycocotools says -1 for AP, since 100 is not among {most}.",)
    assert CocoEvaluator(max_detections=most, reading="pycocotools")(truth, guess).numbers["AP"] == -1


@pytest.mark.parametrize("seed", range(4))
def test_detections_of_low_score_only_add(seed):
    """rf-detr#395: the same detector had .58, and .30 once detections below .3 were left out. AP needs them all."""
    annotations, detections = random_coco(500 + seed)
    whole = evaluate_coco(annotations, detections).numbers
    sure = evaluate_coco(annotations, [each for each in detections if each["score"] >= 0.3]).numbers
    assert all(sure[name] <= whole[name] + 1e-12 for name in whole) and sure["AP"] < whole["AP"]


def test_what_pycocotools_would_say_otherwise_is_told():
    """hotcoco#5: four numbers that were silently different in what was to be a replacement."""
    truth = one([[0, 0, 20, 20], [50, 50, 70, 70]], difficult=np.array([False, True]), ids=np.array([0, 7]))
    evaluation = CocoEvaluator(max_detections=(1, 10))([truth], [found([[0, 0, 20, 20]])])
    assert len(evaluation.notes) == 3 and all(note.startswith("pycocotools ") for note in evaluation.notes)
    assert all(note in evaluation.text() for note in evaluation.notes)


def test_more_objects_than_detections_allowed():
    """supervision#1834: how many detections of an image count is said, and may be any number."""
    truth = one([[30 * i, 0, 30 * i + 20, 20] for i in range(150)])
    guess = found(truth.boxes)
    assert CocoEvaluator()([truth], [guess]).numbers["AR@100"] == pytest.approx(100 / 150)
    assert CocoEvaluator(max_detections=(150,))([truth], [guess]).numbers["AP"] == ONE


def test_images_with_wrong_detections_only_count():
    """torchmetrics#881, supervision#1836: an image in which nothing is and something was found."""
    box = [258.0, 41.0, 606.0, 285.0]
    empty, nothing = one([]), Predictions.none()
    numbers = CocoEvaluator()([one([box]), empty], [nothing, found([box, [0, 0, 10, 10]], [0.356, 0.32])]).numbers
    assert numbers["AP"] == 0
    evaluator = CocoEvaluator(iou_thresholds=(0.5,))
    assert evaluator([empty, one([box])], [found([[10, 20, 30, 40]], [1.0]), found([box], [0.9])]).numbers["AP"] == 0.5


def test_classes_in_one_need_no_class_zero():
    """torchmetrics#2932: everything was -1 where labels begin with 1."""
    truth, guess = one([[0, 0, 20, 20], [30, 30, 50, 50]], [1, 2]), found([[0, 0, 20, 20], [30, 30, 50, 50]], classes=[2, 2])
    assert CocoEvaluator(class_agnostic=True)([truth], [guess]).numbers["AP"] == ONE
    assert CocoEvaluator()([truth], [guess]).numbers["AP"] == 0.25


def test_class_zero_is_a_class():
    """keras-cv#2526: ``classes > 0`` loses it."""
    numbers = CocoEvaluator()([one([[0, 0, 20, 20]], [0])], [found([[0, 0, 20, 20]], classes=[0])]).numbers
    assert numbers["AP"] == ONE


def test_the_annotation_with_id_zero_keeps_its_match():
    """cocoapi#672."""
    truth, guess = one([[0, 0, 20, 20]], ids=np.array([0])), found([[0, 0, 20, 20]])
    right = CocoEvaluator()([truth], [guess])
    assert right.numbers["AP"] == ONE
    assert right.notes == ("pycocotools loses whoever finds the 1 truths with the id 0.",)
    assert CocoEvaluator(reading="pycocotools")([truth], [guess]).numbers["AP"] == 0


def test_difficult_truths_need_not_be_found():
    """cocoapi#307, #572: ``ignore`` was overwritten by ``iscrowd``."""
    truth = one([[0, 0, 20, 20], [50, 50, 70, 70]], difficult=np.array([False, True]))
    right = CocoEvaluator()([truth], [found([[50, 50, 70, 70], [0, 0, 20, 20]])])
    assert right.numbers["AP"] == ONE and "1 truths that need not be found" in right.notes[0]
    assert CocoEvaluator(reading="pycocotools")([truth], [found([[0, 0, 20, 20]])]).numbers["AR@100"] == 0.5


def test_the_table_is_what_people_read():
    evaluation = CocoEvaluator()([one([[0, 0, 32, 32]])], [found([[0, 0, 32, 30]])])
    assert list(evaluation.numbers) == NUMBERS
    assert evaluation.text().splitlines()[0] == "AP       0.900"


def test_sizes_have_names_of_their_own():
    areas = (AREAS[0], AreaRange("tiny", 0, 100))
    evaluation = CocoEvaluator(areas=areas)([one([[0, 0, 5, 5], [0, 0, 50, 50]])], [found([[0, 0, 5, 5]])])
    assert evaluation.numbers["AP/tiny"] == ONE and evaluation.per_class("tiny")[0]["AR"] == ONE
    with pytest.raises(ValueError, match="no area range is named 'small': there are 'all', 'tiny'"):
        evaluation.per_class("small")


def test_nothing_anywhere():
    evaluation = CocoEvaluator()([one([])], [Predictions.none()])
    assert set(evaluation.numbers.values()) == {-1.0}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"max_detections": ()}, "max_detections must be one number or more, rising, from 1 on"),
        ({"max_detections": (10, 1)}, "rising, from 1 on"),
        ({"max_detections": (0,)}, "must be at least 1"),
        ({"iou_thresholds": (0.0, 0.5)}, "above 0 and at most 1"),
        ({"iou_thresholds": (0.5, 1.5)}, "above 0 and at most 1"),
        ({"iou_thresholds": (float("nan"),)}, "above 0 and at most 1"),
        ({"recalls": (0.5, 0.5)}, "from 0 to 1"),
        ({"areas": ()}, "one or more"),
        ({"areas": (AreaRange("all", 5, 1),)}, "from a lower number to a higher"),
    ],
)
def test_what_makes_no_sense_is_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        CocoEvaluator(**fields)


def test_images_are_one_to_one():
    with pytest.raises(ValueError, match="1 images with truths and 2 with predictions"):
        CocoEvaluator()([one([])], [Predictions.none(), Predictions.none()])
    with pytest.raises(ValueError, match="each once"):
        CocoEvaluator()([one([])], [Predictions.none()], np.array([1, 1]))
