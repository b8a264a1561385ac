"""Drawn faces as a source."""

import dataclasses

import numpy as np
import pytest

from likeness.research.data import Faces
from likeness.research.data.detection import FACE_POINT_ORDER, DrawnFaces, FaceScenes, OfficialParts
from likeness.research.data.protocols import is_synthetic

SMALL = DrawnFaces(train=5, validation=2, test=3, size=48)


def test_every_image_has_a_face_with_its_landmarks_in_their_places():
    parts = OfficialParts()(SMALL.open())
    assert [len(part) for part in parts] == [5, 2, 3]
    drawn = Faces(people=10, images=1, size=48, placement=2.0, cache=0).open()
    for part, first in zip(parts, (5, 3, 0), strict=True):
        assert part.points is not None
        for row in range(len(part)):
            np.testing.assert_array_equal(part.read(row), drawn.read(np.array([first + row]))[0])
            np.testing.assert_array_equal(part.points[row], drawn.extras["landmarks"][first + row])
            np.testing.assert_allclose(part.boxes_of(row)[0], np.clip(drawn.extras["boxes"][first + row], 0, 48))
        left, right = part.points[:, 0, 0], part.points[:, 1, 0]
        assert (left < right).all()
        mirrored = part.points[:, FACE_POINT_ORDER]
        np.testing.assert_array_equal(mirrored[:, 0], part.points[:, 1])
        np.testing.assert_array_equal(mirrored[:, 3], part.points[:, 4])
    assert is_synthetic(SMALL)


def test_all_contours_may_be_the_landmarks():
    five, all_of_them = SMALL.open(), dataclasses.replace(SMALL, landmarks=68).open()
    assert all_of_them.points.shape == (10, 68, 2)
    # The tip of the nose and the corners of the mouth are among both.
    np.testing.assert_allclose(all_of_them.points[:, [30, 48, 54]], five.points[:, 2:], atol=1e-3)
    np.testing.assert_array_equal(all_of_them.boxes, five.boxes)


def test_more_images_to_learn_from_leave_the_test_as_it_is():
    few, more = (
        OfficialParts()(SMALL.open()).test,
        OfficialParts()(DrawnFaces(train=9, validation=2, test=3, size=48).open()).test,
    )
    assert few.fingerprint == more.fingerprint


def test_parts_without_images_are_refused():
    with pytest.raises(ValueError, match="each part needs at least one image"):
        DrawnFaces(train=0)
    with pytest.raises(ValueError, match=r"Faces\.size is 8"):
        DrawnFaces(size=8)


SCENES = FaceScenes(train=70, validation=2, test=3, most=3)


@pytest.mark.slow
def test_scenes_have_faces_with_landmarks_or_none():
    parts = OfficialParts()(SCENES.open())
    assert [len(part) for part in parts] == [70, 2, 3]
    counts = np.diff(parts.train.starts)
    assert set(counts) == {0, 1, 2, 3}
    assert parts.train.points.shape == (counts.sum(), 5, 2)
    assert parts.train.class_names == ("face",)
    assert is_synthetic(SCENES)


@pytest.mark.slow
def test_more_scenes_leave_those_that_there_were():
    few, more = (
        OfficialParts()(dataclasses.replace(SCENES, train=train, test=test).open()) for train, test in ((3, 3), (66, 5))
    )
    assert few.train.fingerprint == more.train.select(np.arange(3)).fingerprint
    assert few.test.fingerprint == more.test.select(np.arange(3)).fingerprint
    assert few.train.fingerprint != few.test.fingerprint
    other = OfficialParts()(dataclasses.replace(SCENES, train=3, seed=1).open())
    assert other.train.fingerprint != few.train.fingerprint


@pytest.mark.parametrize(
    ("fields", "said"), [({"train": 0}, "train is 0"), ({"size": 16}, "size is 16"), ({"sides": (4.0, 20.0)}, "sides is")]
)
def test_scenes_without_sense_are_refused(fields, said):
    with pytest.raises(ValueError, match=rf"FaceScenes\.{said}"):
        FaceScenes(**fields)
