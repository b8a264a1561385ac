"""The second stage: which proposals are drawn, and their loss against a loop in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from detection_truth import check_against, noise, truth

from likeness.research.geometry import BalancedSample, pairwise
from likeness.research.losses import RoiHeadLoss, RoiSampling

KEY = jax.random.key(1)
SAMPLING = RoiSampling(classes=3, sample=BalancedSample(size=24, foreground_fraction=0.5))
LOSS = RoiHeadLoss(classes=3, class_weight=0.7, box_weight=1.3)


def proposals(seed: int, given: dict[str, np.ndarray], count: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Around the objects and elsewhere; some are no boxes."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 35, (3, count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(4, 25, corner.shape)], axis=-1)
    near = np.nan_to_num(given["boxes"][:, rng.integers(0, given["boxes"].shape[1], 12)], nan=3.0)
    boxes[:, :12] = near + rng.normal(0, 1.5, near.shape)
    boxes[:, 13] = [5, 5, 5, 9]
    return boxes.astype(np.float32), rng.random((3, count)) < 0.9


def drawn(seed: int):
    given = truth(seed)
    return given, jax.jit(SAMPLING)(KEY, *proposals(seed, given), **given)


@pytest.mark.parametrize("seed", range(5))
def test_regions_are_proposals_with_the_object_that_they_overlap_most(seed):
    given, rois = drawn(seed)
    boxes, valid = proposals(seed, given)
    assert rois.boxes.shape == (3, 24, 4) and rois.classes.shape == (3, 24)
    for image in range(3):
        real = given["mask"][image]
        own = given["boxes"][image][real]
        offered = np.concatenate([boxes[image][valid[image]], own])
        for i in range(24):
            box = np.asarray(rois.boxes[image, i])
            if not rois.valid[image, i]:
                assert not box.any() and rois.classes[image, i] == 3 and not rois.foreground[image, i]
                continue
            assert (offered == box).all(axis=1).any() and box[2] > box[0] and box[3] > box[1]
            overlap = pairwise(box[None], own)[0] if len(own) else np.zeros(1)
            assert rois.foreground[image, i] == (overlap.max() >= 0.5)
            if rois.foreground[image, i]:
                best = int(overlap.argmax())
                assert rois.classes[image, i] == given["classes"][image][real][best]
                np.testing.assert_array_equal(rois.truth[image, i], own[best])
            else:
                assert rois.classes[image, i] == 3
                np.testing.assert_array_equal(rois.truth[image, i], box)
        foreground = int(rois.foreground[image].sum())
        assert foreground <= 12 and int(rois.valid[image].sum()) <= 24
        assert not rois.missed[image].any()


@pytest.mark.slow
def test_without_the_truth_objects_may_be_missed():
    given = truth(0)
    alone = RoiSampling(classes=3, sample=SAMPLING.sample, add_truth=False)
    far = np.broadcast_to(np.array([40, 40, 47, 47], np.float32), (3, 5, 4))
    rois = alone(KEY, far, np.ones((3, 5), bool), **given)
    assert not rois.foreground.any()
    np.testing.assert_array_equal(rois.missed, given["mask"])


def oracle(logits: np.ndarray, deltas: np.ndarray, rois) -> float:
    classified = box = number = 0.0
    for image, i in np.argwhere(rois.valid):
        number += 1
        z, label = logits[image, i], int(rois.classes[image, i])
        classified += np.log(np.exp(z).sum()) - z[label]
        if rois.foreground[image, i]:
            own, true = (np.asarray(each[image, i], np.float64) for each in (rois.boxes, rois.truth))
            size, wanted = own[2:] - own[:2], true[2:] - true[:2]
            shift = 10 * ((true[:2] + true[2:]) - (own[:2] + own[2:])) / 2 / size
            moved = deltas[image, i, label] if deltas.ndim == 4 else deltas[image, i]
            x = np.abs(moved - np.concatenate([shift, 5 * np.log(wanted / size)]))
            box += np.where(x < 1, 0.5 * x * x, x - 0.5).sum()
    return (LOSS.class_weight * classified + LOSS.box_weight * box) / max(number, 1)


@pytest.mark.parametrize("shape", [(3, 24, 4), (3, 24, 3, 4)], ids=["one_box", "a_box_for_each_class"])
@pytest.mark.parametrize("seed", range(3))
def test_value_and_gradient_equal_a_loop(shape, seed):
    _, rois = drawn(seed)
    check_against(
        lambda z, d: LOSS(z, d, rois), lambda z, d: oracle(z, d, rois), noise(3, 24, 4, seed=seed), noise(*shape, seed=seed + 1)
    )


@pytest.mark.slow
def test_rows_that_are_no_regions_reach_neither_loss_nor_gradient():
    given = truth(2)
    boxes, valid = proposals(2, given)
    rois = SAMPLING(KEY, boxes[:, :6], valid[:, :6], **given)
    assert not rois.valid.all()
    logits, deltas = noise(3, 24, 4), noise(3, 24, 3, 4)
    run = jax.jit(jax.value_and_grad(LOSS, argnums=(0, 1)))
    value, gradients = run(logits, deltas, rois)
    empty = ~np.asarray(rois.valid)
    assert not any(np.asarray(each)[empty].any() for each in gradients)
    broken = rois._replace(
        boxes=jnp.where(rois.valid[..., None], rois.boxes, jnp.nan), truth=jnp.where(rois.valid[..., None], rois.truth, jnp.inf)
    )
    found, other = run(np.where(empty[..., None], np.inf, logits), np.where(empty[..., None, None], np.nan, deltas), broken)
    assert found == value
    jax.tree.map(np.testing.assert_array_equal, gradients, other)


def test_no_derivative_flows_into_the_proposals():
    given = truth(3)
    boxes, valid = proposals(3, given)

    def cost(boxes):
        rois = SAMPLING(KEY, boxes, valid, **given)
        return LOSS(noise(3, 24, 4), noise(3, 24, 4, seed=1), rois) + jnp.sum(rois.boxes + rois.truth)

    assert not jax.jit(jax.grad(cost))(jnp.asarray(boxes)).any()


@pytest.mark.slow
def test_no_objects_no_proposals_and_only_padding():
    for rows in (0, 4):
        given = truth(4, rows=max(rows, 1))
        given = {name: each[:, :rows] for name, each in given.items()} | {"mask": np.zeros((3, rows), bool)}
        boxes, valid = proposals(4, truth(4))
        for allowed in (valid, valid & False):
            rois = jax.jit(SAMPLING)(KEY, boxes, allowed, **given)
            assert not rois.foreground.any() and (np.asarray(rois.classes) == 3).all()
            value, gradients = jax.value_and_grad(LOSS, argnums=(0, 1))(noise(3, 24, 4), noise(3, 24, 4), rois)
            assert np.isfinite(value) and all(np.isfinite(each).all() for each in gradients)
            assert (value == 0) == (not allowed.any())
    with pytest.raises(ValueError, match="neither proposals nor rows of truth"):
        SAMPLING(KEY, boxes[:, :0], valid[:, :0], **given | {name: given[name][:, :0] for name in given})


def test_wrong_shapes_and_fields_are_refused():
    given, rois = drawn(0)
    boxes, valid = proposals(0, given)
    for logits, deltas, said in (
        (noise(3, 24, 3), noise(3, 24, 4), "Background comes last"),
        (noise(3, 24, 4), noise(3, 24, 4, 4), r"deltas must be numbers of shape \(3, 24, 3, 4\)"),
        (noise(3, 24, 4), noise(3, 24, 3), r"deltas must be numbers of shape \(3, 24, 4\)"),
    ):
        with pytest.raises(ValueError, match=f"RoiHeadLoss: .*{said}"):
            LOSS(logits, deltas, rois)
    with pytest.raises(ValueError, match="RoiSampling: valid must be booleans"):
        SAMPLING(KEY, boxes, valid.astype(np.float32), **given)
    for build in (lambda: RoiHeadLoss(classes=0), lambda: RoiSampling(classes=0)):
        with pytest.raises(ValueError, match="classes must be at least 1"):
            build()
