"""Checklist D-j, and what users of IoU and its losses complained of."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness.research.geometry import ciou, diou, giou, ios, iou, pairwise
from likeness.research.geometry.iou import Overlap

MEASURES = {"iou": iou, "giou": giou, "diou": diou, "ciou": ciou, "ios": ios}
NAMES: tuple[Overlap, ...] = ("iou", "giou", "diou", "ciou", "ios")
LOSSES = ("iou", "giou", "diou", "ciou")
# As in torchvision, of [0, 0, 4, 4] and the others.
FIRST = np.array([0.0, 0, 4, 4])
SECOND = np.array([[0.0, 0, 4, 4], [2, 0, 6, 4], [4, 0, 8, 4], [6, 6, 8, 8], [1, 1, 3, 2]])

corners = st.tuples(*(st.integers(-12, 12),) * 2, *(st.integers(0, 9),) * 2).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


def pixels(box: tuple[int, ...]) -> set[tuple[int, int]]:
    return {(x, y) for x in range(box[0], box[2]) for y in range(box[1], box[3])}


def by_hand(first: np.ndarray, second: np.ndarray) -> dict[str, float]:
    """The papers' formulas on two boxes with an area, one number at a time."""
    (a1, b1, a2, b2), (c1, d1, c2, d2) = first.tolist(), second.tolist()
    inter = max(min(a2, c2) - max(a1, c1), 0) * max(min(b2, d2) - max(b1, d1), 0)
    first_area, second_area = (a2 - a1) * (b2 - b1), (c2 - c1) * (d2 - d1)
    union = first_area + second_area - inter
    wide, high = max(a2, c2) - min(a1, c1), max(b2, d2) - min(b1, d1)
    apart = ((a1 + a2 - c1 - c2) ** 2 + (b1 + b2 - d1 - d2) ** 2) / 4
    v = 4 / math.pi**2 * (math.atan((c2 - c1) / (d2 - d1)) - math.atan((a2 - a1) / (b2 - b1))) ** 2
    value = inter / union
    alpha = v / (1 - value + v) if v else 0
    distance = value - apart / (wide**2 + high**2)
    return {
        "iou": value,
        "ios": inter / min(first_area, second_area),
        "giou": value - (wide * high - union) / (wide * high),
        "diou": distance,
        "ciou": distance - alpha * v,
    }


@given(first=corners, second=corners)
def test_iou_is_that_of_counted_pixels(first: tuple[int, ...], second: tuple[int, ...]):
    """Checklist D-j: on boxes of whole pixels; symmetric; in [0, 1]; 0 where there is no area."""
    one, other = pixels(first), pixels(second)
    expected = len(one & other) / len(one | other) if one | other else 0.0
    boxes = np.array(first, float), np.array(second, float)
    assert iou(*boxes) == expected
    assert iou(boxes[1], boxes[0]) == expected
    assert ios(*boxes) == (len(one & other) / min(len(one), len(other)) if one and other else 0.0)


def test_half_covered_is_correct_from_one_half_on():
    """Checklist D-j: a box is called correct from an IoU of .5 on."""
    assert iou(np.array([0, 0, 4, 4]), np.array([0, 0, 4, 2])) >= 0.5
    assert iou(np.array([0, 0, 4, 4]), np.array([0, 0, 4, 1.99])) < 0.5


@pytest.mark.parametrize("name", NAMES)
def test_the_papers_formulas_on_random_boxes(name: Overlap):
    """keras#20780, keras-hub#2044: CIoU's v squares the difference of angles; frgfm/holocron#112: α = v / (1 - IoU + v)."""
    rng = np.random.default_rng(0)
    low = rng.uniform(-50, 50, (2, 300, 2))
    boxes = np.concatenate([low, low + rng.uniform(0.5, 60, (2, 300, 2))], axis=-1)
    expected = [by_hand(a, b)[name] for a, b in zip(*boxes, strict=True)]
    np.testing.assert_allclose(MEASURES[name](*boxes), expected, rtol=1e-12, atol=1e-12)
    in_float32 = jax.jit(MEASURES[name])(*jnp.asarray(boxes, jnp.float32))
    np.testing.assert_allclose(in_float32, expected, rtol=2e-5, atol=2e-6)


def test_a_box_is_just_like_itself_and_overlap_is_symmetric_under_jit():
    rng = np.random.default_rng(1)
    low = rng.uniform(-500, 500, (2, 5000, 2))
    boxes = jnp.asarray(np.concatenate([low, low + rng.uniform(0.01, 700, (2, 5000, 2))], axis=-1), jnp.float32)
    np.testing.assert_array_equal(jax.jit(iou)(boxes[0], boxes[0]), 1.0)
    for name in NAMES:
        measure = jax.jit(MEASURES[name])
        np.testing.assert_allclose(measure(boxes[0], boxes[1]), measure(boxes[1], boxes[0]), rtol=0, atol=1e-6)
    values = jax.jit(iou)(boxes[0], boxes[1])
    assert values.min() >= 0 and values.max() <= 1


def test_negative_coordinates_overlap_like_others():
    """tensorflow/tfjs#5856, LibreYOLO: with negative coordinates the intersection does not become 0."""
    shifted = SECOND - 100.0
    np.testing.assert_array_equal(iou(FIRST - 100.0, shifted), iou(FIRST, SECOND))
    assert iou(np.array([-20.0, -20, -5, -5]), np.array([-20.0, -20, -5, -5])) == 1


def test_disjoint_boxes_have_no_overlap():
    """mystic123/tensorflow-yolo-v3#84: both extents are negative and their product is not; the IoU is 0."""
    np.testing.assert_array_equal(iou(np.array([0.0, 0, 1, 1]), np.array([[5.0, 5, 9, 9], [-9, -9, -5, -5], [1, 1, 2, 2]])), 0)


def test_pairwise_takes_different_numbers_of_boxes():
    """pytorch/vision#6317: N ≠ M."""
    for name in NAMES:
        found = pairwise(SECOND, SECOND[:3], name)
        assert found.shape == (5, 3)
        for i, j in np.ndindex(5, 3):
            assert found[i, j] == MEASURES[name](SECOND[i], SECOND[j])
        assert pairwise(jnp.zeros((0, 4)), jnp.zeros((7, 4)), name).shape == (0, 7)


@pytest.mark.parametrize("name", NAMES)
def test_boxes_without_area_give_finite_values_and_gradients(name: Overlap):
    """roboflow/supervision#458, PR#1180: a box without area has IoU 0, never NaN; ultralytics/yolov5#8539 and
    open-mmlab/mmdetection#3394: nor do IoU losses and their gradients."""
    empty = np.array([[0.0, 0, 0, 0], [5, 5, 5, 5], [5, 5, 5, 9], [5, 5, 9, 5], [1e-8, 1e-8, 1e-7, 1e-7]])
    others = np.concatenate([empty, [[1, 1, 8, 8], [7, 2, 9, 2]]])
    one, other = (each.reshape(-1, 4) for each in np.broadcast_arrays(empty[:, None], others))
    for first, second in ((one, other), (other, one)):
        given = jnp.asarray(first, jnp.float32), jnp.asarray(second, jnp.float32)
        values, gradients = jax.vmap(jax.value_and_grad(MEASURES[name], (0, 1)))(*given)
        assert np.isfinite(values).all() and np.isfinite(gradients).all()
        assert np.isfinite(MEASURES[name](first, second)).all()
        assert name not in ("iou", "ios") or (values == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_reversed_corners_under_jit_overlap_nothing(name: Overlap):
    """pytorch/vision#1870: the box has no area, and the gradient is finite."""
    first, second = jnp.array([8.0, 8, 1, 1]), jnp.array([2.0, 2, 6, 6])
    value, gradients = jax.jit(jax.value_and_grad(MEASURES[name], (0, 1)))(first, second)
    assert np.isfinite(value) and np.isfinite(gradients).all()
    assert name not in ("iou", "ios") or value == 0
    with pytest.raises(ValueError, match=f"{name}: first is .* its corners are reversed"):
        MEASURES[name](np.array([8.0, 8, 1, 1]), np.array([2.0, 2, 6, 6]))


def test_the_generalized_loss_of_a_point_with_itself():
    """pytorch/vision#7746: [0, 0, 0, 0] with itself. What has no area overlaps nothing: the loss is 1, the gradient 0."""
    point = jnp.zeros(4)
    value, gradient = jax.value_and_grad(lambda box: 1 - giou(box, point))(point)
    assert value == 1
    np.testing.assert_array_equal(gradient, 0)
    assert giou(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])) == 1


@pytest.mark.parametrize("name", LOSSES)
def test_coincident_centers_give_finite_gradients(name: Overlap):
    """meituan/YOLOv6#582: the centers coincide late in training."""
    others = jnp.array([[2.0, 2, 6, 6], [3, 3, 5, 5], [0, 3, 8, 5], [4, 4, 4, 4]])
    boxes = jnp.broadcast_to(jnp.array([2.0, 2, 6, 6]), (4, 4))
    values, gradients = jax.vmap(jax.value_and_grad(MEASURES[name], (0, 1)))(boxes, others)
    assert np.isfinite(values).all() and np.isfinite(gradients).all()


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_finite_differences(name: Overlap):
    """No gradient flows through CIoU's α, so its weight is held while the box is moved."""
    rng = np.random.default_rng(2)
    low = rng.uniform(0, 10, (2, 40, 2))
    first, second = np.concatenate([low, low + rng.uniform(4, 20, (2, 40, 2))], axis=-1)
    found = jax.vmap(jax.grad(MEASURES[name]))(jnp.asarray(first, jnp.float32), jnp.asarray(second, jnp.float32))

    def held(box: np.ndarray) -> np.ndarray:
        if name != "ciou":
            return MEASURES[name](box, second)
        penalty, at = diou(box, second) - ciou(box, second), diou(first, second) - ciou(first, second)
        # The penalty is α v = v² / (1 - IoU + v).
        v = (penalty + np.sqrt(penalty**2 + 4 * penalty * (1 - iou(box, second)))) / 2
        weight = (at + np.sqrt(at**2 + 4 * at * (1 - iou(first, second)))) / 2
        alpha = weight / (1 - iou(first, second) + weight)
        return diou(box, second) - alpha * v

    for axis in range(4):
        step = np.zeros(4)
        step[axis] = 1e-5
        np.testing.assert_allclose(found[:, axis], (held(first + step) - held(first - step)) / 2e-5, rtol=1e-3, atol=2e-5)


def test_a_box_that_is_not_a_number_is_not_hidden():
    broken = np.array([np.nan, 0, 5, 5])
    for name in NAMES:
        assert np.isnan(MEASURES[name](broken, FIRST)) and np.isnan(MEASURES[name](jnp.asarray(broken), jnp.asarray(FIRST)))
        assert np.isnan(pairwise(broken[None], SECOND, name)).all()


def test_half_precision_is_computed_in_float32():
    """pytorch/vision#3371, MultimediaTechLab/YOLO#234: the area of a large box overflows in half precision."""
    box = jnp.array([0, 0, 600, 600], jnp.float16)
    assert iou(box, box) == 1 and iou(box, box).dtype == jnp.float32
    assert iou(box.astype(jnp.bfloat16), jnp.array([0.0, 0, 600, 300])) == 0.5


def test_shapes_broadcast_and_those_that_do_not_are_refused(monkeypatch: pytest.MonkeyPatch):
    assert iou(np.zeros((7, 1, 4)), np.zeros((5, 4))).shape == (7, 5)
    with pytest.raises(ValueError, match=r"iou: boxes of shapes \(3, 4\) and \(2, 4\) do not go together.*`pairwise`"):
        iou(SECOND[:3], SECOND[:2])
    with pytest.raises(ValueError, match=r"pairwise: second must be numbers of shape \(n, 4\)"):
        pairwise(SECOND, SECOND[None])
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    with pytest.raises(ValueError, match=r"overlap must be one of 'iou', 'giou'"):
        pairwise(SECOND, SECOND, "siou")  # pyright: ignore
