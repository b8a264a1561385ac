"""The contrastive loss."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.losses import Contrastive

LABELS = np.array([0, 0, 1, 2, 2, 2, 0, 1])


def embeddings() -> np.ndarray:
    return (0.4 * np.random.default_rng(0).normal(size=(8, 3))).astype(np.float32)


def oracle(loss: Contrastive, x: np.ndarray, labels: np.ndarray) -> float:
    pairs = itertools.combinations(range(len(x)), 2) if loss.pairs == "all" else ((i, i + 1) for i in range(0, len(x), 2))
    costs = {True: [], False: []}
    for i, j in pairs:
        d = np.sqrt(((x[i] - x[j]) ** 2).sum())
        same = bool(labels[i] == labels[j])
        costs[same].append(0.5 * d**2 if same else 0.5 * max(loss.margin - d, 0) ** 2)
    if loss.pairs == "all":
        return float(np.mean([np.mean(kind) for kind in costs.values() if kind]))
    return float(np.mean(costs[True] + costs[False]))


@pytest.mark.parametrize("pairs", ["all", "consecutive"])
def test_value_and_gradient_equal_the_oracle(pairs: str):
    loss, x = Contrastive(margin=0.8, pairs=pairs), embeddings()
    value, gradient = jax.jit(jax.value_and_grad(loss.__call__))(jnp.asarray(x), jnp.asarray(LABELS))
    assert value == pytest.approx(oracle(loss, x, LABELS), rel=1e-5)
    for index in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[index] = 1e-6
        difference = (oracle(loss, x + step, LABELS) - oracle(loss, x - step, LABELS)) / 2e-6
        assert gradient[index] == pytest.approx(difference, abs=1e-4)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_degenerate_batches(dtype):
    """Equal embeddings: the mean of 0 and ½ m² over the kinds of pairs present; no pair: 0. Gradients are finite."""
    run = jax.jit(jax.value_and_grad(Contrastive(margin=2.0).__call__))
    for constant in (0.0, 0.7):
        for labels, expected in (([0, 0, 1, 1], 1.0), ([0, 0, 0, 0], 0.0), ([0, 1, 2, 3], 2.0)):
            value, gradient = run(jnp.full((4, 3), constant, dtype), jnp.array(labels))
            assert value == pytest.approx(expected, abs=1e-5)
            assert bool(jnp.all(jnp.isfinite(gradient)))
    value, gradient = run(jnp.ones((1, 3), dtype), jnp.array([0]))
    assert value == 0
    assert not np.asarray(gradient, np.float32).any()


def test_mask_labels_and_diagnostics():
    x, labels = jnp.asarray(embeddings()), jnp.asarray(LABELS)
    run = jax.jit(Contrastive(margin=0.8).value_and_diagnostics)
    value, found = run({}, x, labels)
    assert value == run({}, x, labels[:, None] == labels[None, :])[0]
    d = np.sqrt(((embeddings()[:, None] - embeddings()[None]) ** 2).sum(-1))
    different = np.triu(LABELS[:, None] != LABELS[None, :], 1)
    assert found["pairs"] == 28
    assert found["active_fraction"] == pytest.approx((d[different] < 0.8).mean())
    assert found["mean_negative_distance"] == pytest.approx(d[different].mean(), rel=1e-5)
    assert Contrastive().compare({}, jnp.array([3.0, 0.0]), jnp.array([0.0, 4.0])) == 5


def test_a_margin_of_zero_is_refused():
    with pytest.raises(ValueError, match="margin must be a finite number above 0"):
        Contrastive(margin=0.0)


def test_an_odd_batch_of_consecutive_pairs_is_refused():
    with pytest.raises(ValueError, match="even size"):
        Contrastive(pairs="consecutive")(jnp.ones((5, 2)), jnp.array([0, 0, 1, 1, 2]))
