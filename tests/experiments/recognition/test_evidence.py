import numpy as np
import pytest

from likeness.experiments.recognition.embedders import RawPixels
from likeness.experiments.recognition.evidence import embedding_sample, hardest_pairs, pair_images, roc_points
from likeness.experiments.recognition.protocols import Verification, evaluate
from likeness.research.data.images import ArrayReader, Images
from likeness.research.metrics.verification import RocBand


def faces(counts, shape=(8, 8, 3)):
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    pixels = np.random.default_rng(0).integers(0, 256, (len(labels), *shape), np.uint8)
    people = tuple(f"p{number:02}" for number in range(len(counts)))
    names = [f"{people[label]}/{row}" for row, label in enumerate(labels)]
    return Images(labels=labels, people=people, shape=shape, read=ArrayReader(pixels), names=names, fingerprint="")


def sample(images, most):
    return embedding_sample(evaluate(RawPixels().fit(images), images), most)


def test_rows_belong_together_and_people_of_one_image_come_last():
    images = faces([1, 3, 1, 30, 2])
    kept = sample(images, 25)
    assert len(kept["people"]) == 25
    assert all(name.startswith(person) for name, person in zip(kept["names"], kept["people"], strict=True))
    rows = [int(name.split("/")[1]) for name in kept["names"]]
    np.testing.assert_array_equal(kept["images"], images.read(np.array(rows)))
    counts = {person: (kept["people"] == person).sum() for person in set(kept["people"])}
    assert counts == {"p01": 3, "p03": 20, "p04": 2}
    assert int(kept["of"]) == 37


def test_a_small_table_is_kept_whole_and_twice_the_same():
    images = faces([2, 3])
    first, again = sample(images, 400), sample(images, 400)
    assert len(first["people"]) == 5
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])


@pytest.mark.parametrize("channels", [1, 3])
def test_large_images_are_made_smaller(channels):
    images = faces([2, 2], (90, 180, channels))
    assert sample(images, 4)["images"].shape == (4, 32, 64, channels)


def test_the_hardest_pairs_are_kept_as_images():
    images = faces([3, 3, 2], (8, 6, 1))
    evaluated = evaluate(RawPixels().fit(images), images)
    pairs = Verification().pairs(evaluated)
    kept = pair_images(hardest_pairs(evaluated, pairs), 1)
    assert sorted(kept) == [f"mistakes/{kind}_1_{letter}" for kind in ("different", "same") for letter in "ab"]
    for kind, same, extreme in (("different", False, np.argmin), ("same", True, np.argmax)):
        place = np.flatnonzero(pairs.same == same)[extreme(pairs.distances[pairs.same == same])]
        for letter, image in zip("ab", images.read(pairs.rows[place]), strict=True):
            np.testing.assert_allclose(kept[f"mistakes/{kind}_1_{letter}"], np.repeat(image, 3, -1) / 255, atol=1e-6)


def test_curves_keep_their_ends():
    far = np.linspace(0.0, 1.0, 1001)
    points = roc_points({"trained": RocBand(far, np.sqrt(far), far, np.ones_like(far))})
    assert {name: len(values) for name, values in points.items()} == dict.fromkeys(
        ("trained/far", "trained/tar", "trained/low", "trained/high"), 300
    )
    assert points["trained/far"][[0, -1]].tolist() == [0.0, 1.0]
    np.testing.assert_array_equal(points["trained/tar"], np.sqrt(points["trained/far"]))
