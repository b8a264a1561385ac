"""What all detectors share: canvases, the way back to the image, and one program of a fixed size."""

import jax
import numpy as np
import pytest
from faint import Bright
from hypothesis import given
from hypothesis import strategies as st

from likeness.research.detectors import CanvasPlaces, DetectionModel, FastestDetDetector, MTCNNDetector, YuNetDetector, detect
from likeness.research.encoders import FastestDet
from likeness.research.geometry import Flip, PadToMultiple, Suppression, place_image

VARIABLES = {"gain": np.float32(1.0)}


def image(height, width, *cells, color=(255, 255, 0)):
    pixels = np.zeros((height, width, 3), np.uint8)
    for row, column in cells:
        pixels[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = color
    return pixels


def found(model, images, suppression=None, real=None):
    placements = [model.placement(each.shape[:2]) for each in images]
    canvases = np.stack([place_image(each, at, fill=model.fill) for each, at in zip(images, placements, strict=True)])
    places = CanvasPlaces.of(placements)
    return jax.jit(lambda canvases, places: detect(model, VARIABLES, canvases, places, suppression, real))(canvases, places)


@pytest.mark.parametrize(
    "model", [YuNetDetector(), MTCNNDetector(), FastestDetDetector(), Bright()], ids=lambda model: type(model).__name__
)
def test_detectors_have_the_members_of_the_protocol(model):
    assert isinstance(model, DetectionModel)
    assert not isinstance(object(), DetectionModel)
    assert 0 <= model.fill <= 255
    placement = model.placement((100, 300))
    assert placement.upright and placement.source == (100, 300)
    canvas = place_image(np.zeros((100, 300, 3), np.uint8), placement, fill=model.fill)
    assert canvas.shape[:2] == placement.target


def test_boxes_and_landmarks_come_in_pixels_of_each_image_and_cut_off_at_its_border():
    """One image fills half of its last cells, the other is shown at half its size."""
    small = image(36, 28, (4, 3), (0, 0))
    large = np.repeat(np.repeat(image(40, 32, (1, 2), color=(0, 255, 255)), 2, 0), 2, 1)
    bright = Bright(longest=40, suppression=Suppression(score_threshold=0.2))
    first, second = found(bright, [small, large]).exact_each(bright.class_names)
    np.testing.assert_allclose(sorted(first.xyxy.tolist()), [[0, 0, 8, 8], [24, 32, 28, 36]], atol=1e-4)
    np.testing.assert_allclose(second.xyxy, [[32, 16, 48, 32]], atol=1e-4)
    np.testing.assert_allclose(second.landmarks, [[[32, 16]]], atol=1e-4)
    assert [each.class_name for each in (*first, *second)] == ["red", "red", "blue"]


def test_the_result_has_one_size_and_nothing_comes_of_rows_that_hold_no_image():
    images = [image(16, 24, (0, 0)), image(16, 24, (1, 1), (1, 2)), image(16, 24, (1, 0))]
    result = found(Bright(), images, real=np.array([True, True, False]))
    assert result.boxes.shape == (3, 6, 4) and result.landmarks.shape == (3, 6, 1, 2)
    assert np.sum(result.valid, axis=1).tolist() == [1, 2, 0]
    for field in (result.boxes, result.scores, result.classes, result.landmarks):
        assert not np.asarray(field)[~np.asarray(result.valid)].any()


def test_a_batch_is_its_images_one_by_one():
    images = [image(16, 24, (0, 0)), image(16, 24, (1, 1), (1, 2))]
    together = found(Bright(), images)
    for row, one in enumerate(images):
        alone = found(Bright(), [one])
        jax.tree.map(lambda both, single, row=row: np.testing.assert_array_equal(both[row], single[0]), together, alone)


@pytest.mark.slow
def test_what_lies_wholly_in_the_padding_is_left_out():
    pixels = np.full((1, 8, 16, 3), 255, np.uint8)
    places = CanvasPlaces.of([Bright().placement((8, 9))])
    narrow = CanvasPlaces.of([PadToMultiple(multiple=16).placement((8, 8))])
    wide, cut = (detect(Bright(), VARIABLES, pixels, each) for each in (places, narrow))
    assert np.sum(wide.valid) == 2 and np.sum(cut.valid) == 1


def test_other_thresholds_can_be_asked_for():
    pixels = [image(16, 16, (0, 0), (0, 1))]
    assert np.sum(found(Bright(), pixels, Suppression(score_threshold=1.0)).valid) == 0
    assert np.sum(found(Bright(), pixels, Suppression(score_threshold=0.5, max_detections=1)).valid) == 1


def test_a_placement_that_mirrors_is_refused():
    with pytest.raises(ValueError, match="turns or mirrors"):
        CanvasPlaces.of([Flip().placement((4, 4))])


def test_a_detector_has_a_name_for_each_class():
    with pytest.raises(ValueError, match="2 classes apart, and there are 80 class_names"):
        FastestDetDetector(network=FastestDet(classes=2))


@given(
    st.tuples(st.integers(1, 4096), st.integers(1, 4096)),
    st.one_of(st.none(), st.integers(1, 2048)),
    st.sampled_from([1, 8, 32]),
)
def test_a_padded_image_keeps_its_proportions_and_leads_back(size, longest, multiple):
    placement = PadToMultiple(multiple=multiple, longest=longest).placement(size)
    assert all(side % multiple == 0 for side in placement.target)
    corners = np.array([0.0, 0.0, size[1], size[0]])
    left, top, right, bottom = placement.boxes(corners)
    assert left == top == 0
    width, height = round(right), round(bottom)
    np.testing.assert_allclose((right, bottom), (width, height), rtol=1e-12)
    assert all(0 <= side - shown < multiple for side, shown in zip(placement.target, (height, width), strict=True))
    if longest is None or max(size) <= longest:
        assert (height, width) == size
    else:
        assert max(height, width) == longest
    np.testing.assert_allclose(placement.inverse().boxes(placement.boxes(corners)), corners, atol=1e-4)


@pytest.mark.parametrize(("fields", "name"), [({"multiple": 0}, "multiple"), ({"longest": 0}, "longest")])
def test_illegal_fields_are_named(fields, name):
    with pytest.raises(ValueError, match=rf"PadToMultiple.*{name}"):
        PadToMultiple(**fields)
