import dataclasses

import numpy as np
import pytest

from likeness.research.errors import UserError
from likeness.research.metrics.intervals import Estimate
from likeness.research.metrics.paired import paired_eer
from likeness.research.metrics.pairs import Pairs, pair_rows
from likeness.research.metrics.roc import eer, roc
from likeness.research.metrics.verification import verification


def population(people=60, images=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(people, 1, 8)) + 0.7 * rng.normal(size=(people, images, 8)), rng


def measured(codes, noise, rng):
    """A verifier that sees the codes through its own noise."""
    people, images, dimension = codes.shape
    labels = np.repeat(np.arange(people), images)
    seen = (codes + noise * rng.normal(size=codes.shape)).reshape(-1, dimension)
    rows = pair_rows(labels, None)
    distances = ((seen[rows[:, 0]] - seen[rows[:, 1]]) ** 2).sum(axis=1)
    who = labels[rows]
    return Pairs(distances, who[:, 0] == who[:, 1], who, rows)


def test_rates_are_those_of_the_roc_and_the_sides_may_be_swapped():
    codes, rng = population()
    one, other = measured(codes, 0.3, rng), measured(codes, 0.6, rng)
    found = paired_eer(one, other)
    assert found.first == pytest.approx(float(eer(roc(one.distances, one.same))), abs=1e-12)
    assert found.second == pytest.approx(float(eer(roc(other.distances, other.same))), abs=1e-12)
    swapped = paired_eer(other, one)
    assert (swapped.value, swapped.low, swapped.high) == pytest.approx((-found.value, -found.high, -found.low), abs=1e-12)
    assert swapped.p_value == pytest.approx(found.p_value)


def test_a_verifier_does_not_differ_from_itself_nor_from_a_monotone_image_of_itself():
    codes, rng = population()
    one = measured(codes, 0.3, rng)
    found = paired_eer(one, dataclasses.replace(one, distances=np.log(one.distances)))
    assert (found.value, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_what_is_common_to_both_cancels():
    """The paired interval is much narrower than the intervals of both rates suggest."""
    codes, rng = population()
    one, other = measured(codes, 0.1, rng), measured(codes, 0.25, rng)
    found = paired_eer(one, other)
    alone = [verification(each.distances, each.same, each.people)["verification/eer"] for each in (one, other)]
    assert all(isinstance(rate, Estimate) for rate in alone)
    low, high = np.array([rate.interval for rate in alone]).T
    unpaired = np.hypot(*(high - low))
    assert found.high - found.low < 0.7 * unpaired


@pytest.mark.slow
def test_equal_verifiers_are_seldom_told_apart_and_unequal_ones_are():
    told = {0.4: 0, 1.2: 0}
    for seed in range(30):
        codes, rng = population(40, images=2, seed=seed)
        first = measured(codes, 0.4, rng)
        for noise in told:
            told[noise] += paired_eer(first, measured(codes, noise, rng), seed).p_value < 0.05
    assert told[0.4] <= 4
    assert told[1.2] >= 24


def test_several_runs_count_by_their_mean():
    codes, rng = population()
    runs = [measured(codes, 0.4, rng) for _ in range(3)]
    other = measured(codes, 0.4, rng)
    found = paired_eer(runs, other)
    assert found.first == pytest.approx(np.mean([float(eer(roc(run.distances, run.same))) for run in runs]), abs=1e-12)
    single = paired_eer(runs[0], other)
    assert found.high - found.low < single.high - single.low


def test_two_people_are_too_few():
    codes, rng = population(2)
    found = paired_eer(measured(codes, 0.3, rng), measured(codes, 0.3, rng))
    assert np.isnan(found.p_value) and "too few" in found.text()


def test_different_pairs_are_refused():
    codes, rng = population()
    with pytest.raises(UserError, match="different pairs"):
        paired_eer(measured(codes, 0.3, rng), measured(codes[:30], 0.3, rng))
    one = measured(codes, 0.3, rng)
    with pytest.raises(UserError, match="no run"):
        paired_eer(one, [])
    with pytest.raises(UserError, match="both kinds"):
        lone = Pairs(np.ones(2), np.ones(2, bool), np.zeros((2, 2), int), np.zeros((2, 2), int))
        paired_eer(lone, lone)
