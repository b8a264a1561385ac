"""T(N): the threshold of a gallery of N, from a cohort of other people."""

import inspect
import itertools

import numpy as np
import pytest

from likeness.research.distances import Cosine, SquaredEuclidean
from likeness.research.errors import UserError
from likeness.research.metrics import sized_thresholds as module
from likeness.research.metrics.identification import compound_error
from likeness.research.metrics.random_galleries import none_of
from likeness.research.metrics.sized_thresholds import none_among, sizes_up_to, thresholds_by_size


def cohort(people, images=1, width=6, seed=0, spread=0.3):
    rng = np.random.default_rng(seed)
    centers = np.repeat(rng.normal(size=(people, width)), images, axis=0)
    return (centers + spread * rng.normal(size=centers.shape)).astype(np.float32), np.repeat(np.arange(people), images)


def over_every_gallery(distances, size, tau):
    """How often a stranger finds anybody, over every gallery of others that there is."""
    people = len(distances)
    found = []
    for stranger in range(people):
        others = [person for person in range(people) if person != stranger]
        found += [min(distances[stranger][list(each)]) <= tau for each in itertools.combinations(others, size)]
    return np.mean(found)


@pytest.mark.parametrize("size", [1, 2, 4, 7])
@pytest.mark.parametrize("fpir", [0.15, 0.4])
def test_the_rate_is_that_over_every_gallery_and_no_larger_threshold_keeps_to_it(size, fpir):
    vectors, labels = cohort(8, seed=1)
    distances = np.asarray(SquaredEuclidean().pairwise(vectors))
    (found,) = thresholds_by_size(vectors, labels, SquaredEuclidean(), sizes=(size,), fpirs=(fpir,))
    assert found.measured.value == pytest.approx(over_every_gallery(distances, size, found.tau))
    assert found.measured.value <= fpir
    larger = np.unique(distances[distances > found.tau])[0]
    assert over_every_gallery(distances, size, larger) > fpir
    assert (found.size, found.fpir) == (size, fpir)


def test_people_count_alike_however_many_images_they_have():
    """The images of one person, all but the one that is enrolled, are strangers of one person's weight together."""
    vectors, labels = cohort(6, seed=2)
    often = np.concatenate([vectors, np.repeat(vectors[:1], 50, axis=0)])
    names = np.concatenate([labels, np.zeros(50, int)])
    for size in (1, 3):
        one, many = (
            thresholds_by_size(*each, SquaredEuclidean(), sizes=(size,), fpirs=(0.3,))
            for each in ((vectors, labels), (often, names))
        )
        assert one[0].tau == many[0].tau and one[0].measured.value == pytest.approx(many[0].measured.value)


def test_none_among_is_the_share_of_galleries_without():
    for others, size in ((5, 1), (5, 3), (6, 6)):
        for within, rate in enumerate(none_among(others, size)):
            galleries = list(itertools.combinations(range(others), size))
            assert rate == pytest.approx(np.mean([min(each) >= within for each in galleries]))
    np.testing.assert_allclose(none_among(300, 40), none_of(np.arange(301), np.full(301, 300), 40), rtol=1e-9)
    # Beside so many others that it does not matter who is drawn before, comparisons are independent.
    assert 1 - none_among(10**6, 100)[1000] == pytest.approx(compound_error(1e-3, 100), rel=1e-3)


def test_thresholds_fall_as_galleries_grow_and_rise_with_the_rate():
    found = thresholds_by_size(*cohort(400, 2), fpirs=(0.1, 0.01))
    sizes = sizes_up_to(399)
    assert [each.size for each in found] == [*sizes, *sizes] and sizes[0] == 1 and sizes[-1] == 399
    more, fewer = found[: len(sizes)], found[len(sizes) :]
    for rate in (more, fewer):
        taus = [each.tau for each in rate]
        assert taus == sorted(taus, reverse=True)
    assert all(one.tau > other.tau for one, other in zip(more, fewer, strict=True))
    for each in found:
        assert each.measured.low <= each.measured.value <= each.measured.high and each.measured.n == 400
        assert each.measured.value <= each.fpir + 1e-9


def test_ties_are_within_it_all_or_not_at_all():
    vectors = np.eye(8, dtype=np.float32)
    (found,) = thresholds_by_size(vectors, np.arange(8), SquaredEuclidean(), sizes=(2,), fpirs=(0.5,))
    assert found.tau < 2 and found.measured.value == 0


def test_what_is_put_away_on_the_way_changes_nothing(monkeypatch):
    people = cohort(150, 3, seed=4)
    whole = thresholds_by_size(*people, Cosine(), sizes=(5, 50), fpirs=(0.1, 0.02))
    monkeypatch.setattr(module, "_KEPT", 100)
    monkeypatch.setattr(module, "SIDE", 32)
    parts = thresholds_by_size(*people, Cosine(), sizes=(5, 50), fpirs=(0.1, 0.02))
    assert [(each.size, each.fpir, each.tau) for each in parts] == [(each.size, each.fpir, each.tau) for each in whole]
    for one, other in zip(parts, whole, strict=True):
        np.testing.assert_allclose(
            [one.measured.value, *one.measured.interval], [other.measured.value, *other.measured.interval]
        )


@pytest.mark.slow
@pytest.mark.parametrize("size", [10, 100])
def test_strangers_of_other_people_meet_the_rate(size):
    """Thresholds from one cohort, counted on people and galleries that it has never seen: within the interval 19 times in
    20."""
    held = 0
    for seed in range(60):
        chosen = thresholds_by_size(*cohort(400, seed=seed), SquaredEuclidean(), sizes=(size,), fpirs=(0.05,))[0]
        vectors, _ = cohort(2000 + size, seed=1000 + seed)
        apart = np.asarray(SquaredEuclidean().pairwise(vectors[size:], vectors[:size])).min(axis=1)
        held += chosen.measured.low <= (apart <= chosen.tau).mean() <= chosen.measured.high
    assert held >= 51


def test_what_people_are_too_few_for_is_not_answered():
    vectors, labels = cohort(20)
    assert {each.fpir for each in thresholds_by_size(vectors, labels, fpirs=(0.1, 0.01))} == {0.1}
    for arguments, said in (
        ({"sizes": (20,)}, "sizes from 1 to 19, which is as far as these people reach"),
        ({"sizes": (0, 3)}, "sizes from 1 to 19"),
        ({"fpirs": (0.0,)}, "rates between 0 and 1"),
        ({"fpirs": ()}, "rates between 0 and 1"),
    ):
        with pytest.raises(UserError, match=said):
            thresholds_by_size(vectors, labels, **arguments)
    # Without the tests' check of types, as elsewhere.
    unchecked = inspect.unwrap(thresholds_by_size)
    for arguments in ({"strangers": -1}, {"strangers": 2.0}, {"strangers": 0}, {"sizes": (2.5,)}, {"sizes": (True,)}):
        with pytest.raises(UserError, match="Strangers and sizes count people"):
            unchecked(vectors, labels, fpirs=(0.1,), **arguments)
    with pytest.raises(UserError, match="3 people"):
        thresholds_by_size(vectors[:3], labels[:3], fpirs=(0.5,))


def test_some_strangers_stand_for_all():
    people = cohort(400, 2, seed=5)
    every = thresholds_by_size(*people, SquaredEuclidean(), sizes=(20,), fpirs=(0.05,))[0]
    some = thresholds_by_size(*people, SquaredEuclidean(), sizes=(20,), fpirs=(0.05,), strangers=100)[0]
    assert (every.measured.n, some.measured.n) == (400, 100)
    assert some.measured.low < every.measured.low < every.measured.high < some.measured.high
    assert thresholds_by_size(*people, SquaredEuclidean(), sizes=(20,), fpirs=(0.05,), strangers=400)[0] == every
    assert not thresholds_by_size(*people, sizes=(20,), fpirs=(0.01,), strangers=99)
