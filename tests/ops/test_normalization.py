"""Batch normalization against Flax's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from likeness.research.ops.normalization import BatchNorm
from likeness.research.ops.pooling import max_pool


def drawn(shape=(3, 6, 4, 5), seed=0):
    rng = np.random.default_rng(seed)
    x, weights = (rng.normal(1.0, 2.0, shape).astype(np.float32) for _ in range(2))
    scale, bias = (rng.normal(size=shape[-1]).astype(np.float32) for _ in range(2))
    return x, weights, {"scale": scale, "bias": bias}


def both_ways(module, train):
    """Value, new statistics, and the gradients by x and by the parameters."""
    x, weights, params = drawn()
    statistics = {"mean": np.full(5, 0.5, np.float32), "var": np.full(5, 3.0, np.float32)}

    def cost(x, params):
        variables = {"params": params, "batch_stats": statistics}
        value, new = module.apply(variables, x, mutable=["batch_stats"])
        return jnp.sum(value * weights), (value, new)

    return jax.jit(jax.value_and_grad(cost, (0, 1), has_aux=True))(x, params)


@pytest.mark.parametrize("train", [True, False])
def test_values_statistics_and_gradients_are_flaxs(train):
    ours = both_ways(BatchNorm(train=train), train)
    theirs = both_ways(nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-5), train)
    jax.tree.map(lambda mine, known: np.testing.assert_allclose(mine, known, rtol=2e-5, atol=2e-5), ours, theirs)


@pytest.mark.parametrize("use_scale", [True, False])
def test_it_begins_as_flaxs(use_scale):
    x = jnp.ones((2, 3, 4))
    ours = BatchNorm(train=True, use_scale=use_scale).init(jax.random.key(0), x)
    theirs = nn.BatchNorm(use_running_average=False, use_scale=use_scale).init(jax.random.key(0), x)
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_half_precision_is_normalized_in_float32():
    x = jnp.full((4, 8), 1000.0, jnp.bfloat16).at[::2].add(8.0)
    found, _ = BatchNorm(train=True, dtype="bfloat16").init_with_output(jax.random.key(0), x)
    assert found.dtype == jnp.bfloat16
    np.testing.assert_allclose(jnp.asarray(found, jnp.float32), np.tile([[1.0], [-1.0]], (2, 8)), rtol=1e-2)


@pytest.mark.parametrize("shape", [(3, 6, 4, 5), (2, 7, 5, 5), (2, 9, 5), (2, 4, 5, 6, 5)])
def test_normalized_maxima_are_maxima_of_what_is_normalized(shape):
    """With factors of both signs: value and gradients."""
    x, _, params = drawn(shape, seed=1)
    params["scale"] = params["scale"] * np.where(np.arange(5) % 2, 1, -1) * np.sign(params["scale"])
    weights = np.random.default_rng(2).normal(size=jax.eval_shape(lambda: max_pool(x, 2)).shape).astype(np.float32)
    assert (params["scale"] < 0).any()
    assert (params["scale"] > 0).any()

    def cost(x, params, early):
        variables = {"params": params, "batch_stats": {"mean": jnp.zeros(5), "var": jnp.ones(5)}}
        normalize = BatchNorm(train=True).apply(variables, x, mutable=["batch_stats"], method="measure")[0]
        pooled = normalize.of_maxima(x, 2) if early else max_pool(normalize(x), 2)
        return jnp.sum(pooled * weights)

    ours, theirs = (jax.jit(jax.value_and_grad(lambda *a, e=early: cost(*a, e), (0, 1)))(x, params) for early in (True, False))
    jax.tree.map(lambda mine, known: np.testing.assert_allclose(mine, known, rtol=1e-4, atol=1e-5), ours, theirs)
