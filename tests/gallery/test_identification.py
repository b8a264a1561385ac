import numpy as np
import pytest

from research.errors import UserError
from research.gallery import Codes, Gallery, Identifier, Threshold, squared_euclidean
from research.metrics.intervals import Estimate

RATE = Estimate(value=0.01, low=0.008, high=0.0125, n=9900)


def threshold(tau):
    return Threshold(tau=tau, target_far=0.01, far=RATE, tar=RATE, people=10, fingerprint="abc")


def encode(pictures):
    """Stands for a network: any deterministic map will do."""
    weights = np.random.default_rng(7).normal(size=(pictures.shape[1], 8)).astype(np.float32)
    codes = np.tanh(pictures @ weights)
    return codes / np.linalg.norm(codes, axis=1, keepdims=True)


def test_codes_computed_at_enrollment_decide_as_both_branches_computed_anew(tmp_path):
    """F13."""
    rng = np.random.default_rng(0)
    enrolled = rng.normal(size=(12, 5)).astype(np.float32)
    probes = np.concatenate([enrolled + 0.2 * rng.normal(size=(12, 5)), rng.normal(size=(12, 5))])
    probes = probes.astype(np.float32)
    with Gallery.create(tmp_path / "g.sqlite", "abc", 8) as gallery:
        for person, picture in enumerate(enrolled):
            gallery.add(f"{person:02}", encode(picture[None]))
        codes = gallery.codes()
    distances = np.asarray(squared_euclidean(encode(probes)[:, None], encode(enrolled)[None]))
    # A distance that occurs, so that some probe lies exactly on the threshold.
    calibrated = threshold(float(np.median(distances.min(axis=1))))
    for answer, row in zip(Identifier(codes, calibrated)(encode(probes)), distances, strict=True):
        nearest = int(row.argmin())
        expected = f"{nearest:02}" if calibrated.decide(float(row[nearest])) else None
        assert answer.name == expected
        assert answer.distance == pytest.approx(float(row[nearest]), rel=1e-6)
        assert answer.runner_up is not None
        assert answer.runner_up.distance == pytest.approx(float(np.sort(row)[1]), rel=1e-6)


def test_in_the_gallery_a_name_and_outside_unknown():
    """F2."""
    codes = Codes(("Ada", "Bob"), np.asarray([[0, 0], [0.1, 0], [3, 0]], np.float32), np.asarray([0, 0, 1]), np.arange(3))
    near, far = Identifier(codes, threshold(0.25))(np.asarray([[0, 0.5], [0, 9]], np.float32))
    assert (near.name, near.nearest.name, near.distance) == ("Ada", "Ada", 0.25)
    assert near.runner_up.name == "Bob"
    assert (far.name, far.nearest.name) == (None, "Ada")
    assert str(far).startswith("unknown: nearest is Ada at distance")
    assert (near.people, near.comparisons) == (2, 3)
    assert near.stranger_accepted == pytest.approx(1 - 0.99**3)


def test_one_person_has_no_runner_up():
    codes = Codes(("Ada",), np.zeros((1, 2), np.float32), np.zeros(1, np.int64), np.zeros(1, np.int64))
    (answer,) = Identifier(codes, threshold(0.1))(np.zeros((1, 2), np.float32))
    assert (answer.name, answer.runner_up) == ("Ada", None)
    assert "a stranger among 1 person gets a name" in str(answer)


def test_an_empty_gallery_is_refused(tmp_path):
    with Gallery.create(tmp_path / "g.sqlite", "abc", 2) as gallery, pytest.raises(UserError, match="gallery is empty"):
        Identifier(gallery.codes(), threshold(0.1))


def test_an_embedding_that_is_not_finite_is_named():
    codes = Codes(("Ada",), np.zeros((1, 2), np.float32), np.zeros(1, np.int64), np.zeros(1, np.int64))
    with pytest.raises(UserError, match="Picture 1"):
        Identifier(codes, threshold(0.1))(np.asarray([[0, 0], [np.nan, 0]], np.float32))
