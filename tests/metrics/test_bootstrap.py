"""The bootstrap over people against brute force, and its intervals against simulated populations."""

import numpy as np
import pytest
from scipy import stats

from research.metrics.bootstrap import (
    clustered_interval,
    clustered_rate,
    independent_pairs,
    replicate_weights,
    share_people,
)
from research.metrics.intervals import wilson
from research.metrics.roc import eer, roc


def all_weights(people_pairs, replicates, seed=0):
    return np.concatenate(list(replicate_weights(people_pairs, replicates, seed)))


def people_of_all_pairs(labels):
    rows = np.stack(np.triu_indices(len(labels), 1), axis=1)
    return rows, labels[rows]


def test_weights_equal_resampling_by_hand():
    """Draw people, copy each one's pictures as often as drawn, list the pairs: the same EER, replicate by replicate."""
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
    monkeypatch.setattr("research.metrics.bootstrap._CELLS", 1)
    batches = list(replicate_weights(people, 30, seed=3))
    assert len(batches) == 30
    np.testing.assert_array_equal(np.concatenate(batches), at_once)
    assert (all_weights(people, 30, seed=4) != at_once).any()


def test_no_more_weights_are_held_at_once_than_fit_into_a_cache(monkeypatch):
    _, people = people_of_all_pairs(np.repeat(np.arange(5), 2))
    monkeypatch.setattr("research.metrics.bootstrap._CELLS", 4 * len(people) + 3)
    assert [len(batch) for batch in replicate_weights(people, 10)] == [4, 4, 2]


@pytest.mark.parametrize(
    ("pairs", "shared"),
    [([[0, 1], [2, 3]], False), ([[0, 0], [1, 1]], False), ([[0, 1], [1, 2]], True), ([[0, 0], [0, 0]], True)],
)
def test_share_people(pairs, shared):
    assert share_people(np.array(pairs)) is shared


def test_independent_pairs():
    _, people = people_of_all_pairs(np.repeat(np.arange(3), 10))
    assert independent_pairs(people) == (30, 3)
    assert independent_pairs(np.array([[0, 0], [1, 2], [2, 1]])) == (1, 1)


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
    # No better than Wilson's for the 100 pictures, though there are 450 pairs.
    assert estimate.low <= wilson(100, 100).low


def test_two_people_tell_nothing():
    assert clustered_interval(0.5, np.linspace(0, 1, 100), people=2, trials=100) == (0.0, 1.0)


def test_no_trials_are_unresolvable():
    assert clustered_rate(np.zeros(0, bool), np.zeros(0, np.int64)).value is None


def test_coverage_where_people_differ():
    """Error rates differ between people; the interval holds the population's rate as often as it says."""
    rng = np.random.default_rng(1)
    people, pictures, studies = 30, 10, 200
    covered = naive = 0
    for study in range(studies):
        rates = rng.beta(1, 4, size=people)
        hits = rng.random((people, pictures)) < rates[:, None]
        estimate = clustered_rate(hits.ravel(), np.repeat(np.arange(people), pictures), replicates=100, seed=study)
        covered += estimate.low <= 0.2 <= estimate.high
        interval = wilson(int(hits.sum()), hits.size)
        naive += interval.low <= 0.2 <= interval.high
    # 0.95 within what 200 studies can tell, where treating pictures as independent misses by far.
    assert stats.binomtest(covered, studies, 0.95).pvalue > 0.001
    assert naive / studies < 0.9
