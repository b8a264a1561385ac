"""Drawn shapes as a source."""

import numpy as np
import pytest

from likeness.research.data.detection import DetectionSource, OfficialParts, Shapes
from likeness.research.data.protocols import is_synthetic

SMALL = Shapes(train=12, validation=5, test=7)


def test_the_parts_are_those_that_were_asked_for_and_drawn_apart():
    parts = OfficialParts()(SMALL.open())
    assert [len(part) for part in parts] == [12, 5, 7]
    assert parts.train.class_names == ("disk", "box", "triangle")
    images = [part.read(row).tobytes() for part in parts for row in range(len(part))]
    assert len(set(images)) == 24
    assert isinstance(SMALL, DetectionSource)
    assert is_synthetic(SMALL)


def test_more_images_of_a_part_leave_the_others_as_they_are():
    few, more = OfficialParts()(SMALL.open()), OfficialParts()(Shapes(train=80, validation=5, test=7).open())
    for part, same in zip(few, more, strict=True):
        for row in range(len(part)):
            np.testing.assert_array_equal(part.read(row), same.read(row))
            np.testing.assert_array_equal(part.boxes_of(row), same.boxes_of(row))
            np.testing.assert_array_equal(part.classes_of(row), same.classes_of(row))
    assert few.test.fingerprint == more.test.fingerprint
    assert few.test.fingerprint != OfficialParts()(Shapes(train=12, test=7, seed=1).open()).test.fingerprint


@pytest.mark.parametrize(
    "fields",
    [{"train": 0}, {"size": 8}, {"most": 0}, {"noise": -0.1}, {"seed": -1}, {"sides": (3.0, 20.0)}, {"sides": (10.0, 40.0)}],
)
def test_fields_out_of_range_are_refused(fields):
    with pytest.raises(ValueError, match=rf"Shapes\.{next(iter(fields))} is .*; choose"):
        Shapes(**fields)
