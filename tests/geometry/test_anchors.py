"""Grids and pyramids of anchors, and what they can find at best."""

import numpy as np
import pytest

from likeness.research.geometry import AnchorGrid, AnchorPyramid, best_possible_recall, centers, pairwise, sizes


def test_an_aspect_ratio_is_height_over_width():
    """pytorch/vision#2171."""
    (wide, square, tall) = AnchorGrid.from_ratios([32], [0.5, 1.0, 2.0], stride=16).shapes
    assert wide[0] > wide[1] and tall[1] > tall[0] and square == (32.0, 32.0)
    for (width, height), ratio in zip((wide, square, tall), (0.5, 1.0, 2.0), strict=True):
        assert height / width == pytest.approx(ratio)


@pytest.mark.parametrize("stride", [4, 7, 16])
def test_the_center_of_an_anchor_is_named(stride):
    """pytorch/vision#1765: in the middle of its cell, or at the cell's corner."""
    for center, offset in (("middle", 0.5), ("corner", 0.0)):
        grid = AnchorGrid(shapes=((10.0, 20.0), (3.0, 3.0)), stride=stride, center=center)
        anchors = grid(3, 5)
        assert anchors.shape == (3, 5, 2, 4) and anchors.dtype == np.float32
        for i, j, a in np.ndindex(3, 5, 2):
            np.testing.assert_allclose(centers(anchors[i, j, a]), [(j + offset) * stride, (i + offset) * stride])
            np.testing.assert_allclose(sizes(anchors[i, j, a]), grid.shapes[a])


def test_no_rounding_changes_the_area():
    """facebookresearch/Detectron#227: rounded to whole pixels, anchors of one size differ in area by a tenth."""
    for size in (5.0, 16.0, 31.7):
        grid = AnchorGrid.from_ratios([size], [1 / 3, 0.5, 1.0, 2.0, 3.0], stride=8)
        areas = np.prod(sizes(grid(2, 2).astype(np.float64)), axis=-1)
        np.testing.assert_allclose(areas, size**2, rtol=1e-6)


def test_sizes_go_by_level_and_each_has_every_ratio():
    """pytorch/vision#9401: within a level sizes and ratios are multiplied, not zipped; levels are zipped with strides."""
    pyramid = AnchorPyramid.from_ratios([[8, 12], [16, 24], [32, 48]], [0.5, 1.0, 2.0], strides=[4, 8, 16])
    assert [len(level.shapes) for level in pyramid.levels] == [6, 6, 6]
    assert [level.stride for level in pyramid.levels] == [4, 8, 16]
    anchors = pyramid([(16, 12), (8, 6), (4, 3)])
    assert anchors.shape == (6 * (16 * 12 + 8 * 6 + 4 * 3), 4)
    expected = pyramid.levels[1](8, 6)
    np.testing.assert_array_equal(anchors[6 * 16 * 12 :][: 6 * 8 * 6].reshape(8, 6, 6, 4), expected)
    with pytest.raises(ValueError, match="sizes for 2 levels and strides for 3"):
        AnchorPyramid.from_ratios([[8], [16]], [1.0], strides=[4, 8, 16])
    with pytest.raises(ValueError, match="3 levels of anchors and 2 maps"):
        pyramid([(16, 12), (8, 6)])


def test_shapes_are_pixels_on_every_level():
    """hunglc007/tensorflow-yolov4-tflite#384: anchors in pixels and in cells were mixed up; here the stride moves anchors and
    never scales them."""
    for stride in (8, 16, 32):
        found = AnchorGrid(shapes=((12.0, 16.0),), stride=stride)(2, 2)
        np.testing.assert_array_equal(sizes(found), np.broadcast_to([12.0, 16.0], (2, 2, 1, 2)))
        np.testing.assert_array_equal(centers(found)[0, 1, 0] - centers(found)[0, 0, 0], [stride, 0])


@pytest.mark.parametrize("fields", [{"shapes": ()}, {"shapes": ((1.0, 0.0),)}, {"stride": 0}])
def test_wrong_fields_are_refused(fields):
    with pytest.raises(ValueError, match=r"^AnchorGrid"):
        AnchorGrid(**({"shapes": ((8.0, 8.0),), "stride": 8} | fields))
    with pytest.raises(ValueError, match="levels is empty"):
        AnchorPyramid(levels=())
    for field, value, said in (
        ("center", "edge", "center must be one of 'middle', 'corner'"),
        ("shapes", ((8.0,),), r"shapes has \(8.0,\): a shape is \(width, height\)"),
    ):
        broken = AnchorGrid(shapes=((8.0, 8.0),), stride=8)
        object.__setattr__(broken, field, value)
        with pytest.raises(ValueError, match=said):
            broken.__post_init__()


def test_the_best_possible_recall_counts_boxes_that_some_anchor_meets():
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 200, (300, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 60, (300, 2))], axis=1)
    anchors = AnchorGrid.from_ratios([16, 40], [0.5, 1, 2], stride=16)(16, 16)
    best = pairwise(boxes, anchors.reshape(-1, 4)).max(axis=1)
    recalls = [best_possible_recall(boxes, anchors, threshold) for threshold in (0.3, 0.5, 0.7, 0.9)]
    assert recalls == [float((best >= threshold).mean()) for threshold in (0.3, 0.5, 0.7, 0.9)]
    assert recalls == sorted(recalls, reverse=True) and 0 < recalls[2] < recalls[0] < 1
    assert best_possible_recall(boxes[:0], anchors) == 1.0
    assert best_possible_recall(boxes, np.zeros((0, 4))) == 0.0
    assert best_possible_recall(anchors.reshape(-1, 4)[:9], anchors, 1.0) == 1.0
    with pytest.raises(ValueError, match="an IoU lies from 0 to 1"):
        best_possible_recall(boxes, anchors, 50.0)


@pytest.mark.slow
def test_a_long_list_of_boxes_is_compared_part_by_part():
    rng = np.random.default_rng(1)
    corner = rng.uniform(0, 60, (5000, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(2, 30, (5000, 2))], axis=1)
    anchors = AnchorGrid.from_ratios([8, 16], [1.0], stride=2)(32, 32).reshape(-1, 4)
    best = np.concatenate([pairwise(boxes[i : i + 500], anchors).max(axis=1) for i in range(0, 5000, 500)])
    assert best_possible_recall(boxes, anchors, 0.7) == float((best >= 0.7).mean())
