"""The exact ROC against scikit-learn and against its own definition."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from sklearn.metrics import roc_auc_score, roc_curve

from likeness.research.errors import UserError
from likeness.research.metrics.roc import auc, best_threshold, eer, roc, tar_at_far

quick = settings(deadline=None, max_examples=40)


@st.composite
def pairs(draw, ties=True):
    """Distances with many ties, and both kinds of pair."""
    n = draw(st.integers(2, 60))
    levels = st.integers(0, 12 if ties else 10**6)
    distances = np.array(draw(st.lists(levels, min_size=n, max_size=n)), np.float64) / 8
    same = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    assume(same.any() and not same.all())
    return distances, same


@quick
@given(pairs())
def test_f1_roc_equals_sklearn(data):
    """F1: the curve from our own code equals sklearn's to 1e-12."""
    distances, same = data
    far, tar, thresholds = roc_curve(same, -distances, drop_intermediate=False)
    curve = roc(distances, same)
    np.testing.assert_allclose(curve.far, far, rtol=0, atol=1e-12)
    np.testing.assert_allclose(curve.tar, tar, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(curve.thresholds, -thresholds)


@quick
@given(pairs())
def test_f1_auc_equals_sklearn(data):
    """F1: so does the area."""
    distances, same = data
    np.testing.assert_allclose(auc(roc(distances, same)), roc_auc_score(same, -distances), rtol=0, atol=1e-12)


@quick
@given(pairs())
def test_f1_eer_equals_the_crossing_on_sklearns_curve(data):
    """F1: EER is where the polyline through sklearn's points meets FAR = FRR."""
    distances, same = data
    far, tar, _ = roc_curve(same, -distances, drop_intermediate=False)
    steps = np.arange(len(far))
    crossing = brentq(lambda t: np.interp(t, steps, far + tar) - 1, 0, steps[-1], xtol=1e-14, rtol=1e-14)
    np.testing.assert_allclose(eer(roc(distances, same)), np.interp(crossing, steps, far), rtol=0, atol=1e-12)


@quick
@given(pairs(), st.sampled_from([1e-3, 0.01, 0.1, 0.25, 0.5, 1.0]))
def test_tar_at_far_equals_trying_every_threshold(data, far):
    distances, same = data
    allowed = [t for t in [-np.inf, *distances] if (distances[~same] <= t).mean() <= far]
    expected = (distances[same] <= max(allowed)).mean()
    assert tar_at_far(roc(distances, same), np.array([far]))[0] == expected


@quick
@given(pairs(), st.randoms(use_true_random=False))
def test_order_of_pairs_and_scale_of_distances_do_not_matter(data, random):
    distances, same = data
    order = list(range(len(distances)))
    random.shuffle(order)
    stretched = np.exp(distances[order]) - 7
    first, second = roc(distances, same), roc(stretched, same[order])
    np.testing.assert_array_equal(first.accepted_same, second.accepted_same)
    np.testing.assert_array_equal(first.accepted_different, second.accepted_different)
    assert eer(first) == eer(second)


@quick
@given(pairs())
def test_eer_and_auc_mirror_when_the_labels_are_swapped(data):
    distances, same = data
    there, back = roc(distances, same), roc(distances, ~same)
    np.testing.assert_allclose(auc(there) + auc(back), 1, rtol=0, atol=1e-12)
    np.testing.assert_allclose(eer(there) + eer(back), 1, rtol=0, atol=1e-12)


@quick
@given(pairs(), st.data())
def test_weights_mean_repetition(data, source):
    distances, same = data
    weights = np.array(source.draw(st.lists(st.integers(0, 3), min_size=len(same), max_size=len(same))))
    repeated_same = np.repeat(same, weights)
    assume(repeated_same.any() and not repeated_same.all())
    weighted = roc(distances, same, np.stack([weights, np.ones_like(weights)]))
    repeated = roc(np.repeat(distances, weights), repeated_same)
    np.testing.assert_allclose(eer(weighted), [eer(repeated), eer(roc(distances, same))], rtol=0, atol=1e-12)
    np.testing.assert_allclose(auc(weighted)[0], auc(repeated), rtol=0, atol=1e-12)
    fars = np.array([0.1, 0.5])
    np.testing.assert_array_equal(tar_at_far(weighted, fars)[0], tar_at_far(repeated, fars))


@pytest.mark.parametrize("replicates", range(1, 8))
def test_each_of_any_number_of_replicates_is_a_curve_of_its_own(replicates):
    """Of six pairs at four distances, which come in order and out of it."""
    same = np.array([True, False, True, False, True, False])
    weights = np.random.default_rng(replicates).integers(0, 4, (replicates, 6))
    for distances in (np.array([1.0, 2, 2, 3, 3, 4]), np.array([3.0, 4, 1, 2, 2, 3])):
        curves = roc(distances, same, weights)
        for row, accepted_same, accepted_different in zip(
            weights, curves.accepted_same, curves.accepted_different, strict=True
        ):
            accepted = distances <= np.array([-np.inf, 1, 2, 3, 4])[:, None]
            np.testing.assert_array_equal(accepted_same, (accepted * row)[:, same].sum(1))
            np.testing.assert_array_equal(accepted_different, (accepted * row)[:, ~same].sum(1))


def test_a_replicate_without_a_kind_of_pair_is_nan():
    curve = roc(np.array([0.1, 0.2, 0.3]), np.array([True, False, False]), np.array([[0, 1, 1], [1, 0, 0]]))
    for values in (eer(curve), auc(curve), tar_at_far(curve, np.array([0.5]))):
        assert np.isnan(values).all()


@quick
@given(pairs(), st.booleans(), st.sampled_from(["middle", "strictest"]))
def test_best_threshold_equals_trying_all(data, balanced, tie):
    distances, same = data
    candidates = np.append(-np.inf, np.unique(distances))

    def accuracy(threshold):
        right = (distances <= threshold) == same
        return (right[same].mean() + right[~same].mean()) / 2 if balanced else right.mean()

    scores = [accuracy(t) for t in candidates]
    threshold, best = best_threshold(distances, same, balanced, tie)
    np.testing.assert_allclose(best, max(scores), rtol=0, atol=1e-12)
    np.testing.assert_allclose(accuracy(threshold), best, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("distances", "same", "middle", "strictest"),
    [
        ([0.1, 0.2, 0.6, 0.7], [1, 1, 0, 0], 0.4, 0.2),
        ([0.1, 0.2, 0.3, 0.4, 0.5], [1, 0, 1, 0, 0], 0.15, 0.1),
        ([0.1, 0.2], [0, 0], -np.inf, -np.inf),
        ([0.1, 0.2], [1, 1], 0.2, 0.2),
        ([0.1, np.inf], [1, 0], 0.1, 0.1),
        ([1.0, np.nextafter(1.0, 2)], [1, 0], 1.0, 1.0),
    ],
)
def test_of_equally_good_thresholds_the_middle_or_the_strictest(distances, same, middle, strictest):
    flags = np.array(same, bool)
    assert best_threshold(np.array(distances), flags)[0] == pytest.approx(middle, rel=1e-15)
    assert best_threshold(np.array(distances), flags, tie="strictest")[0] == strictest


def test_perfect_and_useless_distances():
    same = np.array([True, True, False, False])
    perfect, useless = roc(np.array([0.1, 0.2, 0.3, 0.4]), same), roc(np.full(4, 0.5), same)
    assert (float(eer(perfect)), float(auc(perfect))) == (0.0, 1.0)
    assert (float(eer(useless)), float(auc(useless))) == (0.5, 0.5)


def test_infinite_distances_are_never_the_same():
    curve = roc(np.array([0.1, np.inf, 0.3]), np.array([True, True, False]))
    assert float(tar_at_far(curve, np.array([0.5]))[0]) == 0.5


def test_nan_is_counted_and_refused():
    with pytest.raises(UserError, match="2 of 3 distances are NaN"):
        roc(np.array([np.nan, 0.1, np.nan]), np.array([True, False, True]))


def test_best_threshold_needs_pairs():
    with pytest.raises(UserError, match="pairs of both kinds"):
        best_threshold(np.array([0.1]), np.array([True]), balanced=True)
    with pytest.raises(UserError, match="0 same-person and 0 different-person"):
        best_threshold(np.array([]), np.array([], bool))
