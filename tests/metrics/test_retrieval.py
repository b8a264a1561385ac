"""P@1, R-precision and MAP@R against a plain computation in float64 that sorts every query's candidates."""

import numpy as np
import pytest

from likeness.research.distances import Cosine
from likeness.research.errors import UserError
from likeness.research.metrics.bootstrap import clustered_rate
from likeness.research.metrics.retrieval import mean_by_class, retrieval, retrieve


def plain(distances: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Rows of P@1, R-precision and MAP@R, by the formulas of Musgrave et al.; a tie is ranked behind the other classes."""
    found = []
    for query in range(len(labels)):
        others = np.delete(np.arange(len(labels)), query)
        own = labels[others] == labels[query]
        if not own.any():
            continue
        order = np.lexsort([own, distances[query, others]])
        relevant = own[order]
        r = int(own.sum())
        precision_at = np.cumsum(relevant) / np.arange(1, len(relevant) + 1)
        found.append([relevant[0], relevant[:r].mean(), (precision_at * relevant)[:r].sum() / r])
    return np.array(found, np.float64)


def table(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Classes of 1 to 9 images, which overlap."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(40), rng.integers(1, 10, 40)))
    return (rng.normal(size=(40, 6))[labels] + 0.8 * rng.normal(size=(len(labels), 6))).astype(np.float32), labels


def test_it_is_the_plain_computation():
    embeddings, labels = table()
    directions = embeddings.astype(np.float64) / np.linalg.norm(embeddings, axis=1, keepdims=True)
    truth = plain(1 - directions @ directions.T, labels)
    found = retrieve(embeddings, labels)
    assert found.queries.tolist() == [row for row in range(len(labels)) if (labels == labels[row]).sum() > 1]
    np.testing.assert_allclose(found.precision_at_1, truth[:, 0], atol=1e-12)
    np.testing.assert_allclose(found.r_precision, truth[:, 1], atol=1e-12)
    np.testing.assert_allclose(found.map_at_r, truth[:, 2], atol=1e-12)
    means = retrieval(embeddings, labels, Cosine())
    assert [each.value for each in means.values()] == pytest.approx(truth.mean(axis=0).tolist(), abs=1e-12)
    assert all(each.low <= each.value <= each.high and each.n == len(truth) for each in means.values())


def test_ties_count_against_the_class_and_one_class_is_found_whole():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, 30)
    levels = rng.integers(0, 3, (30, 30)).astype(np.float32)
    levels += levels.T
    rows = np.arange(30, dtype=np.float32)[:, None]

    def compare(first, second):
        return levels[first[:, 0].astype(int)][:, second[:, 0].astype(int)]

    found, truth = retrieve(rows, labels, compare), plain(levels, labels)
    np.testing.assert_allclose(np.stack([found.precision_at_1, found.r_precision, found.map_at_r], axis=1), truth, atol=1e-12)
    equal = retrieve(rows, labels, lambda first, second: np.zeros((len(first), len(second)), np.float32))
    assert equal.precision_at_1.sum() == equal.map_at_r.sum() == 0
    alone = retrieve(rows, np.zeros(30, int), compare)
    assert alone.precision_at_1.min() == alone.map_at_r.min() == 1


def test_the_interval_of_a_mean_is_that_of_a_rate():
    rng = np.random.default_rng(2)
    classes = np.repeat(np.arange(30), 5)
    hits = rng.random(150) < np.repeat(rng.random(30), 5)
    ours, theirs = mean_by_class(hits.astype(np.float64), classes), clustered_rate(hits, classes)
    assert ours.value == theirs.value
    assert ours.interval == pytest.approx(theirs.interval, abs=0.02)
    single = mean_by_class(hits.astype(np.float64), np.arange(150))
    assert single.interval == clustered_rate(hits, np.arange(150)).interval


def test_what_cannot_be_retrieved_is_refused():
    with pytest.raises(UserError, match="No class has two images"):
        retrieve(np.eye(3), np.arange(3))
    assert {each.why for each in retrieval(np.eye(3), np.arange(3)).values()} == {"no class has two images"}
    with pytest.raises(UserError, match="NaN"):
        retrieve(np.full((4, 2), np.nan), np.zeros(4, int))
    with pytest.raises(ValueError, match="labels must be integers"):
        retrieve(np.eye(3), np.array([0, 1]))


@pytest.mark.peers
def test_it_is_what_pytorch_metric_learning_has():
    """With its denominators of every query's own class, which its ``k="max_bin_count"`` is."""
    torch = pytest.importorskip("torch")
    accuracy = pytest.importorskip("pytorch_metric_learning.utils.accuracy_calculator")
    inference = pytest.importorskip("pytorch_metric_learning.utils.inference")
    distances = pytest.importorskip("pytorch_metric_learning.distances")
    embeddings, labels = table()
    calculator = accuracy.AccuracyCalculator(
        include=("precision_at_1", "r_precision", "mean_average_precision_at_r"),
        k="max_bin_count",
        knn_func=inference.CustomKNN(distances.CosineSimilarity()),
    )
    theirs = calculator.get_accuracy(torch.tensor(embeddings), torch.tensor(labels))
    ours = retrieval(embeddings, labels)
    for name, their_name in (
        ("p@1", "precision_at_1"),
        ("r_precision", "r_precision"),
        ("map@r", "mean_average_precision_at_r"),
    ):
        assert ours[f"retrieval/{name}"].value == pytest.approx(theirs[their_name], abs=1e-6)
