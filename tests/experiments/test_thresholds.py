"""Thresholds and intervals are promises: what is stated is what new people meet, and what holds as often as it says."""

import pytest
from scipy import stats

from likeness.experiments.benchmarks.thresholds import Population, coverage, crowded, independent
from likeness.experiments.recognition.recognition import few

FEW = [(6, 10), (12, 10), (40, 4)]


@pytest.mark.parametrize(("pairs", "far"), [(100, 1e-2), (200, 1e-2), (1000, 1e-2), (1000, 1e-3)])
def test_a_threshold_of_independent_pairs_accepts_as_many_strangers_as_it_says(pairs, far):
    found = independent(pairs, far, 600)
    assert 0.9 < found.true / found.stated < 1.15
    assert 0.9 < found.true / far < 1.15
    assert 0.93 < found.held < 0.98


@pytest.mark.slow
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
    found = crowded(population, people, images, 1e-2, 1200 if people < 40 else 600)
    assert 0.9 < found.true / found.stated < 1.15
    assert found.held > 0.93


@pytest.mark.slow
@pytest.mark.parametrize(("pairs", "far"), [(100, 1e-2), (200, 1e-2), (1000, 1e-2), (1000, 1e-3)])
def test_thousands_of_calibrations_of_independent_pairs_keep_what_they_say(pairs, far):
    found = independent(pairs, far, 20_000)
    assert 0.97 < found.true / found.stated < 1.03
    assert 0.945 < found.held < 0.955


TOLD = ("threshold/", "verification/tar", "identification/fnir")
"""The area and the equal error rate get wider ones than these people need, as they need them where people differ more."""


@pytest.mark.slow
@pytest.mark.parametrize(("people", "images"), FEW)
def test_intervals_of_few_people_hold_the_truth_as_often_as_they_say(people, images):
    studies = 400 if people < 40 else 200
    for name, each in coverage(Population(), people, images, studies).items():
        held = round(studies * each.held)
        # Narrower than it says is a promise broken; as much as so many studies can tell.
        assert stats.binomtest(held, studies, 0.93, "less").pvalue > 0.02, name
        # Six people get wider ones than need be, and evaluation says so.
        if people >= 12 and name.startswith(TOLD):
            assert stats.binomtest(held, studies, 0.98, "greater").pvalue > 0.02, name


@pytest.mark.parametrize(("people", "said"), [(6, True), (11, True), (12, False)])
def test_what_rests_on_few_people_is_said_beside_the_numbers(people, said):
    assert any("wider than need be" in sentence and f"rest on {people} people" in sentence for sentence in few(people)) == said
