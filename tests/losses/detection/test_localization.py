"""Localization: the course's squared error, and logistic, squared and softmax parts; against NumPy in float64 and optax."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from detection_truth import check_against, noise, sigmoid

from likeness.research.geometry import ImageRelative
from likeness.research.losses import CourseLocalizationLoss, LogisticLocalizationLoss, localization_targets

LOSSES = [CourseLocalizationLoss(), LogisticLocalizationLoss(), LogisticLocalizationLoss(box_weight=5.0, class_weight=0.5)]
BOXES = np.array([[10, 20, 40, 60], [0, 0, 0, 0], [5, 5, 79, 47], [30, 10, 31, 12]], np.float32)
CLASSES = np.array([2, 0, 1, 0], np.int32)
PRESENT = np.array([True, False, True, True])
TARGETS = np.asarray(localization_targets(BOXES, CLASSES, PRESENT, 60, 80, 3))


def course(outputs: np.ndarray) -> float:
    total = 0.0
    for found, target in zip(outputs, TARGETS.astype(np.float64), strict=True):
        total += ((found - target) ** 2).sum() if target[0] == 1 else (found[0] - target[0]) ** 2
    return total / len(outputs)


def logistic(outputs: np.ndarray, box_weight: float, class_weight: float) -> float:
    total = 0.0
    for found, target in zip(outputs, TARGETS.astype(np.float64), strict=True):
        total += -np.log(sigmoid(found[0]) if target[0] else 1 - sigmoid(found[0]))
        if target[0]:
            total += box_weight * ((found[1:5] - target[1:5]) ** 2).sum()
            total -= class_weight * (found[5:][target[5:] == 1][0] - np.log(np.exp(found[5:]).sum()))
    return total / len(outputs)


def test_a_target_is_relative_to_the_image_and_leads_back():
    """D-a: [p_c, b_x, b_y, b_h, b_w, c_1, c_2, c_3], and the round trip is exact to 1e-6 of the image."""
    assert TARGETS.shape == (4, 8)
    np.testing.assert_allclose(TARGETS[0], [1, 25 / 80, 40 / 60, 40 / 60, 30 / 80, 0, 0, 1], atol=1e-7)
    np.testing.assert_array_equal(TARGETS[1], 0)
    back = ImageRelative().decode(TARGETS[PRESENT, 1:5].astype(np.float64), np.array([0.0, 0, 80, 60]))
    np.testing.assert_allclose(back / 80, BOXES[PRESENT] / 80, atol=1e-6)
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 30, (500, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(1, 30, (500, 2))], axis=1).astype(np.float32)
    many = localization_targets(boxes, np.zeros(500, int), np.ones(500, bool), 60, 80, 1)
    back = ImageRelative().decode(np.asarray(many[:, 1:5], np.float64), np.array([0.0, 0, 80, 60]))
    np.testing.assert_allclose(back / 80, boxes / 80, atol=1e-6)


def test_the_sum_runs_over_all_eight_components():
    """E1: the notes' formula ends in the first component once more. An error of the last one must cost what it is."""
    target = np.array([[1, 0.5, 0.5, 0.2, 0.2, 0, 0, 1]], np.float32)
    for i in range(8):
        wrong = target.copy()
        wrong[0, i] += 0.25
        assert CourseLocalizationLoss()(wrong, target) == pytest.approx(0.0625)


@pytest.mark.parametrize("seed", range(3))
def test_value_and_gradient_equal_the_definitions(seed):
    outputs = noise(4, 8, seed=seed)
    check_against(lambda y: CourseLocalizationLoss()(y, TARGETS), course, outputs)
    for box, classes in ((1.0, 1.0), (5.0, 0.5)):
        loss = LogisticLocalizationLoss(box_weight=box, class_weight=classes)
        check_against(lambda y, loss=loss: loss(y, TARGETS), lambda y, b=box, c=classes: logistic(y, b, c), outputs)


def test_the_logistic_form_equals_optax():
    """D-c."""
    outputs = noise(4, 8, seed=5)
    presence = optax.sigmoid_binary_cross_entropy(outputs[:, 0], TARGETS[:, 0])
    box = jnp.sum(optax.squared_error(outputs[:, 1:5], TARGETS[:, 1:5]), axis=1)
    classes = optax.softmax_cross_entropy(outputs[:, 5:], TARGETS[:, 5:])
    expected = jnp.mean(presence + jnp.where(PRESENT, box + classes, 0.0))
    value, parts = LogisticLocalizationLoss().value_and_diagnostics(outputs, TARGETS)
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_allclose(parts["presence_loss"], jnp.mean(presence), rtol=1e-6)
    np.testing.assert_allclose(parts["box_loss"], jnp.mean(box[PRESENT]), rtol=1e-6)
    np.testing.assert_allclose(parts["class_loss"], jnp.mean(classes[PRESENT]), rtol=1e-6)
    assert parts["objects"] == 3


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_what_is_undefined_reaches_neither_loss_nor_gradient(loss):
    """D-b: the "?" entries, whatever they hold."""
    outputs = noise(4, 8, seed=6)
    run = jax.jit(jax.value_and_grad(loss))
    value, gradient = run(outputs, TARGETS)
    assert not gradient[1, 1:].any() and gradient[1, 0] != 0
    for undefined in (7.0, np.inf, -np.inf, np.nan):
        other = np.where((TARGETS[:, :1] == 0) & (np.arange(8) > 0), np.float32(undefined), TARGETS)
        found, other_gradient = run(outputs, other)
        assert found == value
        np.testing.assert_array_equal(other_gradient, gradient)
    # Nor does an output that is not finite where it is undefined.
    broken = outputs.copy()
    broken[1, 1:] = np.inf
    found, broken_gradient = run(broken, TARGETS)
    assert found == value and np.isfinite(broken_gradient).all()


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_batches_without_objects_and_empty_ones_are_finite(loss):
    run = jax.jit(jax.value_and_grad(loss))
    value, gradient = run(noise(4, 8), TARGETS * 0)
    assert np.isfinite(value) and np.isfinite(gradient).all() and not gradient[:, 1:].any()
    value, gradient = run(noise(0, 8), TARGETS[:0])
    assert value == 0 and gradient.shape == (0, 8)
    assert all(np.isfinite(part) for part in loss.value_and_diagnostics(noise(0, 8), TARGETS[:0])[1].values())


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_half_precision_large_logits_and_diverged_outputs(loss):
    half = jnp.asarray(noise(4, 8), jnp.bfloat16)
    assert loss(half, TARGETS).dtype == jnp.float32
    np.testing.assert_array_equal(loss(half, TARGETS), loss(half.astype(jnp.float32), TARGETS))
    value, gradient = jax.value_and_grad(loss)(jnp.full((4, 8), -200.0), TARGETS)
    assert np.isfinite(value) and np.isfinite(gradient).all()
    assert np.isnan(loss(jnp.full((4, 8), jnp.nan), TARGETS))


def test_wrong_shapes_and_boxes_without_area_are_refused():
    for loss in LOSSES[:2]:
        owner = type(loss).__name__
        for outputs, targets, said in (
            (noise(8), TARGETS, r"outputs must be numbers of shape \(b, n\)"),
            (noise(4, 7), TARGETS, r"targets must be numbers of shape \(4, 7\)"),
            (noise(3, 8), TARGETS, r"targets must be numbers of shape \(3, 8\)"),
            (noise(4, 4), TARGETS[:, :4], "outputs of 4 components have no box"),
        ):
            with pytest.raises(ValueError, match=rf"^{owner}: {said}"):
                loss(outputs, targets)
    with pytest.raises(ValueError, match="localization_targets: boxes number 1 .* has no area"):
        localization_targets(BOXES, CLASSES, np.ones(4, bool), 60, 80, 3)
    jitted = jax.jit(lambda boxes, present: localization_targets(boxes, CLASSES, present, 60, 80, 3))
    np.testing.assert_allclose(jitted(BOXES, np.ones(4, bool)), TARGETS, atol=1e-6)
