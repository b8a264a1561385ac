"""Checklist D-a and D-h: what a codec encodes it decodes, for every size."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness.research.geometry import BoxDeltas, CellRelative, ImageRelative, PointDistances, YoloV1, YoloV3
from likeness.research.geometry.codecs import BoxCodec

CODECS: dict[str, BoxCodec] = {
    "image": ImageRelative(),
    "cell": CellRelative(),
    "yolo_v1": YoloV1(width=640, height=480),
    "yolo_v3": YoloV3(stride=4096),
    "yolo_v4": YoloV3(stride=4096, scale=2.0),
    "deltas": BoxDeltas(),
    "weighted": BoxDeltas(weights=(10.0, 10.0, 5.0, 5.0)),
    "distances": PointDistances(),
}


def references(name: str, generator: np.random.Generator, boxes: np.ndarray, size: int) -> np.ndarray:
    """Boxes that a codec may refer to: the image, or cells and anchors anywhere in it."""
    if name == "image":
        return np.broadcast_to(np.array([0.0, 0, size, size]), boxes.shape)
    sides = generator.uniform(1, size + 1, (len(boxes), 2))
    # A center further away than half a cell is out of YOLO's reach.
    near = (boxes[:, :2] + boxes[:, 2:]) / 2 + generator.uniform(-0.5, 0.5, (len(boxes), 2)) * min(size, 4000)
    return np.concatenate([near - sides / 2, near + sides / 2], axis=-1)


def boxes_in(generator: np.random.Generator, size: int, count: int) -> np.ndarray:
    """At least a pixel wide and high, and of every size up to the image's."""
    sides = 1 + generator.uniform(0, size - 1, (count, 2)) * generator.random((count, 1))
    low = generator.uniform(0, size - sides)
    return np.concatenate([low, low + sides], axis=-1)


@pytest.mark.parametrize("name", CODECS)
@given(size=st.integers(1, 4096), seed=st.integers(0, 2**32 - 1))
def test_the_way_back_leads_to_the_same_box_for_every_size(name: str, size: int, seed: int):
    generator = np.random.default_rng(seed)
    boxes = boxes_in(generator, size, 16)
    reference = references(name, generator, boxes, size)
    again = CODECS[name].decode(CODECS[name].encode(boxes, reference), reference)
    assert again.dtype == np.float64
    np.testing.assert_allclose(again, boxes, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize(("size", "tolerance"), [(64, 1e-4), (256, 1e-4), (1024, 3e-4), (4096, 1e-3)])
def test_in_float32_it_comes_back_to_a_few_roundings(name: str, size: int, tolerance: float):
    """At 4096 neighboring numbers of float32 are .0005 apart, and no codec can be as exact as 1e-4 there."""
    generator = np.random.default_rng(size)
    boxes = boxes_in(generator, size, 4000).astype(np.float32)
    codec = CODECS[name]
    codec = dataclasses.replace(codec, stride=size) if isinstance(codec, YoloV3) else codec
    # Not so near the border of a cell that the logit is steep.
    reference = references(name, generator, boxes, size // 2 if name == "yolo_v3" else size).astype(np.float32)

    @jax.jit
    def there_and_back(boxes, reference):
        values = codec.encode(boxes, reference)
        assert values.dtype == jnp.float32
        return codec.decode(values, reference)

    again = there_and_back(jnp.asarray(boxes), jnp.asarray(reference))
    np.testing.assert_allclose(again, boxes, rtol=0, atol=tolerance)


@pytest.mark.slow
@given(x=st.floats(0, 1), y=st.floats(0, 1), height=st.floats(0.01, 1), width=st.floats(0.01, 1))
def test_image_relative_values_come_back_to_a_millionth(x: float, y: float, height: float, width: float):
    """Checklist D-a: the localization target [p_c b_x b_y b_h b_w c_1 c_2 c_3] is relative to the image, and exact to 1e-6."""
    target, image = np.array([x, y, height, width]), np.array([0.0, 0, 1280, 720])
    there = ImageRelative().encode(ImageRelative().decode(target, image), image)
    np.testing.assert_allclose(there, target, rtol=0, atol=1e-6)
    in_float32 = ImageRelative().encode(ImageRelative().decode(jnp.asarray(target), image), image)
    np.testing.assert_allclose(in_float32, target, rtol=0, atol=1e-6)


def test_the_course_s_orders_and_units():
    """Checklist D-a, D-h: b_h comes before b_w; a share of the image, or in cells, where a side may exceed 1."""
    box, image, cell = np.array([10.0, 20, 50, 80]), np.array([0.0, 0, 100, 200]), np.array([25.0, 40, 50, 80])
    np.testing.assert_allclose(ImageRelative().encode(box, image), [0.3, 0.25, 0.3, 0.4])
    np.testing.assert_allclose(CellRelative().encode(box, cell), [0.2, 0.25, 1.5, 1.6])


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.1, 8), st.floats(0.1, 8))
def test_a_center_in_its_cell_is_in_0_to_1_and_sides_may_exceed_1(x: float, y: float, height: float, width: float):
    """Checklist D-h, with centers on the border and at 1.0."""
    cell = np.array([32.0, 64, 48, 80])
    box = CellRelative().decode(np.array([x, y, height, width]), cell)
    values = CellRelative().encode(box, cell)
    np.testing.assert_allclose(values, [x, y, height, width], rtol=0, atol=1e-9)
    assert values[:2].min() >= -1e-9 and values[:2].max() <= 1 + 1e-9


def test_image_and_cell_are_not_mixed():
    """Section 0, E3: an image's shares are not a cell's."""
    box, cell = np.array([10.0, 20, 50, 80]), np.array([25.0, 40, 50, 80])
    for function in (ImageRelative().encode, ImageRelative().decode):
        with pytest.raises(ValueError, match=r"does not begin at \(0, 0\).* written by CellRelative"):
            function(box, cell)


def test_the_papers_formulas():
    box, anchor = np.array([30.0, 40, 90, 60]), np.array([40.0, 32, 72, 64])
    center, size = np.array([60.0, 50]), np.array([60.0, 20])
    deltas = [(60 - 56) / 32, (50 - 48) / 32, np.log(60 / 32), np.log(20 / 32)]
    np.testing.assert_allclose(BoxDeltas().encode(box, anchor), deltas)
    np.testing.assert_allclose(BoxDeltas(weights=(10, 10, 5, 5)).encode(box, anchor), np.array(deltas) * [10, 10, 5, 5])
    np.testing.assert_allclose(PointDistances().encode(box, anchor), [26 / 32, 8 / 32, 34 / 32, 12 / 32])
    first = YoloV1(width=640, height=480).encode(box, np.array([48.0, 48, 64, 64]))
    np.testing.assert_allclose(first, [12 / 16, 2 / 16, np.sqrt(60 / 640), np.sqrt(20 / 480)])
    # The anchor stands on the middle of the cell from (48, 40) to (64, 56).
    values = YoloV3(stride=16).encode(box, anchor)
    np.testing.assert_allclose(np.array([48, 40]) + 16 / (1 + np.exp(-values[:2])), center)
    np.testing.assert_allclose(32 * np.exp(values[2:]), size)
    fourth = YoloV3(stride=16, scale=1.2).encode(box, anchor)
    np.testing.assert_allclose(np.array([48, 40]) + 16 * (1.2 / (1 + np.exp(-fourth[:2])) - 0.1), center)


def test_what_yolox_and_yunet_predict_are_deltas_of_a_square_on_the_corner_of_a_cell():
    stride, column, row = 8.0, 5, 3
    values = np.array([0.3, 0.6, 0.2, -0.4])
    square = np.array([column - 0.5, row - 0.5, column + 0.5, row + 0.5]) * stride
    x1, y1, x2, y2 = BoxDeltas().decode(values, square)
    np.testing.assert_allclose([(x1 + x2) / 2, (y1 + y2) / 2], [(column + 0.3) * stride, (row + 0.6) * stride])
    np.testing.assert_allclose([x2 - x1, y2 - y1], stride * np.exp([0.2, -0.4]))


@pytest.mark.parametrize("codec", [BoxDeltas(), BoxDeltas(largest_ratio=62.5), YoloV3(stride=16)])
@pytest.mark.parametrize("value", [50.0, 1e4, 1e30, -50.0, -1e30])
def test_exponents_are_clipped(codec: BoxDeltas | YoloV3, value: float):
    anchor, values = jnp.array([40.0, 32, 72, 64]), jnp.array([0.0, 0.0, value, value])
    box, gradient = jax.value_and_grad(lambda values: jnp.sum(codec.decode(values, anchor)))(values)
    assert np.isfinite(box) and np.isfinite(gradient).all()
    side = codec.decode(values, anchor)[2:] - codec.decode(values, anchor)[:2]
    np.testing.assert_allclose(side, 32 * codec.largest_ratio ** np.sign(value), rtol=1e-3)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("box", [[0.0, 0, 0, 0], [5, 5, 5, 5], [5, 5, 5, 9], [3, 4, 8, 9]])
@pytest.mark.parametrize("reference", [[0.0, 0, 0, 0], [0, 0, 16, 16], [0, 0, 0, 16]])
def test_padding_gives_finite_values_and_gradients(name: str, box: list[float], reference: list[float]):
    """A masked loss multiplies them by 0, and 0 · ∞ is NaN."""
    given_boxes = jnp.array([box, reference], jnp.float32)
    for function in (CODECS[name].encode, CODECS[name].decode):
        value, gradient = jax.value_and_grad(lambda pair, function=function: jnp.sum(function(*pair) ** 2))(given_boxes)
        assert np.isfinite(value) and np.isfinite(gradient).all()
        assert np.isfinite(function(np.array(box), np.array(reference))).all()


def test_a_center_out_of_reach_becomes_the_nearest_that_is_in_reach():
    anchor = np.array([40.0, 32, 72, 64])
    far = np.array([100.0, 32, 132, 64])
    values = YoloV3(stride=16).encode(far, anchor)
    assert np.isfinite(values).all()
    np.testing.assert_allclose(YoloV3(stride=16).decode(values, anchor), [48, 32, 80, 64], atol=1e-6)
    on_the_border = jnp.array([48.0, 40, 80, 72])
    values = YoloV3(stride=16).encode(on_the_border, jnp.asarray(anchor))
    assert np.isfinite(values).all()
    np.testing.assert_allclose(YoloV3(stride=16).decode(values, jnp.asarray(anchor)), on_the_border, atol=1e-4)


def test_leading_axes_broadcast():
    for codec in CODECS.values():
        values = codec.encode(np.ones((7, 1, 4)) * [1, 2, 3, 4], np.broadcast_to(np.array([0.0, 0, 8, 8]), (5, 4)))
        assert values.shape == (7, 5, 4)
        assert codec.decode(values, np.array([0.0, 0, 8, 8])).shape == (7, 5, 4)


def test_one_jax_array_makes_it_float32():
    box, anchor = np.array([1.0, 2, 3, 4]), jnp.array([0.0, 0, 8, 8])
    for codec in CODECS.values():
        assert codec.encode(box, anchor).dtype == codec.decode(jnp.asarray(box), np.asarray(anchor)).dtype == jnp.float32


def test_reversed_corners_are_refused_but_values_may_be_anything():
    for codec in CODECS.values():
        with pytest.raises(ValueError, match="boxes is .* its corners are reversed"):
            codec.encode(np.array([2.0, 1, 1, 2]), np.array([0.0, 0, 8, 8]))
        assert codec.decode(np.array([2.0, 1, -1, 0]), np.array([0.0, 0, 8, 8])).shape == (4,)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: BoxDeltas(weights=(1.0, 1.0)), "give four weights"),  # pyright: ignore
        (lambda: BoxDeltas(weights=(1.0, 1.0, 0.0, 1.0)), "weights must be a finite number above 0"),
        (lambda: BoxDeltas(largest_ratio=0.5), "largest_ratio must be at least 1"),
        (lambda: YoloV3(stride=0), "stride must be a finite number above 0"),
        (lambda: YoloV3(stride=8, scale=0.5), "scale must be at least 1"),
        (lambda: YoloV1(width=0, height=9), "width must be a finite number above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, why: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    with pytest.raises(ValueError, match=why):
        make()
