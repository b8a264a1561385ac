"""Resizing is a mean of areas one way and a cubic the other, and keeps what it must."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from likeness.research.images import fit, resize
from likeness.research.images.resize import resize_around


def image(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


def area_mean(line: np.ndarray, new: int) -> np.ndarray:
    """The mean of a step function over each new interval, by its integral, in float64."""
    integral = np.concatenate([[0.0], np.cumsum(np.float64(line))])
    edges = np.arange(new + 1) * len(line) / new
    return np.diff(np.interp(edges, np.arange(len(line) + 1), integral)) * new / len(line)


@pytest.mark.parametrize(("old", "new"), [(9, 3), (9, 4), (10, 7), (64, 1), (31, 30)])
def test_shrinking_is_the_mean_of_areas(old: int, new: int) -> None:
    pixels = image(1, old, 1)
    np.testing.assert_allclose(resize(jnp.asarray(pixels), (1, new))[0, :, 0], area_mean(pixels[0, :, 0], new), rtol=1e-5)


@pytest.mark.parametrize(("old", "new"), [(8, 16), (7, 19), (5, 6)])
def test_growing_is_the_cubic_that_pillow_has(old: int, new: int) -> None:
    pixels = image(old, old + 3, 1)
    height, width = new, new + 8
    pillow = Image.fromarray(pixels[..., 0]).resize((width, height), Image.Resampling.BICUBIC)
    np.testing.assert_allclose(resize(jnp.asarray(pixels), (height, width))[..., 0], np.asarray(pillow), atol=2e-6)


@pytest.mark.parametrize(("old", "size"), [((1, 1), (3, 2)), ((5, 3), (2, 7)), ((9, 8), (1, 1)), ((2, 2), (3, 9))])
def test_a_flat_image_stays_flat(old: tuple[int, int], size: tuple[int, int]) -> None:
    flat = jnp.full((*old, 2), 0.3)
    np.testing.assert_allclose(resize(flat, size), np.full((*size, 2), 0.3), rtol=1e-6)


def test_shrinking_keeps_the_mean_and_leaves_nothing_of_a_checkerboard() -> None:
    pixels = image(21, 30, 3)
    np.testing.assert_allclose(resize(jnp.asarray(pixels), (7, 4)).mean((0, 1)), pixels.mean((0, 1)), rtol=1e-5)
    tracker = (np.indices((64, 64)).sum(0) % 2).astype(np.float32)[..., None]
    np.testing.assert_allclose(resize(jnp.asarray(tracker), (16, 16)), 0.5, atol=1e-6)


def test_growing_keeps_a_ramp() -> None:
    ramp = (jnp.arange(16.0) + 0.5)[None, :, None].repeat(4, 0)
    grown = resize(ramp, (8, 48))[4, :, 0]
    expected = (np.arange(48) + 0.5) / 3.0
    np.testing.assert_allclose(grown[6:-6], expected[6:-6], rtol=1e-5)


def test_leading_axes_are_a_batch_and_one_axis_may_shrink_while_the_other_grows() -> None:
    pixels = image(2, 3, 12, 5, 4)
    together = resize(jnp.asarray(pixels), (4, 9))
    assert together.shape == (2, 3, 4, 9, 4)
    np.testing.assert_allclose(together[1, 2], resize(jnp.asarray(pixels[1, 2]), (4, 9)), rtol=1e-5)
    by_rows = resize(jnp.asarray(pixels), (4, 5))
    np.testing.assert_allclose(together, resize(by_rows, (4, 9)), rtol=1e-4, atol=1e-6)


def test_its_own_size_is_the_image_itself_and_bfloat16_becomes_float32() -> None:
    pixels = image(6, 7, 3)
    np.testing.assert_array_equal(resize(jnp.asarray(pixels), (6, 7)), pixels)
    assert resize(jnp.asarray(pixels, jnp.bfloat16), (3, 3)).dtype == jnp.float32


def test_it_is_linear_and_runs_inside_jit() -> None:
    pixels = jnp.asarray(image(8, 6, 3))
    inside = jax.jit(lambda x: resize(x, (4, 12)))
    np.testing.assert_allclose(inside(pixels), resize(pixels, (4, 12)), rtol=1e-6)
    _, tangent = jax.jvp(inside, (pixels,), (jnp.ones_like(pixels),))
    np.testing.assert_allclose(tangent, 1.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("size", "longest", "expected"),
    [((40, 60), 30, (20, 30)), ((60, 40), 30, (30, 20)), ((3, 900), 90, (1, 90)), ((5, 5), 11, (11, 11))],
)
def test_the_longer_side_gets_the_size(size: tuple[int, int], longest: int, expected: tuple[int, int]) -> None:
    assert fit(size, longest) == expected


def test_no_side_below_a_pixel() -> None:
    with pytest.raises(ValueError, match="5 x 6 pixels to 0 x 3"):
        resize(jnp.zeros((5, 6, 3)), (0, 3))
    with pytest.raises(ValueError, match="at least 1 pixel"):
        fit((4, 5), 0)


@pytest.mark.parametrize("method", ["linear", "cubic"])
@pytest.mark.parametrize("size", [(24, 20), (18, 15), (12, 31)])
def test_around_an_image_is_resized_as_the_middle_of_nine(method, size):
    pixels = np.random.default_rng(0).random((1, 12, 10, 3), np.float32)
    nine = np.tile(pixels, (1, 3, 3, 1))
    whole = jax.image.resize(nine, (1, 3 * size[0], 3 * size[1], 3), method, antialias=False)
    expected = whole[:, size[0] : 2 * size[0], size[1] : 2 * size[1]]
    # Places are float32 numbers of up to 93 pixels there.
    np.testing.assert_allclose(resize_around(jnp.asarray(pixels), size, method), expected, atol=1e-5)
