"""Anchors by k-means with 1 - IoU."""

import numpy as np
import pytest

from likeness.research.errors import UserError
from likeness.research.geometry import kmeans_anchors, mean_best_iou, pairwise, shape_iou

HAND = ((10.0, 10.0), (16.0, 30.0), (33.0, 23.0), (30.0, 61.0), (62.0, 45.0), (59.0, 119.0), (116.0, 90.0))
"""A hand-made choice for another data set, as people copy it from one config into the next."""


def shapes(n: int, seed: int = 0) -> np.ndarray:
    return np.exp(np.random.default_rng(seed).normal([3.0, 3.4], [0.5, 0.7], (n, 2)))


def test_the_overlap_of_shapes_is_that_of_boxes_with_one_center():
    a, b = shapes(20), shapes(30, seed=1)
    boxes = [np.concatenate([-each / 2, each / 2], axis=1) for each in (a, b)]
    np.testing.assert_allclose(shape_iou(a, b), pairwise(*boxes), rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_objective_never_rises_step_by_step_nor_with_k(seed):
    """D-n."""
    given = shapes(400, seed)
    found = [kmeans_anchors(given, k, restarts=2, seed=seed) for k in range(1, 8)]
    for clusters in found:
        assert all(later <= earlier for earlier, later in zip(clusters.history, clusters.history[1:], strict=False))
        assert clusters.mean_iou == pytest.approx(mean_best_iou(given, np.array(clusters.shapes)), abs=1e-12)
    ious = [clusters.mean_iou for clusters in found]
    assert ious == sorted(ious) and ious[-1] > ious[0] + 0.1
    alone = kmeans_anchors(given, 7, restarts=0)
    assert len(alone.history) > 2
    assert all(later <= earlier for earlier, later in zip(alone.history, alone.history[1:], strict=False))


def test_learned_anchors_fit_better_than_copied_ones():
    """D-n: they beat as many anchors by hand."""
    given = shapes(500, seed=5)
    assert kmeans_anchors(given, len(HAND)).mean_iou > mean_best_iou(given, np.array(HAND)) + 0.05


@pytest.mark.slow
def test_uniform_shapes_are_covered_as_well_as_in_other_draws():
    """Shapes of 10 to 30 pixels: mean best IoU .620, .695, .777, .798, .848 for 1, 2, 4, 5, 9 anchors."""
    given = np.random.default_rng(0).uniform(10, 30, (2000, 2))
    for k, expected in ((1, 0.620), (2, 0.695), (4, 0.777), (5, 0.798), (9, 0.848)):
        assert kmeans_anchors(given, k).mean_iou == pytest.approx(expected, abs=0.01)


def test_anchors_are_sorted_by_area_and_the_same_for_the_same_seed():
    given = shapes(200)
    found = kmeans_anchors(given, 5, seed=3)
    areas = [width * height for width, height in found.shapes]
    assert areas == sorted(areas)
    assert found == kmeans_anchors(given[::-1], 5, seed=3) == kmeans_anchors(given, 5, seed=3)


def test_fewer_different_shapes_than_anchors_are_refused():
    """ultralytics/yolov5#2394, #3482: k-means returned fewer anchors than the network had room for. AlexeyAB/darknet#5473:
    fewer boxes than anchors."""
    three = np.array([[10.0, 10.0], [20.0, 10.0], [5.0, 30.0]])
    with pytest.raises(UserError, match="9 anchors were asked of 300 boxes of 3 different shapes.*Ask for at most 3"):
        kmeans_anchors(np.repeat(three, 100, axis=0), 9)
    with pytest.raises(UserError, match="9 anchors were asked of 3 boxes of 3"):
        kmeans_anchors(three, 9)
    assert sorted(kmeans_anchors(three, 3).shapes) == sorted(map(tuple, three.tolist()))
    with pytest.raises(UserError, match="asked of 0 boxes.*Give boxes"):
        kmeans_anchors(np.zeros((0, 2)), 1)


def test_all_shapes_equal_are_one_anchor():
    """AlexeyAB/darknet#2255: NaN where all boxes have one size."""
    same = np.full((50, 2), 17.0)
    found = kmeans_anchors(same, 1)
    assert found.shapes == ((17.0, 17.0),) and found.mean_iou == 1.0
    with pytest.raises(UserError, match="1 different shapes.*Ask for at most 1"):
        kmeans_anchors(same, 2)
    nearly = np.concatenate([same, np.nextafter(same[:1], 18.0)])
    assert np.isfinite(kmeans_anchors(nearly, 2).shapes).all()


def test_repeated_shapes_count_as_often_as_they_are_there():
    given = np.array([[10.0, 10.0]] * 9 + [[20.0, 20.0]])
    assert kmeans_anchors(given, 1).shapes == ((10.0, 10.0),)
    assert kmeans_anchors(given[::-1][:2], 1).mean_iou == pytest.approx(0.625)


def test_a_large_data_set_is_tried_in_part_and_finished_as_a_whole():
    given = shapes(6000, seed=9)
    found = kmeans_anchors(given, 3, restarts=1)
    assert found.mean_iou == pytest.approx(mean_best_iou(given, np.array(found.shapes)), abs=1e-12)


def test_boxes_without_area_and_wrong_shapes_are_refused():
    for wrong in ([[10.0, 0.0]], [[np.nan, 3.0]], [[-1.0, 3.0]], [[np.inf, 3.0]]):
        with pytest.raises(ValueError, match="shapes number 0 .* must be finite and above 0"):
            kmeans_anchors(np.array(wrong), 1)
    with pytest.raises(ValueError, match=r"shapes must be numbers of shape \(n, 2\)"):
        kmeans_anchors(np.ones((5, 4)), 1)
    with pytest.raises(ValueError, match="k must be at least 1"):
        kmeans_anchors(shapes(5), 0)
    with pytest.raises(ValueError, match="have no mean"):
        mean_best_iou(np.zeros((0, 2)), shapes(2))
