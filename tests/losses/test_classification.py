import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.losses import CrossEntropy


def oracle(z, labels, smoothing):
    """In float64, from the definition."""
    z = z.astype(np.float64)
    log_p = z - z.max(1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(1, keepdims=True))
    q = np.full(z.shape, smoothing / z.shape[1])
    q[np.arange(len(z)), labels] += 1 - smoothing
    return -(q * log_p).sum(1)


LOGITS = np.random.default_rng(0).normal(0, 3, (6, 5)).astype(np.float32)
LABELS = np.array([0, 4, 2, 2, 1, 3], np.int32)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_value_and_gradient_equal_the_definition(smoothing):
    loss = CrossEntropy(smoothing=smoothing)
    np.testing.assert_allclose(jax.jit(loss)(LOGITS, LABELS), oracle(LOGITS, LABELS, smoothing), rtol=1e-6)
    gradient = jax.jit(jax.grad(lambda z: loss(z, LABELS).sum()))(LOGITS)
    along = np.random.default_rng(1).normal(size=LOGITS.shape)
    ahead, behind = (oracle(LOGITS + sign * 1e-6 * along, LABELS, smoothing).sum() for sign in (1, -1))
    np.testing.assert_allclose(np.sum(gradient * along), (ahead - behind) / 2e-6, rtol=1e-5)


def test_half_precision_is_summed_in_float32_and_large_scores_are_finite():
    value = CrossEntropy()(jnp.array([[1e4, -1e4]], jnp.bfloat16), jnp.array([1]))
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, 2e4, rtol=1e-2)


@pytest.mark.parametrize("label", [-1, 5])
def test_a_label_that_is_no_class_is_nan(label):
    assert np.isnan(CrossEntropy()(LOGITS[:1], np.array([label], np.int32))).all()


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_refuses_what_is_no_share(smoothing):
    with pytest.raises(ValueError, match="share"):
        CrossEntropy(smoothing=smoothing)
