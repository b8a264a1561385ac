"""Local response normalization against its definition in float64, and its gradient against difference quotients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.ops.local_response_norm import local_response_norm


def defined(x, size=5, alpha=1e-4, beta=0.75):
    """By a loop over channels, float64."""
    result, half = np.empty_like(x), size // 2
    for channel in range(x.shape[-1]):
        near = x[..., max(channel - half, 0) : channel + half + 1]
        result[..., channel] = x[..., channel] / (1 + alpha / size * (near**2).sum(-1)) ** beta
    return result


def test_it_equals_the_double_loop():
    x = np.random.default_rng(0).normal(scale=30, size=(1, 2, 2, 7))
    np.testing.assert_allclose(jax.jit(local_response_norm)(x.astype(np.float32)), defined(x), rtol=1e-5)


@pytest.mark.parametrize("settings", [(5, 1e-4, 0.75), (3, 0.1, 0.75), (3, 0.1, 0.5)])
def test_the_gradient_is_the_difference_quotient(settings):
    rng = np.random.default_rng(1)
    x, weights, direction = (rng.normal(scale=30, size=(2, 2, 2, 9)) for _ in range(3))
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(local_response_norm(x, *settings) * weights.astype(np.float32))))(
        x.astype(np.float32)
    )
    step = 1e-6
    quotient = (
        np.sum(weights * (defined(x + step * direction, *settings) - defined(x - step * direction, *settings))) / step / 2
    )
    np.testing.assert_allclose(np.sum(np.asarray(gradient, np.float64) * direction), quotient, rtol=1e-4)


def test_half_precision_stays():
    assert jax.eval_shape(local_response_norm, jnp.zeros((1, 2, 2, 3), jnp.bfloat16)).dtype == jnp.bfloat16


@pytest.mark.peers
def test_it_equals_torch():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(1).normal(scale=30, size=(2, 3, 3, 9)).astype(np.float32)
    theirs = torch.nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0)(torch.from_numpy(x.transpose(0, 3, 1, 2).copy()))
    np.testing.assert_allclose(local_response_norm(x), theirs.numpy().transpose(0, 2, 3, 1), rtol=1e-5)
