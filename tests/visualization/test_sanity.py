"""Sanity checks of saliency: which weights are taken away, and how maps are compared."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from likeness.research.encoders import Conv4, FlipEmbedding, SqueezeNet
from likeness.research.visualization.sanity import layers_with_weights, map_similarity, rank_correlation, with_other_weights


@pytest.mark.parametrize("encoder", [Conv4(width=2, dimension=2), FlipEmbedding(encoder=Conv4(width=2, dimension=2))])
def test_layers_come_in_the_order_of_use_with_their_normalization(encoder):
    variables = jax.eval_shape(encoder.init, jax.random.key(0), jnp.zeros((1, 16, 16, 1)))
    parts = layers_with_weights(encoder, variables, (16, 16, 1))
    above = ("encoder",) if isinstance(encoder, FlipEmbedding) else ()
    expected = [((*above, f"conv{block}"), (*above, f"norm{block}")) for block in range(1, 5)]
    assert parts == (*expected, ((*above, "dense"),))


def test_a_module_of_modules_is_one_layer():
    encoder = SqueezeNet()
    variables = jax.eval_shape(encoder.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    parts = layers_with_weights(encoder, variables, (32, 32, 3))
    assert [part[0][0] for part in parts] == ["conv1", *(f"fire{number}" for number in range(2, 10))]


def test_weights_and_statistics_of_some_layers_are_exchanged_and_nothing_else():
    encoder = Conv4(width=2, dimension=2)
    trained, others = (jax.jit(encoder.init)(jax.random.key(seed), jnp.zeros((1, 16, 16, 1))) for seed in (0, 1))
    trained["batch_stats"] = jax.tree.map(lambda leaf: leaf + 0.5, trained["batch_stats"])
    paths = [("conv2",), ("norm2",)]
    changed = with_other_weights(trained, others, paths)
    for collection, name in (("params", "conv2"), ("batch_stats", "norm2")):
        jax.tree.map(np.testing.assert_array_equal, changed[collection][name], others[collection][name])
    for collection, name in (("params", "conv1"), ("params", "dense"), ("batch_stats", "norm1")):
        jax.tree.map(np.testing.assert_array_equal, changed[collection][name], trained[collection][name])
    assert (trained["params"]["conv2"]["kernel"] != others["params"]["conv2"]["kernel"]).all()


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 5, (6, 7)).astype(np.float64)
    second = first + rng.normal(size=(6, 7))
    expected = stats.spearmanr(first.ravel(), second.ravel()).statistic
    assert rank_correlation(first, second) == pytest.approx(expected, abs=1e-9)
    assert rank_correlation(first, -first) == -1.0
    assert rank_correlation(first, np.ones((6, 7))) == 0.0


def test_maps_are_as_alike_whatever_their_scale():
    first, second = np.abs(np.random.default_rng(1).normal(size=(2, 16, 16)))
    assert map_similarity(first, 5 * first) == pytest.approx(1.0)
    assert map_similarity(first, second) == pytest.approx(map_similarity(3 * first, second))
    assert map_similarity(first, second) < 0.5
    assert map_similarity(np.zeros((16, 16)), second) < 0.1
