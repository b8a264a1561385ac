import numpy as np
import pytest

from likeness.research.distances import Euclidean, squared_distance
from likeness.research.errors import UserError
from likeness.research.gallery import Codes, Gallery, Identifier, Threshold
from likeness.research.metrics.bootstrap import varying_interval
from likeness.research.metrics.intervals import Estimate

RATE = Estimate(value=0.01, low=0.008, high=0.0125, n=9900)


def threshold(tau):
    return Threshold(tau=tau, target_far=0.01, far=RATE, tar=RATE, people=10, fingerprint="abc", distance="SquaredEuclidean()")


def encode(images):
    """Stands for a network: any deterministic map will do."""
    weights = np.random.default_rng(7).normal(size=(images.shape[1], 8)).astype(np.float32)
    codes = np.tanh(images @ weights)
    return codes / np.linalg.norm(codes, axis=1, keepdims=True)


def test_codes_computed_at_enrollment_decide_as_both_branches_computed_anew(tmp_path):
    """F13."""
    rng = np.random.default_rng(0)
    enrolled = rng.normal(size=(12, 5)).astype(np.float32)
    probes = np.concatenate([enrolled + 0.2 * rng.normal(size=(12, 5)), rng.normal(size=(12, 5))])
    probes = probes.astype(np.float32)
    with Gallery.create(tmp_path / "g.sqlite", "abc", 8) as gallery:
        for person, image in enumerate(enrolled):
            gallery.add(f"{person:02}", encode(image[None]))
        codes = gallery.codes()
    distances = np.asarray(squared_distance(encode(probes)[:, None], encode(enrolled)[None]))
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
    assert not near.stranger.resolved
    assert f"gets a name in at most {100 * (1 - (1 - RATE.high) ** 3):.2g} % of cases" in str(near)


def test_one_person_has_no_runner_up():
    codes = Codes(("Ada",), np.zeros((1, 2), np.float32), np.zeros(1, np.int64), np.zeros(1, np.int64))
    (answer,) = Identifier(codes, threshold(0.1))(np.zeros((1, 2), np.float32))
    assert (answer.name, answer.runner_up) == ("Ada", None)
    assert "a stranger among 1 person gets a name" in str(answer)


def scattered(rng, people, images, dimension=8):
    spread = 0.6 * np.exp(0.3 * rng.normal(size=(people, 1, 1)))
    points = rng.normal(size=(people, 1, dimension)) + spread * rng.normal(size=(people, images, dimension))
    return points.astype(np.float32)


def gallery_of(points):
    people, images, _ = points.shape
    owners = np.repeat(np.arange(people), images)
    return Codes(tuple(f"{person:02}" for person in range(people)), np.concatenate(points), owners, np.arange(len(owners)))


def test_strangers_are_measured_on_the_gallery_without_each_person():
    points = scattered(np.random.default_rng(0), 5, 3)
    codes = gallery_of(points)
    tau = 4.0
    named = []
    for person in range(5):
        others = np.concatenate(np.delete(points, person, axis=0))
        distances = ((points[person][:, None] - others) ** 2).sum(axis=-1)
        named.extend((distances.min(axis=1) <= tau).tolist())
    found = Identifier(codes, threshold(tau)).stranger
    assert 0 < np.mean(named) < 1
    assert found.value == pytest.approx(1 - (1 - np.mean(named)) ** (5 / 4), rel=1e-12)
    assert found.low < found.value < found.high
    assert found.n == 15
    (answer,) = Identifier(codes, threshold(tau))(points[0, :1])
    assert f"a stranger among 5 people gets a name in {found.text()} of cases" in str(answer)


def test_the_interval_of_strangers_is_that_of_people_who_are_drawn_anew():
    """By hand: what each person's images deviate by, together, squared; twice, for strangers and those whom they meet."""
    points, tau = scattered(np.random.default_rng(2), 8, 3), 4.0
    found = Identifier(gallery_of(points), threshold(tau)).stranger
    counts = []
    for person in range(8):
        others = np.concatenate(np.delete(points, person, axis=0))
        counts.append((((points[person][:, None] - others) ** 2).sum(axis=-1).min(axis=1) <= tau).sum())
    rate = sum(counts) / 24
    variance = 2 * sum((count - 3 * rate) ** 2 for count in counts) / 24**2 * 8 / 7
    ends = varying_interval(rate, variance, 8, 24, 3.0)
    assert 0 < ends[0] < rate < ends[1] < 1
    np.testing.assert_allclose(found.interval, [1 - (1 - end) ** (8 / 7) for end in ends], rtol=1e-9)


def test_of_two_people_nothing_is_known_of_strangers():
    for people in (2, 3):
        found = Identifier(gallery_of(scattered(np.random.default_rng(0), people, 2)), threshold(4.0)).stranger
        assert found.resolved == (people == 3)
        assert found.n == (6 if people == 3 else 0)


def test_what_is_said_of_strangers_holds_for_strangers():
    """Fifteen people with five images each: the mean over galleries of what is stated is what new people meet."""
    rng = np.random.default_rng(0)
    strangers = scattered(rng, 1000, 1)[:, 0]
    stated, true, held = [], [], 0
    for _ in range(60):
        points = scattered(rng, 15, 5)
        found = Identifier(gallery_of(points), threshold(4.0)).stranger
        flat = np.concatenate(points)
        distances = (strangers**2).sum(axis=1)[:, None] + (flat**2).sum(axis=1) - 2 * strangers @ flat.T
        true.append((distances.min(axis=1) <= 4.0).mean())
        stated.append(found.value)
        held += found.low <= true[-1] <= found.high
    assert 0.9 < np.mean(true) / np.mean(stated) < 1.1
    assert 0.2 < np.mean(true) < 0.8
    assert held >= 55


def test_a_large_gallery_is_measured_by_a_thousand_of_its_images():
    points = scattered(np.random.default_rng(0), 600, 2)
    found = Identifier(gallery_of(points), threshold(0.5)).stranger
    assert found.n == 1000


def test_a_tie_is_said_and_nobody_is_named():
    vectors = np.asarray([[0, 0], [0, 0], [3, 0], [0, 0]], np.float32)
    codes = Codes(("Ada", "Bob", "Cyd", "Dot"), vectors, np.arange(4), np.arange(4))
    tie, near, far = Identifier(codes, threshold(0.25))(np.asarray([[0.1, 0], [3, 0], [0, 9]], np.float32))
    assert (tie.name, tie.tied) == (None, ("Ada", "Bob", "Dot"))
    assert str(tie).startswith("Ada or Bob or Dot: a tie, all of them are at distance 0.01;")
    assert (near.name, near.tied) == ("Cyd", ())
    assert (far.name, far.tied) == (None, ())
    assert str(far).startswith("unknown: nearest is Ada")


def test_what_rounding_decides_is_a_tie():
    vectors = np.asarray([[0.1, 0], [np.nextafter(np.float32(0.1), np.float32(0)), 0]], np.float32)
    codes = Codes(("Ada", "Bob"), vectors, np.arange(2), np.arange(2))
    (answer,) = Identifier(codes, threshold(0.25))(np.zeros((1, 2), np.float32))
    assert answer.tied == ("Bob", "Ada")


def test_an_empty_gallery_is_refused(tmp_path):
    with Gallery.create(tmp_path / "g.sqlite", "abc", 2) as gallery, pytest.raises(UserError, match="gallery is empty"):
        Identifier(gallery.codes(), threshold(0.1))


@pytest.mark.parametrize("number", [np.nan, np.inf, 3e38])
def test_an_embedding_that_cannot_be_compared_is_named(number):
    codes = Codes(("Ada",), np.zeros((1, 2), np.float32), np.zeros(1, np.int64), np.zeros(1, np.int64))
    with pytest.raises(UserError, match="Image 1"):
        Identifier(codes, threshold(0.1))(np.asarray([[0, 0], [number, 0]], np.float32))


def test_a_threshold_in_units_of_another_distance_is_refused():
    codes = Codes(("Ada",), np.zeros((1, 2), np.float32), np.zeros(1, np.int64), np.zeros(1, np.int64))
    with pytest.raises(UserError, match=r"calibrated with .* SquaredEuclidean\(\) and .* searched with Euclidean\(\)"):
        Identifier(codes, threshold(0.1), distance=Euclidean())
