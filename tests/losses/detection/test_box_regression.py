"""Losses of boxes by overlap and by smooth L1, against NumPy in float64 and optax."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from detection_truth import check_against

from likeness.research.geometry import ciou, diou, giou, iou
from likeness.research.losses import OverlapLoss, SmoothL1Loss

MEASURES = {"iou": iou, "giou": giou, "diou": diou, "ciou": ciou}
MASK = np.array([True, False, True, True, False, True])


def pairs(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 20, (2, 6, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(3, 20, (2, 6, 2))], axis=-1).astype(np.float32)
    return boxes[0], boxes[1]


@pytest.mark.parametrize("overlap", ["iou", "giou", "diou"])
@pytest.mark.parametrize("seed", range(3))
def test_one_minus_the_overlap(overlap, seed):
    """CIoU has a constant in its derivative, and is compared without."""
    boxes, truth = pairs(seed)
    exact = truth.astype(np.float64)
    check_against(
        lambda b: jnp.sum(OverlapLoss(overlap=overlap)(b, truth, MASK)),
        lambda b: float((1 - MEASURES[overlap](b, exact))[MASK].sum()),
        boxes,
        rtol=1e-4,
    )


def test_ciou_is_its_definition():
    boxes, truth = pairs(5)
    np.testing.assert_allclose(OverlapLoss()(boxes, truth), 1 - ciou(boxes, truth), atol=1e-5)


@pytest.mark.parametrize("overlap", list(MEASURES))
def test_what_is_masked_reaches_neither_loss_nor_gradient(overlap):
    boxes, truth = pairs(1)
    run = jax.jit(jax.value_and_grad(lambda b, t: jnp.sum(OverlapLoss(overlap=overlap)(b, t, MASK))))
    value, gradient = run(boxes, truth)
    assert not gradient[~MASK].any()
    for anything in (np.nan, np.inf, -1e30):
        found, other = run(*(np.where(MASK[:, None], each, np.float32(anything)) for each in (boxes, truth)))
        assert found == value
        np.testing.assert_array_equal(gradient, other)


@pytest.mark.parametrize("overlap", list(MEASURES))
def test_boxes_without_area_and_far_boxes_are_finite(overlap):
    """pytorch/vision#7746, ultralytics/yolov5#8539: an empty box with itself."""
    boxes = jnp.array([[0.0, 0, 0, 0], [3, 3, 3, 9], [0, 0, 1e-4, 1e-4], [5, 5, 2, 2], [1e6, 1e6, 1e6 + 1, 1e6 + 1]])
    for truth in (boxes, jnp.array([[0.0, 0, 10, 10]]) + 0 * boxes, jnp.zeros_like(boxes)):
        value, gradient = jax.jit(jax.value_and_grad(lambda b, t=truth: jnp.sum(OverlapLoss(overlap=overlap)(b, t))))(boxes)
        assert np.isfinite(value) and np.isfinite(gradient).all()


@pytest.mark.parametrize("beta", [1.0, 1 / 9, 2.0])
def test_smooth_l1_is_its_definition_and_optax_s_huber(beta):
    rng = np.random.default_rng(0)
    values, targets = (rng.normal(0, 2, (5, 4)).astype(np.float32) for _ in range(2))
    mask = rng.random((5, 4)) < 0.6

    def oracle(v: np.ndarray) -> float:
        x = np.abs(v - targets)
        return float(np.where(x < beta, 0.5 * x * x / beta, x - 0.5 * beta)[mask].sum())

    check_against(lambda v: jnp.sum(SmoothL1Loss(beta=beta)(v, targets, mask)), oracle, values)
    expected = optax.huber_loss(values, targets, delta=beta) / beta
    np.testing.assert_allclose(SmoothL1Loss(beta=beta)(values, targets), expected, rtol=1e-5, atol=1e-6)
    run = jax.jit(jax.value_and_grad(lambda v, t: jnp.sum(SmoothL1Loss(beta=beta)(v, t, mask))))
    value, gradient = run(values, targets)
    found, other = run(np.where(mask, values, np.nan), np.where(mask, targets, np.inf))
    assert found == value
    np.testing.assert_array_equal(gradient, other)


def test_wrong_shapes_and_fields_are_refused():
    boxes, truth = pairs(0)
    with pytest.raises(ValueError, match=r"OverlapLoss: truth must be numbers of shape \(6, 4\)"):
        OverlapLoss()(boxes, truth[:1])
    with pytest.raises(ValueError, match=r"OverlapLoss: mask must be booleans of shape \(6,\), and is float32"):
        OverlapLoss()(boxes, truth, np.ones(6, np.float32))
    with pytest.raises(ValueError, match=r"SmoothL1Loss: mask must be booleans of shape \(6, 4\)"):
        SmoothL1Loss()(boxes, truth, MASK)
    with pytest.raises(ValueError, match="beta must be a finite number above 0"):
        SmoothL1Loss(beta=0.0)
    assert OverlapLoss()(boxes[:0], truth[:0]).shape == (0,)
