"""Panoramas are looked at in slices: which, and what becomes of the faces that several of them show."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from likeness.research.faces import FaceFinder, FaceReader
from likeness.research.faces.panorama import cut_off, distinct_faces, panorama_slices


@settings(max_examples=20, deadline=None)
@given(st.integers(100, 3000), st.floats(2.5, 20), st.booleans())
def test_slices_cover_a_panorama_and_a_face_of_a_third_is_whole_in_one(short: int, ratio: float, upright: bool) -> None:
    long = max(1025, int(np.ceil(ratio * short)))
    windows = panorama_slices((long, short) if upright else (short, long))
    along = windows[:, [1, 3]] if upright else windows[:, [0, 2]]
    across = windows[:, [0, 2]] if upright else windows[:, [1, 3]]
    assert (across == (0, short)).all() and along[0, 0] == 0 and along[-1, 1] == long
    face = short // 3
    for start in np.linspace(0, long - face, 50).astype(int):
        assert ((along[:, 0] <= start) & (start + face <= along[:, 1])).any()


@pytest.mark.parametrize("size", [(3000, 4000), (1024, 400), (100, 1000), (2000, 4999)])
def test_other_photographs_have_no_slices(size: tuple[int, int]) -> None:
    assert panorama_slices(size).shape == (0, 4)


def test_a_face_that_several_views_show_is_one_and_the_whole_of_it_is_kept() -> None:
    whole, half, other = [100.0, 100, 140, 150], [100.0, 100, 112, 150], [300.0, 100, 340, 150]
    boxes = np.array([half, whole, whole, other])
    # Of half a face a detector may be surer than of the whole.
    kept = distinct_faces(boxes, np.array([0.9, 0.8, 0.85, 0.5]), np.array([0.0, 1.0, 0.2, 1.0]))
    assert kept.tolist() == [False, True, False, True]
    window = np.array([88, 0, 300, 200])
    assert cut_off(np.array([[88.0, 50, 120, 90], [150.0, 0, 180, 30], [200.0, 20, 299, 60]]), window, (200, 900)).tolist() == [
        True,
        False,
        True,
    ]


@pytest.mark.slow
@pytest.mark.data
def test_people_all_along_a_panorama_are_found_once_each() -> None:
    root = Path(os.environ["LIKENESS_DATA"]) / "lfw"
    people = [next(iter(sorted(each.iterdir()))) for each in sorted(root.iterdir()) if each.is_dir()][:7]
    scene = np.full((240, 7 * 230, 3), 128, np.uint8)
    for number, path in enumerate(people):
        scene[30:190, 35 + 230 * number : 195 + 230 * number] = np.asarray(Image.open(path))
    # The one in the middle of the photograph is in the middle of no slice.
    finder = FaceFinder(choice="central", faces=20, mirror=False)
    found = FaceReader.load(finder, "yunet")([scene])[0]
    assert found.size == (240, 1610) and found.crops.shape[0] == 7
    whose = (found.xyxy[:, 0] + found.xyxy[:, 2]) // 2 // 230
    assert sorted(whose) == list(range(7)) and whose[0] == 3
    # Slices of 320 pixels are looked at as they are: between the eyes are some 40 pixels, and half of that in the whole.
    assert (found.eye_distance > 30).all()
    # Landmarks are of the photograph: the eyes lie in the upper half of each box.
    x1, y1, x2, y2 = found.xyxy.T
    eyes = found.landmarks[:, :2].mean(axis=1)
    assert ((x1 < eyes[:, 0]) & (eyes[:, 0] < x2) & (y1 < eyes[:, 1]) & (eyes[:, 1] < (y1 + y2) / 2)).all()
    first = FaceReader.load(dataclasses.replace(finder, faces=1), "yunet")([scene])[0]
    np.testing.assert_array_equal(first.xyxy, found.xyxy[:1])
    np.testing.assert_array_equal(first.crops, found.crops[:1])
