"""Focal and quality focal loss, against NumPy in float64 and optax."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from detection_truth import check_against, cross_entropy, noise, sigmoid

from likeness.research.losses import FocalLoss, QualityFocalLoss

LABELS = (np.random.default_rng(0).random((6, 4)) < 0.3).astype(np.float32)
QUALITY = (LABELS * np.random.default_rng(1).random((6, 4))).astype(np.float32)


def focal(loss: FocalLoss, z: np.ndarray) -> float:
    p = np.where(LABELS == 1, sigmoid(z), 1 - sigmoid(z))
    weight = np.where(LABELS == 1, loss.alpha, 1 - loss.alpha)
    return float((-weight * (1 - p) ** loss.gamma * np.log(p)).sum())


@pytest.mark.parametrize("loss", [FocalLoss(), FocalLoss(alpha=0.5, gamma=0.0), FocalLoss(alpha=0.75, gamma=0.5)], ids=repr)
def test_focal_equals_the_definition(loss):
    for seed in range(3):
        check_against(lambda z: jnp.sum(loss(z, LABELS)), lambda z: focal(loss, z), noise(6, 4, seed=seed, scale=2))


def test_focal_equals_optax():
    z = noise(6, 4, scale=3)
    for alpha, gamma in ((0.25, 2.0), (0.6, 1.0)):
        expected = optax.sigmoid_focal_loss(z, LABELS, alpha=alpha, gamma=gamma)
        np.testing.assert_allclose(FocalLoss(alpha=alpha, gamma=gamma)(z, LABELS), expected, rtol=1e-5, atol=1e-7)
    half = FocalLoss(alpha=0.5, gamma=0.0)(z, LABELS)
    np.testing.assert_allclose(half, optax.sigmoid_binary_cross_entropy(z, LABELS) / 2, rtol=1e-5)


@pytest.mark.parametrize("beta", [1.0, 2.0, 3.5])
def test_quality_focal_equals_the_definition(beta):
    loss = QualityFocalLoss(beta=beta)
    oracle = lambda z: float((np.abs(QUALITY - sigmoid(z)) ** beta * cross_entropy(z, QUALITY)).sum())  # noqa: E731
    for seed in range(3):
        check_against(lambda z: jnp.sum(loss(z, QUALITY)), oracle, noise(6, 4, seed=seed, scale=2))


def test_with_whole_targets_quality_focal_is_focal():
    z = noise(6, 4, scale=2)
    np.testing.assert_allclose(QualityFocalLoss()(z, LABELS), 2 * FocalLoss(alpha=0.5)(z, LABELS), rtol=1e-5)


def test_the_least_is_at_the_quality():
    z = jnp.linspace(-4, 4, 801)
    for quality in (0.1, 0.5, 0.9):
        found = QualityFocalLoss()(z, jnp.full_like(z, quality))
        assert abs(float(jax.nn.sigmoid(z[jnp.argmin(found)])) - quality) < 5e-3
        assert found.min() < 1e-5


@pytest.mark.parametrize("loss", [FocalLoss(), FocalLoss(gamma=0.5), QualityFocalLoss(), QualityFocalLoss(beta=1.0)], ids=repr)
def test_extreme_logits_are_finite(loss):
    z = jnp.array([-1e4, -100.0, -50.0, 0.0, 50.0, 100.0, 1e4])
    for target in (0.0, 1.0):
        value, gradient = jax.jit(jax.value_and_grad(lambda z, t=target: jnp.sum(loss(z, jnp.full_like(z, t)))))(z)
        assert np.isfinite(value) and np.isfinite(gradient).all()
    assert np.isnan(loss(jnp.array([jnp.nan]), jnp.array([1.0]))).all()


def test_no_entries_shapes_and_fields():
    for loss in (FocalLoss(), QualityFocalLoss()):
        assert loss(np.zeros((0, 4), np.float32), np.zeros((0, 4), np.float32)).shape == (0, 4)
        assert loss(jnp.zeros((2, 3), jnp.bfloat16), np.zeros((2, 3), int)).dtype == jnp.float32
        with pytest.raises(ValueError, match=rf"^{type(loss).__name__}: targets must be numbers of shape \(6, 4\)"):
            loss(noise(6, 4), LABELS[:, 0])
    for alpha in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="alpha is the weight of foreground"):
            FocalLoss(alpha=alpha)
    with pytest.raises(ValueError, match="gamma must be a finite number, at least 0"):
        FocalLoss(gamma=-1.0)
    for beta in (0.5, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="at least 1"):
            QualityFocalLoss(beta=beta)
