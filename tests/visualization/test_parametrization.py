"""Parametrizations against NumPy's FFT in float64, Parseval's theorem, and the colors of photographs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.experiments.visualization.color_axes import axes_of_photographs
from likeness.research.visualization import Fourier, Pixels
from likeness.research.visualization.parametrization import PHOTOGRAPHIC, color_axes, wave_scale

KEY = jax.random.key(0)


def logit(x):
    return np.log(x) - np.log1p(-x)


@pytest.mark.parametrize("size", [(8, 8), (7, 10), (6, 9)])
def test_fourier_is_numpys_inverse_transform(size):
    shape = (2, *size, 3)
    made = Fourier(deviation=0.5)
    params = made.init(KEY, shape)
    assert params["waves"].shape == (2, size[0], size[1] // 2 + 1, 3, 2)
    waves = np.asarray(params["waves"], np.float64)
    spectrum = (waves[..., 0] + 1j * waves[..., 1]) * wave_scale(*size)[:, :, None]
    decorrelated = np.fft.irfft2(spectrum, s=size, axes=(1, 2), norm="forward")
    np.testing.assert_allclose(
        logit(np.asarray(made.to_pixels(params, shape), np.float64)), decorrelated @ np.asarray(PHOTOGRAPHIC).T, atol=2e-5
    )
    plain = Fourier(deviation=0.5, colors="rgb").to_pixels(params, shape)
    np.testing.assert_allclose(logit(np.asarray(plain, np.float64)), decorrelated, atol=2e-5)


@pytest.mark.parametrize("size", [(16, 16), (15, 20), (12, 7)])
def test_white_waves_have_variance_one_by_parseval_and_fall_as_one_over_f(size):
    height, width = size
    drawn = np.random.default_rng(0).normal(size=(4000, height, width // 2 + 1, 2))
    scale = wave_scale(*size)
    pixels = np.fft.irfft2((drawn[..., 0] + 1j * drawn[..., 1]) * scale, s=size, norm="forward")
    # Four thousand images of a few hundred correlated pixels.
    np.testing.assert_allclose(np.mean(pixels**2), 1.0, atol=0.04)
    power = np.mean(np.abs(np.fft.rfft2(pixels, norm="forward")) ** 2, axis=0)
    cycles = max(size) * np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    inner = (slice(None), slice(1, (width + 1) // 2))
    whitened = power[inner] * np.maximum(cycles[inner], 1.0) ** 2
    np.testing.assert_allclose(whitened, whitened.mean(), rtol=0.15)


def test_axes_of_color_whiten_the_colors_they_are_made_of():
    colors = np.random.default_rng(0).normal(size=(500, 3)) @ np.array([[2.0, 1.0, 0.5], [0.0, 0.7, 0.1], [0.0, 0.0, 0.2]])
    axes = color_axes(colors)
    covariance = np.cov(colors.T)
    np.testing.assert_allclose(axes @ axes.T, covariance * 3 / np.trace(covariance), rtol=1e-9)
    white = np.cov(np.linalg.solve(axes, colors.T))
    np.testing.assert_allclose(white / white[0, 0], np.eye(3), atol=1e-9)


def test_the_axes_of_photographs_are_those_that_the_command_prints():
    np.testing.assert_allclose(np.asarray(PHOTOGRAPHIC), axes_of_photographs(), atol=6e-5)


def test_nothing_learned_leaves_an_image_as_it_is():
    base = jax.random.uniform(KEY, (1, 6, 8, 3), minval=0.05, maxval=0.95)
    shape = (2, 6, 8, 3)
    for made in (Pixels(), Fourier(deviation=0.0)):
        params = made.init(KEY, shape, based=True)
        np.testing.assert_allclose(made.to_pixels(params, shape, base), np.repeat(base, 2, 0), atol=1e-5)


def test_pixels_are_clipped_and_can_come_back():
    made, shape = Pixels(), (1, 2, 2, 3)
    params = {"pixels": jnp.full(shape, 1.5)}
    np.testing.assert_array_equal(made.to_pixels(params, shape), jnp.ones(shape))
    gradient = jax.grad(lambda p: jnp.sum(made.to_pixels(p, shape)))(params)["pixels"]
    np.testing.assert_array_equal(gradient, jnp.ones(shape))
    start = made.init(KEY, (1, 32, 32, 3))["pixels"]
    np.testing.assert_allclose((start.mean(), start.std()), (0.5, 0.1), atol=0.01)


def test_a_waves_gradient_is_the_finite_difference():
    shape = (1, 5, 6, 3)
    made = Fourier(deviation=0.3)
    with jax.enable_x64():
        waves = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), made.init(KEY, shape))["waves"]
        way = jax.random.normal(jax.random.key(1), waves.shape, jnp.float64)
        weights = jax.random.normal(jax.random.key(2), shape, jnp.float64)
        along = lambda step: jnp.sum(weights * made.to_pixels({"waves": waves + step * way}, shape))  # noqa: E731
        np.testing.assert_allclose(jax.grad(along)(0.0), (along(1e-5) - along(-1e-5)) / 2e-5, rtol=1e-5)


def test_illegal_fields_are_refused():
    for kind in (Pixels, Fourier):
        with pytest.raises(ValueError, match="deviation is -1.0"):
            kind(deviation=-1.0)
