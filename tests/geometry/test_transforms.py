"""Images, boxes and points that are moved together, and the way back."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from boxes_in_images import boxes_in
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from likeness.research.geometry import (
    Composition,
    CropTo,
    Flip,
    GeometricTransform,
    Letterbox,
    Mosaic,
    Placement,
    Resize,
    Rotation,
    Upright,
    move,
    place_image,
)

SIDES = st.integers(1, 4096)
UPRIGHT = [
    Letterbox(size=(640, 640)),
    Letterbox(size=(352, 608), enlarge=False),
    Letterbox(size=(640, 640), within=(636, 636), position="upper_left"),
    Resize(size=(320, 320)),
    Resize(size=(33, 777)),
    Flip(),
    Flip(direction="up_down"),
    Rotation(degrees=90.0, canvas="around"),
    Rotation(degrees=-90.0),
    Rotation(degrees=180.0),
    CropTo(left=-7, top=20, size=(300, 200)),
    Composition((Flip(), Rotation(degrees=270.0, canvas="around"), CropTo(left=3, top=-1, size=(999, 40)))),
    Composition((Letterbox(size=(1280, 1280)), Flip(), Letterbox(size=(416, 416)))),
]
TURNS = [Rotation(degrees=10.0), Rotation(degrees=-33.0, canvas="around"), Rotation(degrees=135.0, canvas="around")]
FACE = (1, 0, 2, 4, 3)
"""Left eye, right eye, nose, left and right corner of the mouth, in the mirror."""


@pytest.mark.parametrize("transform", UPRIGHT, ids=repr)
@settings(max_examples=60)
@given(height=SIDES, width=SIDES, seed=st.integers(0, 2**32 - 1))
def test_the_inverse_brings_every_box_back(transform: GeometricTransform, height: int, width: int, seed: int):
    """YOLOs-CPP#147, ultralytics PR#23995: every size from 1 to 4096, square or not; here to 1e-9 of a pixel, 1e-4 is asked."""
    boxes = boxes_in(height, width, np.random.default_rng(seed))
    placement = transform.placement((height, width))
    back = placement.inverse().boxes(placement.boxes(boxes))
    np.testing.assert_allclose(back, boxes, rtol=0, atol=1e-9 * max(height, width))


@pytest.mark.slow
def test_the_inverse_brings_a_box_back_for_every_side():
    """Every one of the 4,096 heights and of the 4,096 widths occurs."""
    rng = np.random.default_rng(0)
    letterbox, worst = Letterbox(size=(640, 640)), 0.0
    for height, width in zip(range(1, 4097), rng.permutation(np.arange(1, 4097)).tolist(), strict=True):
        boxes = boxes_in(height, width, rng, 4)
        placement = letterbox.placement((height, width))
        worst = max(worst, np.abs(placement.inverse().boxes(placement.boxes(boxes)) - boxes).max())
    assert worst < 1e-8


@pytest.mark.parametrize("transform", [*UPRIGHT, *TURNS], ids=repr)
@settings(max_examples=20)
@given(height=SIDES, width=SIDES, seed=st.integers(0, 2**32 - 1))
def test_the_inverse_brings_every_point_back(transform: GeometricTransform, height: int, width: int, seed: int):
    points = np.random.default_rng(seed).uniform(-1, 2, (9, 2)) * [width, height]
    placement = transform.placement((height, width))
    back = placement.inverse().points(placement.points(points))
    np.testing.assert_allclose(back, points, rtol=0, atol=1e-8 * max(height, width))


def recomputed(size: tuple[int, int], canvas: int, boxes: np.ndarray) -> np.ndarray:
    """The way back that is worked out anew from the two sizes: one scale for both axes, and its own rounding of the padding."""
    scale = min(canvas / size[0], canvas / size[1])
    left = round((canvas - size[1] * scale) / 2 - 0.1)
    top = round((canvas - size[0] * scale) / 2 - 0.1)
    return (boxes - [left, top, left, top]) / scale


def test_the_scale_that_is_kept_is_right_where_one_worked_out_anew_is_three_pixels_off():
    """ultralytics PR#23967 and PR#23995: `round(pad ± .1)`, 3775 × 1571 pixels on a canvas of 1280."""
    size = (1571, 3775)
    whole = np.array([[0.0, 0.0, 3775.0, 1571.0]])
    placement = Letterbox(size=(1280, 1280)).placement(size)
    on_canvas = placement.boxes(whole)
    assert on_canvas.tolist() == [[0.0, 373.0, 1280.0, 906.0]]
    np.testing.assert_allclose(placement.inverse().boxes(on_canvas), whole, rtol=0, atol=1e-9)
    assert np.abs(recomputed(size, 1280, on_canvas) - whole).max() > 0.5


def test_a_letterbox_keeps_what_an_axis_is_really_scaled_by():
    placement = Letterbox(size=(640, 640)).placement((1571, 3775))
    assert placement.matrix == (640 / 3775, 0.0, 0.0, 266 / 1571)
    assert placement.shift == (0.0, 187.0)


def test_a_letterbox_is_what_published_detectors_were_trained_with():
    """LibreYOLO#113: padding at another side, 640 pixels in place of 636, cost YOLO-NAS a point of mAP: each is a field."""
    size = (480, 640)
    assert Letterbox(size=(640, 640), within=(636, 636)).placement(size).frame == (2.0, 81.0, 638.0, 558.0)
    assert Letterbox(size=(640, 640), position="upper_left").placement(size).frame == (0.0, 0.0, 640.0, 480.0)
    assert Letterbox(size=(640, 640)).placement(size).frame == (0.0, 80.0, 640.0, 560.0)
    assert Letterbox(size=(800, 800), enlarge=False).placement(size).frame == (80.0, 160.0, 720.0, 640.0)


@pytest.mark.parametrize("size", [(1, 1), (1, 4096), (4096, 1), (3, 5)])
def test_a_letterbox_holds_any_image(size: tuple[int, int]):
    placement = Letterbox(size=(64, 64)).placement(size)
    left, top, right, bottom = placement.frame
    assert 0 <= left < right <= 64 and 0 <= top < bottom <= 64
    assert place_image(np.zeros((*size, 3), np.uint8), placement).shape == (64, 64, 3)


def test_pixels_have_a_width_and_boxes_do_not_get_one_more():
    """kornia#1738, #3934, #4009, #4061: no `+ 1`; a box of the whole image stays that, however it is moved."""
    for transform in UPRIGHT[:10]:
        placement = transform.placement((30, 50))
        height, width = placement.target
        whole = placement.boxes(np.array([0.0, 0.0, 50.0, 30.0]))
        left, top, right, bottom = placement.frame
        np.testing.assert_allclose(np.clip(whole, 0, [width, height, width, height]), [left, top, right, bottom], atol=1e-12)


def test_boxes_are_pixels_whatever_their_numbers():
    """kornia#4061: boxes between 0 and 1 are small ones, and are not taken for shares of the image."""
    boxes = np.array([[0.25, 0.5, 0.75, 1.0]])
    assert Resize(size=(20, 20)).placement((10, 10)).boxes(boxes).tolist() == [[0.5, 1.0, 1.5, 2.0]]


@pytest.mark.parametrize("direction", ["left_right", "up_down"])
def test_a_flip_leaves_no_negative_width(direction):
    """kornia#1194."""
    placement = Flip(direction=direction).placement((40, 60))
    boxes = placement.boxes(np.array([[5.0, 10.0, 20.0, 35.0]]))
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert boxes.tolist() == [[40.0, 10.0, 55.0, 35.0] if direction == "left_right" else [5.0, 5.0, 20.0, 30.0]]


def test_reversed_corners_stay_reversed():
    """Else a check that comes after would not see them; pytorch/vision#1870."""
    boxes = np.array([[20.0, 10.0, 5.0, 35.0]])
    mapped = Flip().placement((40, 60)).boxes(boxes)
    assert mapped[0, 2] < mapped[0, 0] and mapped[0, 3] > mapped[0, 1]
    assert Flip().placement((40, 60)).show(boxes)[1].tolist() == [0.0]


def test_landmarks_change_places_in_the_mirror_and_only_there():
    """kornia#1194's counterpart for points: the left eye of a face in the mirror is on the other side."""
    points = np.array([[[20.0, 10], [40, 10], [30, 20], [24, 30], [36, 30]]])
    mirrored = Flip().placement((40, 60)).points(points, FACE)
    assert mirrored[0].tolist() == [[20, 10], [40, 10], [30, 20], [24, 30], [36, 30]]
    twice = Composition((Flip(), Flip(direction="up_down"))).placement((40, 60))
    assert not twice.mirrored
    turned = Rotation(degrees=180.0).placement((40, 60))
    np.testing.assert_allclose(twice.points(points, FACE), turned.points(points, FACE))
    np.testing.assert_allclose(turned.points(points, FACE)[0, 0], [40, 30])


def test_an_order_of_landmarks_is_one():
    placement = Flip().placement((4, 4))
    with pytest.raises(ValueError, match="order"):
        placement.points(np.zeros((2, 5, 2)), (0, 0, 1, 2, 3))
    with pytest.raises(ValueError, match="order"):
        placement.points(np.zeros((2, 3, 2)), FACE)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 5), (480, 641), (1571, 3775)])
@pytest.mark.parametrize("quarters", [-3, -1, 0, 1, 2, 3, 5])
def test_a_quarter_turn_moves_whole_pixels_to_a_canvas_of_its_size(size: tuple[int, int], quarters: int):
    """pytorch/vision#8654: the canvas around a turned image was off by one."""
    placement = Rotation(degrees=90.0 * quarters, canvas="around").placement(size)
    assert placement.target == (size if quarters % 2 == 0 else size[::-1])
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    np.testing.assert_array_equal(place_image(image, placement), np.rot90(image, -quarters))


@settings(max_examples=200)
@given(height=SIDES, width=SIDES, degrees=st.floats(-360, 360))
def test_the_canvas_around_a_turned_image_is_the_smallest(height: int, width: int, degrees: float):
    """pytorch/vision#8654."""
    placement = Rotation(degrees=degrees, canvas="around").placement((height, width))
    around = placement.boxes(np.array([0.0, 0.0, width, height]))
    high, wide = placement.target
    assert around.min() > -0.51 and around[2] < wide + 0.51 and around[3] < high + 0.51
    assert 0 <= high - (around[3] - around[1]) + 1e-5 < 1.001 and 0 <= wide - (around[2] - around[0]) + 1e-5 < 1.001


@pytest.mark.parametrize("degrees", [10.0, -45.0, 100.0])
def test_a_turned_box_is_the_one_around_its_corners(degrees: float):
    """albumentations#937: whatever sticks out of the canvas is no error, and is clipped when all is done."""
    rng = np.random.default_rng(3)
    boxes = boxes_in(300, 400, rng)
    placement = Rotation(degrees=degrees).placement((300, 400))
    mapped = placement.boxes(boxes)
    for box, found in zip(boxes, mapped, strict=True):
        corners = placement.points(np.array([[box[i], box[j]] for i in (0, 2) for j in (1, 3)]))
        np.testing.assert_allclose(found, [*corners.min(0), *corners.max(0)])
    seen, _ = placement.show(boxes)
    assert seen.min() >= 0 and (seen[:, 2] <= 400 + 1e-9).all() and (seen[:, 3] <= 300 + 1e-9).all()


def seen_by_points(placement: Placement, box: np.ndarray) -> np.ndarray:
    """The box around all of an object that lands on the canvas: the object is many points."""
    x, y = np.linspace(box[0], box[2], 1000), np.linspace(box[1], box[3], 1000)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    mapped = placement.points(points[placement.shows(points)])
    return np.array([*mapped.min(0), *mapped.max(0)])


def test_a_box_is_clipped_once_and_is_that_of_what_is_seen():
    """pytorch/vision#7215 and #8254: a box that is clipped between two steps moves, and one that never is stays too large."""
    steps = Composition((CropTo(left=200, top=0, size=(400, 400)), Rotation(degrees=30.0, canvas="around")))
    placement = steps.placement((400, 400))
    box = np.array([[100.0, 100.0, 300.0, 300.0]])
    seen, share = placement.show(box)
    np.testing.assert_allclose(share, [0.5])
    np.testing.assert_allclose(seen[0], seen_by_points(placement, box[0]), atol=0.2)
    too_large = placement.boxes(box)[0]
    assert (too_large[2] - too_large[0]) > (seen[0, 2] - seen[0, 0]) + 50
    # A move out of the image and back again leaves a box as it is where nothing was cut off by a canvas.
    there = CropTo(left=150, top=0, size=(400, 400)).placement((400, 400))
    back = CropTo(left=-150, top=0, size=(400, 400)).placement((400, 400))
    cut, share = there.then(back).show(box)
    assert cut.tolist() == [[150.0, 100.0, 300.0, 300.0]] and share.tolist() == [0.75]


@pytest.mark.slow
@settings(max_examples=40)
@given(degrees=st.floats(-180, 180), more=st.floats(-180, 180), seed=st.integers(0, 1000))
@example(degrees=64.70215652106157, more=0.0, seed=0)
def test_what_is_seen_of_a_box_is_what_is_seen_of_its_points(degrees: float, more: float, seed: int):
    rng = np.random.default_rng(seed)
    left, top = rng.integers(-20, 60, 2).tolist()
    steps = Composition(
        (Rotation(degrees=degrees), CropTo(left=left, top=top, size=(70, 90)), Rotation(degrees=more), Letterbox(size=(64, 48)))
    )
    placement = steps.placement((80, 100))
    boxes = boxes_in(80, 100, rng, 3)
    seen, share = placement.show(boxes)
    x, y = np.meshgrid(np.arange(400) / 4 + 0.125, np.arange(320) / 4 + 0.125)
    points = np.stack([x, y], axis=-1).reshape(-1, 2)
    shown = placement.shows(points)
    mapped = placement.points(points)
    for box, around, part in zip(boxes, seen, share, strict=True):
        inside = ((points >= box[:2]) & (points < box[2:])).all(axis=1)
        if inside.sum() < 400:
            continue
        assert abs(shown[inside].mean() - part) < 0.03
        if (shown & inside).any():
            found = mapped[shown & inside]
            assert (found.min(0) >= around[:2] - 1e-6).all() and (found.max(0) <= around[2:] + 1e-6).all()
        if part > 0.05:
            np.testing.assert_allclose([*found.min(0), *found.max(0)], around, atol=1.0)


@pytest.mark.parametrize("steps", [UPRIGHT[:4], [*TURNS, Letterbox(size=(97, 55))]])
def test_steps_are_one_map(steps: list[GeometricTransform]):
    points = np.random.default_rng(0).uniform(0, 100, (7, 2))
    moved, size = points, (123, 77)
    for step in steps:
        placement = step.placement(size)
        moved, size = placement.points(moved), placement.target
    together = Composition(tuple(steps)).placement((123, 77))
    np.testing.assert_allclose(together.points(points), moved, atol=1e-9)
    assert together.target == size


def test_a_turn_and_back_again_leaves_boxes_as_they_were():
    """Each step by itself would make them larger."""
    boxes = np.array([[40.0, 40.0, 60.0, 60.0]])
    placement = Composition((Rotation(degrees=30.0), Rotation(degrees=-30.0))).placement((100, 100))
    np.testing.assert_allclose(placement.boxes(boxes), boxes, atol=1e-9)
    np.testing.assert_allclose(placement.show(boxes)[0], boxes, atol=1e-9)


def test_points_and_boxes_are_mapped_under_jit():
    placement = Composition((Flip(), Rotation(degrees=20.0), Letterbox(size=(64, 64)))).placement((300, 200))
    boxes = boxes_in(300, 200, np.random.default_rng(1)).astype(np.float32)
    for map_of in (placement.boxes, placement.inverse().boxes):
        found = jax.jit(map_of)(jnp.asarray(boxes))
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found, map_of(boxes), rtol=1e-5, atol=1e-3)


def test_the_way_back_in_float32_is_as_exact_as_its_numbers():
    """Boxes of a network are float32: on a canvas of 640 pixels their own rounding is 3e-5, magnified with the image."""
    rng = np.random.default_rng(2)
    for size in ((4096, 3071), (17, 640), (1571, 3775)):
        placement = Letterbox(size=(640, 640)).placement(size)
        boxes = boxes_in(*size, rng)
        back = placement.inverse().boxes(placement.boxes(boxes).astype(np.float32))
        assert np.abs(back - boxes).max() <= 2.0**-15 * max(size) / 640 * 1.01


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_exif_orientation_moves_boxes_as_it_moves_pixels(orientation: int):
    """fiftyone#3778 and Rectlabel#167: boxes of the stored pixels beside an image that is shown upright."""
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    stored = Image.fromarray(pixels)
    stored.getexif()[0x0112] = orientation
    placement = Upright(orientation).placement((5, 7))
    upright = np.asarray(ImageOps.exif_transpose(stored))
    np.testing.assert_array_equal(place_image(pixels, placement), upright)
    left, top, right, bottom = (round(edge) for edge in placement.boxes(np.array([2.0, 1.0, 5.0, 3.0])))
    np.testing.assert_array_equal(np.sort(upright[top:bottom, left:right], axis=None), np.sort(pixels[1:3, 2:5], axis=None))


def profile(image: np.ndarray, axis: int) -> tuple[float, float]:
    """Where a bright rectangle on black begins and ends along an axis, in pixels and to less than one: its moments."""
    values = image[:, :, 0].astype(np.float64).sum(axis=axis)
    values = values / values.max()
    at = np.arange(len(values)) + 0.5
    width, middle = values.sum(), (values * at).sum() / values.sum()
    return middle - width / 2, middle + width / 2


@pytest.mark.parametrize(
    "transform",
    [
        Letterbox(size=(160, 160)),
        Letterbox(size=(512, 700)),
        Resize(size=(77, 200)),
        Resize(size=(301, 150)),
        Flip(),
        CropTo(left=-13, top=31, size=(190, 260)),
        Composition((Rotation(degrees=90.0, canvas="around"), Letterbox(size=(160, 100)))),
        Composition((Letterbox(size=(160, 160)), Flip(direction="up_down"), CropTo(left=5, top=2, size=(150, 150)))),
    ],
    ids=repr,
)
def test_the_edges_of_a_drawn_rectangle_are_where_its_box_is(transform: GeometricTransform):
    """albumentations#182, #896 and #1388, YOLOs-CPP#147: image and boxes are moved by the same numbers."""
    image = np.zeros((237, 291, 3), np.uint8)
    box = np.array([[60.0, 50.0, 211.0, 170.0]])
    image[50:170, 60:211] = 255
    placement = transform.placement((237, 291))
    moved = place_image(image, placement, fill=0)
    expected = placement.show(box)[0][0]
    across, along = profile(moved, 0), profile(moved, 1)
    np.testing.assert_allclose([across[0], along[0], across[1], along[1]], expected, atol=0.06)


@pytest.mark.parametrize("degrees", [7.0, -20.0, 133.0])
@pytest.mark.parametrize("scale", [0.3, 1.0, 2.2])
def test_the_middle_of_a_drawn_disk_is_where_its_point_is(degrees: float, scale: float):
    y, x = np.mgrid[0:240, 0:300] + 0.5
    center = np.array([111.0, 140.0])
    image = np.uint8(255 * np.clip(30.5 - np.hypot(x - center[0], y - center[1]), 0, 1))[:, :, None]
    turn = Composition((Rotation(degrees=degrees, canvas="around"), Resize(size=(round(300 * scale), round(260 * scale)))))
    placement = turn.placement((240, 300))
    moved = place_image(image, placement, fill=0)[:, :, 0].astype(np.float64)
    rows, columns = np.mgrid[0 : moved.shape[0], 0 : moved.shape[1]] + 0.5
    found = [(moved * columns).sum() / moved.sum(), (moved * rows).sum() / moved.sum()]
    np.testing.assert_allclose(found, placement.points(center[None])[0], atol=0.06)
    area = moved.sum() / 255
    np.testing.assert_allclose(area, math.pi * 30**2 * abs(placement.determinant), rtol=0.01)


def test_what_shows_no_image_is_filled():
    image = np.full((20, 30, 3), 200, np.uint8)
    boxed = place_image(image, Letterbox(size=(64, 64)).placement((20, 30)), fill=7)
    left, top, right, bottom = (int(edge) for edge in Letterbox(size=(64, 64)).placement((20, 30)).frame)
    assert (boxed[top:bottom, left:right] == 200).all()
    boxed[top:bottom, left:right] = 7
    assert (boxed == 7).all()
    turned = place_image(image, Rotation(degrees=45.0, canvas="around").placement((20, 30)), fill=7)
    assert turned[0, 0, 0] == 7 and turned[turned.shape[0] // 2, turned.shape[1] // 2, 0] == 200
    cropped = Composition((CropTo(left=0, top=0, size=(20, 10)), Rotation(degrees=45.0, canvas="around")))
    shown = place_image(image, cropped.placement((20, 30)), fill=7)
    assert abs((shown[:, :, 0] == 200).sum() - 200) < 40


def test_no_pixel_of_a_quick_path_differs_from_the_general_one():
    """A crop by whole pixels is the array's own window."""
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    moved = place_image(image, CropTo(left=5, top=-3, size=(30, 60)).placement((40, 50)), fill=9)
    np.testing.assert_array_equal(moved[3:30, :45], image[:27, 5:])
    assert (moved[:3] == 9).all() and (moved[:, 45:] == 9).all()
    np.testing.assert_array_equal(place_image(image, Flip().placement((40, 50))), image[:, ::-1])


def test_boxes_that_are_hardly_seen_go_and_the_rule_has_a_name():
    """yolov5#8673: a mosaic leaves boxes without width. albumentations#1230, #875: the visible share of a box decides, and one
    that is seen whole has a share of 1."""
    image = np.zeros((500, 500, 3), np.uint8)
    boxes = np.array([[0.0, 0.0, 100.0, 100.0], [200.0, 200.0, 300.0, 300.0], [19.5, 50.0, 20.4, 90.0], [20.0, 5.0, 20.0, 9.0]])
    shift = CropTo(left=20, top=20, size=(500, 500))
    assert move(shift, image, boxes, min_visible=0.9).kept.tolist() == [False, True, False, False]
    assert move(shift, image, boxes, min_visible=0.64).kept.tolist() == [True, True, False, False]
    assert move(shift, image, boxes, min_visible=1.0).kept.tolist() == [False, True, False, False]
    everything = move(shift, image, boxes, min_visible=0.0, min_side=0.0)
    assert everything.kept.tolist() == [True, True, True, False]
    assert (everything.boxes[:, 2:] > everything.boxes[:, :2]).all()


@pytest.mark.parametrize("box", [[442.0, 79, 972, 564], [0.94375 * 960, 100, 1.003125 * 960, 200], [-2.4, 3, 515, 60]])
def test_a_box_that_sticks_out_of_its_image_is_no_error(box: list[float]):
    """albumentations#459, #848, #937, #961, #1497: a box that leaves the image by a rounding is clipped like any other."""
    image = np.zeros((564, 960, 3), np.uint8)
    moved = move(Composition((Flip(), Letterbox(size=(416, 416)))), image, np.array([box]))
    assert moved.kept.all()
    left, top, right, bottom = moved.placement.frame
    assert (moved.boxes >= [left, top, left, top]).all() and (moved.boxes <= [right, bottom, right, bottom]).all()


def test_boxes_that_are_nan_go():
    moved = move(Flip(), np.zeros((8, 8, 1), np.uint8), np.array([[np.nan, 0, 4, 4], [0, 0, np.inf, 4], [1, 1, 5, 5]]))
    assert moved.kept.tolist() == [False, False, True]


@pytest.mark.parametrize("transform", [Letterbox(size=(16, 16)), Rotation(degrees=20.0)], ids=repr)
def test_an_image_without_boxes_is_moved_too(transform: GeometricTransform):
    """albumentations#1918."""
    moved = move(transform, np.zeros((8, 9, 3), np.uint8), np.zeros((0, 4)), np.zeros((0, 5, 2)))
    assert moved.boxes.shape == (0, 4) and moved.kept.shape == (0,)
    assert moved.points is not None and moved.points.shape == (0, 5, 2)


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda: Letterbox(size=(0, 10)), "height"),
        (lambda: Letterbox(size=(10, 10), within=(11, 10)), "more than the canvas"),
        (lambda: Rotation(degrees=math.nan), "finite"),
        (lambda: Mosaic(size=(10, 10), center=(0, 5)), "meet inside"),
        (lambda: Mosaic(size=(10, 10), center=(5, 5)).placements([(1, 1)] * 3), "four"),
        (lambda: Placement(source=(1, 1), target=(1, 1), matrix=(0.0, 0.0, 0.0, 1.0)), "undone"),
        (lambda: Placement.filling((4, 4), (4, 4), (2, 0, 2, 4)), "left < right"),
        (lambda: Flip().placement((4, 4)).then(Flip().placement((5, 4))), "another size|cannot be laid"),
        (lambda: place_image(np.zeros((4, 4, 3), np.uint8), Flip().placement((4, 5))), "not of"),
        (lambda: move(Flip(), np.zeros((4, 4, 3), np.uint8), np.zeros((0, 4)), min_visible=2.0), "min_visible"),
        (lambda: move(Flip(), np.zeros((4, 4, 3), np.uint8), np.zeros((1, 4)), np.zeros((2, 5, 2))), "landmarks"),
    ],
)
def test_what_makes_no_sense_is_said(make, says: str):
    with pytest.raises(ValueError, match=says):
        make()


@pytest.mark.parametrize(
    "definition, field, value",
    [
        (Letterbox(size=(4, 4)), "position", "lower"),
        (Flip(), "direction", "across"),
        (Rotation(degrees=3.0), "canvas", "large"),
        (Resize(size=(3, 3)), "size", (3, 2.5)),
        (CropTo(left=0, top=0, size=(3, 3)), "size", (3, 3, 3)),
    ],
)
def test_unknown_choices_are_refused(definition: Any, field: str, value: object):
    # The tests' own type checker would refuse the value before __post_init__ sees it.
    broken = dataclasses.replace(definition)
    object.__setattr__(broken, field, value)
    with pytest.raises(ValueError, match=type(definition).__name__):
        broken.__post_init__()


def test_definitions_are_values():
    """A config may name them: equal fields are equal, and hashable."""
    definitions: list[Any] = [*UPRIGHT, *TURNS, Mosaic(size=(64, 64), center=(3, 4))]
    for transform in definitions:
        again = dataclasses.replace(transform)
        assert transform == again and hash(transform) == hash(again)
