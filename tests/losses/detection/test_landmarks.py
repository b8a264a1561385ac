"""Landmarks, against NumPy in float64."""

import jax
import numpy as np
import pytest
from detection_truth import check_against, cross_entropy, noise

from likeness.research.losses import LandmarkLoss

POINTS = 5
RNG = np.random.default_rng(0)
TARGETS = np.concatenate([[[1], [0], [1], [1]], RNG.uniform(0, 1, (4, 2 * POINTS))], axis=1).astype(np.float32)
KNOWN = RNG.random((4, POINTS)) < 0.7
LOSSES = [
    LandmarkLoss(term=t, presence=p, landmark_weight=3.0) for t in ("squared", "l1", "wing") for p in ("squared", "logistic")
]


def oracle(loss: LandmarkLoss, outputs: np.ndarray, known: np.ndarray) -> float:
    total = 0.0
    for found, target, seen in zip(outputs, TARGETS.astype(np.float64), known, strict=True):
        own = (found[0] - target[0]) ** 2 if loss.presence == "squared" else cross_entropy(found[0], target[0])
        total += loss.presence_weight * own
        if target[0]:
            for x in (found[1:] - target[1:]).reshape(POINTS, 2)[seen].ravel():
                w, e = loss.wing_width, loss.wing_curvature
                wing = w * np.log(1 + abs(x) / e) if abs(x) < w else abs(x) - (w - w * np.log(1 + w / e))
                total += loss.landmark_weight * {"squared": x * x, "l1": abs(x), "wing": wing}[loss.term]
    return total / len(outputs)


def near(seed: int) -> np.ndarray:
    """Outputs within and beyond the wing."""
    return (TARGETS + noise(4, 1 + 2 * POINTS, seed=seed, scale=0.05)).astype(np.float32)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_value_and_gradient_equal_the_definition(loss):
    everything = np.ones((4, POINTS), bool)
    for seed in range(3):
        check_against(lambda y: loss(y, TARGETS), lambda y: oracle(loss, y, everything), near(seed))
        check_against(lambda y: loss(y, TARGETS, KNOWN), lambda y: oracle(loss, y, KNOWN), near(seed))


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_what_is_undefined_reaches_neither_loss_nor_gradient(loss):
    run = jax.jit(jax.value_and_grad(lambda y, t: loss(y, t, KNOWN)))
    value, gradient = run(near(1), TARGETS)
    unknown = np.concatenate([np.zeros((4, 1), bool), np.repeat(~KNOWN | (TARGETS[:, :1] == 0), 2, axis=1)], axis=1)
    assert not gradient[unknown].any() and np.asarray(gradient)[~unknown].all()
    for undefined in (np.nan, np.inf, -9.0):
        found, other = run(near(1), np.where(unknown, np.float32(undefined), TARGETS))
        assert found == value
        np.testing.assert_array_equal(other, gradient)


def test_diagnostics_are_means_over_the_points_that_count():
    outputs = near(2)
    _, found = LandmarkLoss().value_and_diagnostics(outputs, TARGETS, KNOWN)
    away = np.linalg.norm((outputs - TARGETS)[:, 1:].reshape(4, POINTS, 2), axis=2)[KNOWN & (TARGETS[:, :1] == 1)]
    np.testing.assert_allclose(found["landmark_error"], away.mean(), rtol=1e-5)
    np.testing.assert_allclose(found["landmark_loss"], (away**2).mean(), rtol=1e-5)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_no_face_no_image_and_no_known_point(loss):
    for outputs, targets, known in (
        (near(0), TARGETS * 0, KNOWN),
        (near(0), TARGETS, KNOWN & False),
        (near(0)[:0], TARGETS[:0], KNOWN[:0]),
        (TARGETS, TARGETS, KNOWN),
    ):
        value, gradient = jax.jit(jax.value_and_grad(loss))(outputs, targets, known)
        assert np.isfinite(value) and np.isfinite(gradient).all()
        assert all(np.isfinite(each) for each in loss.value_and_diagnostics(outputs, targets, known)[1].values())


def test_wrong_shapes_and_fields_are_refused():
    for outputs, targets, known, said in (
        (near(0)[:, :6], TARGETS, None, "outputs of 6 components are not one and two"),
        (near(0)[:, :1], TARGETS, None, "outputs of 1 components"),
        (near(0), TARGETS[:, :9], None, r"targets must be numbers of shape \(4, 11\)"),
        (near(0), TARGETS, KNOWN[:, :4], r"known must be booleans of shape \(4, 5\)"),
    ):
        with pytest.raises(ValueError, match=f"^LandmarkLoss: {said}"):
            LandmarkLoss()(outputs, targets, known)
    for name in ("wing_width", "wing_curvature"):
        with pytest.raises(ValueError, match=f"{name} must be a finite number above 0"):
            LandmarkLoss(**{name: 0.0})
