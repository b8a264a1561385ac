"""LFW's k-fold protocol, and facenet's reading of it."""

import numpy as np
import pytest
from sklearn.model_selection import KFold

from likeness.research.errors import UserError
from likeness.research.metrics.folds import contiguous_folds, kfold_accuracy, stratified_folds


def lfw_like(n=600, seed=0):
    rng = np.random.default_rng(seed)
    same = (np.arange(n) // (n // 20)) % 2 == 0
    return np.abs(rng.normal(0.8, 0.4, size=n) + 0.9 * ~same), same


def test_threshold_comes_from_the_other_folds():
    distances, same = lfw_like()
    result = kfold_accuracy(distances, same, 10)
    assert len(result.accuracies) == len(result.thresholds) == 10
    for fold in range(10):
        held_out = np.arange(600) // 60 == fold
        train_d, train_s = distances[~held_out], same[~held_out]
        ordered = np.sort(train_d)
        scores = np.array([((train_d <= t) == train_s).mean() for t in ordered])
        best = np.flatnonzero(scores == scores.max())
        middle = best[(len(best) - 1) // 2]
        best = (ordered[middle] + ordered[middle + 1]) / 2
        assert result.thresholds[fold] == pytest.approx(best, rel=1e-14)
        assert result.accuracies[fold] == ((distances[held_out] <= best) == same[held_out]).mean()


@pytest.mark.parametrize(("pairs", "strictest"), [(20, 0.975), (10, 0.95)])
def test_what_is_apart_is_told_apart(pairs, strictest):
    """The threshold lies in the middle of the gap, not on the farthest same-person pair of the other folds."""
    distances = np.concatenate([np.linspace(0, 0.3, pairs), np.linspace(0.7, 1, pairs)])
    same = np.arange(2 * pairs) < pairs
    folds = stratified_folds(same, 10)
    assert kfold_accuracy(distances, same, folds).mean == 1
    assert kfold_accuracy(distances, same, folds, compat="strictest").mean == pytest.approx(strictest)


def test_standard_error_is_not_the_fold_deviation():
    result = kfold_accuracy(*lfw_like(), 10)
    assert result.standard_error == pytest.approx(np.std(result.accuracies, ddof=1) / np.sqrt(10), abs=1e-15)
    assert result.fold_deviation == pytest.approx(result.standard_error * np.sqrt(10), abs=1e-15)
    estimate = result.estimate
    assert (estimate.value, estimate.n) == (result.mean, 600)
    assert estimate.high - estimate.low >= 2 * 2.262157 * result.standard_error - 1e-9


def test_balanced_changes_nothing_on_balanced_folds():
    distances, same = lfw_like()
    plain, balanced = kfold_accuracy(distances, same, 10), kfold_accuracy(distances, same, 10, balanced=True)
    np.testing.assert_array_equal(plain.thresholds, balanced.thresholds)
    np.testing.assert_allclose(plain.accuracies, balanced.accuracies, rtol=0, atol=1e-15)


def test_balanced_does_not_reward_always_saying_different():
    same = np.arange(200) % 10 == 0
    useless = np.random.default_rng(0).permutation(200) / 200.0
    folds = stratified_folds(same, 5)
    assert kfold_accuracy(useless, same, folds).mean > 0.85
    assert kfold_accuracy(useless, same, folds, balanced=True).mean < 0.65


def test_facenet_compatibility_equals_its_code():
    """davidsandberg/facenet, src/facenet.py, calculate_roc and calculate_accuracy."""
    distances, same = lfw_like(seed=2)
    grid, expected = np.arange(0, 4, 0.01), []
    for train, test in KFold(n_splits=10, shuffle=False).split(distances):
        train_accuracy = [np.mean(np.less(distances[train], t) == same[train]) for t in grid]
        best = grid[np.argmax(train_accuracy)]
        expected.append(np.mean(np.less(distances[test], best) == same[test]))
    np.testing.assert_array_equal(kfold_accuracy(distances, same, 10, compat="facenet").accuracies, expected)


def test_perfect_separation_keeps_a_width():
    same = np.arange(100) % 2 == 0
    estimate = kfold_accuracy(np.where(same, 0.1, 0.9), same, 10).estimate
    assert (estimate.value, estimate.high) == (1.0, 1.0)
    assert estimate.low < 0.97


def test_contiguous_folds_equal_sklearns():
    for n, k in ((600, 10), (23, 5)):
        folds = contiguous_folds(n, k)
        for number, (_, test) in enumerate(KFold(k).split(np.zeros(n))):
            np.testing.assert_array_equal(np.flatnonzero(folds == number), test)


def test_stratified_folds_spread_both_kinds():
    same = np.arange(103) < 31
    folds = stratified_folds(same, 10, seed=1)
    for kind in (same, ~same):
        counts = np.bincount(folds[kind], minlength=10)
        assert counts.max() - counts.min() <= 1
    np.testing.assert_array_equal(folds, stratified_folds(same, 10, seed=1))
    assert (folds != stratified_folds(same, 10, seed=2)).any()


def test_impossible_folds_are_refused():
    distances, same = np.array([0.1, 0.2, 0.3, 0.4]), np.array([True, True, False, False])
    with pytest.raises(UserError, match="two folds or more"):
        kfold_accuracy(distances, same, 1)
    with pytest.raises(UserError, match="Fold 2 holds one kind of pair"):
        kfold_accuracy(np.arange(5) / 5, np.arange(5) % 2 == 0, np.array([0, 0, 1, 1, 2]), balanced=True)
    with pytest.raises(UserError, match="leave out balanced"):
        kfold_accuracy(distances, same, 2, balanced=True, compat="facenet")
