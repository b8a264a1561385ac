"""The summary of verification, thresholds for a false-accept rate, and the ROC band."""

import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from likeness.research.errors import UserError
from likeness.research.metrics.bootstrap import clustered_interval, clustered_rate, replicate_weights, varying_interval
from likeness.research.metrics.folds import kfold_accuracy, stratified_folds
from likeness.research.metrics.intervals import wilson, wilson_interval
from likeness.research.metrics.pairs import Pairs, all_pairs
from likeness.research.metrics.roc import auc, eer, roc, tar_at_far
from likeness.research.metrics.verification import (
    at_threshold,
    delong_interval,
    rate_name,
    roc_band,
    verification,
)


def scattered(people=30, images=6, noise=0.6, seed=0):
    """All pairs of images that scatter around their person, some people more than others."""
    rng = np.random.default_rng(seed)
    spread = noise * np.exp(0.4 * rng.normal(size=(people, 1, 1)))
    points = rng.normal(size=(people, 1, 8)) + spread * rng.normal(size=(people, images, 8))
    flat = points.reshape(-1, 8)
    squares = (flat**2).sum(axis=-1)
    distances = np.maximum(squares[:, None] + squares - 2 * flat @ flat.T, 1e-9)
    return all_pairs(distances, np.repeat(np.arange(people), images))


def test_f1_summary_names_values_and_counts():
    """F1: the summary's numbers are those of scikit-learn and of counting."""
    pairs = scattered()
    metrics = verification(pairs.distances, pairs.same, pairs.people)
    assert list(metrics) == [
        "verification/eer",
        "verification/auc",
        "verification/tar@far=1e-1",
        "verification/tar@far=1e-2",
        "verification/tar@far=1e-3",
        "verification/accuracy",
    ]
    np.testing.assert_allclose(
        metrics["verification/auc"].value, roc_auc_score(pairs.same, -pairs.distances), rtol=0, atol=1e-12
    )
    beyond = np.sort(pairs.distances[~pairs.same])[int(0.01 * (~pairs.same).sum())]
    assert metrics["verification/tar@far=1e-2"].value == (pairs.distances[pairs.same] < beyond).mean()
    for estimate in metrics.values():
        assert 0 <= estimate.low < estimate.value < estimate.high <= 1
    assert metrics["verification/eer"].n == metrics["verification/tar@far=1e-1"].n == pairs.same.sum()
    assert metrics["verification/accuracy"].n == len(pairs)


def resampled(pairs, weights, fars):
    """The rates of each resample, whose pairs are written out as often as they count."""
    curves = [roc(np.repeat(pairs.distances, w), np.repeat(pairs.same, w)) for w in weights]
    return np.array([[eer(curve), auc(curve), *tar_at_far(curve, np.array(fars))] for curve in curves], np.float64)


def test_every_interval_of_pairs_that_share_people_is_that_of_people_drawn_anew():
    """Six people with four images each are worth 24 same-person and 60 different-person pairs.

    Resamples of areas and equal error rates, which are biased, do not stretch their intervals.
    """
    pairs, fars = scattered(people=6, images=4, noise=0.9), (0.2, 0.05)
    weights = np.concatenate(list(replicate_weights(pairs.people, 40, 3)))
    samples = resampled(pairs, weights, fars)
    correct = kfold_accuracy(pairs.distances, pairs.same, stratified_folds(pairs.same, 5, 3), balanced=True).correct
    kinds = (pairs.same, ~pairs.same)
    balanced = np.mean([(weights * kind) @ correct / (weights * kind).sum(axis=1) for kind in kinds], axis=0)
    found = verification(pairs.distances, pairs.same, pairs.people, fars, 3, folds=5, replicates=40)
    worth = [24, 24, 24, 24, 4 / (1 / 24 + 1 / 60)]
    for i, (estimate, sample, trials) in enumerate(zip(found.values(), [*samples.T, balanced], worth, strict=True)):
        low, high = clustered_interval(estimate.value, sample, 6, trials, 4.0)
        if i < 2:
            low, high = varying_interval(estimate.value, sample.var() * 6 / 5, 6, trials, 4.0)
        np.testing.assert_allclose(estimate.interval, (min(low, estimate.value), max(high, estimate.value)), rtol=1e-9)
    assert [estimate.n for estimate in found.values()] == [36, 36, 36, 36, 276]


def test_no_more_same_person_pairs_count_than_there_are_of_the_other_kind():
    """Twelve same-person trials and ten pairs of different people: the equal error rate rests on ten."""
    people = np.array([*[[0, 0], [1, 1], [2, 2], [3, 3]] * 3, *[[0, 1], [0, 2], [0, 3], [1, 2], [1, 3]] * 2])
    same = people[:, 0] == people[:, 1]
    pairs = Pairs(np.random.default_rng(1).random(22) + ~same, same, people, np.zeros_like(people))
    found = verification(pairs.distances, same, people, (0.2,), folds=2, replicates=30)
    weights = np.concatenate(list(replicate_weights(people, 30, 0)))
    samples = resampled(pairs, weights, (0.2,))
    for i, (estimate, sample, trials) in enumerate(zip(list(found.values())[:3], samples.T, (10, 10, 12), strict=True)):
        expected = clustered_interval(estimate.value, sample, 4, trials, 3.0)
        if i < 2:
            expected = varying_interval(estimate.value, np.nanvar(sample) * 4 / 3, 4, trials, 3.0)
        np.testing.assert_allclose(
            estimate.interval, (min(expected[0], estimate.value), max(expected[1], estimate.value)), rtol=1e-9
        )
    assert [estimate.n for estimate in found.values()] == [10, 10, 12, 22]


def test_the_band_is_made_as_the_intervals_are():
    pairs = scattered(people=6, images=4, noise=0.9)
    fars = np.geomspace(1 / 240, 1, 5)
    band = roc_band(pairs.distances, pairs.same, pairs.people, points=5, replicates=30, seed=3)
    weights = np.concatenate(list(replicate_weights(pairs.people, 30, 3)))
    np.testing.assert_allclose(band.far, fars, rtol=1e-12)
    for low, high, rate, sample in zip(band.low, band.high, band.tar, resampled(pairs, weights, fars)[:, 2:].T, strict=True):
        np.testing.assert_allclose((low, high), clustered_interval(float(rate), sample, 6, 24, 4.0), rtol=1e-9)
    independent = roc_band(pairs.distances, pairs.same, points=5)
    for low, high, rate in zip(independent.low, independent.high, independent.tar, strict=True):
        np.testing.assert_allclose((low, high), wilson_interval(float(rate), 36), rtol=1e-9)
    assert len(roc_band(pairs.distances, pairs.same).far) == 64


def test_independent_pairs_have_the_intervals_of_their_kinds():
    """Wilson's for the scarcer kind, DeLong's, Wilson's for the same-person pairs, and Student's over folds."""
    rng = np.random.default_rng(3)
    same = np.arange(100) < 40
    distances = rng.normal(size=100) + ~same
    found = list(verification(distances, same, fars=(0.1,), folds=4, seed=2).values())
    folds = kfold_accuracy(distances, same, stratified_folds(same, 4, 2), balanced=True)
    intervals = [wilson_interval(found[0].value, 40), delong_interval(distances, same), wilson_interval(found[2].value, 40)]
    for estimate, interval in zip(found, [*intervals, folds.estimate.interval], strict=True):
        np.testing.assert_allclose(estimate.interval, interval, rtol=1e-9)
    assert [estimate.n for estimate in found] == [40, 40, 40, 100]


def test_rates_at_a_threshold_have_the_intervals_of_their_people():
    pairs = scattered(people=6, images=4)
    accepted = pairs.distances <= 5.0
    rates = at_threshold(pairs.distances, pairs.same, 5.0, pairs.people, seed=3)
    assert rates.far == clustered_rate(accepted[~pairs.same], pairs.people[~pairs.same], seed=3)
    assert rates.tar == clustered_rate(accepted[pairs.same], pairs.people[pairs.same], seed=3)
    independent = at_threshold(pairs.distances, pairs.same, 5.0)
    assert independent.tar == wilson(int(accepted[pairs.same].sum()), 36)
    assert independent.far == wilson(int(accepted[~pairs.same].sum()), 240)


@pytest.mark.parametrize(("kinds", "area"), [((3, 5), 1.0), ((5, 3), 0.0), ((1, 4), 0.5), ((4, 1), 0.5)])
def test_an_area_without_a_variance_has_wilsons_interval_for_the_scarcer_kind(kinds, area):
    same = np.arange(sum(kinds)) < kinds[0]
    distances = {1.0: 1.0 * ~same, 0.0: 1.0 * same, 0.5: np.zeros(len(same))}[area]
    np.testing.assert_allclose(delong_interval(distances, same), wilson_interval(area, min(kinds)), rtol=1e-12)


def test_two_pairs_of_a_kind_have_a_variance():
    distances, same = np.array([0.1, 0.5, 0.3, 0.4, 0.6]), np.array([True, True, False, False, False])
    assert delong_interval(distances, same) != wilson_interval(2 / 3, 2)


def test_shared_people_widen_every_interval():
    pairs = scattered()
    clustered = verification(pairs.distances, pairs.same, pairs.people)
    independent = verification(pairs.distances, pairs.same)
    for name, estimate in independent.items():
        assert clustered[name].value == estimate.value
        assert clustered[name].high - clustered[name].low > estimate.high - estimate.low


def test_only_the_order_of_distances_matters():
    pairs = scattered()
    first = verification(pairs.distances, pairs.same, pairs.people, replicates=50)
    second = verification(np.log(pairs.distances) * 3 - 1, pairs.same, pairs.people, replicates=50)
    assert first == second


def test_pairs_of_distinct_people_get_wilsons_interval():
    rng = np.random.default_rng(0)
    same = np.arange(400) % 2 == 0
    distances = rng.normal(size=400) + 2 * ~same
    people = np.arange(800).reshape(-1, 2)
    people[same, 1] = people[same, 0]
    metrics = verification(distances, same, people)
    assert metrics == verification(distances, same)
    tar = metrics["verification/tar@far=1e-1"]
    assert tar == wilson(round(tar.value * 200), 200)
    assert metrics["verification/auc"].interval == delong_interval(distances, same)


def test_what_the_pairs_cannot_resolve_is_no_number():
    same = np.arange(60) < 30
    distances = np.arange(60) / 60
    metrics = verification(distances, same, fars=(0.1, 1 / 30, 0.01))
    assert metrics["verification/tar@far=1e-1"].resolved
    assert metrics[f"verification/tar@far={rate_name(1 / 30)}"].resolved
    unknown = metrics["verification/tar@far=1e-2"]
    assert unknown.value is unknown.low is unknown.high is None
    assert "100 different-person pairs, there are 30" in unknown.why
    assert "fold" in verification(distances[25:35], same[25:35])["verification/accuracy"].why


@pytest.mark.parametrize("flag", [True, False])
def test_one_kind_of_pair_resolves_nothing(flag):
    metrics = verification(np.array([0.1, 0.2]), np.full(2, flag), np.array([[0, 0], [0, 0]]))
    assert len(metrics) == 6
    assert all("both kinds are needed" in estimate.why for estimate in metrics.values())


def test_no_pairs_resolve_nothing():
    metrics = verification(np.zeros(0), np.zeros(0, bool), np.zeros((0, 2), np.int64))
    assert not any(estimate.resolved for estimate in metrics.values())


def test_all_distances_equal_is_chance():
    pairs = scattered(people=12)
    metrics = verification(np.zeros(len(pairs)), pairs.same, pairs.people)
    assert metrics["verification/eer"].value == metrics["verification/auc"].value == 0.5
    assert metrics["verification/tar@far=1e-1"].value == 0
    assert metrics["verification/accuracy"].value == 0.5


def test_nan_is_refused_with_a_count():
    with pytest.raises(UserError, match="1 of 2 distances are NaN"):
        verification(np.array([np.nan, 0.1]), np.array([True, False]))


def test_f1_equal_to_tau_is_the_same_person():
    """F1: d == tau gives "same"."""
    rates = at_threshold(np.array([0.5, 0.5, 0.6]), np.array([True, False, False]), 0.5)
    assert (rates.tar.value, rates.far.value) == (1.0, 0.5)


def test_band_holds_the_curve():
    pairs = scattered(people=12, images=4)
    band = roc_band(pairs.distances, pairs.same, pairs.people, points=9, replicates=50)
    assert (np.diff(band.tar) >= 0).all()
    assert ((band.low <= band.tar) & (band.tar <= band.high)).all()
    np.testing.assert_allclose(band.far[[0, -1]], [1 / (~pairs.same).sum(), 1])
    next_one = np.sort(pairs.distances[~pairs.same])[int(band.far[4] * (~pairs.same).sum())]
    assert band.tar[4] == (pairs.distances[pairs.same] < next_one).mean()
    with pytest.raises(UserError, match="both kinds"):
        roc_band(np.array([0.1]), np.array([True]))


def test_delong_equals_its_definition():
    rng = np.random.default_rng(0)
    same = rng.random(60) < 0.4
    distances = np.round(rng.normal(size=60) + ~same, 1)
    positives, negatives = distances[same], distances[~same]
    wins = (positives[:, None] < negatives) + 0.5 * (positives[:, None] == negatives)
    variance = wins.mean(1).var(ddof=1) / len(positives) + wins.mean(0).var(ddof=1) / len(negatives)
    low, high = delong_interval(distances, same)
    logit = np.log(np.array([low, high]) / (1 - np.array([low, high])))
    area = wins.mean()
    np.testing.assert_allclose(logit.mean(), np.log(area / (1 - area)), rtol=0, atol=1e-12)
    reach = 1.959963984540054 * np.sqrt(variance) / (area * (1 - area))
    np.testing.assert_allclose(np.diff(logit), 2 * reach, rtol=1e-12)


@pytest.mark.parametrize(("rate", "name"), [(1e-1, "1e-1"), (1e-2, "1e-2"), (5e-4, "5e-4"), (0.025, "2.5e-2"), (1.0, "1e+0")])
def test_rate_names(rate, name):
    assert rate_name(rate) == name


@pytest.mark.slow
@pytest.mark.end_to_end
def test_coverage_of_the_eer_where_people_differ():
    truth = verification_value(scattered(people=300, images=5, seed=1))
    covered = 0
    for study in range(30):
        pairs = scattered(people=25, images=5, seed=100 + study)
        estimate = verification(pairs.distances, pairs.same, pairs.people, fars=(), replicates=60)["verification/eer"]
        covered += estimate.low <= truth <= estimate.high
    # At a true coverage of 95 %, fewer than 24 of 30 happen once in 1500 tries.
    assert covered >= 24


def verification_value(pairs):
    return verification(pairs.distances, pairs.same, fars=())["verification/eer"].value


@pytest.mark.slow
def test_100k_pairs_take_seconds():
    rng = np.random.default_rng(0)
    same = rng.random(100_000) < 0.1
    people = rng.integers(200, size=(100_000, 2))
    people[same, 1] = people[same, 0]
    start = time.process_time()
    verification(rng.normal(size=100_000) + ~same, same, people)
    assert time.process_time() - start < 6
