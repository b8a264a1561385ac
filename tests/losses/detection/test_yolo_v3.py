"""YOLO with anchors on levels, against a loop in float64 over places."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from detection_truth import check_against, cross_entropy, noise, sigmoid, truth

from likeness.research.geometry import AnchorGrid, AnchorPyramid, MidpointCell, giou, iou
from likeness.research.losses import YoloV3Loss

ANCHORS = AnchorPyramid(
    levels=(AnchorGrid(shapes=((8.0, 8.0), (7.0, 15.0)), stride=12), AnchorGrid(shapes=((24.0, 20.0),), stride=24))
)
MAPS = [(4, 4), (2, 2)]


def outputs(seed: int) -> list[np.ndarray]:
    return [noise(3, 4, 4, 2, 8, seed=seed), noise(3, 2, 2, 1, 8, seed=seed + 50)]


def flat(levels) -> np.ndarray:
    return np.concatenate([np.asarray(level).reshape(3, -1, 8) for level in levels], axis=1)


def decode(values: np.ndarray, anchor: np.ndarray, stride: int) -> np.ndarray:
    middle = (anchor[:2] + anchor[2:]) / 2 - stride / 2 + stride * sigmoid(values[:2])
    size = (anchor[2:] - anchor[:2]) * np.exp(values[2:])
    return np.concatenate([middle - size / 2, middle + size / 2])


def oracle(loss: YoloV3Loss, levels, given, held) -> float:
    """``held`` are the outputs from which constants are taken: what is nearly right, and the IoU that objectness learns."""
    anchors, strides = ANCHORS(MAPS).astype(np.float64), np.repeat([12, 24], [32, 4])
    found, constant = flat(levels), flat(held)
    sums = dict.fromkeys(("object", "background", "box", "class"), 0.0)
    objects = 0
    for image in range(3):
        place = MidpointCell(levels=ANCHORS.levels)(MAPS, given["boxes"][image], given["mask"][image])
        real = given["boxes"][image][given["mask"][image]].astype(np.float64)
        for i in range(len(anchors)):
            own = found[image, i]
            then = decode(constant[image, i, 1:5], anchors[i], strides[i])
            if not place.foreground[i]:
                if not len(real) or iou(then, real).max() <= loss.ignore_threshold:
                    sums["background"] += cross_entropy(own[0], np.array(0.0))
                continue
            objects += 1
            box = given["boxes"][image, place.truth[i]].astype(np.float64)
            wanted = 1.0 if loss.objectness == "one" else float(iou(then, box))
            sums["object"] += cross_entropy(own[0], np.array(wanted))
            sums["class"] += cross_entropy(own[5:], np.eye(3)[given["classes"][image, place.truth[i]]]).sum()
            if loss.box == "giou":
                sums["box"] += 1 - giou(decode(own[1:5], anchors[i], strides[i]), box)
            else:
                middle = ((box[:2] + box[2:]) - (anchors[i, :2] + anchors[i, 2:])) / 2 / strides[i] + 0.5
                size = np.log((box[2:] - box[:2]) / (anchors[i, 2:] - anchors[i, :2]))
                error = ((sigmoid(own[1:3]) - middle) ** 2).sum() + ((own[3:5] - size) ** 2).sum()
                sums["box"] += error * (2 - np.prod((box[2:] - box[:2]) / 48)) / 2
    weights = {name: getattr(loss, f"{name}_weight") for name in sums}
    return sum(weights[name] * value for name, value in sums.items()) / max(objects, 1)


@pytest.mark.slow
@pytest.mark.parametrize("box", ["giou", "squared"])
@pytest.mark.parametrize(("objectness", "ignore"), [("one", 0.5), ("overlap", 0.2), ("one", 1.0)])
def test_value_and_gradient_equal_a_loop(box, objectness, ignore):
    weights = {"background_weight": 0.5, "class_weight": 1.5}
    loss = YoloV3Loss(anchors=ANCHORS, classes=3, box=box, objectness=objectness, ignore_threshold=ignore, **weights)
    given, levels = truth(4), outputs(4)
    held = [level.astype(np.float64) for level in levels]
    check_against(lambda a, b: loss([a, b], **given), lambda a, b: oracle(loss, [a, b], given, held), *levels, rtol=3e-5)


def test_ciou_differs_from_giou_in_the_boxes_only():
    given, levels = truth(1), outputs(1)
    ciou, giou = (
        jax.jit(YoloV3Loss(anchors=ANCHORS, classes=3, box=box).value_and_diagnostics)(levels, **given)[1]
        for box in ("ciou", "giou")
    )
    assert ciou.pop("box_loss") != giou.pop("box_loss")
    assert ciou == giou


@pytest.mark.slow
def test_what_is_nearly_right_says_nothing():
    """Without a threshold each of its places is background, and with one those that overlap an object enough are not."""
    given = {"boxes": np.array([[[0, 0, 24, 24]]], np.float32), "classes": np.zeros((1, 1), int), "mask": np.ones((1, 1), bool)}
    levels = [jnp.zeros((1, 4, 4, 2, 8)), jnp.zeros((1, 2, 2, 1, 8))]
    cost = {t: YoloV3Loss(anchors=ANCHORS, classes=3, ignore_threshold=t) for t in (0.0, 0.5, 1.0)}
    background = {
        t: jax.jit(loss.value_and_diagnostics)(levels, **given)[1]["background_loss"] / np.log(2) for t, loss in cost.items()
    }
    assert background[1.0] == pytest.approx(35)
    assert background[0.0] < background[0.5] <= background[1.0]


def test_boxes_and_wrong_levels():
    loss = YoloV3Loss(anchors=ANCHORS, classes=3)
    levels = outputs(0)
    found = loss.boxes(levels)
    anchors = ANCHORS(MAPS).astype(np.float64)
    for i in (0, 7, 31, 35):
        expected = decode(flat(levels)[1, i, 1:5].astype(np.float64), anchors[i], 12 if i < 32 else 24)
        np.testing.assert_allclose(found[1, i], expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="there are 2 levels, and outputs of 1"):
        loss(levels[:1], **truth(0))
    with pytest.raises(ValueError, match=r"outputs must be numbers of shape \(3, rows, columns, 1, 8\)"):
        loss([levels[0], levels[0]], **truth(0))
    with pytest.raises(ValueError, match="ignore_threshold"):
        YoloV3Loss(anchors=ANCHORS, classes=3, ignore_threshold=1.5)
