"""Attributions against finite differences, brute force and their axioms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.encoders import Conv4
from likeness.research.visualization import integrated_gradients, occlusion, saliency, smooth_gradient

KEY = jax.random.key(0)


def smooth_score(pixels):
    """Smooth and not linear."""
    weights = jnp.linspace(-1, 1, pixels[0].size).reshape(pixels.shape[1:])
    return jnp.tanh(jnp.sum(weights * pixels, axis=(1, 2, 3))) + jnp.sum(pixels**3, axis=(1, 2, 3))


def two_images(side=4):
    return jax.random.uniform(KEY, (2, side, side, 3))


def test_saliency_is_the_finite_difference_and_images_do_not_mix():
    images = np.asarray(two_images(), np.float64)
    with jax.enable_x64():
        found = saliency(smooth_score, jnp.asarray(images))
        for place in ((0, 1, 2, 0), (1, 3, 0, 2)):
            step = np.zeros_like(images)
            step[place] = 1e-6
            slope = (smooth_score(jnp.asarray(images + step)) - smooth_score(jnp.asarray(images - step))) / 2e-6
            np.testing.assert_allclose(found[place], slope[place[0]], rtol=1e-6)
            np.testing.assert_allclose(slope[1 - place[0]], 0, atol=1e-8)


def test_without_noise_it_is_the_gradient_and_of_a_line_always():
    images = two_images()
    np.testing.assert_allclose(
        smooth_gradient(smooth_score, images, KEY, samples=2, noise=0.0), saliency(smooth_score, images), rtol=1e-6
    )

    def line(pixels):
        return 2 * jnp.sum(pixels, axis=(1, 2, 3))

    np.testing.assert_allclose(smooth_gradient(line, images, KEY, samples=3), 2.0, rtol=1e-6)


@pytest.mark.slow
def test_noise_makes_the_mean_gradient_of_a_cube_larger():
    """E[3 (x + s n)²] = 3 x² + 3 s², with s the noise times the image's range."""
    images = jnp.asarray(np.linspace(0, 1, 16, dtype=np.float32).reshape(1, 4, 4, 1))
    found = smooth_gradient(lambda x: jnp.sum(x**3, axis=(1, 2, 3)), images, KEY, samples=400, noise=0.2)
    np.testing.assert_allclose(np.mean(found - 3 * images**2), 3 * 0.2**2, rtol=0.15)


@pytest.mark.slow
def test_integrated_gradients_are_complete():
    images = two_images()
    baseline = jnp.zeros_like(images)
    found = integrated_gradients(smooth_score, images, baseline, steps=200)
    expected = smooth_score(images) - smooth_score(baseline)
    np.testing.assert_allclose(found.sum(axis=(1, 2, 3)), expected, rtol=1e-3)


@pytest.mark.slow
def test_integrated_gradients_of_an_encoder_are_complete_to_a_percent():
    encoder = Conv4(width=4, dimension=4)
    images = jax.random.uniform(KEY, (2, 16, 16, 1))
    variables = encoder.init(jax.random.key(1), images)

    def score(pixels):
        return encoder.apply(variables, pixels)["embedding"][:, 0]

    # Not mid-gray: that is 0 to this encoder, where an embedding of unit length has no direction.
    baseline = jnp.full_like(images, 0.2)
    found = integrated_gradients(jax.jit(score), images, baseline, steps=256).sum(axis=(1, 2, 3))
    expected = np.asarray(score(images) - score(baseline))
    np.testing.assert_allclose(found, expected, atol=0.01 * np.abs(expected).max())


@pytest.mark.parametrize(("window", "stride"), [(1, 1), (3, 2), (5, 4)])
def test_occlusion_is_the_mean_over_the_windows_that_cover_a_place(window, stride):
    image = np.asarray(jax.random.uniform(KEY, (7, 5, 2)))

    def score(images):
        return (images * np.arange(70).reshape(7, 5, 2)).sum(axis=(1, 2, 3))

    found = occlusion(score, image, window=window, stride=stride, value=0.25, batch=3)
    rows, columns = (sorted({*range(0, side - window + 1, stride), side - window}) for side in (7, 5))
    for row in range(7):
        for column in range(5):
            drops = []
            for top in (top for top in rows if top <= row < top + window):
                for left in (left for left in columns if left <= column < left + window):
                    covered = image.copy()
                    covered[top : top + window, left : left + window] = 0.25
                    drops.append(score(image[None])[0] - score(covered[None])[0])
            np.testing.assert_allclose(found[row, column], np.mean(drops), rtol=1e-4)


def test_a_window_larger_than_the_image_is_refused():
    with pytest.raises(ValueError, match="window 9"):
        occlusion(lambda images: images.sum(axis=(1, 2, 3)), np.zeros((4, 4, 1), np.float32), window=9)
