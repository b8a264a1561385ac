"""Batched similarities and crops against their float64 counterparts on the host."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.geometry import Template, align, crop, fit_similarity, warp

TEMPLATE = Template()


def landmarks(rng: np.random.Generator, noise: float = 2.0) -> np.ndarray:
    """Points of a face somewhere in an image, turned any way."""
    angle, scale = rng.uniform(-np.pi, np.pi), rng.uniform(0.2, 5)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return TEMPLATE.array() @ turn.T + rng.uniform(-50, 500, 2) + rng.normal(0, noise * scale, (5, 2))


def test_the_maps_are_the_inverses_of_the_least_squares_fits() -> None:
    rng = np.random.default_rng(0)
    points = np.stack([landmarks(rng) for _ in range(50)])
    found = jax.jit(align)(points, TEMPLATE.array())
    for row, some in enumerate(points):
        goal, fitted = TEMPLATE.array(), fit_similarity(some, TEMPLATE.array())
        back = fitted.inverse()
        np.testing.assert_allclose(found.maps[row], [back.a, back.b, back.right, back.down], rtol=2e-4, atol=2e-3)
        misfit = np.sqrt(np.square(fitted(some) - goal).sum() / np.square(goal - goal.mean(axis=0)).sum())
        np.testing.assert_allclose(found.misfit[row], misfit, atol=1e-3)


@pytest.mark.slow
def test_landmarks_that_say_nothing_have_an_infinite_misfit_and_finite_gradients() -> None:
    good = TEMPLATE.array()
    points = jnp.asarray([np.full((5, 2), 7.0), np.full((5, 2), np.nan), good], jnp.float32)
    found = align(points, good)
    assert np.isfinite(found.maps).all()
    assert np.isinf(found.misfit[:2]).all() and found.misfit[2] < 1e-3
    np.testing.assert_allclose(found.maps[:2], [[1, 0, 0, 0]] * 2, atol=1e-5)
    slope = jax.grad(lambda p: align(p, good).maps.sum() + align(p, good).misfit[2])(points)
    assert np.isfinite(slope[0]).all() and np.isfinite(slope[2]).all()


@pytest.mark.parametrize("scale", [0.3, 1.0, 1.3, 2.0])
def test_up_to_half_the_size_a_crop_is_the_hosts(scale: float) -> None:
    rng = np.random.default_rng(1)
    image = rng.uniform(0, 255, (70, 90, 3)).astype(np.float32)
    angle = 0.4
    a, b = scale * np.cos(angle), scale * np.sin(angle)
    to_image = fit_similarity(TEMPLATE.array(), TEMPLATE.array() @ np.array([[a, -b], [b, a]]).T + [12.0, -5.0])
    maps = np.array([[[to_image.a, to_image.b, to_image.right, to_image.down]]], np.float32)
    found = jax.jit(warp, static_argnums=2)(image[None], maps, (40, 30))[0, 0]
    expected = crop(to_image, (70, 90), (40, 30))(image[None])[0]
    np.testing.assert_allclose(found, expected, atol=0.05)


@pytest.mark.parametrize("scale", [4.0, 7.3, 16.0, 40.0])
def test_every_pixel_below_a_coarse_crop_counts(scale: float) -> None:
    """A checkerboard, which any lookup of single pixels would leave in, is gray."""
    board = np.indices((640, 640)).sum(axis=0) % 2 * 255.0
    side = int(400 / scale)
    maps = np.array([[[scale, 0.0, 60.0, 60.0]]], np.float32)
    found = warp(np.repeat(board[None, :, :, None], 3, axis=3), maps, (side, side))
    np.testing.assert_allclose(found, 127.5, atol=1e-2)


@pytest.mark.slow
def test_a_linear_image_stays_linear_at_every_scale_and_outside_is_black() -> None:
    x = np.tile(np.arange(320.0), (320, 1))
    image = x[None, :, :, None]
    for scale in (1.0, 1.7, 3.0, 6.0):
        maps = np.array([[[scale, 0.0, 40.0, 40.0]]], np.float32)
        found = np.asarray(warp(image, maps, (30, 30)))[0, 0, :, :, 0]
        np.testing.assert_allclose(found, np.tile(scale * np.arange(30) + 40, (30, 1)), rtol=1e-4)
    away = warp(image, np.array([[[1.0, 0.0, 1000.0, 0.0]]], np.float32), (8, 8))
    assert not np.asarray(away).any()


@pytest.mark.slow
def test_several_crops_of_several_images() -> None:
    rng = np.random.default_rng(2)
    images = rng.integers(0, 256, (2, 64, 48, 3)).astype(np.uint8)
    maps = rng.uniform(-1, 1, (2, 3, 4)).astype(np.float32) * [1, 1, 40, 40]
    together = warp(images, maps.astype(np.float32), (9, 7))
    assert together.shape == (2, 3, 9, 7, 3)
    for i in range(2):
        for k in range(3):
            alone = warp(images[i : i + 1], maps[i : i + 1, k : k + 1].astype(np.float32), (9, 7))
            np.testing.assert_allclose(together[i, k], alone[0, 0], atol=1e-3)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="as many points"):
        align(np.zeros((3, 4, 2)), TEMPLATE.array())
    with pytest.raises(ValueError, match="do not go together"):
        warp(np.zeros((2, 8, 8, 3), np.uint8), np.zeros((2, 1, 4), np.float32), (0, 4))
