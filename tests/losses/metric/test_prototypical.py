"""The prototypical loss, leave-one-out."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.losses import Prototypical

LABELS = np.array([5, 5, 1, 2, 2, 2, 5, 1, 9])


def embeddings() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)


def oracle(x: np.ndarray, labels: np.ndarray, temperature: float) -> tuple[float, float]:
    x = x.astype(np.float64)
    costs, right = [], []
    for i in range(len(x)):
        own = (labels == labels[i]) & (np.arange(len(x)) != i)
        if not own.any():
            continue
        others = [labels == other for other in set(labels.tolist()) - {labels[i]}]
        logits = [-((x[i] - x[group].mean(0)) ** 2).sum() / temperature for group in (own, *others)]
        costs.append(np.logaddexp.reduce(logits) - logits[0])
        right.append(np.argmax(logits) == 0)
    return float(np.mean(costs)), float(np.mean(right))


@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_value_and_gradient_equal_the_oracle(temperature: float):
    loss, x = Prototypical(temperature=temperature), embeddings()
    run = jax.jit(jax.value_and_grad(lambda x: loss.value_and_diagnostics({}, x, jnp.asarray(LABELS)), has_aux=True))
    (value, found), gradient = run(jnp.asarray(x))
    expected, accuracy = oracle(x, LABELS, temperature)
    assert value == pytest.approx(expected, rel=1e-5)
    assert found["accuracy"] == pytest.approx(accuracy)
    assert found["queries"] == 8
    for index in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[index] = 1e-6
        x64 = x.astype(np.float64)
        difference = oracle(x64 + step, LABELS, temperature)[0] - oracle(x64 - step, LABELS, temperature)[0]
        assert gradient[index] == pytest.approx(difference / 2e-6, abs=1e-4)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_degenerate_batches(dtype):
    """Equal embeddings cost the logarithm of the number of people; one person, or nobody twice, costs 0."""
    run = jax.jit(jax.value_and_grad(Prototypical().__call__))
    for constant in (0.0, 0.7):
        for labels, expected in (([0, 0, 1, 2], math.log(3)), ([0, 0, 0, 0], 0.0), ([0, 1, 2, 3], 0.0)):
            value, gradient = run(jnp.full((4, 3), constant, dtype), jnp.array(labels))
            assert value == pytest.approx(expected, abs=1e-6)
            assert bool(jnp.all(jnp.isfinite(gradient)))
    value, gradient = run(jnp.ones((1, 3), dtype), jnp.array([0]))
    assert value == 0
    assert not np.asarray(gradient, np.float32).any()


def test_order_of_the_batch_and_a_mask_do_not_matter():
    run = jax.jit(Prototypical().__call__)
    x, order = embeddings(), np.random.default_rng(1).permutation(9)
    value = float(run(jnp.asarray(x), jnp.asarray(LABELS)))
    assert run(jnp.asarray(x[order]), jnp.asarray(LABELS[order])) == pytest.approx(value, rel=1e-5)
    assert run(jnp.asarray(x), jnp.asarray(LABELS[:, None] == LABELS[None, :])) == pytest.approx(value, rel=1e-6)
    assert run(jnp.asarray(x + 50.0), jnp.asarray(LABELS)) == pytest.approx(value, rel=1e-4)


def test_temperature_must_be_positive():
    with pytest.raises(ValueError, match="temperature must be a finite number above 0"):
        Prototypical(temperature=0.0)
