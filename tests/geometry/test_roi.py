"""Regions of interest, against loops in float64 that follow torchvision's rules place by place."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.geometry import RoiAlign, RoiPool

SCALE = 0.25


def bilinear(image: np.ndarray, y: float, x: float) -> np.ndarray:
    height, width = image.shape[:2]
    if y < -1 or y > height or x < -1 or x > width:
        return np.zeros(image.shape[2])
    y, x = max(y, 0.0), max(x, 0.0)
    top, left = int(y), int(x)
    if top >= height - 1:
        top = bottom = height - 1
        y = float(top)
    else:
        bottom = top + 1
    if left >= width - 1:
        left = right = width - 1
        x = float(left)
    else:
        right = left + 1
    t, s = y - top, x - left
    upper = (1 - s) * image[top, left] + s * image[top, right]
    lower = (1 - s) * image[bottom, left] + s * image[bottom, right]
    return (1 - t) * upper + t * lower


def align_oracle(op: RoiAlign, features: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    p, q = op.output_size if isinstance(op.output_size, tuple) else (op.output_size,) * 2
    features, boxes = features.astype(np.float64), boxes.astype(np.float64)
    found = np.zeros((*boxes.shape[:2], p, q, features.shape[-1]))
    shift = 0.5 if op.aligned else 0.0
    for b, k in np.ndindex(*boxes.shape[:2]):
        x1, y1, x2, y2 = boxes[b, k] * op.spatial_scale - shift
        height, width = y2 - y1, x2 - x1
        if not op.aligned:
            height, width = max(height, 1.0), max(width, 1.0)
        rows = op.sampling_ratio or math.ceil(height / p)
        columns = op.sampling_ratio or math.ceil(width / q)
        for i, j in np.ndindex(p, q):
            total = np.zeros(features.shape[-1])
            for iy in range(rows):
                for ix in range(columns):
                    y = y1 + i * height / p + (iy + 0.5) * height / p / rows
                    x = x1 + j * width / q + (ix + 0.5) * width / q / columns
                    total += bilinear(features[b], y, x)
            found[b, k, i, j] = total / max(rows * columns, 1)
    return found


def pool_oracle(op: RoiPool, features: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    p, q = op.output_size if isinstance(op.output_size, tuple) else (op.output_size,) * 2
    found = np.zeros((*boxes.shape[:2], p, q, features.shape[-1]))
    round_half_away = lambda value: int(math.copysign(math.floor(abs(value) + 0.5), value))  # noqa: E731
    for b, k in np.ndindex(*boxes.shape[:2]):
        x1, y1, x2, y2 = (round_half_away(float(value) * op.spatial_scale) for value in boxes[b, k])
        rows, columns = max(y2 - y1 + 1, 1), max(x2 - x1 + 1, 1)
        for i, j in np.ndindex(p, q):
            top, bottom = (min(max(y1 + n, 0), features.shape[1]) for n in (i * rows // p, -(-(i + 1) * rows // p)))
            left, right = (min(max(x1 + n, 0), features.shape[2]) for n in (j * columns // q, -(-(j + 1) * columns // q)))
            if top < bottom and left < right:
                found[b, k, i, j] = features[b, top:bottom, left:right].max(axis=(0, 1))
    return found


def case(seed: int, count: int = 12, height: int = 9, width: int = 13) -> tuple[np.ndarray, np.ndarray]:
    """Maps and boxes: inside, over the border, far outside, thin, of no area, the whole image."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(2, height, width, 3)).astype(np.float32)
    size = np.array([width, height, width, height]) / SCALE
    centers = rng.uniform(-0.3, 1.3, (2, count, 2))
    halves = rng.uniform(0.0, 0.4, (2, count, 2)) ** 2
    boxes = np.concatenate([centers - halves, centers + halves], axis=-1) * size
    boxes[:, 0] = size * [0, 0, 1, 1]
    boxes[:, 1] = size * [-2, -2, -1, -1]
    boxes[:, 2] = [8, 8, 8, 8]
    boxes[:, 3] = [8, 9, 8.3, 9.2]
    return features, boxes.astype(np.float32)


@pytest.mark.parametrize("method", ["matrix", "gather"])
@pytest.mark.parametrize("aligned", [True, False], ids=["aligned", "not_aligned"])
@pytest.mark.parametrize("ratio", [0, 1, 2, 3])
def test_align_equals_a_loop_in_float64(method, aligned, ratio):
    for seed, size in ((0, 7), (1, (2, 3)), (2, 1)):
        op = RoiAlign(output_size=size, spatial_scale=SCALE, sampling_ratio=ratio, aligned=aligned, method=method)
        features, boxes = case(seed)
        np.testing.assert_allclose(jax.jit(op)(features, boxes), align_oracle(op, features, boxes), atol=1e-5)


def test_a_hundred_random_maps_equal_the_loop():
    op = RoiAlign(output_size=3, spatial_scale=SCALE, sampling_ratio=2)
    run = jax.jit(op)
    for seed in range(100):
        features, boxes = case(seed, count=6)
        np.testing.assert_allclose(run(features, boxes), align_oracle(op, features, boxes), atol=1e-5)


@pytest.mark.parametrize("method", ["matrix", "gather"])
def test_gradients_are_those_of_finite_differences(method):
    """By the features and, between the places where the interpolation has a kink, by the boxes."""
    op = RoiAlign(output_size=(3, 2), spatial_scale=SCALE, method=method)
    features, boxes = case(4, count=8)
    boxes = boxes[:, 4:]
    rng = np.random.default_rng(5)
    weights, toward = rng.normal(size=(2, 4, 3, 2, 3)), rng.normal(size=features.shape)
    cost = lambda f, b: jnp.sum(op(f, b) * weights)  # noqa: E731
    by_features, by_boxes = jax.jit(jax.grad(cost, argnums=(0, 1)))(features, boxes)
    oracle = lambda f, b: float(np.sum(align_oracle(op, f, b) * weights))  # noqa: E731
    ahead, behind = (oracle(features + sign * 1e-3 * toward, boxes) for sign in (1, -1))
    np.testing.assert_allclose(np.sum(by_features * toward), (ahead - behind) / 2e-3, rtol=1e-4)
    for index in np.ndindex(boxes.shape):
        step = np.zeros(boxes.shape)
        step[index] = 1e-5
        ahead, behind = (oracle(features, boxes.astype(np.float64) + sign * step) for sign in (1, -1))
        np.testing.assert_allclose(by_boxes[index], (ahead - behind) / 2e-5, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_the_methods_agree_on_a_large_map_and_the_choice_is_by_its_size():
    rng = np.random.default_rng(6)
    features = rng.normal(size=(1, 95, 90, 2)).astype(np.float32)
    boxes = np.sort(rng.uniform(0, 90, (1, 5, 2, 2)), axis=2).reshape(1, 5, 4).astype(np.float32)
    matrix, gather, auto = (RoiAlign(output_size=3, method=each)(features, boxes) for each in ("matrix", "gather", "auto"))
    np.testing.assert_allclose(matrix, gather, atol=1e-5)
    np.testing.assert_array_equal(auto, gather)


@pytest.mark.slow
def test_pixels_have_their_centers_at_one_half():
    """pytorch/vision#1875, #2438, microsoft/onnxruntime#6921: half a pixel. A box that is one place holds that place's value,
    and samples within a straight slope give the slope's value at their middle."""
    ramp = np.broadcast_to(np.arange(8, dtype=np.float32)[:, None, None], (8, 8, 1))[None] + 0.5
    one = RoiAlign(output_size=1, sampling_ratio=1)
    for place in range(8):
        box = np.array([[[2, place, 3, place + 1]]], np.float32)
        np.testing.assert_allclose(one(ramp, box)[0, 0, 0, 0, 0], place + 0.5, atol=1e-6)
    # In continuous coordinates the value of the slope at y is y itself, however the box is cut into parts.
    for parts in (1, 2, 4):
        box = np.array([[[1, 1, 7, 5]]], np.float32)
        found = RoiAlign(output_size=parts, sampling_ratio=2)(ramp, box)[0, 0, :, 0, 0]
        np.testing.assert_allclose(found, 1 + (np.arange(parts) + 0.5) * 4 / parts, atol=1e-6)
    # Unaligned, it is half a place further down.
    late = RoiAlign(output_size=1, sampling_ratio=2, aligned=False)(ramp, np.array([[[1, 1, 7, 5]]], np.float32))
    np.testing.assert_allclose(late, 3.5, atol=1e-6)


@pytest.mark.parametrize("size", [1, 2, (3, 5), 7])
def test_pool_equals_a_loop(size):
    for seed in range(5):
        op = RoiPool(output_size=size, spatial_scale=SCALE)
        features, boxes = case(seed)
        np.testing.assert_array_equal(jax.jit(op)(features, boxes), pool_oracle(op, features, boxes).astype(np.float32))


@pytest.mark.slow
def test_pool_rounds_halves_away_from_zero():
    features = np.arange(64, dtype=np.float32).reshape(1, 8, 8, 1)
    op = RoiPool(output_size=1, spatial_scale=1.0)
    for value, place in ((0.5, 1), (1.5, 2), (2.5, 3), (0.49999997, 0)):
        box = np.full((1, 1, 4), value, np.float32)
        assert op(features, box)[0, 0, 0, 0, 0] == 9 * place


@pytest.mark.slow
def test_the_gradient_of_a_pool_goes_to_the_greatest_and_boxes_have_none():
    features, boxes = case(1)
    op = RoiPool(output_size=2, spatial_scale=SCALE)
    weights = np.random.default_rng(2).normal(size=(2, 12, 2, 2, 3)).astype(np.float32)
    by_features, by_boxes = jax.grad(lambda f, b: jnp.sum(op(f, b) * weights), argnums=(0, 1))(features, boxes)
    assert not by_boxes.any()
    along = np.random.default_rng(3).normal(size=features.shape)
    ahead, behind = (np.sum(pool_oracle(op, features + sign * 1e-5 * along, boxes) * weights) for sign in (1, -1))
    np.testing.assert_allclose(np.sum(by_features * along), (ahead - behind) / 2e-5, rtol=1e-4)


@pytest.mark.slow
def test_boxes_that_are_not_finite_harm_no_other_box():
    features, boxes = case(7)
    broken = boxes.copy()
    broken[0, 5, 1], broken[1, 6, 2] = np.nan, np.inf
    for op in (RoiAlign(spatial_scale=SCALE), RoiAlign(spatial_scale=SCALE, method="gather"), RoiPool(spatial_scale=SCALE)):
        whole, found = np.array(op(features, boxes)), np.array(op(features, broken))
        whole[0, 5] = whole[1, 6] = found[0, 5] = found[1, 6] = 0
        np.testing.assert_array_equal(whole, found)
    assert np.isnan(RoiAlign(spatial_scale=SCALE)(features, broken)[0, 5]).all()
    assert not RoiPool(spatial_scale=SCALE)(features, broken)[0, 5].any()


def test_half_precision_is_summed_in_float32():
    features, boxes = case(8)
    half = jnp.asarray(features, jnp.bfloat16)
    for op in (RoiAlign(spatial_scale=SCALE), RoiPool(spatial_scale=SCALE)):
        found = op(half, boxes)
        assert found.dtype == jnp.bfloat16
        np.testing.assert_array_equal(found, op(half.astype(jnp.float32), boxes).astype(jnp.bfloat16))


@pytest.mark.slow
def test_no_boxes_and_no_images():
    for op in (RoiAlign(output_size=2), RoiPool(output_size=2)):
        assert op(np.ones((2, 4, 4, 3), np.float32), np.zeros((2, 0, 4), np.float32)).shape == (2, 0, 2, 2, 3)
        assert op(np.ones((0, 4, 4, 3), np.float32), np.zeros((0, 5, 4), np.float32)).shape == (0, 5, 2, 2, 3)


def test_what_broadcasts_or_lies_is_refused():
    features, boxes = case(0)
    for op, owner in ((RoiAlign(), "RoiAlign"), (RoiPool(), "RoiPool")):
        for wrong in (features[0], features.astype(np.int32)):
            with pytest.raises(ValueError, match=rf"^{owner}: features must be floats of shape \(b, h, w, c\)"):
                op(wrong, boxes)
        for wrong in (boxes[0], boxes[:1], np.concatenate([boxes, boxes[..., :1]], -1)):
            with pytest.raises(ValueError, match=rf"^{owner}: boxes must be numbers of shape \(2, k, 4\)"):
                op(features, wrong)
        with pytest.raises(ValueError, match="no place"):
            op(features[:, :0], boxes)
    for fields, said in (
        ({"output_size": 0}, "output_size must be at least 1"),
        ({"output_size": (2, 0)}, "output_size must be at least 1"),
        ({"spatial_scale": 0.0}, "spatial_scale must be a finite number above 0"),
    ):
        for kind in (RoiAlign, RoiPool):
            with pytest.raises(ValueError, match=said):
                kind(**fields)
    with pytest.raises(ValueError, match="sampling_ratio must be at least 0"):
        RoiAlign(sampling_ratio=-1)
    broken = RoiAlign()
    object.__setattr__(broken, "method", "loop")
    with pytest.raises(ValueError, match="method must be one of 'auto', 'matrix', 'gather'"):
        broken.__post_init__()
