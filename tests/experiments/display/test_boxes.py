"""Boxes drawn on images: seen on any ground, labels inside the image and apart."""

import numpy as np
import pytest

from likeness.experiments.display import boxes as module
from likeness.experiments.display.boxes import PALETTE, draw_boxes, rows_up
from likeness.research.geometry import Detections

NAMES = tuple(f"class {number}" for number in range(12))


def detections(*corners, classes=None, names=NAMES, landmarks=None):
    count = len(corners)
    classes = np.arange(count) if classes is None else np.array(classes)
    return Detections(
        np.array(corners, float).reshape(-1, 4),
        np.linspace(0.9, 0.5, count),
        classes,
        names,
        None if landmarks is None else np.array(landmarks),
    )


def luminance(color):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in np.array(color) / 255]
    return np.dot([0.2126, 0.7152, 0.0722], linear)


@pytest.mark.parametrize("color", PALETTE)
def test_dark_letters_can_be_read_on_every_color(color):
    """A ratio of 7 is what WCAG asks for at its strictest."""
    assert (luminance(color) + 0.05) / (luminance(module._INK) + 0.05) > 7


@pytest.mark.parametrize("ground", [0, 128, 255, "noise", *range(len(PALETTE))])
def test_a_frame_is_seen_on_any_ground(ground):
    """Where the line has the color of the ground, its dark edge shows."""
    if ground == "noise":
        image = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    else:
        image = np.zeros((200, 300, 3), np.uint8)
        image[:] = PALETTE[ground] if isinstance(ground, int) and 0 < ground < len(PALETTE) else ground
    for number in range(len(PALETTE)):
        drawn = draw_boxes(image, detections([60, 60, 240, 150], classes=[number]), labels="none")
        across = drawn[100, 50:72].astype(int)
        change = np.abs(across - image[100, 50:72].astype(int)).sum(1)
        assert change.max() > 60


def test_lines_and_letters_grow_with_the_image():
    changed = []
    for side in (160, 1280, 2560):
        image = np.full((side, side, 3), 128, np.uint8)
        box = np.array([0.25, 0.25, 0.75, 0.75]) * side
        drawn = draw_boxes(image, detections(box), labels="none")
        changed.append(int(np.any(drawn[side // 2, : side // 2] != image[side // 2, : side // 2], axis=-1).sum()))
    assert changed[0] < changed[1] < changed[2]


@pytest.mark.parametrize("size", [(40, 40), (120, 400), (400, 120), (1000, 1500)])
def test_labels_stay_inside_and_cover_each_other_no_more_than_they_must(size, monkeypatch):
    """Boxes at all four borders, in the middle, and two that are nearly the same."""
    height, width = size
    placed = []
    place = module._place

    def noted(*given):
        placed.append(place(*given))
        return placed[-1]

    monkeypatch.setattr(module, "_place", noted)
    shares = [
        (0, 0, 0.2, 0.2),
        (0.8, 0, 1, 0.2),
        (0, 0.8, 0.2, 1),
        (0.8, 0.8, 1, 1),
        (0.4, 0.4, 0.6, 0.6),
        (0.41, 0.4, 0.6, 0.6),
    ]
    corners = [np.array(each) * [width, height, width, height] for each in shares]
    draw_boxes(np.zeros((height, width, 3), np.uint8), detections(*corners, names=tuple("abcdef")), labels="names")
    for left, top, right, bottom in placed:
        assert left >= 0 and top >= 0
        if right - left < width and bottom - top < height:
            assert right < width and bottom < height
    if min(size) > 300:
        common = [module._common(a, b) for i, a in enumerate(placed) for b in placed[:i]]
        assert max(common) == 0


def test_what_is_written_is_as_asked(monkeypatch):
    written = []
    monkeypatch.setattr(module, "pillow_text", _noting(written))
    image = np.zeros((100, 100, 3), np.uint8)
    one = detections([10, 40, 60, 90])
    for labels, names, expected in (
        ("auto", NAMES, "class 0 0.90"),
        ("auto", ("face",), "0.90"),
        ("names", ("face",), "face 0.90"),
        ("scores", NAMES, "0.90"),
        ("auto", (), "0 0.90"),
    ):
        written.clear()
        draw_boxes(image, Detections(one.xyxy, one.confidence, one.class_id, names), labels=labels)
        assert written == [expected]


def _noting(written):
    from likeness.experiments.display.lettering import pillow_text

    def note(text, size):
        written.append(text)
        return pillow_text(text, size)

    return note


@pytest.mark.parametrize(
    "box", [[0, 0, 1, 1], [99, 99, 100, 100], [-50, -50, 200, 200], [50, 50, 50, 50], [40, 40, 42, 90], [150, 150, 160, 160]]
)
def test_odd_boxes_are_drawn_without_complaint(box):
    image = np.zeros((100, 100, 3), np.uint8)
    drawn = draw_boxes(image, detections(box))
    assert drawn.shape == image.shape and drawn.dtype == np.uint8
    assert not image.any()


def test_nothing_found_leaves_the_image_as_it_was():
    image = np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    np.testing.assert_array_equal(draw_boxes(image, detections()), image)


def test_landmarks_are_dots_in_the_color_of_their_box():
    image = np.zeros((200, 200, 3), np.uint8)
    drawn = draw_boxes(image, detections([50, 50, 150, 150], landmarks=[[[100.0, 100.0], [250.0, -3.0]]]), labels="none")
    assert tuple(drawn[100, 100]) == PALETTE[0]


def test_names_in_any_letters_are_written():
    image = np.zeros((200, 300, 3), np.uint8)
    drawn = draw_boxes(image, detections([50, 90, 250, 190], names=("猫 кот ねこ",)), labels="names")
    assert drawn.any()


def test_labels_move_apart_and_the_first_stay():
    # Two at one place, one beside them, one where the second has gone, and three at the upper edge, where there is no above.
    places = [(10.0, 50.0), (10.0, 50.0), (80.0, 50.0), (12.0, 40.0), (10.0, 10.0), (10.0, 10.0)]
    assert rows_up(places, [30.0] * 6, 10.0) == [0, 1, 0, 1, 0, -1]
    crowd = rows_up([(0.0, 10.0)] * 9, [5.0] * 9, 10.0)
    assert crowd == [0, -1, -2, -3, 0, 0, 0, 0, 0]
    assert rows_up([], [], 1.0) == []
