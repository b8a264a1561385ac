"""Crops of objects and of the background."""

import dataclasses

import numpy as np
import pytest

from likeness.research.data.detection import ObjectCrops, Shapes, detection_examples
from likeness.research.errors import UserError
from likeness.research.geometry import Letterbox, pairwise

CANVAS = Letterbox(size=(80, 80), within=(64, 64))


def coordinates(n=3, objects=True):
    """Images whose colors say where they are, with one object."""
    y, x = np.mgrid[:64, :64].astype(np.uint8)
    image = np.stack([x + 1, y + 1, np.full_like(x, 7)], axis=-1)
    boxes = [np.array([[10.0, 20.0, 28.0, 38.0]]) if objects else np.zeros((0, 4))] * n
    return detection_examples([image] * n, boxes, [np.array([1] * objects, np.int64)] * n, ("disk", "box"))


def test_crops_are_what_they_are_called():
    crops = ObjectCrops(window=24, margin=3, jitter=2, copies=3, background=10)
    cut = crops(coordinates(20), CANVAS, 0)
    assert cut.classes == ("disk", "box", "background")
    assert cut.values.shape[1:] == (24, 24, 3)
    # The canvas begins 8 pixels before the image; outside of it all is gray.
    inside = cut.values[:, 12, 12, 2] == 7
    corner = cut.values[:, 12, 12, :2].astype(int) - 1 - 12 + 8
    overlap = pairwise(crops.claims(corner[inside]), np.array([[18.0, 28.0, 36.0, 46.0]]))[:, 0]
    labels = cut.labels[inside]
    assert (overlap[labels == 1] >= 0.5).all() and (labels == 1).sum() == (cut.labels == 1).sum() == 60
    assert (overlap[labels == 2] < 0.3).all()
    assert 150 < (cut.labels == 2).sum() <= 200
    # Some of the background touches the object.
    assert (overlap[labels == 2] > 0).mean() > 0.2
    again = crops(coordinates(20), CANVAS, 0)
    np.testing.assert_array_equal(again.values, cut.values)
    assert crops(coordinates(20), CANVAS, 1).fingerprint != cut.fingerprint


def test_an_image_without_objects_has_background_alone():
    crops, examples = ObjectCrops(background=5), coordinates(2)
    rows = np.arange(2)
    empty = dataclasses.replace(
        examples.select(rows), starts=np.array([0, 0, 1]), boxes=examples.boxes[:1], classes=examples.classes[:1]
    )
    cut = crops(empty, CANVAS, 0)
    assert (cut.labels == 2).sum() >= 5


def test_ignored_objects_are_in_no_crop():
    """Neither as an object nor, but for less than half of a window's claim, as background."""
    crops = ObjectCrops(window=24, margin=3, jitter=2, copies=3, background=40)
    plain = coordinates(20)
    first = np.arange(20) == 0
    for column in ("crowd", "difficult"):
        cut = crops(dataclasses.replace(plain, **{column: ~first}), CANVAS, 0)
        inside = cut.values[:, 12, 12, 2] == 7
        claims = crops.claims(cut.values[inside, 12, 12, :2].astype(int) - 1 - 12 + 8)
        sides = np.minimum(claims[:, 2:], [36.0, 46.0]) - np.maximum(claims[:, :2], [18.0, 28.0])
        share = np.maximum(sides, 0).prod(axis=1) / 18**2
        assert (cut.labels == 1).sum() == 3 and (share[cut.labels[inside] == 2] < 0.5).all()
    none = crops(dataclasses.replace(plain, crowd=np.zeros(20, bool)), CANVAS, 0)
    assert none.fingerprint == crops(plain, CANVAS, 0).fingerprint


def test_shapes_of_the_windows_size_are_all_cut():
    examples = Shapes(train=30, validation=1, test=1, sides=(15.0, 21.0)).open()
    cut = ObjectCrops(jitter=0, copies=1)(examples, CANVAS, 0)
    assert (cut.labels < 3).sum() > 0.9 * len(examples.boxes)


def test_what_cannot_be_cut_is_refused():
    for fields, said in (
        ({"window": 0}, "window must be at least 1"),
        ({"margin": 12}, "a margin that leaves something of a window of 24"),
        ({"object_iou": 0.2}, "0 < background_iou ≤ object_iou"),
    ):
        with pytest.raises(ValueError, match=said):
            ObjectCrops(**fields)
    with pytest.raises(UserError, match="smaller than a window of 90"):
        ObjectCrops(window=90)(coordinates(1), CANVAS, 0)
    with pytest.raises(UserError, match="No object of these images fits a window of 60"):
        ObjectCrops(window=60)(coordinates(1), CANVAS, 0)
