"""Drawn shapes: boxes that hold exactly what is drawn, seeds, and the limits that are promised."""

import numpy as np
import pytest

from likeness.research.synthetic import shapes
from likeness.research.synthetic.shapes import MAX_IOU, MIN_SEEN, SHAPES, draw_shapes


@pytest.fixture(scope="module")
def drawn():
    return draw_shapes(320, np.random.default_rng(3))


def iou(a, b):
    inner = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0).prod()
    return inner / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - inner)


def test_a_box_holds_exactly_what_is_drawn():
    """Without noise, ground and slopes aside, the pixels that change with a shape are those of its box, to the last row."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, len(SHAPES), (64, 4))
    places, mask = shapes._places(rng, classes, 64, (10.0, 30.0))
    filled = shapes._filled(rng, places, classes, 64) & mask[..., None, None]
    seen, boxes, stays = shapes._seen(filled, mask)
    for row in range(64):
        for shape in np.flatnonzero(stays[row]):
            y, x = np.nonzero(seen[row, shape])
            assert boxes[row, shape].tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]
            # Of a shape, what is covered by a later one is not seen.
            later = filled[row, shape + 1 :] & stays[row, shape + 1 :, None, None]
            np.testing.assert_array_equal(seen[row, shape], filled[row, shape] & ~later.any(axis=0))
            assert seen[row, shape].sum() >= MIN_SEEN * filled[row, shape].sum()


def test_pixels_of_a_shape_have_its_middle_and_its_kind():
    box = np.array([[[10.0, 20.0, 30.0, 40.0]] * 3], np.float32)
    disk, square, triangle = shapes._filled(np.random.default_rng(1), box, np.array([[0, 1, 2]]), 64)[0]
    middles = np.arange(64) + 0.5
    np.testing.assert_array_equal(disk, (middles - 20) ** 2 + ((middles - 30) ** 2)[:, None] <= 100)
    assert square.sum() == 400
    assert square[20:40, 10:30].all()
    assert 0.3 * 400 < triangle.sum() < 0.6 * 400
    assert not (triangle & ~square).any()


def test_what_is_promised_of_the_shapes(drawn):
    assert drawn.images.dtype == np.uint8
    assert drawn.images.shape == (320, 64, 64, 3)
    counts = drawn.mask.sum(axis=1)
    assert (counts.min(), counts.max()) == (1, 4)
    boxes = drawn.boxes[drawn.mask]
    sides = boxes[:, 2:] - boxes[:, :2]
    assert boxes.min() >= 0
    assert boxes.max() <= 64
    assert sides.max() <= 30
    assert np.median(sides) > 15
    for some, there in zip(drawn.boxes, drawn.mask, strict=True):
        own = some[there].astype(np.float64)
        assert all(iou(a, b) <= MAX_IOU for i, a in enumerate(own) for b in own[i + 1 :])
    assert (np.bincount(drawn.classes[drawn.mask]) > 200).all()
    assert not drawn.boxes[~drawn.mask].any()


def test_fewer_images_are_the_first_of_more_and_another_seed_draws_others(drawn):
    few = draw_shapes(70, np.random.default_rng(3))
    for part, same in zip(few, drawn, strict=True):
        np.testing.assert_array_equal(part, same[:70])
    other = draw_shapes(70, np.random.default_rng(4))
    assert (few.images != other.images).mean() > 0.9
    assert len({image.tobytes() for image in drawn.images}) == 320


def test_what_is_within_a_box_differs_from_what_is_around_it(drawn):
    apart = []
    for image, boxes, there in zip(drawn.images, drawn.boxes, drawn.mask, strict=True):
        for left, top, right, bottom in boxes[there].astype(int):
            y, x = (top + bottom) // 2, (left + right) // 2
            inside = image[y - 1 : y + 2, x - 1 : x + 2].mean(axis=(0, 1))
            apart.append(np.abs(inside - np.median(image, axis=(0, 1))).max())
    assert np.median(apart) > 60


def test_sizes_and_counts_may_be_chosen():
    drawn = draw_shapes(20, np.random.default_rng(0), size=96, most=7, sides=(8.0, 20.0), noise=0.0)
    assert drawn.images.shape == (20, 96, 96, 3)
    assert drawn.mask.shape == (20, 7)
    assert drawn.mask.sum(axis=1).max() > 4
    sides = (drawn.boxes[..., 2:] - drawn.boxes[..., :2])[drawn.mask]
    assert sides.max() <= 20
