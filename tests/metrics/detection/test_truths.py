"""What is no box is refused in a sentence, and COCO's files are read as they are written."""

import numpy as np
import pytest
from detection_sets import random_coco

from likeness.research.errors import UserError
from likeness.research.geometry.detections import Detections
from likeness.research.metrics.detection import GroundTruth, Predictions, coco_set, evaluate_coco

BOX = [[0.0, 0.0, 10.0, 10.0]]


def files(**fields):
    annotation = {"id": 5, "image_id": 0, "category_id": 9, "bbox": [0, 0, 10, 10], "iscrowd": 0, "area": 50}
    return {"images": [{"id": 0}, {"id": 4}], "categories": [{"id": 9, "name": "cat"}], "annotations": [annotation]} | fields


def detection(**fields):
    return {"image_id": 0, "category_id": 9, "bbox": [0, 0, 10, 10], "score": 0.5} | fields


@pytest.mark.parametrize(
    ("boxes", "said"),
    [
        ([[2.0, 1.0, 1.0, 2.0]], "have reversed corners; the first is .2.0, 1.0, 1.0, 2.0. in row 0, read as xyxy"),
        ([*BOX, [0.0, 0.0, np.nan, 1.0]], "1 of 2 boxes are not finite .* row 1"),
        ([[0.0, 0.0, np.inf, 1.0]], "not finite"),
        ([0.0, 0.0, 1.0, 1.0], r"boxes must be numbers of shape \(n, 4\)"),
        ([[0.0, 0.0, 1.0]], r"boxes must be numbers of shape \(n, 4\)"),
    ],
)
def test_what_is_no_box_is_refused(boxes, said):
    """pytorch/vision#1870: no area is negative."""
    count = np.zeros(len(np.atleast_2d(boxes)), int)
    for build in (lambda b: GroundTruth(b, count), lambda b: Predictions(b, count.astype(float), count)):
        with pytest.raises(ValueError, match=said):
            build(np.array(boxes))


def test_a_negative_width_is_refused_and_no_width_is_not():
    with pytest.raises(ValueError, match="read as xywh"):
        GroundTruth(np.array([[5.0, 5.0, -1.0, 2.0]]), np.array([0]), format="xywh")
    assert GroundTruth(np.array([[5.0, 5.0, 5.0, 9.0]]), np.array([0])).areas.tolist() == [0]


def test_detections_of_a_detector_are_evaluated_as_they_are():
    found = Detections(np.array(BOX, np.float32), np.array([0.5], np.float32), np.array([3], np.int32))
    guess = Predictions.of(found)
    assert guess.boxes.tolist() == BOX and guess.scores.tolist() == [0.5] and guess.classes.tolist() == [3]
    assert len(Predictions.none()) == 0


def test_scores_are_finite_and_one_each():
    with pytest.raises(ValueError, match="1 of 1 scores are not finite"):
        Predictions(np.array(BOX), np.array([np.nan]), np.array([0]))
    with pytest.raises(ValueError, match=r"scores must be numbers of shape \(1,\)"):
        Predictions(np.array(BOX), np.array([0.5, 0.4]), np.array([0]))
    with pytest.raises(ValueError, match="classes must be integers"):
        Predictions(np.array(BOX), np.array([0.5]), np.array([0.0]))
    with pytest.raises(ValueError, match="crowd must be booleans"):
        GroundTruth(np.array(BOX), np.array([0]), crowd=np.array([0]))


def test_files_are_read_image_by_image():
    read = coco_set(files(), [detection(), detection(image_id=4, score=0.25)])
    assert read.image_ids == (0, 4) and read.class_ids.tolist() == [9] and read.class_names == ("cat",)
    assert [len(each) for each in read.truths] == [1, 0] and [len(each) for each in read.predictions] == [1, 1]
    truth = read.truths[0]
    assert truth.areas.tolist() == [50] and truth.ids is not None and truth.ids.tolist() == [5] and truth.format == "xywh"
    bare = {"image_id": 0, "category_id": 9, "bbox": [0, 0, 10, 10]}
    assert coco_set(files(annotations=[bare]), []).truths[0].areas.tolist() == [100]


def test_what_is_not_listed_is_left_out_and_told():
    annotations = files()
    annotations["annotations"] += [
        {**annotations["annotations"][0], "image_id": 7},
        {**annotations["annotations"][0], "category_id": 1},
    ]
    evaluation = evaluate_coco(annotations, [detection(), detection(category_id=3)])
    assert evaluation.notes == (
        "1 annotations of images that are not listed were left out.",
        "1 annotations of categories that are not listed were left out.",
        "1 detections of categories that are not listed were left out.",
    )
    assert evaluation.numbers["AR@1"] == 1


def test_annotations_that_share_an_id_are_told():
    """supervision#285: pycocotools reads one in place of all."""
    annotations = files()
    annotations["annotations"] += [{**annotations["annotations"][0], "bbox": [50, 50, 10, 10]}]
    evaluation = evaluate_coco(annotations, [detection(), detection(bbox=[50, 50, 10, 10])])
    assert evaluation.numbers["AR@10"] == 1 and "2 annotations that share an id" in evaluation.notes[0]


@pytest.mark.parametrize(
    ("annotations", "detections", "said"),
    [
        ({}, [], "have no list of 'images'"),
        (files(images=[]), [], "ids of images are to be whole numbers, each once, and there are none"),
        (files(images=[{"id": 0}, {"id": 0}]), [], "one of them stands twice"),
        (files(images=[{"id": "a"}]), [], "'a' is no whole number"),
        (files(categories=[{"name": "cat"}]), [], "There is no 'id' in {'name': 'cat'}"),
        (
            files(),
            [detection(image_id=8)],
            "1 of 1 detections are of images that the annotations do not list, such as image_id 8",
        ),
        (files(), [{"image_id": 0, "category_id": 9, "score": 1}], "There is no 'bbox'"),
        (files(), [{"image_id": 0, "bbox": [0, 0, 1, 1], "score": 1}], "There is no 'category_id'"),
        (files(), [detection(bbox=[0, 0, 1])], r"\[0, 0, 1\] is no box \[x, y, width, height\]"),
        (files(), [detection(bbox=[0, 0, 1, "b"])], "is no box"),
        (files(), [detection(bbox=3)], "3 is no box"),
        (files(), [detection(score="high")], "The 'score' of .* is no number"),
        (files(), [detection(score=None)], "Image 0: Predictions: 1 of 1 scores are not finite"),
        (
            files(),
            [detection(bbox=[0, 0, -1, 1])],
            "Image 0: .* 1 of 1 boxes are not finite or have reversed",
        ),
    ],
)
def test_files_that_cannot_be_read_are_refused(annotations, detections, said):
    with pytest.raises(UserError, match=said):
        coco_set(annotations, detections)


def test_the_order_of_files_does_not_matter_where_scores_differ():
    annotations, detections = random_coco(1)
    detections = [each | {"score": i / len(detections)} for i, each in enumerate(detections)]
    numbers = evaluate_coco(annotations, detections).numbers
    turned = {**annotations, "images": annotations["images"][::-1], "categories": annotations["categories"][::-1]}
    assert evaluate_coco(turned, detections[::-1]).numbers == numbers
