"""Slices of a large image, and boxes put together at their seams."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.research.geometry import Detections
from likeness.research.geometry.slices import Slices, merge_slices

NAMES = ("a", "b")


def one(box, score, number=0, mark=None):
    marks = None if mark is None else np.array([[mark]])
    return Detections(np.array([box]), np.array([score]), np.array([number]), NAMES, marks)


def seen_in(window, truth, classes, scores, marks=None):
    """What a detector that is always right finds in a slice: the part of each object that is in it."""
    low, high = np.maximum(truth[:, :2], window[:2]), np.minimum(truth[:, 2:], window[2:])
    there = np.flatnonzero(np.all(high > low, axis=1))
    boxes = np.concatenate([low, high], axis=1)[there]
    return Detections(boxes, scores[there], classes[there], NAMES, None if marks is None else marks[there])


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 700), st.sampled_from([0.0, 0.2, 0.25, 0.5, 0.9]))
def test_slices_cover_the_image_overlap_enough_and_have_one_size(height, width, side, overlap):
    slices = Slices(side=max(side, max(height, width) // 12), overlap=min(overlap, 0.5))
    windows = slices.windows((height, width))
    sizes = windows[:, 2:] - windows[:, :2]
    assert np.all(sizes == [min(slices.side, width), min(slices.side, height)])
    assert len(np.unique(windows, axis=0)) == len(windows)
    for axis, length in ((0, width), (1, height)):
        starts = np.unique(windows[:, axis])
        step = np.diff(starts)
        assert starts[0] == 0 and starts[-1] + sizes[0, axis] == length
        # Rounded starts are off by a half each.
        assert np.all(sizes[0, axis] - step >= np.floor(slices.overlap * sizes[0, axis]) - 1)


@st.composite
def scenes(draw):
    """Objects of any size that do not touch one another, in cells of a grid."""
    height, width = draw(st.integers(50, 2000)), draw(st.integers(50, 2000))
    rows, columns = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    cells = [(i, j) for i in range(rows) for j in range(columns)]
    boxes = []
    for i, j in cells:
        y, x = (np.sort(rng.uniform(0, 1, 2)) for _ in range(2))
        box = np.array(
            [(j + x[0]) * width / columns, (i + y[0]) * height / rows, (j + x[1]) * width / columns, (i + y[1]) * height / rows]
        )
        if np.all(box[2:] - box[:2] > 1):
            boxes.append(box)
    truth = np.array(boxes).reshape(-1, 4)
    classes = rng.integers(0, 2, len(truth))
    scores = rng.permutation(len(truth)) / 100 + 0.1
    return (height, width), truth, classes, scores, draw(st.integers(24, 700)), draw(st.sampled_from([0.1, 0.25, 0.5]))


@pytest.mark.slow
@settings(max_examples=300)
@given(scenes())
def test_a_detector_that_is_right_about_each_slice_is_right_about_the_image_to_the_bit(scene):
    size, truth, classes, scores, side, overlap = scene
    windows = Slices(side=max(side, max(size) // 8), overlap=overlap).windows(size)
    merged = merge_slices([seen_in(window, truth, classes, scores) for window in windows], windows, size)
    order = np.argsort(-scores)
    np.testing.assert_array_equal(merged.xyxy, truth[order])
    np.testing.assert_array_equal(merged.class_id, classes[order])
    np.testing.assert_array_equal(merged.confidence, scores[order])


def test_a_whole_view_is_preferred_to_its_parts_and_keeps_its_landmarks():
    windows, size = np.array([[0, 0, 100, 100], [75, 0, 175, 100]]), (100, 175)
    cut = one([60.0, 20, 100, 60], 0.9, mark=[1.0, 1.0])
    whole = one([80.0, 20, 120, 61], 0.6, mark=[2.0, 2.0])
    merged = merge_slices([cut, whole], windows, size)
    # 20 of the 40 pixels that the left slice shows are what the right one saw: they agree about the part that both see.
    assert len(merged) == 2
    near = one([79.0, 20, 100, 60], 0.9, mark=[1.0, 1.0])
    merged = merge_slices([near, whole], windows, size)
    np.testing.assert_array_equal(merged.xyxy, whole.xyxy)
    np.testing.assert_array_equal(merged.landmarks, whole.landmarks)
    assert merged.confidence.tolist() == [0.9]


def test_neighbors_that_only_touch_the_seam_stay_two():
    """Of crowds: what the slices both see of the one is nothing like what they see of the other."""
    windows, size = np.array([[0, 0, 100, 100], [75, 0, 175, 100]]), (100, 175)
    left = one([40.0, 20, 90, 60], 0.9)
    right = one([85.0, 20, 130, 60], 0.8)
    assert len(merge_slices([left, right], windows, size)) == 2
    other = one([40.0, 20, 90, 60], 0.8, number=1)
    assert len(merge_slices([left, other], windows, size)) == 2


def test_nothing_found_stays_nothing_and_wrong_arguments_are_refused():
    empty = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int), NAMES)
    assert len(merge_slices([empty, empty], np.array([[0, 0, 5, 5], [4, 0, 9, 5]]), (5, 9))) == 0
    with pytest.raises(ValueError, match="1 slices and 2 windows"):
        merge_slices([empty], np.zeros((2, 4), int), (5, 9))
    with pytest.raises(ValueError, match="overlap is 1"):
        Slices(overlap=1.0)
    with pytest.raises(ValueError, match="side"):
        Slices(side=0)
