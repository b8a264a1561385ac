"""People who are the average of their images."""

import dataclasses

import numpy as np
import pytest

from likeness.research.distances import Cosine, Dot, Euclidean, SquaredEuclidean
from likeness.research.errors import UserError
from likeness.research.gallery import Codes, Identifier, Threshold, averaged
from likeness.research.metrics.intervals import Estimate
from likeness.research.metrics.templates import pool_templates

RATE = Estimate(value=0.01, low=0.008, high=0.0125, n=9900)


def codes(people=6, images=4, width=8, seed=0, *, unit=True):
    rng = np.random.default_rng(seed)
    vectors = np.repeat(rng.normal(size=(people, width)), images, axis=0) + 0.6 * rng.normal(size=(people * images, width))
    if unit:
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    owners = np.repeat(np.arange(people), images)
    return Codes(tuple("abcdefghij"[:people]), vectors.astype(np.float32), owners, 10 + np.arange(len(owners)), "average")


def threshold(tau, distance):
    return Threshold(tau=tau, target_far=0.01, far=RATE, tar=RATE, people=10, fingerprint="abc", distance=repr(distance))


@pytest.mark.parametrize("distance", [Cosine(), SquaredEuclidean(), Euclidean(), Dot()])
def test_unit_embeddings_average_to_the_templates_of_the_field(distance):
    given = codes()
    pooled, people = pool_templates(given.vectors, given.owners)
    found = averaged(given, distance)
    np.testing.assert_allclose(found.vectors, pooled, atol=1e-6)
    assert found.owners.tolist() == people.tolist() == list(range(6))
    assert found.ids.tolist() == [10, 14, 18, 22, 26, 30] and found.names == given.names


def test_lengths_that_count_are_averaged_and_others_are_not():
    given = codes(unit=False)
    plain = np.asarray(given.vectors, np.float64).reshape(6, 4, 8).mean(axis=1)
    np.testing.assert_allclose(averaged(given, Euclidean()).vectors, plain, rtol=1e-5, atol=1e-6)
    longer = dataclasses.replace(given, vectors=given.vectors * np.linspace(0.1, 9, 24, dtype=np.float32)[:, None])
    np.testing.assert_allclose(averaged(longer, Cosine()).vectors, averaged(given, Cosine()).vectors, atol=1e-6)


def test_one_image_stands_for_itself_and_others_change_nothing():
    given = codes(images=1)
    assert (averaged(given, Cosine()).vectors == given.vectors).all()
    many, fewer = codes(people=6), codes(people=5)
    many = dataclasses.replace(many, vectors=np.concatenate([fewer.vectors, many.vectors[20:]]))
    assert (averaged(many, Cosine()).vectors[:5] == averaged(fewer, Cosine()).vectors).all()


def test_images_that_cancel_have_no_average():
    opposed = Codes(
        ("Ada", "Bob"), np.asarray([[1, 0], [0, 1], [0, -1]], np.float32), np.array([0, 1, 1]), np.arange(3), "average"
    )
    with pytest.raises(UserError, match="The images of Bob have no average"):
        averaged(opposed, Cosine())


def test_an_embedding_of_length_zero_is_told_from_those_that_cancel():
    blank = Codes(("Ada", "Bob"), np.asarray([[1, 0], [0, 0]], np.float32), np.array([0, 1]), np.arange(2), "average")
    with pytest.raises(UserError, match="The image of Bob has an embedding of length zero"):
        averaged(blank, Cosine())
    twice = dataclasses.replace(blank, vectors=np.zeros((3, 2), np.float32), owners=np.array([0, 0, 1]), ids=np.arange(3))
    with pytest.raises(UserError, match="Each image of Ada has an embedding of length zero"):
        averaged(twice, Cosine())


@pytest.mark.parametrize("distance", [Cosine(), SquaredEuclidean()])
def test_who_is_asked_for_is_compared_with_the_averages(distance):
    given = codes()
    asked = np.asarray(given.vectors[::4], np.float32)
    answers = Identifier(given, threshold(0.5, distance), distance=distance)(asked)
    means = averaged(given, distance).vectors
    apart = np.asarray(distance.pairwise(asked, means))
    for answer, row in zip(answers, apart, strict=True):
        assert answer.nearest.name == given.names[int(row.argmin())]
        assert answer.distance == pytest.approx(float(row.min()), rel=1e-4, abs=1e-6)
        assert (answer.template, answer.comparisons, answer.people) == ("average", 6, 6)
        assert "set on pairs of images, and each person is the average of theirs" in str(answer)
    # Each image is a stranger to the averages of the others.
    least = np.array(distance.pairwise(given.vectors, means))
    least[np.arange(24), given.owners] = np.inf
    tau = float(np.quantile(least.min(axis=1), 0.3))
    stranger = Identifier(given, threshold(tau, distance), distance=distance).stranger
    assert stranger.n == 24
    assert stranger.value == pytest.approx(1 - (1 - (least.min(axis=1) <= tau).mean()) ** (6 / 5))


def test_what_is_not_measured_with_averages_is_not_claimed():
    few = dataclasses.replace(codes(people=2), names=("a", "b"))
    (answer,) = Identifier(few, threshold(0.5, Cosine()), distance=Cosine())(few.vectors[:1])
    assert not answer.stranger.resolved
    assert "a stranger among 2 people gets a name in a share that is not known of cases" in str(answer)
    assert "for which no rate was measured" in str(answer) and "false accepts per comparison" not in str(answer)
    nearest = dataclasses.replace(few, template="nearest")
    (answer,) = Identifier(nearest, threshold(0.5, Cosine()), distance=Cosine())(few.vectors[:1])
    assert "average" not in str(answer) and answer.comparisons == 8
