"""The loss of a detector without anchors, against a loop in float64 over points."""

import jax
import numpy as np
import pytest
from detection_truth import check_against, cross_entropy, noise, sigmoid, truth

from likeness.research.geometry import SimOta, TaskAligned, diou, giou, iou
from likeness.research.losses import AnchorFreeLoss

STRIDES = (8, 16)


def outputs(seed: int) -> list[np.ndarray]:
    """Distances of one to three cells."""
    return [noise(3, 48 // s, 48 // s, 7, seed=seed + s) + np.array([1.5] * 4 + [0] * 3, np.float32) for s in STRIDES]


def points() -> tuple[np.ndarray, np.ndarray]:
    middles, strides = [], []
    for s in STRIDES:
        y, x = np.meshgrid(*[(np.arange(48 // s) + 0.5) * s] * 2, indexing="ij")
        middles.append(np.stack([x, y], axis=-1).reshape(-1, 2))
        strides.append(np.full(len(middles[-1]), float(s)))
    return np.concatenate(middles), np.concatenate(strides)


def flat(levels) -> np.ndarray:
    return np.concatenate([np.asarray(level).reshape(3, -1, 7) for level in levels], axis=1)


def boxes_of(found: np.ndarray) -> np.ndarray:
    middle, stride = points()
    reach = np.log1p(np.exp(found[..., :4])) * stride[:, None]
    return np.concatenate([middle - reach[..., :2], middle + reach[..., 2:]], axis=-1)


def oracle(loss: AnchorFreeLoss, levels, given, held) -> float:
    """``held`` are the outputs from which the matching and the qualities are taken."""
    found, constant = flat(levels), flat(held)
    predicted, then = boxes_of(found), boxes_of(constant)
    middle, stride = (each.astype(np.float32) for each in points())
    scores = boxes = weight = 0.0
    for image in range(3):
        match = loss.matcher(
            middle, stride, then[image].astype(np.float32), constant[image, :, 4:].astype(np.float32),
            given["boxes"][image], given["classes"][image], given["mask"][image],
        )  # fmt: skip
        quality = np.asarray(match.quality, np.float64)
        target = np.zeros((len(middle), 3))
        for i in np.flatnonzero(match.foreground):
            row = match.truth[i]
            target[i, given["classes"][image, row]] = quality[i]
            measure = {"giou": giou, "diou": diou, "iou": iou}[loss.overlap]
            boxes += quality[i] * (1 - measure(predicted[image, i], given["boxes"][image, row].astype(np.float64)))
            weight += quality[i]
        z = found[image, :, 4:]
        focus = np.abs(target - sigmoid(z)) ** 2 if loss.score == "quality_focal" else 1.0
        scores += (focus * cross_entropy(z, target)).sum()
    return float((loss.score_weight * scores + loss.box_weight * boxes) / max(float(weight), 1.0))


@pytest.mark.slow
@pytest.mark.parametrize(
    "loss",
    [
        AnchorFreeLoss(strides=STRIDES, classes=3, overlap="giou"),
        AnchorFreeLoss(strides=STRIDES, classes=3, overlap="diou", matcher=SimOta(), score="cross_entropy"),
        AnchorFreeLoss(strides=STRIDES, classes=3, overlap="iou", matcher=TaskAligned(top=4, alpha=0.5), score_weight=0.7),
    ],
    ids=["task_aligned", "sim_ota", "few"],
)
@pytest.mark.parametrize("seed", range(3))
def test_value_and_gradient_equal_a_loop(loss, seed):
    given, levels = truth(seed), outputs(seed)
    held = [level.astype(np.float64) for level in levels]
    check_against(lambda a, b: loss([a, b], **given), lambda a, b: oracle(loss, [a, b], given, held), *levels, rtol=3e-5)


def landmarks(seed: int) -> np.ndarray:
    """Two of each row of truth, anywhere."""
    return 24 + 12 * noise(3, truth(seed)["boxes"].shape[1], 2, 2, seed=seed + 50)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_landmarks_cost_their_distance_in_sides_of_the_box(seed):
    loss = AnchorFreeLoss(strides=STRIDES, classes=3, overlap="giou", points=2, landmark_weight=0.7)
    given, true = truth(seed), landmarks(seed)
    levels = [np.concatenate([one, noise(*one.shape[:3], 4, seed=seed + 9)], axis=-1) for one in outputs(seed)]
    held = [level[..., :7].astype(np.float64) for level in levels]
    constant, (middle, stride) = flat(held), points()

    def expected(*levels):
        value = oracle(loss, [level[..., :7] for level in levels], given, held)
        said = np.concatenate([np.asarray(level)[..., 7:].reshape(3, -1, 2, 2) for level in levels], axis=1)
        apart = weight = 0.0
        for image in range(3):
            match = loss.matcher(
                middle.astype(np.float32), stride.astype(np.float32), boxes_of(constant)[image].astype(np.float32),
                constant[image, :, 4:].astype(np.float32), given["boxes"][image], given["classes"][image], given["mask"][image],
            )  # fmt: skip
            for i in np.flatnonzero(match.foreground):
                row, quality = match.truth[i], float(match.quality[i])
                left, top, right, bottom = given["boxes"][image, row].astype(np.float64)
                off = np.abs(middle[i] + stride[i] * said[image, i] - true[image, row]).sum()
                apart += quality * off / (2 * np.sqrt((right - left) * (bottom - top)))
                weight += quality
        return value + 0.7 * apart / max(weight, 1.0)

    check_against(lambda a, b: loss([a, b], **given, landmarks=true), expected, *levels, rtol=3e-5)
    decoded = middle[:, None] + stride[:, None, None] * np.concatenate(
        [level[..., 7:].reshape(3, -1, 2, 2) for level in levels], axis=1
    )
    np.testing.assert_allclose(loss.landmarks(levels), decoded, rtol=1e-5, atol=1e-4)


@pytest.mark.slow
def test_landmarks_that_are_missing_are_asked_for():
    loss = AnchorFreeLoss(strides=(8,), classes=3, points=2)
    outputs = [np.zeros((3, 6, 6, 11), np.float32)]
    with pytest.raises(ValueError, match="landmarks are missing. Give .* of 2 landmarks"):
        loss(outputs, **truth(0))
    with pytest.raises(ValueError, match="landmarks"):
        loss(outputs, **truth(0), landmarks=landmarks(0)[:, :, :1])


def test_boxes_and_scores_place_by_place():
    loss, levels = AnchorFreeLoss(strides=STRIDES, classes=3), outputs(2)
    np.testing.assert_allclose(loss.boxes(levels), boxes_of(flat(levels).astype(np.float64)), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(loss.scores(levels), sigmoid(flat(levels)[..., 4:].astype(np.float64)), rtol=1e-5)


def test_a_network_that_is_right_costs_little():
    """The distances of each object's own box and sure scores of its class."""
    loss = AnchorFreeLoss(strides=(8,), classes=2)
    box = np.array([8, 8, 40, 32], np.float32)
    y, x = np.meshgrid(*[(np.arange(6) + 0.5) * 8] * 2, indexing="ij")
    reach = np.stack([x - box[0], y - box[1], box[2] - x, box[3] - y], axis=-1) / 8
    inside = (reach > 0).all(axis=-1, keepdims=True)
    raw = np.where(inside, np.log(np.expm1(np.where(inside, reach, 1.0))), 0.0)
    logits = np.concatenate([np.where(inside, 12.0, -12.0), np.full_like(inside, -12.0, float)], axis=-1)
    outputs = [np.concatenate([raw, logits], axis=-1)[None].astype(np.float32)]
    given = {"boxes": box[None, None], "classes": np.zeros((1, 1), int), "mask": np.ones((1, 1), bool)}
    value, found = jax.jit(loss.value_and_diagnostics)(outputs, **given)
    assert value < 1e-3 and found["missed"] == 0 and found["mean_quality"] > 0.999


def test_wrong_fields_and_levels_are_refused():
    for fields, said in (
        ({"strides": ()}, "strides is empty"),
        ({"strides": (8, 0)}, "strides must be at least 1"),
        ({"classes": 0}, "classes must be at least 1"),
    ):
        with pytest.raises(ValueError, match=said):
            AnchorFreeLoss(**({"strides": (8,), "classes": 3} | fields))
    broken = AnchorFreeLoss(strides=(8,), classes=3)
    object.__setattr__(broken, "matcher", TaskAligned)
    with pytest.raises(ValueError, match="matcher is the class TaskAligned"):
        broken.__post_init__()
    with pytest.raises(ValueError, match="there are 2 levels, and outputs of 1"):
        AnchorFreeLoss(strides=STRIDES, classes=3)(outputs(0)[:1], **truth(0))
