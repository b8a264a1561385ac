"""Pairs from labels: complete, unique, seeded."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.research.errors import UserError
from likeness.research.metrics.pairs import all_pairs, hardest, pair_rows

labels_lists = st.lists(st.integers(0, 4), max_size=14).map(lambda labels: np.array(labels, np.int64))


@settings(deadline=None, max_examples=60)
@given(labels_lists, st.integers(0, 60), st.integers(0, 3))
def test_pairs_are_complete_up_to_the_limit(labels, limit, seed):
    rows = pair_rows(labels, limit, seed)
    everything = {(i, j) for i in range(len(labels)) for j in range(i + 1, len(labels))}
    same = {(i, j) for i, j in everything if labels[i] == labels[j]}
    chosen = list(map(tuple, rows.tolist()))
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= everything
    assert same <= set(chosen)
    assert len(set(chosen) - same) == min(limit, len(everything - same))
    np.testing.assert_array_equal(rows, pair_rows(labels, limit, seed))


def test_every_different_pair_is_equally_likely():
    labels = np.repeat(np.arange(4), 3)
    counts = np.zeros((12, 12))
    for seed in range(400):
        rows = pair_rows(labels, 10, seed)
        counts[rows[:, 0], rows[:, 1]] += 1
    first, second = np.triu_indices(12, 1)
    different = counts[first, second][labels[first] != labels[second]]
    expected = 400 * 10 / len(different)
    # Chi-square over 54 pairs: 99.99 % lie below 99.
    assert ((different - expected) ** 2 / expected).sum() < 99


def test_pairs_read_the_matrix():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, size=20)
    matrix = rng.random((20, 20), dtype=np.float32)
    pairs = all_pairs(matrix, labels, limit=30)
    for distance, same, people, (i, j) in zip(pairs.distances, pairs.same, pairs.people, pairs.rows, strict=True):
        assert distance == matrix[i, j]
        assert same == (labels[i] == labels[j])
        assert tuple(people) == (labels[i], labels[j])
    assert len(pairs) == len(pairs.distances)


def test_a_matrix_of_other_images_is_refused():
    with pytest.raises(UserError, match="does not fit 3 labels"):
        all_pairs(np.zeros((2, 2)), np.array([0, 1, 2]))


def test_hardest_pairs_come_first():
    distances = np.array([0.1, 0.9, 0.5, 0.2, 0.8, 0.7])
    same = np.array([True, True, True, False, False, False])
    positives, negatives = hardest(distances, same, 2)
    assert (positives.tolist(), negatives.tolist()) == ([1, 2], [3, 5])
    assert hardest(distances[:3], same[:3], 9)[1].size == 0


def test_the_hardest_pairs_show_each_image_once():
    """Image 0 is far from all of its person's others; the next pair is of images not seen yet."""
    distances = np.array([0.9, 0.8, 0.7, 0.1, 0.2, 0.3])
    same = np.array([True, True, True, False, False, False])
    rows = np.array([[0, 1], [0, 2], [2, 3], [0, 4], [1, 4], [1, 5]])
    positives, negatives = hardest(distances, same, 2, rows)
    assert (positives.tolist(), negatives.tolist()) == ([0, 2], [3, 5])
    assert [found.tolist() for found in hardest(distances, same, 1, rows)] == [[0], [3]]
    assert [found.tolist() for found in hardest(distances, same, 9, rows)] == [[0, 2], [3, 5]]
