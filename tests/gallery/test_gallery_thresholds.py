"""T(N) as a file, and as identification uses it."""

import dataclasses
import json

import numpy as np
import pytest

from likeness.research.distances import SquaredEuclidean
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


def test_somebody_is_named_within_the_threshold_of_the_gallerys_size():
    codes = Codes(("Ada", "Bob"), np.asarray([[0, 0], [3, 0]], np.float32), np.arange(2), np.arange(2))
    one = dataclasses.replace(chosen().at(2, 0.1), tau=0.04)
    (near, far) = Identifier(codes, THRESHOLD, sized=one)(np.asarray([[0, 0.1], [0, 0.5]], np.float32))
    assert (near.name, far.name, near.tau) == ("Ada", None, 0.04)
    assert "T(2) 0.04, strangers named by a gallery of 2 people" in str(near)
    assert "false accepts per comparison" not in str(near)
    assert Identifier(codes, THRESHOLD)(np.asarray([[0, 0.5]], np.float32))[0].name == "Ada"
