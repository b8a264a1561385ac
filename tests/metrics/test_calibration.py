"""Thresholds for a false-accept rate, and what strangers may expect of them."""

import numpy as np
import pytest
from scipy import stats

from research.errors import UserError
from research.metrics.bootstrap import replicate_weights
from research.metrics.calibration import stranger_rate, threshold_at_far
from research.metrics.pairs import all_pairs


def crowd(rng, people, images):
    """All pairs of images that scatter around their person, some people more than others."""
    spread = 0.6 * np.exp(0.3 * rng.normal(size=(people, 1, 1)))
    points = (rng.normal(size=(people, 1, 16)) + spread * rng.normal(size=(people, images, 16))).reshape(-1, 16)
    squares = (points**2).sum(axis=-1)
    distances = np.maximum(squares[:, None] + squares - 2 * points @ points.T, 0)
    return all_pairs(distances, np.repeat(np.arange(people), images))


@pytest.mark.parametrize(
    ("n", "far", "rank"), [(100, 0.01, 1), (200, 0.01, 2), (1000, 0.01, 10), (1000, 0.001, 1), (150, 0.01, 1)]
)
def test_the_threshold_is_the_kth_smallest_distance(n, far, rank):
    distances = np.random.default_rng(0).permutation(2 * n) / n
    same = np.arange(2 * n) < n
    found = threshold_at_far(distances, same, far)
    assert found.threshold == np.sort(distances[~same])[rank - 1]
    assert found.far.value == pytest.approx(rank / (n + 1), abs=1e-15)
    assert found.tar.value == (distances[same] <= found.threshold).mean()


def test_leaving_out_by_hand_gives_the_same_rate():
    pairs = crowd(np.random.default_rng(3), 5, 4)
    d, people = pairs.distances[~pairs.same], pairs.people[~pairs.same]
    n, rank = len(d), 12
    threshold = np.sort(d)[rank - 1]
    excess = 0.0
    for i in range(5):
        for j in range(i + 1, 5):
            rest = np.sort(d[~np.isin(people, (i, j)).any(axis=1)])
            own = d[np.isin(people, (i, j)).all(axis=1)]
            wanted = len(rest) * rank / n
            below, above = ((own <= rest[int(k) - 1]).sum() if k else 0 for k in (np.floor(wanted), np.ceil(wanted)))
            excess += below + (wanted - np.floor(wanted)) * (above - below) - (own <= threshold).sum()
    shrunk = excess / n * np.sqrt(3 / 5 * 3 / 5 * 2 / 4)
    expected = (rank / n + max(0, shrunk)) * n / (n + 1)
    assert stranger_rate(d, threshold, people).value == pytest.approx(expected, rel=1e-12)
    assert shrunk > 0


@pytest.mark.parametrize("rank", [1, 3, 12, 200])
def test_independent_pairs_have_the_interval_of_their_order_statistic(rank):
    distances, pairs = np.random.default_rng(0).permutation(200) / 200, np.arange(400).reshape(200, 2)
    found = stranger_rate(distances, np.sort(distances)[rank - 1], pairs)
    assert (found.value, found.n) == (rank / 201, 200)
    np.testing.assert_allclose(found.interval, stats.beta(rank, 201 - rank).ppf([0.025, 0.975]), rtol=1e-9)


@pytest.mark.parametrize(("people", "rank"), [(9, 20), (9, 2), (5, 60)])
def test_pairs_that_share_people_are_worth_what_their_variance_says(people, rank):
    pairs = crowd(np.random.default_rng(people), people, 3)
    d, who = pairs.distances[~pairs.same], pairs.people[~pairs.same]
    n, threshold = len(d), np.sort(d)[rank - 1]
    weights = np.concatenate(list(replicate_weights(who[np.argsort(d, kind="stable")], seed=4)))
    with np.errstate(invalid="ignore"):
        rates = weights[:, :rank].sum(axis=1) / weights.sum(axis=1)
    variance = np.nanvar(rates) * people / (people - 1)
    worth = min(people * (people - 1) / 2, rank / n * (1 - rank / n) / variance)
    found = stranger_rate(d, threshold, who, seed=4)
    expected = stats.beta(found.value * (worth + 1), (1 - found.value) * (worth + 1)).ppf([0.025, 0.975])
    np.testing.assert_allclose(found.interval, expected, rtol=1e-9)
    assert found.value <= worth / (worth + 1)


def test_a_rate_of_all_is_no_surer_than_so_many_pairs_of_people_make_it():
    pairs = crowd(np.random.default_rng(0), 5, 3)
    d, who = pairs.distances[~pairs.same], pairs.people[~pairs.same]
    assert stranger_rate(d, d.max(), who).value == pytest.approx(10 / 11, rel=1e-12)


def test_three_people_say_nothing_of_strangers():
    pairs = crowd(np.random.default_rng(0), 3, 10)
    found = threshold_at_far(pairs.distances, pairs.same, 0.01, pairs.people)
    assert not found.far.resolved
    assert "3 people say nothing of strangers" in found.far.why
    assert found.tar.resolved


def test_tied_distances_are_accepted_together_or_not_at_all():
    distances = np.concatenate([np.zeros(10), [1.0, 2.0], np.full(98, 3.0)])
    same = np.arange(110) < 10
    assert threshold_at_far(distances, same, 0.05).threshold == 2.0
    with pytest.raises(UserError, match="98 of 98 different-person pairs share the smallest distance"):
        threshold_at_far(np.delete(distances, [10, 11]), np.arange(108) < 10, 0.05)


def test_every_pair_may_be_accepted():
    found = threshold_at_far(np.arange(20) / 20, np.arange(20) < 10, 1.0)
    assert (found.threshold, found.far.value) == (0.95, 10 / 11)


def test_many_people_take_moments():
    rng = np.random.default_rng(0)
    people = rng.integers(2000, size=(60_000, 2))
    people = people[people[:, 0] != people[:, 1]]
    distances = rng.random(len(people))
    found = stranger_rate(distances, np.sort(distances)[599], people)
    assert found.value == pytest.approx(600 / len(people), rel=0.02)


def test_threshold_survives_float32():
    pairs = crowd(np.random.default_rng(0), 30, 6)
    calibration = threshold_at_far(pairs.distances.astype(np.float32), pairs.same, 0.01)
    assert np.float32(calibration.threshold) == calibration.threshold


def test_calibration_needs_enough_pairs():
    distances, same = np.arange(20) / 20, np.arange(20) < 10
    with pytest.raises(UserError, match="at least 100 different-person pairs, but there are 10 and 10"):
        threshold_at_far(distances, same, 0.01)
    with pytest.raises(UserError, match="there are 0 and 20"):
        threshold_at_far(distances, np.zeros(20, bool), 0.1)
    with pytest.raises(UserError, match="choose one between 0 and 1"):
        threshold_at_far(distances, same, 0.0)


def test_a_collapsed_embedding_has_no_threshold():
    with pytest.raises(UserError, match="collapsed"):
        threshold_at_far(np.zeros(40), np.arange(40) < 10, 0.1)
