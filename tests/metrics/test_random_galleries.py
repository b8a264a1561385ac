import itertools

import numpy as np
import pytest

from likeness.research.distances import SquaredEuclidean
from likeness.research.errors import UserError
from likeness.research.metrics.random_galleries import RandomGalleries, in_random_galleries, none_of


def people(count, images=3, seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    codes = rng.normal(size=(count, 1, 6)) + noise * rng.normal(size=(count, images, 6))
    return codes.reshape(count * images, 6).astype(np.float32), np.repeat(np.arange(count), images)


def enumerated(distances, own, threshold, size):
    """The errors of every probe in every gallery of so many people that its own is one of, one after another."""
    verified, nearest = [], []
    for row, mine in zip(distances, own, strict=True):
        others = np.delete(row, mine)
        for drawn in itertools.combinations(others, size - 1):
            verified.append(row[mine] > threshold or min(drawn) <= threshold)
            nearest.append(min(drawn) <= row[mine])
    return np.mean(verified), np.mean(nearest)


@pytest.mark.parametrize("size", [2, 3, 5, 7])
def test_the_closed_form_is_the_mean_over_every_gallery(size):
    codes, labels = people(7)
    found = in_random_galleries(codes, labels, SquaredEuclidean(), sizes=(size,), seed=4)
    order = np.random.default_rng(4).permutation(len(labels))
    firsts = np.array([order[labels[order] == person][0] for person in range(7)])
    probes = np.setdiff1d(np.arange(21), firsts)
    distances = ((codes[probes, None].astype(np.float64) - codes[firsts]) ** 2).sum(axis=2)
    verified, nearest = enumerated(distances, labels[probes], found.threshold + 1e-6, size)
    np.testing.assert_allclose([found.verified[0].value, found.nearest[0].value], [verified, nearest], atol=1e-6)
    assert found.nearest[0].n == len(probes) == 14


def test_the_threshold_is_where_both_errors_meet():
    found = in_random_galleries(*people(300), SquaredEuclidean())
    assert abs(found.missed.value - found.accepted.value) <= 1 / 600
    assert found.accepted.value >= found.missed.value
    given = in_random_galleries(*people(300), SquaredEuclidean(), threshold=found.threshold)
    assert given == found


def test_among_two_people_the_law_is_exact_and_beyond_it_is_a_bound():
    """With one other person nothing compounds: what is measured is the error of a comparison itself."""
    found = in_random_galleries(*people(400), SquaredEuclidean(), sizes=(400, 2, 50, 10))
    assert found.sizes == (2, 10, 50, 400)
    assert found.nearest[0].value == pytest.approx(found.other_nearer.value, abs=1e-6)
    assert found.nearest_if_independent[0] == pytest.approx(found.other_nearer.value)
    for measured, law in (
        (found.nearest, found.nearest_if_independent),
        (found.verified, found.verified_if_independent),
    ):
        values = [rate.value for rate in measured]
        assert values == sorted(values)
        assert all(value < bound for value, bound in zip(values[1:], law[1:], strict=True))
    assert all(one.value <= other.value for one, other in zip(found.nearest, found.verified, strict=True))


def test_f3_answers_that_are_independent_compound_as_the_law_says():
    """Distances without people in them: each comparison is a throw of the same coin."""
    rng = np.random.default_rng(0)
    table = rng.uniform(size=(500, 500)).astype(np.float32)
    codes, labels = np.tile(np.arange(500.0), 2)[:, None], np.tile(np.arange(500), 2)

    def apart(first, second):
        rows, columns = (np.asarray(each)[:, 0].astype(int) for each in (first, second))
        return np.where(rows[:, None] == columns[None], -1.0, table[np.ix_(rows, columns)])

    found = in_random_galleries(codes, labels, apart, sizes=(2, 10, 100), threshold=0.01)
    for rate, law in zip(found.verified, found.verified_if_independent, strict=True):
        assert rate.low <= law <= rate.high and abs(rate.value - law) < 0.01
    assert all(rate.value == 0 for rate in found.nearest)


def test_a_tie_counts_against_the_own_person():
    found = in_random_galleries(np.zeros((20, 2), np.float32), np.arange(20) // 2, sizes=(2, 10))
    assert [rate.value for rate in found.nearest] == [1, 1] and found.other_nearer.value == 1


@pytest.mark.slow
def test_the_interval_holds_the_error_of_the_population():
    """The truth from many people, and studies of a few of them, each drawing its people anew."""
    truth = in_random_galleries(*people(3000, seed=99), SquaredEuclidean(), sizes=(20,))
    held = 0
    for seed in range(40):
        rate = in_random_galleries(*people(60, seed=seed), SquaredEuclidean(), sizes=(20,), seed=seed).nearest[0]
        held += rate.low <= truth.nearest[0].value <= rate.high
    assert held >= 35


def test_blocks_change_nothing(monkeypatch):
    whole = in_random_galleries(*people(90), sizes=(2, 30))
    monkeypatch.setattr("likeness.research.metrics.random_galleries.SIDE", 64)
    parts = in_random_galleries(*people(90), sizes=(2, 30))
    assert isinstance(parts, RandomGalleries) and parts == whole


def test_none_of_is_the_hypergeometric_law():
    from scipy.stats import hypergeom

    bad, total = np.array([0, 1, 5, 300, 5000]), 5748
    for drawn in (1, 9, 999, 5000):
        expected = hypergeom.pmf(0, total, bad, drawn)
        np.testing.assert_allclose(none_of(bad, np.full(5, total), drawn), expected, rtol=1e-8, atol=1e-300)


@pytest.mark.parametrize(
    ("count", "images", "sizes", "says"),
    [(5, 1, (2,), "somebody with two images"), (5, 3, (1, 2), "from 2 on"), (5, 3, (6,), "at most"), (1, 3, (2,), "1 people")],
)
def test_what_cannot_be_drawn_is_refused(count, images, sizes, says):
    with pytest.raises(UserError, match=says):
        in_random_galleries(*people(count, images), sizes=sizes)


def test_nan_is_refused():
    codes, labels = people(5)
    codes[3] = np.nan
    with pytest.raises(UserError, match="NaN"):
        in_random_galleries(codes, labels, sizes=(2,))
