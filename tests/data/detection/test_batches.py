import json
import math

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.research.data.detection import (
    DetectionAugmentation,
    DetectionExamples,
    DetectionSample,
    detection_examples,
    pad_boxes,
    padded_boxes,
    sample_of,
    stream_detection,
)
from likeness.research.errors import UserError
from likeness.research.geometry import Letterbox

SIZES = [(40, 60), (60, 40), (30, 30), (100, 21), (64, 64)]
EVERYTHING = DetectionAugmentation(
    mirror=0.5, up_down=0.3, quarter_turns=0.5, rotate=20.0, scale=(0.5, 2.0), translate=0.2, mosaic=0.5, brightness=0.3,
    contrast=0.3, saturation=0.5, hue=20.0, gray=0.2,
)  # fmt: skip


def drawn(count: int = 12, channels: int = 3, points: bool = False, objects: int = 3) -> DetectionExamples:
    """Black images with bright rectangles, each of a class, at whole pixels."""
    rng = np.random.default_rng(1)
    images, boxes, classes, marks = [], [], [], []
    for row in range(count):
        height, width = SIZES[row % len(SIZES)]
        image = np.zeros((height, width, channels), np.uint8)
        some = []
        for _ in range(row % (objects + 1)):
            left, top = int(rng.integers(0, width - 8)), int(rng.integers(0, height - 8))
            right, bottom = int(rng.integers(left + 6, width + 1)), int(rng.integers(top + 6, height + 1))
            image[top:bottom, left:right] = 255
            some.append((left, top, right, bottom))
        images.append(image)
        boxes.append(np.array(some, np.float32).reshape(-1, 4))
        classes.append(np.arange(len(some), dtype=np.int32))
        marks.append(np.array([[(box[0], box[1]), (box[2], box[1])] for box in some], np.float32).reshape(-1, 2, 2))
    return detection_examples(images, boxes, classes, tuple("abc"), marks if points else None)


def bright(image: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(image[:, :, 0] > 127)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


def one(box: tuple[int, int, int, int], size: tuple[int, int] = (48, 64)) -> DetectionExamples:
    image = np.zeros((*size, 3), np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = 255
    return detection_examples([image], [np.array([box], np.float32)], [np.array([0])], ("disk",))


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from([(64, 64), (96, 48), (50, 77)]),
    quarter=st.floats(0, 1),
    low=st.floats(0.4, 1),
    high=st.floats(1, 2.5),
)
def test_what_is_drawn_is_where_its_box_is(seed: int, size: tuple[int, int], quarter: float, low: float, high: float):
    """A rectangle that is wholly seen is found by its pixels; without turns the map is exact."""
    augmentation = DetectionAugmentation(
        mirror=0.5, up_down=0.5, quarter_turns=quarter, scale=(low, high), translate=0.1, min_visible=0.999, fill=0
    )
    sample = augmentation(one((10, 8, 50, 40)), 0, size, np.random.default_rng(seed))
    assert sample.image.shape == (*size, 3)
    if len(sample.boxes):
        np.testing.assert_allclose(bright(sample.image), sample.boxes[0], atol=0.6)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_turned_box_holds_what_is_drawn(seed: int):
    augmentation = DetectionAugmentation(rotate=45.0, scale=(0.5, 1.0), min_visible=0.999, fill=0)
    sample = augmentation(one((20, 15, 50, 40)), 0, (64, 64), np.random.default_rng(seed))
    if len(sample.boxes):
        left, top, right, bottom = bright(sample.image)
        assert (sample.boxes[0] - [left, top, left, top])[:2].max() < 1 and left >= 0
        np.testing.assert_allclose([left, top, right, bottom], sample.boxes[0], atol=1.3)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), row=st.integers(0, 11))
def test_every_box_of_any_augmentation_is_sound(seed: int, row: int):
    """yolov5#8673: 2 % of a mosaic's boxes had no width."""
    table = drawn()
    sample = EVERYTHING(table, row, (64, 80), np.random.default_rng(seed))
    assert sample.image.shape == (64, 80, 3) and sample.image.dtype == np.uint8
    assert sample.boxes.dtype == np.float32 and len(sample.boxes) == len(sample.classes) == len(sample.rows)
    assert (sample.boxes >= 0).all() and (sample.boxes <= [80, 64, 80, 64]).all()
    assert (sample.boxes[:, 2:] - sample.boxes[:, :2] >= EVERYTHING.min_side - 1e-4).all()
    np.testing.assert_array_equal(table.classes[sample.rows], sample.classes)
    assert len(sample.boxes) <= EVERYTHING.most_boxes(table)


def test_a_mosaic_shows_four_images_and_their_boxes():
    images = [np.full((30, 30, 1), value, np.uint8) for value in (10, 20, 30, 40)]
    table = detection_examples(images, [np.array([[0, 0, 30, 30]])] * 4, [np.array([row]) for row in range(4)], tuple("abcd"))
    sample = DetectionAugmentation(mosaic=1.0)(table, 2, (64, 64), np.random.default_rng(3))
    assert len(sample.boxes) == 4 and 2 in sample.classes
    areas = (sample.boxes[:, 2:] - sample.boxes[:, :2]).prod(axis=1)
    assert areas.sum() == 64 * 64
    for box, label in zip(sample.boxes.astype(int), sample.classes, strict=True):
        assert (sample.image[box[1] : box[3], box[0] : box[2]] == 10 * (label + 1)).all()


def test_landmarks_move_with_the_image_and_change_places_in_the_mirror():
    table = drawn(points=True)
    row = next(row for row in range(len(table)) if len(table.boxes_of(row)) == 1)
    order = (1, 0)
    for mirror in (0.0, 1.0):
        augmentation = DetectionAugmentation(mirror=mirror, scale=(0.7, 0.7), point_order=order, fill=0)
        sample = augmentation(table, row, (64, 64), np.random.default_rng(0))
        assert sample.points is not None
        # The upper corners of its box, the left one first in either case.
        np.testing.assert_allclose(sample.points[0, 0], sample.boxes[0, :2], atol=1e-4)
        np.testing.assert_allclose(sample.points[0, 1], sample.boxes[0, [2, 1]], atol=1e-4)


def test_colors_change_by_what_they_say():
    image = np.random.default_rng(0).integers(60, 180, (32, 32, 3)).astype(np.uint8)
    table = detection_examples([image], [np.zeros((0, 4))], [np.zeros(0, int)], ("disk",))
    still = {"mirror": 0.0}
    same = DetectionAugmentation(**still)(table, 0, (32, 32), np.random.default_rng(0)).image
    np.testing.assert_array_equal(same, image)
    gray = DetectionAugmentation(**still, gray=1.0)(table, 0, (32, 32), np.random.default_rng(0)).image.astype(float)
    assert np.ptp(gray, axis=2).max() <= 2
    np.testing.assert_allclose(gray[..., 0], image @ [0.299, 0.587, 0.114], atol=1.5)
    turned = DetectionAugmentation(**still, hue=90.0)(table, 0, (32, 32), np.random.default_rng(1)).image
    np.testing.assert_allclose(turned @ [0.299, 0.587, 0.114], image @ [0.299, 0.587, 0.114], atol=3)
    assert np.abs(turned.astype(int) - image).mean() > 3
    factors = []
    for seed in range(200):
        bright = DetectionAugmentation(**still, brightness=0.4)(table, 0, (32, 32), np.random.default_rng(seed)).image
        factors.append(float(bright.astype(float).mean() / image.mean()))
    assert 0.59 < min(factors) < 0.65 and 1.33 < max(factors) < 1.41
    one_channel = detection_examples([image[:, :, :1]], [np.zeros((0, 4))], [np.zeros(0, int)], ("disk",))
    made = DetectionAugmentation(**still, contrast=0.5, saturation=0.5)(
        one_channel, 0, (32, 32), np.random.default_rng(5)
    ).image
    assert made.shape == (32, 32, 1) and abs(made.std() / image.std() - 1) > 0.02


@pytest.mark.parametrize("threads", [0, 2])
def test_a_batch_depends_on_its_seed_and_number_alone(threads: int):
    table = drawn()

    def take(start: int, count: int, **fields) -> list[dict[str, np.ndarray]]:
        iterator = stream_detection(table, 4, (64, 64), 7, augmentation=EVERYTHING, threads=threads, **fields)
        iterator.set_state({"next_index": start})
        found = [next(iterator) for _ in range(count)]
        assert json.loads(json.dumps(iterator.get_state())) == {"next_index": start + count}
        iterator.close()
        return found

    first, again = take(0, 5), take(3, 2)
    for one_batch, other in zip(first[3:], again, strict=True):
        for name in one_batch:
            np.testing.assert_array_equal(one_batch[name], other[name])
    halves = [take(0, 1, process_index=index, process_count=2)[0] for index in range(2)]
    for name, whole in first[0].items():
        np.testing.assert_array_equal(np.concatenate([half[name] for half in halves]), whole)


def test_a_batch_has_a_fixed_shape_for_jitted_code():
    table = drawn(points=True)
    shapes, rows = set(), []
    iterator = stream_detection(table, 6, (64, 80), 0)
    for _ in range(4):
        batch = next(iterator)
        rows += batch["rows"].tolist()
        padded = padded_boxes(batch)
        shapes.add(tuple((name, values.shape, str(values.dtype)) for name, values in batch.items()))
        for place, row in enumerate(batch["rows"]):
            count = len(table.boxes_of(row))
            assert padded.mask[place].sum() == count and padded.mask[place, :count].all()
            letterbox = Letterbox(size=(64, 80)).placement(tuple(table.sizes[row].tolist()))
            np.testing.assert_allclose(padded.boxes[place, :count], letterbox.boxes(table.boxes_of(row)), rtol=1e-6, atol=1e-5)
            assert not padded.boxes[place, count:].any() and not padded.classes[place, count:].any()
            np.testing.assert_allclose(
                batch["points"][place, :count], letterbox.points(table.points[table.objects(row)]), atol=1e-4
            )
    iterator.close()
    assert len(shapes) == 1 and sorted(rows) == sorted([*range(12)] * 2)
    assert {name: (shape, kind) for name, shape, kind in shapes.pop()} == {
        "images": ((6, 64, 80, 3), "uint8"),
        "boxes": ((6, 3, 4), "float32"),
        "classes": ((6, 3), "int32"),
        "mask": ((6, 3), "bool"),
        "rows": ((6,), "int64"),
        "points": ((6, 3, 2, 2), "float32"),
    }
    total = jax.jit(lambda boxes: (boxes.boxes.sum(-1) * boxes.mask).sum())(padded)
    np.testing.assert_allclose(total, (padded.boxes.sum(-1) * padded.mask).sum(), rtol=1e-6)


def test_crowds_and_difficult_objects_are_under_another_mask():
    table = one((10, 8, 50, 40))
    object.__setattr__(table, "difficult", np.array([True]))
    padded = pad_boxes(table, [sample_of(table, 0, Letterbox(size=(64, 64)))], 2)
    assert padded.mask.tolist() == [[False, False]] and padded.ignored.tolist() == [[True, False]]
    batch = next(stream_detection(table, 1, (64, 64), 0, threads=0))
    assert batch["ignored"].tolist() == [[True]] and padded_boxes(batch).ignored.tolist() == [[True]]
    # Programs that learn from data without such objects know nothing of them.
    batch = next(stream_detection(one((10, 8, 50, 40)), 1, (64, 64), 0, threads=0))
    assert "ignored" not in batch and padded_boxes(batch).ignored.tolist() == [[False]]


def test_an_image_with_more_boxes_than_rows_is_refused():
    table = drawn()
    with pytest.raises(UserError, match=r"may have 3 boxes \(image 3 has most\), and there are rows for 2"):
        stream_detection(table, 4, (64, 64), 0, max_boxes=2)
    with pytest.raises(UserError, match="may have 12 boxes"):
        stream_detection(table, 4, (64, 64), 0, augmentation=EVERYTHING, max_boxes=11)
    sample = sample_of(table, 3, Letterbox(size=(64, 64)))
    with pytest.raises(UserError, match="3 boxes, and there are rows for 1"):
        pad_boxes(table, [sample], 1)
    assert isinstance(sample, DetectionSample)


def test_batches_that_cannot_be_made_are_refused():
    with pytest.raises(UserError, match="no images"):
        stream_detection(drawn().select([]), 4, (64, 64), 0)
    with pytest.raises(UserError, match="3 processes"):
        stream_detection(drawn(), 4, (64, 64), 0, process_count=3)


@pytest.mark.parametrize(
    "fields",
    [
        {"mirror": 1.5}, {"rotate": -1.0}, {"scale": (0.0, 1.0)}, {"scale": (2.0, 1.0)}, {"mosaic_center": (0.0, 1.0)},
        {"hue": math.nan}, {"fill": 256}, {"min_side": -1.0},
    ],
)  # fmt: skip
def test_fields_out_of_range_are_refused(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        DetectionAugmentation(**fields)


@pytest.mark.parametrize("box", [[0, 0, 0, 4], [5, 0, 2, 4], [0, 0, 9, 4], [-1, 0, 4, 4], [math.nan, 0, 4, 4]])
def test_drawn_boxes_are_checked(box):
    with pytest.raises(ValueError, match="a box of image 0"):
        detection_examples([np.zeros((8, 8, 1), np.uint8)], [np.array([box], float)], [np.array([0])], ("disk",))
