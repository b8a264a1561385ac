"""The loss of region proposals, against a loop in float64 over the anchors that were drawn."""

import jax
import numpy as np
import optax
import pytest
from detection_truth import check_against, cross_entropy, noise, truth

from likeness.research.geometry import AnchorPyramid, BalancedSample, BoxDeltas, MaxIou
from likeness.research.losses import RpnLoss, SmoothL1Loss

ANCHORS = AnchorPyramid.from_ratios([[10], [20]], [0.5, 1.0, 2.0], strides=[8, 16])
MAPS = [(6, 6), (3, 3)]
KEY = jax.random.key(3)
LOSS = RpnLoss(anchors=ANCHORS, sample=BalancedSample(size=40), objectness_weight=0.8, box_weight=1.7)


def outputs(seed: int) -> list[np.ndarray]:
    return [noise(3, *size, 3, 5, seed=seed + i) for i, size in enumerate(MAPS)]


def oracle(loss: RpnLoss, levels, given) -> float:
    anchors = ANCHORS(MAPS)
    found = np.concatenate([np.asarray(level).reshape(3, -1, 5) for level in levels], axis=1)
    objectness = box = number = 0.0
    for image, key in enumerate(jax.random.split(KEY, 3)):
        match = loss.matcher(anchors, given["boxes"][image], given["mask"][image])
        drawn = loss.sample(key, match)
        for i, own in zip(np.asarray(drawn.places)[drawn.valid], np.asarray(drawn.foreground)[drawn.valid], strict=True):
            number += 1
            objectness += cross_entropy(found[image, i, 0], np.array(float(own)))
            if own:
                true = given["boxes"][image, match.truth[i]].astype(np.float64)
                size, wanted = anchors[i, 2:].astype(float) - anchors[i, :2], true[2:] - true[:2]
                shift = ((true[:2] + true[2:]) - (anchors[i, :2].astype(float) + anchors[i, 2:])) / 2 / size
                x = np.abs(found[image, i, 1:] - np.concatenate([shift, np.log(wanted / size)]))
                box += np.where(x < 1 / 9, 4.5 * x * x, x - 1 / 18).sum()
    return (loss.objectness_weight * objectness + loss.box_weight * box) / max(number, 1)


@pytest.mark.parametrize("seed", range(3))
def test_value_and_gradient_equal_a_loop(seed):
    given = truth(seed)
    del given["classes"]
    check_against(lambda a, b: LOSS(KEY, [a, b], **given), lambda a, b: oracle(LOSS, [a, b], given), *outputs(seed), rtol=3e-5)


def test_the_parts_are_optax_s():
    """All anchors drawn, without an object: the mean of the binary cross-entropy."""
    loss = RpnLoss(anchors=ANCHORS, sample=BalancedSample(size=1000))
    given = {"boxes": np.zeros((3, 2, 4), np.float32), "mask": np.zeros((3, 2), bool)}
    value, found = jax.jit(loss.value_and_diagnostics)(KEY, outputs(0), **given)
    logits = np.concatenate([level[..., 0].reshape(3, -1) for level in outputs(0)], axis=1)
    np.testing.assert_allclose(value, optax.sigmoid_binary_cross_entropy(logits, 0 * logits).mean(), rtol=1e-5)
    assert found["drawn"] == logits.size and found["box_loss"] == 0


def test_another_key_draws_others_and_the_same_key_the_same():
    given = truth(1)
    del given["classes"]
    run = jax.jit(lambda key: LOSS(key, outputs(0), **given))
    assert run(KEY) == run(KEY) != run(jax.random.key(4))


def test_boxes_are_decoded_from_the_anchors():
    levels = outputs(1)
    found = LOSS.boxes(levels)
    flat = np.concatenate([level.reshape(3, -1, 5) for level in levels], axis=1)[..., 1:].astype(np.float64)
    np.testing.assert_allclose(found, BoxDeltas().decode(flat, ANCHORS(MAPS).astype(np.float64)), rtol=1e-4, atol=1e-3)


@pytest.mark.slow
def test_low_quality_matches_are_a_choice():
    """fizyr/keras-retinanet#81, Project-MONAI/MONAI#5250: which anchors count as foreground is the matcher's to say."""
    given = {"boxes": np.array([[[1, 1, 6, 6]]] * 3, np.float32), "mask": np.ones((3, 1), bool)}
    strict = RpnLoss(anchors=ANCHORS, matcher=MaxIou(low=0.3, high=0.7))
    assert strict.value_and_diagnostics(KEY, outputs(0), **given)[1]["foreground"] == 0
    assert LOSS.value_and_diagnostics(KEY, outputs(0), **given)[1]["foreground"] >= 3


def test_wrong_fields_are_refused():
    with pytest.raises(ValueError, match="box_weight must be a finite number, at least 0"):
        RpnLoss(anchors=ANCHORS, box_weight=-1.0)
    with pytest.raises(ValueError, match=r"RpnLoss: outputs must be numbers of shape \(3, rows, columns, 3, 5\)"):
        LOSS(KEY, [noise(3, 6, 6, 15), noise(3, 3, 3, 15)], np.zeros((3, 0, 4)), np.zeros((3, 0), bool))
    assert (LOSS.box, LOSS.matcher) == (SmoothL1Loss(beta=1 / 9), MaxIou(low=0.3, high=0.7, allow_low_quality_matches=True))
