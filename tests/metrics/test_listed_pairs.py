import numpy as np
import pytest

from likeness.research.errors import UserError
from likeness.research.metrics.folds import kfold_accuracy
from likeness.research.metrics.listed_pairs import accuracy_at, listed_pairs, unrestricted_folds
from likeness.research.metrics.pair_stream import compare_pairs
from likeness.research.metrics.roc import best_threshold
from likeness.research.metrics.verification import verification


def view_2(seed: int = 0):
    """Ten folds of other people each, 10 pairs of either kind a fold."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(200), 3)
    embeddings = (rng.normal(size=(200, 6))[labels] + 0.6 * rng.normal(size=(600, 6))).astype(np.float32)
    first, second = [], []
    for fold in range(10):
        people = 20 * fold + rng.permutation(20)
        first += (3 * people).tolist()
        second += [*(3 * people[:10] + 1), *(3 * np.roll(people, 1)[10:] + 2)]
    return embeddings, labels, np.array(first), np.array(second)


def test_the_metrics_of_a_list():
    embeddings, labels, first, second = view_2()
    distances, same = compare_pairs(embeddings, first, second, _cosine), labels[first] == labels[second]
    people = np.stack([labels[first], labels[second]], axis=1)
    found = listed_pairs(distances, same, 10, people, (1e-1,), name="lfw")
    folds = kfold_accuracy(distances, same, 10)
    assert found["lfw/accuracy"].value == folds.mean
    assert found["lfw/standard_error"] == pytest.approx(folds.accuracies.std(ddof=1) / 10**0.5)
    assert found["lfw/fold_deviation"] == pytest.approx(folds.accuracies.std(ddof=1))
    tau, best = best_threshold(distances, same)
    assert found["lfw/accuracy@best"] == best == accuracy_at(distances, same, tau, people).value
    assert best >= found["lfw/accuracy"].value
    assert found["lfw/tar@far=1e-1"] == verification(distances, same, people, (1e-1,))["verification/tar@far=1e-1"]
    assert accuracy_at(distances, same, -1.0).value == 0.5


def test_unrestricted_thresholds_are_best_on_all_pairs_of_the_other_folds():
    embeddings, labels, first, second = view_2()
    distances = compare_pairs(embeddings, first, second, _cosine)
    found = unrestricted_folds(embeddings, labels, first, second, distances, 10, _cosine)
    same = labels[first] == labels[second]
    for fold in range(10):
        held_out = np.arange(200) // 20 == fold
        others = np.unique(np.concatenate([first[~held_out], second[~held_out]]))
        rows, columns = np.triu_indices(len(others), 1)
        all_distances = _cosine(embeddings[others], embeddings[others])[rows, columns]
        tau, _ = best_threshold(all_distances, labels[others[rows]] == labels[others[columns]], balanced=True)
        assert found.thresholds[fold] == tau
        assert found.accuracies[fold] == ((distances <= tau) == same)[held_out].mean()


def test_folds_are_needed():
    embeddings, labels, first, second = view_2()
    distances = compare_pairs(embeddings, first, second, _cosine)
    with pytest.raises(UserError, match="two folds or more"):
        unrestricted_folds(embeddings, labels, first, second, distances, np.zeros(200, int), _cosine)


def _cosine(first, second):
    """Its values do not depend on which others they are computed beside."""
    directions = [each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-9) for each in (first, second)]
    return (1 - (directions[0][:, None] * directions[1][None]).sum(axis=2)).astype(np.float32)
