import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness.research.data import Arrays, Digits, from_arrays
from likeness.research.errors import UserError

PIXELS = np.arange(3 * 8 * 8, dtype=np.uint8).reshape(3, 8, 8)


@given(st.lists(st.integers(-5, 120), min_size=1, max_size=9))
def test_integers_stay_apart_and_in_order(labels):
    images = from_arrays(np.zeros((len(labels), 8, 8), np.uint8), labels)
    assert [int(images.people[label]) for label in images.labels] == labels
    if min(labels) >= 0:
        assert [int(person) for person in images.people] == sorted(set(labels))


def test_people_name_integers():
    images = from_arrays(PIXELS, [2, 0, 2], ["cid", "bob", "ann"])
    assert images.people == ("ann", "cid")
    assert [images.people[label] for label in images.labels] == ["ann", "cid", "ann"]


def test_floats_become_bytes_and_color_stays():
    images = from_arrays(np.full((2, 8, 8, 3), 0.5, np.float32), ["a", "b"])
    assert images.shape == (8, 8, 3)
    assert (images.read(np.array([0, 1])) == 128).all()


def test_the_fingerprint_tells_pixels_labels_and_shapes():
    base = from_arrays(PIXELS, [0, 1, 2]).fingerprint
    assert from_arrays(PIXELS.copy(), [0, 1, 2]).fingerprint == base
    assert from_arrays(PIXELS + 1, [0, 1, 2]).fingerprint != base
    assert from_arrays(PIXELS, [0, 1, 1]).fingerprint != base
    assert from_arrays(PIXELS.reshape(3, 4, 16), [0, 1, 2]).fingerprint != base


@pytest.mark.parametrize(
    ("images", "labels", "people", "match"),
    [
        (np.zeros((3, 3, 8, 8), np.uint8), [0, 1, 2], None, "transpose"),
        (np.zeros((3, 64), np.uint8), [0, 1, 2], None, "shape"),
        (np.zeros((0, 8, 8), np.uint8), [], None, "shape"),
        (np.zeros((3, 8, 8), np.int32), [0, 1, 2], None, "int32"),
        (np.full((3, 8, 8), np.nan), [0, 1, 2], None, "NaN"),
        (PIXELS, [0, 1], None, "one for each of 3"),
        (PIXELS, np.array([0.0, 1.0, 2.0]), None, "float64"),
        (PIXELS, [0, 1, 2], ["ann", "bob"], "index `people`"),
        (PIXELS, [0, 1, -1], ["ann", "bob"], "index `people`"),
        (PIXELS, [0, 1, 1], ["ann", "ann"], "twice"),
        (PIXELS, ["a", "b", "c"], ["ann"], "names already"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(images, labels, people, match):
    with pytest.raises(UserError, match=match):
        from_arrays(images, labels, people)


def test_an_npz_file_opens_to_the_same_table(tmp_path):
    np.savez(tmp_path / "a.npz", images=PIXELS, labels=[1, 0, 1], people=["bob", "ann"], other=PIXELS)
    images = Arrays(str(tmp_path / "a.npz")).open()
    same = from_arrays(PIXELS, [1, 0, 1], ["bob", "ann"])
    assert (images.people, images.fingerprint) == (same.people, same.fingerprint)
    np.testing.assert_array_equal(images.labels, same.labels)


def test_other_keys_may_be_named(tmp_path):
    np.savez(tmp_path / "a.npz", x=PIXELS, y=["a", "b", "c"])
    assert Arrays(str(tmp_path / "a.npz"), images_key="x", labels_key="y").open().people == ("a", "b", "c")
    with pytest.raises(UserError, match=r"no array 'images', only 'x', 'y'"):
        Arrays(str(tmp_path / "a.npz")).open()


def test_files_that_are_not_npz_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, images=PIXELS, labels=np.array(["a", "b", None], object))
    whole = path.read_bytes()
    with pytest.raises(UserError, match="not of objects"):
        Arrays(str(path)).open()
    for data in (b"", b"text", whole[: len(whole) // 2]):
        path.write_bytes(data)
        with pytest.raises(UserError, match=r"cannot be read as an \.npz file"):
            Arrays(str(path)).open()
    with path.open("wb") as file:
        np.save(file, PIXELS)
    with pytest.raises(UserError, match=r"cannot be read as an \.npz file"):
        Arrays(str(path)).open()
    with pytest.raises(UserError, match="cannot be opened"):
        Arrays(str(tmp_path / "missing.npz")).open()


def test_digits_are_ten_people():
    images = Digits().open()
    assert images.people == tuple("0123456789")
    assert (len(images), images.shape) == (1797, (8, 8, 1))
    pixels = images.read(np.arange(len(images)))
    assert (pixels.min(), pixels.max()) == (0, 255)


def test_scaled_digits_repeat_pixels():
    rows = np.array([5, 900])
    small, large = Digits().open(), Digits(scale=3).open()
    assert large.shape == (24, 24, 1)
    np.testing.assert_array_equal(large.read(rows)[:, 1::3, 2::3], small.read(rows))
    assert large.fingerprint != small.fingerprint


@pytest.mark.parametrize("scale", [0, -1, 100])
def test_illegal_scale_is_refused(scale):
    with pytest.raises(ValueError, match=r"Digits\.scale"):
        dataclasses.replace(Digits(), scale=scale)
