"""Statistics of units in one pass equal those of all activations at once."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.visualization.statistics import EDGES, UnitCounts, UnitStatistics, count_units


def counted(activations, labels, classes, batch):
    counts, take = UnitCounts.init(classes, activations.shape[-1]), jax.jit(count_units)
    for start in range(0, len(activations), batch):
        part = slice(start, start + batch)
        counts = take(counts, jnp.asarray(activations[part]), jnp.asarray(labels[part]))
    return UnitStatistics.of(counts)


@pytest.mark.parametrize("batch", [3, 50])
@pytest.mark.parametrize("shape", [(4, 5), (6,), (2, 3, 2)], ids=["2D", "1D", "3D"])
def test_equals_numpy(batch, shape):
    rng = np.random.default_rng(0)
    activations = np.maximum(rng.normal(size=(50, *shape, 7)) * 3 - 4, 0).astype(np.float32)
    activations[..., 2] = 0
    labels = rng.integers(0, 3, 50).astype(np.int32)
    labels[:5] = -1
    found = counted(activations, labels, 5, batch)
    largest = activations.reshape(50, -1, 7).max(axis=1)[5:].astype(np.float64)
    np.testing.assert_allclose(found.mean, largest.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.active, (activations[5:] > 0).reshape(-1, 7).mean(axis=0), rtol=1e-6)
    assert found.dead.tolist() == [2]
    means = np.stack([largest[labels[5:] == label].mean(axis=0) for label in range(3)])
    np.testing.assert_array_equal(np.delete(found.favorite, 2), np.delete(means.argmax(axis=0), 2))
    best, rest = np.sort(means, axis=0)[-1], np.sort(means, axis=0)[:-1].mean(axis=0)
    alive = best > 0
    np.testing.assert_allclose(found.selectivity[alive], (best - rest)[alive] / (best + rest)[alive], rtol=1e-5)
    assert np.isnan(found.selectivity[2])
    edges = [-np.inf, 0.0, *EDGES[:-1], np.inf]
    shares = [((low < largest) & (largest <= high)).mean(axis=0) for low, high in itertools.pairwise(edges)]
    np.testing.assert_allclose(found.histogram, shares, atol=1e-12)


def test_a_unit_for_one_class_is_selective():
    activations = np.zeros((6, 1, 1, 2), np.float32)
    activations[:3, ..., 0], activations[..., 1] = 5, 2
    found = counted(activations, np.array([0, 0, 0, 1, 1, 2], np.int32), 3, 6)
    np.testing.assert_allclose(found.selectivity, [1, 0])
    assert found.favorite[0] == 0


def test_one_class_alone_tells_nothing():
    found = counted(np.ones((3, 2, 2, 1), np.float32), np.zeros(3, np.int32), 1, 3)
    assert np.isnan(found.selectivity).all()
