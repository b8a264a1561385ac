"""The bootstrap over people against brute force, and its intervals against simulated populations."""

import numpy as np
import pytest
from scipy import stats

from likeness.research.metrics.bootstrap import (
    between_people,
    clustered_interval,
    clustered_rate,
    independent_pairs,
    replicate_weights,
    share_people,
    varying_interval,
)
from likeness.research.metrics.intervals import wilson, wilson_interval
from likeness.research.metrics.roc import eer, roc


def all_weights(people_pairs, replicates, seed=0):
    return np.concatenate(list(replicate_weights(people_pairs, replicates, seed)))


def people_of_all_pairs(labels):
    rows = np.stack(np.triu_indices(len(labels), 1), axis=1)
    return rows, labels[rows]


def test_weights_equal_resampling_by_hand():
    """Draw people, copy each one's images as often as drawn, list the pairs: the same EER, replicate by replicate."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(6), 3)
    points = rng.normal(size=(6, 2))[labels] + 0.7 * rng.normal(size=(18, 2))
    rows, people = people_of_all_pairs(labels)
    distances = np.linalg.norm(points[rows[:, 0]] - points[rows[:, 1]], axis=1)
    same = people[:, 0] == people[:, 1]
    weights = all_weights(people, 25)
    fast = eer(roc(distances, same, weights))
    # Weights of one person's pairs reveal how often the person was drawn.
    own = [np.flatnonzero(same & (people[:, 0] == person))[0] for person in range(6)]
    for replicate, drawn in enumerate(weights[:, own]):
        assert drawn.sum() == 6
        copies = [(person, copy) for person in range(6) for copy in range(drawn[person])]
        by_hand_distances, by_hand_same = [], []
        for i, (first, first_copy) in enumerate(copies):
            for second, second_copy in copies[i:]:
                if first == second and first_copy != second_copy:
                    continue
                chosen = (people == (first, second)).all(axis=1) | (people == (second, first)).all(axis=1)
                by_hand_distances += distances[chosen].tolist()
                by_hand_same += same[chosen].tolist()
        slow = eer(roc(np.array(by_hand_distances), np.array(by_hand_same)))
        np.testing.assert_allclose(fast[replicate], slow, rtol=0, atol=1e-12, equal_nan=True)


def test_the_same_seed_draws_the_same_people_in_any_batch_size(monkeypatch):
    _, people = people_of_all_pairs(np.repeat(np.arange(5), 2))
    at_once = all_weights(people, 30, seed=3)
    monkeypatch.setattr("likeness.research.metrics.bootstrap._CELLS", 1)
    batches = list(replicate_weights(people, 30, seed=3))
    assert len(batches) == 30
    np.testing.assert_array_equal(np.concatenate(batches), at_once)
    assert (all_weights(people, 30, seed=4) != at_once).any()


def test_no_more_weights_are_held_at_once_than_fit_into_a_cache(monkeypatch):
    _, people = people_of_all_pairs(np.repeat(np.arange(5), 2))
    monkeypatch.setattr("likeness.research.metrics.bootstrap._CELLS", 4 * len(people) + 3)
    assert [len(batch) for batch in replicate_weights(people, 10)] == [4, 4, 2]


@pytest.mark.parametrize(
    ("pairs", "shared"),
    [([[0, 1], [2, 3]], False), ([[0, 0], [1, 1]], False), ([[0, 1], [1, 2]], True), ([[0, 0], [0, 0]], True)],
)
def test_share_people(pairs, shared):
    assert share_people(np.array(pairs)) is shared


def test_independent_pairs():
    _, people = people_of_all_pairs(np.repeat(np.arange(3), 10))
    assert independent_pairs(people) == (30, 30)
    # One pair of a kind is one trial; three pairs of two people take two images of each.
    assert independent_pairs(np.array([[0, 0], [1, 2], [2, 1], [1, 2], [2, 3]])) == (1, 3)


@pytest.mark.parametrize("pairs", range(1, 30))
def test_pairs_of_a_person_count_as_the_fewest_images_that_make_so_many(pairs):
    images = next(k for k in range(2, 100) if k * (k - 1) / 2 >= pairs)
    expected = min(images, pairs)
    assert independent_pairs(np.zeros((pairs, 2), int)) == (expected, 0)
    # Of two people as many images each as make so many pairs.
    of_two = next(k for k in range(1, 100) if k * k >= pairs)
    assert independent_pairs(np.repeat([[0, 0], [3, 3], [0, 3]], pairs, axis=0)) == (2 * expected, of_two)


def test_who_names_no_seed_gets_that_of_0():
    hits, people = np.arange(60) % 17 < 4, np.repeat(np.arange(12), 5)
    assert clustered_rate(hits, people) == clustered_rate(hits, people, replicates=200, seed=0)
    assert clustered_rate(hits, people) != clustered_rate(hits, people, seed=1)
    pairs = np.stack([people, people], axis=1)
    np.testing.assert_array_equal(np.concatenate(list(replicate_weights(pairs))), all_weights(pairs, 200))


def test_trials_without_shared_people_get_wilsons_interval():
    hits = np.array([True, False, True, True])
    assert clustered_rate(hits, np.arange(4)) == wilson(3, 4)


def test_copies_of_trials_bring_no_confidence():
    """Each person seen 50 times with one outcome is worth little more than one trial each."""
    hits = np.arange(40) % 4 == 0
    once = clustered_rate(hits, np.arange(40))
    copied = clustered_rate(np.repeat(hits, 50), np.repeat(np.arange(40), 50))
    naive = wilson(500, 2000)
    assert copied.n == 2000
    assert copied.high - copied.low > 0.9 * (once.high - once.low) > 4 * (naive.high - naive.low)


def test_a_perfect_score_keeps_a_width():
    _, people = people_of_all_pairs(np.repeat(np.arange(10), 10))
    same = people[:, 0] == people[:, 1]
    estimate = clustered_rate(np.ones(same.sum(), bool), people[same])
    assert (estimate.value, estimate.high) == (1.0, 1.0)
    # No better than Wilson's for the 100 images, though there are 450 pairs.
    assert estimate.low <= wilson(100, 100).low


def test_more_images_of_two_people_tell_more_of_them_but_not_as_many_times_more():
    highs = {}
    for images in (1, 10):
        _, people = people_of_all_pairs(np.repeat(np.arange(6), images))
        of_two = people[people[:, 0] != people[:, 1]]
        highs[images] = clustered_rate(np.zeros(len(of_two), bool), of_two).high
    # 15 pairs of people, worth ten trials each but for their likeness: (6 · 0 + 2 · 0.5) / (6 + 2) of ten, at first sight.
    worth = 150 / (1 + 9 / 8) * (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 5)) ** 2
    assert highs[10] == pytest.approx(wilson_interval(0.0, worth)[1], rel=1e-9)
    assert 4 * wilson(0, 1500).high < highs[10] < 0.35 * highs[1]


def test_two_people_tell_nothing():
    assert clustered_interval(0.5, np.linspace(0, 1, 100), people=2, trials=100) == (0.0, 1.0)


@pytest.mark.parametrize("people", [3, 8, 40])
@pytest.mark.parametrize("repeats", [1.0, 0.5, 5.0])
@pytest.mark.parametrize("spread", [0.0, 0.2, 1.0, 3.0, 100.0])
def test_the_interval_of_a_known_variance_is_that_of_the_formula(people, repeats, spread):
    """Wilson's for n / (design effect · t²/z²), whose ends solve (p − x)² = z² x (1 − x) / n."""
    rate, trials = 0.2, 200.0
    variance = spread * rate * (1 - rate) / trials
    effect = max(1.0, spread)
    if repeats > 1:
        correlation = min(1.0, (effect - 1) / (repeats - 1))
        # As though two more people had been seen, whose trials are correlated by a half.
        believed = (people * correlation + 2 * 0.5) / (people + 2)
        effect = max(effect, 1 + (repeats - 1) * believed)
    z, t = stats.norm.ppf(0.975), stats.t.ppf(0.975, people - 1)
    worth = trials / effect / (t / z) ** 2
    ends = np.sort(np.roots([1 + z * z / worth, -(2 * rate + z * z / worth), rate * rate]))
    np.testing.assert_allclose(varying_interval(rate, variance, people, trials, repeats), ends, rtol=1e-9)


def test_the_interval_of_resamples_takes_their_variance_and_holds_most_of_them():
    samples = np.append(np.random.default_rng(0).normal(0.3, 0.02, 400), np.nan)
    seen = samples[:-1]
    for people, trials, repeats in ((30, 500, 500 / 30), (30, 500, 1.0), (4, 500, 1.0)):
        variance = seen.var() * people / (people - 1)
        assert between_people(samples, people) == variance
        low, high = varying_interval(0.3, variance, people, trials, repeats)
        assert clustered_interval(0.3, samples, people, trials, repeats) == (
            min(low, np.quantile(seen, 0.025)),
            max(high, np.quantile(seen, 0.975)),
        )
    # Resamples that lie elsewhere stretch it to their central 95 %.
    found = clustered_interval(0.3, np.linspace(0.9, 1.0, 41), 30, 500)
    assert found[1] == pytest.approx(0.9975) and found[0] < 0.3


def test_of_fewer_than_three_people_or_twenty_resamples_nothing_is_known():
    assert varying_interval(0.5, 0.01, 2, 100, 1.0) == (0.0, 1.0)
    assert varying_interval(0.5, 0.01, 3, 100, 1.0) != (0.0, 1.0)
    assert clustered_interval(0.5, np.append(np.linspace(0.4, 0.6, 19), np.nan), 30, 100) == (0.0, 1.0)
    assert np.isnan(between_people(np.append(np.linspace(0.4, 0.6, 19), np.nan), 30))
    assert varying_interval(0.5, np.nan, 30, 100, 1.0) == (0.0, 1.0)
    low, high = clustered_interval(0.5, np.linspace(0.4, 0.6, 20), 30, 100)
    assert 0 < low < high < 1


@pytest.mark.parametrize("paired", [False, True])
def test_a_rate_of_trials_that_share_people_is_built_of_these_parts(paired):
    """Of people who are asked several times, and of pairs of different people."""
    rng = np.random.default_rng(5)
    if paired:
        _, people = people_of_all_pairs(np.repeat(np.arange(7), 2))
        people = people[people[:, 0] != people[:, 1]]
        weights, trials, repeats = all_weights(people, 60, 4), 42, 2.0
    else:
        people = np.repeat(np.arange(7), 5)
        weights, trials, repeats = all_weights(np.stack([people, people], 1), 60, 4), 35, 5.0
    hits = rng.random(len(people)) < 0.3
    samples = (weights @ hits) / weights.sum(axis=1)
    found = clustered_rate(hits, people, replicates=60, seed=4)
    assert (found.value, found.n) == (hits.mean(), len(hits))
    np.testing.assert_allclose(found.interval, clustered_interval(hits.mean(), samples, 7, trials, repeats), rtol=1e-12)


def test_no_trials_are_unresolvable():
    nothing = clustered_rate(np.zeros(0, bool), np.zeros(0, np.int64))
    assert (nothing.value, nothing.n) == (None, 0)


def test_coverage_where_people_differ():
    """Error rates differ between people; the interval holds the population's rate as often as it says."""
    rng = np.random.default_rng(1)
    people, images, studies = 30, 10, 200
    covered = naive = 0
    for study in range(studies):
        rates = rng.beta(1, 4, size=people)
        hits = rng.random((people, images)) < rates[:, None]
        estimate = clustered_rate(hits.ravel(), np.repeat(np.arange(people), images), replicates=100, seed=study)
        covered += estimate.low <= 0.2 <= estimate.high
        interval = wilson(int(hits.sum()), hits.size)
        naive += interval.low <= 0.2 <= interval.high
    # 0.95 within what 200 studies can tell, where treating images as independent misses by far.
    assert stats.binomtest(covered, studies, 0.95).pvalue > 0.001
    assert naive / studies < 0.9
