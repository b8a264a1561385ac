"""Thresholds and intervals are promises: what is stated is what new people meet, and what holds as often as it says."""

import pytest

from experiments.benchmarks.thresholds import Population, coverage, crowded, independent

FEW = [(6, 10), (12, 10), (40, 4)]


@pytest.mark.parametrize(("pairs", "far"), [(100, 1e-2), (200, 1e-2), (1000, 1e-2), (1000, 1e-3)])
def test_a_threshold_of_independent_pairs_accepts_as_many_strangers_as_it_says(pairs, far):
    found = independent(pairs, far, 600)
    assert 0.9 < found.true / found.stated < 1.15
    assert 0.9 < found.true / far < 1.15
    assert 0.93 < found.held < 0.98


@pytest.mark.parametrize(("people", "images", "studies"), [(6, 4, 200), (12, 3, 100)])
def test_a_threshold_of_few_people_accepts_as_many_strangers_as_it_says(people, images, studies):
    found = crowded(Population(), people, images, 1e-2, studies)
    assert 0.9 < found.true / found.stated < 1.15
    assert found.held > 0.93
    # What is counted on the pairs themselves is the rate that was asked for, and no promise.
    assert found.true > 1.3e-2


@pytest.mark.slow
@pytest.mark.parametrize(
    "population", [Population(), Population(32, 0.6, 0.4), Population(8, 0.6, 0.4), Population(16, 0.6, 0)]
)
@pytest.mark.parametrize(("people", "images"), FEW)
def test_thousands_of_calibrations_of_few_people_keep_what_they_say(population, people, images):
    found = crowded(population, people, images, 1e-2, 1200 if people < 40 else 300)
    assert 0.9 < found.true / found.stated < 1.15
    assert found.held > 0.93


@pytest.mark.slow
@pytest.mark.parametrize(("pairs", "far"), [(100, 1e-2), (200, 1e-2), (1000, 1e-2), (1000, 1e-3)])
def test_thousands_of_calibrations_of_independent_pairs_keep_what_they_say(pairs, far):
    found = independent(pairs, far, 20_000)
    assert 0.97 < found.true / found.stated < 1.03
    assert 0.945 < found.held < 0.955


@pytest.mark.slow
@pytest.mark.parametrize(("people", "images"), FEW)
def test_intervals_of_few_people_hold_the_truth_as_often_as_they_say(people, images):
    for name, each in coverage(Population(), people, images, 400 if people < 40 else 200).items():
        # Wider than need be is what few people get; narrower is a promise broken. Of 200 studies 0.91 is 0.95 by chance.
        assert each.held > (0.93 if people < 40 else 0.91), name
