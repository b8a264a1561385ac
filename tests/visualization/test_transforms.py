"""Transforms: what they leave alone, and where they move a pixel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from likeness.research.visualization import Chain, Jitter, Rotate, Zoom

KEY = jax.random.key(0)
IMAGES = jax.random.uniform(jax.random.key(1), (2, 9, 12, 3))


@pytest.mark.parametrize("nothing", [Jitter(pixels=0), Zoom(share=0.0), Rotate(degrees=0.0), Chain()])
def test_without_strength_nothing_changes(nothing):
    np.testing.assert_array_equal(nothing(KEY, IMAGES), IMAGES)


@pytest.mark.parametrize(
    "transform",
    [
        Jitter(pixels=3),
        Jitter(pixels=3, margin="edge"),
        Jitter(pixels=3, margin="gray"),
        Zoom(),
        Rotate(),
        Chain(transforms=(Jitter(pixels=2), Zoom(), Rotate(), Jitter(pixels=1))),
    ],
)
def test_shape_range_and_key(transform):
    moved = [transform(jax.random.key(seed), IMAGES) for seed in range(4)]
    assert all(one.shape == IMAGES.shape and one.dtype == jnp.float32 for one in moved)
    assert all(float(one.min()) >= 0 and float(one.max()) <= 1 for one in moved)
    assert len({np.asarray(one).tobytes() for one in moved}) > 1
    np.testing.assert_allclose(transform(KEY, IMAGES), jax.jit(transform)(KEY, IMAGES), atol=1e-5)
    # Images do not mix, and are moved alike.
    np.testing.assert_allclose(transform(KEY, IMAGES[1:])[0], transform(KEY, IMAGES)[1], atol=1e-6)


def test_jitter_is_a_roll_of_every_offset():
    seen = set()
    for seed in range(60):
        moved = np.asarray(Jitter(pixels=1)(jax.random.key(seed), IMAGES))
        offsets = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (np.roll(IMAGES, (y, x), (1, 2)) == moved).all()]
        assert len(offsets) == 1
        seen.add(offsets[0])
    assert len(seen) == 9


def test_rotation_and_zoom_are_what_scipy_does_for_some_angle_and_factor():
    smooth = ndimage.gaussian_filter(np.random.default_rng(0).uniform(size=(33, 33)), 3).astype(np.float32)
    images = jnp.asarray(np.repeat(smooth[None, :, :, None], 3, axis=3))
    inner = slice(8, 25)
    center = np.full(2, 16.0)
    turned = np.asarray(Rotate(degrees=30.0)(KEY, images))[0, :, :, 0]
    zoomed = np.asarray(Zoom(share=0.3)(KEY, images))[0, :, :, 0]

    def nearest(result, matrices):
        far = []
        for matrix in matrices:
            expected = ndimage.affine_transform(smooth, matrix, center - matrix @ center, order=1, mode="nearest")
            far.append(np.abs(expected - result)[inner, inner].max())
        return min(far)

    angles = np.deg2rad(np.arange(-30, 30.01, 0.25))
    assert nearest(turned, [np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) for a in angles]) < 2e-3
    assert nearest(zoomed, [np.eye(2) * factor for factor in np.arange(0.75, 1.35, 0.002)]) < 2e-3
    assert np.abs(turned - smooth).max() > 0.01


def test_the_gradient_is_the_finite_difference():
    transform = Chain(transforms=(Jitter(pixels=2), Zoom(), Rotate()))
    weights, way = (jax.random.normal(jax.random.key(seed), IMAGES.shape) for seed in (2, 3))
    along = lambda step: jnp.sum(weights * transform(KEY, IMAGES + step * way))  # noqa: E731
    np.testing.assert_allclose(jax.grad(along)(0.0), (along(1.0) - along(-1.0)) / 2, rtol=1e-3)


def test_illegal_fields_are_refused():
    for made, message in (
        (lambda: Jitter(pixels=-1), "pixels is -1"),
        (lambda: Zoom(share=-0.1), "share is -0.1"),
        (lambda: Rotate(degrees=181.0), "degrees is 181.0"),
    ):
        with pytest.raises(ValueError, match=message):
            made()
