import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness.research.geometry import area, as_boxes, centers, clip_boxes, convert, is_degenerate, sizes
from likeness.research.geometry.boxes import BoxFormat, checked_boxes

FORMATS: tuple[BoxFormat, ...] = ("xyxy", "xywh", "cxcywh")
BOX = np.array([10.0, 20.0, 30.0, 60.0])
WRITTEN = {"xyxy": BOX, "xywh": np.array([10.0, 20, 20, 40]), "cxcywh": np.array([20.0, 40, 20, 40])}


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_every_format_becomes_every_other(source: BoxFormat, target: BoxFormat):
    np.testing.assert_array_equal(convert(WRITTEN[source], source, target), WRITTEN[target])
    batch = jnp.broadcast_to(jnp.asarray(WRITTEN[source], jnp.float32), (2, 3, 4))
    found = jax.jit(convert, static_argnums=(1, 2))(batch, source, target)
    assert found.dtype == jnp.float32
    np.testing.assert_array_equal(found, np.broadcast_to(WRITTEN[target], (2, 3, 4)))


@pytest.mark.parametrize("middle", FORMATS)
@given(size=st.integers(1, 4096), data=st.data())
def test_the_way_back_leads_to_the_same_box_for_every_size(middle: BoxFormat, size: int, data: st.DataObject):
    x = sorted(data.draw(st.lists(st.floats(0, size), min_size=2, max_size=2)))
    y = sorted(data.draw(st.lists(st.floats(0, size), min_size=2, max_size=2)))
    box = np.array([x[0], y[0], x[1], y[1]])
    there = convert(convert(box, "xyxy", middle), middle, "xyxy")
    np.testing.assert_allclose(there, box, rtol=0, atol=1e-9)


def test_what_a_conversion_copies_keeps_every_bit():
    coco = np.array([0.1, 0.2, 0.3, 0.7])
    np.testing.assert_array_equal(convert(coco, "xywh", "cxcywh")[2:], coco[2:])
    np.testing.assert_array_equal(convert(coco, "cxcywh", "xywh")[2:], coco[2:])
    np.testing.assert_array_equal(convert(coco, "xywh", "xyxy")[:2], coco[:2])


def test_an_unknown_format_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    with pytest.raises(ValueError, match=r"convert\(source='yolo'\): source must be one of 'xyxy', 'xywh', 'cxcywh'"):
        convert(BOX, "yolo", "xyxy")  # pyright: ignore
    with pytest.raises(ValueError, match="target must be one of"):
        convert(BOX, "xyxy", "xyxyn")  # pyright: ignore


def test_area_size_and_center():
    boxes = np.array([BOX, [-5, -4, -1, -2], [3, 3, 3, 9]])
    np.testing.assert_array_equal(area(boxes), [800, 8, 0])
    np.testing.assert_array_equal(sizes(boxes), [[20, 40], [4, 2], [0, 6]])
    np.testing.assert_array_equal(centers(boxes), [[20, 40], [-3, -3], [3, 6]])
    for measure in (area, sizes, centers, is_degenerate):
        np.testing.assert_array_equal(jax.jit(measure)(jnp.asarray(boxes, jnp.float32)), measure(boxes))


def test_host_arrays_stay_float64_and_jax_arrays_are_float32():
    for dtype in (np.float16, np.float32, np.int64, np.uint8):
        assert area(BOX.astype(dtype)).dtype == np.float64
    for dtype in (jnp.bfloat16, jnp.float16, jnp.int32):
        found = area(jnp.asarray(BOX, dtype))
        assert isinstance(found, jax.Array) and found.dtype == jnp.float32
    assert as_boxes("it", "boxes", BOX.tolist()).dtype == jnp.float32


@pytest.mark.parametrize("measure", [area, lambda boxes: as_boxes("area", "boxes", boxes)])
def test_reversed_corners_are_refused_where_their_values_are_known(measure):
    """pytorch/vision#1870: [2, 1, 1, 2] is an error, and no negative area."""
    with pytest.raises(ValueError, match=r"area: boxes is \[2.0, 1.0, 1.0, 2.0\], and its corners are reversed"):
        measure(np.array([2.0, 1, 1, 2]))
    with pytest.raises(ValueError, match=r'boxes number 1 is .* `convert\(boxes, "xywh", "xyxy"\)` makes corners'):
        measure([BOX, [50, 60, 10, 20]])
    with pytest.raises(ValueError, match=r"boxes number \(1, 0\) is .* Exchange them where they are read"):
        measure(np.array([[BOX], [[-1, -1, -2, 5]]]))


def test_reversed_corners_in_a_jax_array_are_a_box_without_area():
    """pytorch/vision#1870: under jit nobody can be told, and the area is 0."""
    reversed_corners = jnp.array([[2.0, 1, 1, 2], [2, 2, 1, 1]])
    np.testing.assert_array_equal(jax.jit(area)(reversed_corners), [0, 0])
    assert is_degenerate(reversed_corners).all()


@pytest.mark.parametrize(
    "wrong", [np.zeros(3), np.zeros((4, 5)), np.zeros(()), np.zeros((2, 4), bool), np.array(["1"] * 4), []]
)
def test_what_are_no_boxes_is_refused(wrong):
    for function in (area, sizes, centers, is_degenerate, lambda boxes: clip_boxes(boxes, 2, 2)):
        with pytest.raises(ValueError, match=r"boxes must be numbers of shape .*4,?\), and are"):
            function(wrong)


def test_no_boxes_are_boxes():
    none = np.zeros((0, 4))
    assert area(none).shape == (0,) and convert(none, "xyxy", "xywh").shape == (0, 4)
    assert clip_boxes(jnp.zeros((2, 0, 4)), 3, 4).shape == (2, 0, 4)


def test_degenerate_are_those_without_area_and_those_that_are_not_finite():
    boxes = np.array([BOX, [0, 0, 0, 5], [0, 0, 5, 0], [np.nan, 0, 1, 1], [0, 0, np.inf, 1], [-3, -3, -2, -2], [0, 0, 0, 0]])
    np.testing.assert_array_equal(is_degenerate(boxes), [0, 1, 1, 1, 1, 0, 1])
    assert is_degenerate(np.array([2.0, 1, 1, 2]))
    assert not is_degenerate(np.array([0, 0, 1e-30, 1e-30]))


def test_boxes_are_clipped_to_their_image():
    boxes = np.array([[-5.0, -5, 700, 900], [10, 20, 30, 40], [650, 10, 700, 20]])
    expected = [[0, 0, 640, 480], [10, 20, 30, 40], [640, 10, 640, 20]]
    np.testing.assert_array_equal(clip_boxes(boxes, 480, 640), expected)
    np.testing.assert_array_equal(jax.jit(clip_boxes)(jnp.asarray(boxes), 480, 640), expected)
    np.testing.assert_array_equal(is_degenerate(clip_boxes(boxes, height=480, width=640)), [0, 0, 1])


def test_each_image_of_a_batch_has_its_own_borders():
    boxes = np.broadcast_to(np.array([0.0, 0, 100, 100]), (2, 3, 4))
    heights, widths = np.array([[50], [200]]), np.array([[70], [30]])
    expected = np.broadcast_to(np.array([[[0, 0, 70, 50]], [[0, 0, 30, 100]]]), (2, 3, 4))
    np.testing.assert_array_equal(clip_boxes(boxes, heights, widths), expected)
    np.testing.assert_array_equal(clip_boxes(jnp.asarray(boxes), jnp.asarray(heights), jnp.asarray(widths)), expected)
    assert isinstance(clip_boxes(boxes, jnp.asarray(heights), widths), jax.Array)


def test_infinite_coordinates_are_clipped_to_the_border_and_nan_is_not_hidden():
    """LibreYOLO: the clamp of an infinite coordinate must not lose the box."""
    boxes = np.array([[-np.inf, 3, np.inf, np.inf], [np.nan, 0, 9, 9]])
    for given_as in (boxes, jnp.asarray(boxes)):
        np.testing.assert_array_equal(clip_boxes(given_as, 8, 9), [[0, 3, 9, 8], [np.nan, 0, 9, 8]])


def test_a_nan_makes_no_corner_reversed():
    assert np.isnan(area(np.array([np.nan, 0, 1, 1])))
    assert np.isnan(checked_boxes("it", "boxes", np.array([[np.nan, 5, 1, 1]])[:, [0, 2, 3, 1]])).sum() == 1
