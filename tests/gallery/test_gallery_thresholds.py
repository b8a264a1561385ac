"""T(N) as a file, and as identification uses it."""

import dataclasses
import inspect
import json

import numpy as np
import pytest

from likeness.research.distances import Cosine, SquaredEuclidean
from likeness.research.errors import UserError
from likeness.research.gallery import Codes, GalleryThresholds, Identifier, Threshold
from likeness.research.metrics.intervals import Estimate
from likeness.research.metrics.sized_thresholds import thresholds_by_size

RATE = Estimate(value=0.01, low=0.008, high=0.0125, n=9900)
THRESHOLD = Threshold(tau=0.5, target_far=0.01, far=RATE, tar=RATE, people=10, fingerprint="abc", distance="SquaredEuclidean()")


def chosen(people=40):
    vectors = np.random.default_rng(0).normal(size=(people, 4)).astype(np.float32)
    found = thresholds_by_size(vectors, np.arange(people), SquaredEuclidean(), fpirs=(0.1, 0.05))
    return GalleryThresholds(people=people, fingerprint="abc", distance="SquaredEuclidean()", thresholds=found)


def test_what_is_written_is_read_again(tmp_path):
    written = chosen()
    written.save(tmp_path / "t.json")
    assert GalleryThresholds.load(tmp_path / "t.json", "abc") == written
    assert json.loads((tmp_path / "t.json").read_text()) == json.loads(json.dumps(written.to_json()))
    assert len((tmp_path / "t.json").read_text().splitlines()) == len(written.thresholds) + 7


def test_a_gallery_between_two_sizes_takes_the_larger_ones():
    found = chosen()
    sizes = sorted({each.size for each in found.thresholds})
    for size in range(1, 40):
        one = found.at(size, 0.1)
        assert one.fpir == 0.1 and one.size == min(each for each in sizes if each >= size)
    assert found.at(39, 0.05).size == 39


def test_nothing_is_continued_beyond_the_cohort():
    with pytest.raises(
        UserError, match=r"A gallery of 40 embeddings lies beyond .* 40 people .* reach N = 39, and are not continued"
    ):
        chosen().at(40, 0.1)
    with pytest.raises(UserError, match=r"--fpir 0.01: thresholds were chosen for 0.1 and 0.05"):
        chosen().at(3, 0.01)


@pytest.mark.parametrize(
    "spoil, said",
    [
        (lambda text: text[:-20], "damaged"),
        (lambda text: text.replace('"people": 40', '"people": 4'), "no threshold of a gallery that 4 people fill"),
        (lambda text: text.replace('"size": 1,', '"size": "one",'), "size is 'one'"),
        (lambda text: text.replace("abc", "abd"), "chosen for the model abd and this is abc"),
        (lambda _: "[]", "instead of an object"),
    ],
)
def test_damage_is_said(tmp_path, spoil, said):
    chosen().save(tmp_path / "t.json")
    (tmp_path / "t.json").write_text(spoil((tmp_path / "t.json").read_text()))
    with pytest.raises(UserError, match=said):
        GalleryThresholds.load(tmp_path / "t.json", "abc")
    with pytest.raises(UserError, match="there is no such file"):
        GalleryThresholds.load(tmp_path / "none.json")


def change(text: str, row: int, **fields) -> str:
    stored = json.loads(text)
    stored["thresholds"][row] |= fields
    return json.dumps(stored)


@pytest.mark.parametrize(
    "spoil, said",
    [
        (lambda text: change(text, 0, measured={"value": 7.0, "low": 8, "high": -1, "n": 40, "why": ""}), "in order"),
        (lambda text: change(text, 0, measured={"value": 0.1, "low": 0.0, "high": 0.2, "n": -1, "why": ""}), "in order"),
        (lambda text: change(text, -1, tau=99.0), r"T\(39\) = 99.0 is above T\(35\) = .* a larger gallery would name fewer"),
        (lambda text: change(text, 1, size=1), "there are two for N = 1 and the rate 0.1"),
        (lambda text: text.replace("SquaredEuclidean()", ""), "a fingerprint and a distance"),
        (lambda text: text.replace("abc", ""), "a fingerprint and a distance"),
    ],
)
def test_what_contradicts_itself_is_damaged(tmp_path, spoil, said):
    chosen().save(tmp_path / "t.json")
    (tmp_path / "t.json").write_text(spoil((tmp_path / "t.json").read_text()))
    with pytest.raises(UserError, match=f"the file is damaged: .*{said}"):
        GalleryThresholds.load(tmp_path / "t.json")


def test_they_are_of_one_distance():
    assert chosen().of(SquaredEuclidean()) == chosen()
    with pytest.raises(
        UserError, match=r"chosen with the distance SquaredEuclidean\(\) and the gallery is searched with Cosine"
    ):
        chosen().of(Cosine())


@pytest.mark.parametrize("fpir", [0, 1, -1, 2.5, float("nan"), float("inf"), True, "0.1", "10%", None])
def test_what_is_no_rate_is_said(fpir):
    with pytest.raises(UserError, match=rf"fpir={fpir!r} is no rate, which is a number between 0 and 1"):
        # Without the tests' check of types, as elsewhere.
        inspect.unwrap(GalleryThresholds.at)(chosen(), 3, fpir)


def test_a_rate_that_is_nearly_one_is_told_from_it():
    with pytest.raises(UserError, match=r"--fpir 0.1000001: thresholds were chosen for 0.1 and 0.05,"):
        chosen().at(3, 0.1000001)
    assert chosen().at(3, np.float64(0.1)) == chosen().at(3, 0.1)


def test_embeddings_of_another_shape_are_refused():
    codes = Codes(("Ada", "Bob"), np.asarray([[0, 0], [3, 0]], np.float32), np.arange(2), np.arange(2))
    for wrong in (np.zeros(2), np.zeros((1, 3)), np.asarray([["a", "b"]]), np.zeros((1, 1, 2))):
        with pytest.raises(ValueError, match="Identifier: embeddings must be numbers of shape"):
            Identifier(codes, THRESHOLD)(wrong)


def test_somebody_is_named_within_the_threshold_of_the_gallerys_size():
    codes = Codes(("Ada", "Bob"), np.asarray([[0, 0], [3, 0]], np.float32), np.arange(2), np.arange(2))
    one = dataclasses.replace(chosen().at(2, 0.1), tau=0.04)
    (near, far) = Identifier(codes, THRESHOLD, sized=one)(np.asarray([[0, 0.1], [0, 0.5]], np.float32))
    assert (near.name, far.name, near.tau) == ("Ada", None, 0.04)
    assert "T(2) 0.04, strangers named by a gallery of 2 people" in str(near)
    assert "false accepts per comparison" not in str(near)
    assert Identifier(codes, THRESHOLD)(np.asarray([[0, 0.5]], np.float32))[0].name == "Ada"
