"""Margin softmax beside pytorch-metric-learning: same value, same gradient."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.losses import MarginSoftmax

pytestmark = pytest.mark.peers

LABELS = np.array([0, 1, 0, 2, 1, 0, 3, 4, 4, 1, 0, 4])
CLASSES, DIMENSION = 5, 16


def theirs(loss: MarginSoftmax, x: np.ndarray, centers: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    torch = pytest.importorskip("torch")
    pytest.importorskip("pytorch_metric_learning")
    from pytorch_metric_learning import losses

    if loss.m3:
        criterion = losses.CosFaceLoss(CLASSES, DIMENSION, margin=loss.m3, scale=loss.scale)
    else:
        criterion = losses.ArcFaceLoss(CLASSES, DIMENSION, margin=math.degrees(loss.m2), scale=loss.scale)
    rows = torch.tensor(x, requires_grad=True)
    criterion.W.data = torch.tensor(centers.T.copy())
    value = criterion(rows, torch.tensor(LABELS))
    value.backward()
    return value.item(), rows.grad.numpy(), criterion.W.grad.numpy().T


def ours(loss: MarginSoftmax, x: np.ndarray, centers: np.ndarray):
    run = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
    value, (to_params, to_x) = run({"centers": jnp.asarray(centers)}, jnp.asarray(x), jnp.asarray(LABELS))
    return value, to_x, to_params["centers"]


def batch() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    shapes = ((len(LABELS), DIMENSION), (CLASSES, DIMENSION))
    x, centers = (generator.normal(size=shape).astype(np.float32) for shape in shapes)
    return x, centers


@pytest.mark.parametrize("scale", [64.0, 8.0])
@pytest.mark.parametrize("margins", [{"m2": 0.5}, {"m2": 0.0, "m3": 0.35}], ids=["ArcFace", "CosFace"])
def test_equals_pytorch_metric_learning(scale: float, margins: dict[str, float]):
    loss = MarginSoftmax(classes=CLASSES, scale=scale, **margins)
    (value, to_x, to_centers), expected = ours(loss, *batch()), theirs(loss, *batch())
    assert value == pytest.approx(expected[0], rel=1e-5)
    np.testing.assert_allclose(to_x, expected[1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(to_centers, expected[2], rtol=1e-4, atol=1e-5)


def test_beyond_pi_it_lies_higher_by_a_constant():
    """s (m2 sin m2 + cos m2 - 1) an image; the gradients are equal, as nobody there is taken for themselves."""
    loss = MarginSoftmax(classes=CLASSES)
    x, centers = batch()
    x = 0.1 * x - centers[LABELS]
    (value, to_x, to_centers), expected = ours(loss, x, centers), theirs(loss, x, centers)
    lower = 64 * (0.5 * math.sin(0.5) + math.cos(0.5) - 1)
    assert lower / 64 == pytest.approx(0.117, abs=5e-4)
    assert value + lower == pytest.approx(expected[0], rel=1e-5)
    np.testing.assert_allclose(to_x, expected[1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(to_centers, expected[2], rtol=1e-4, atol=1e-5)
