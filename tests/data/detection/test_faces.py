"""Drawn faces as a source."""

import numpy as np
import pytest

from likeness.research.data import Faces
from likeness.research.data.detection import FACE_POINT_ORDER, DrawnFaces, OfficialParts
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
