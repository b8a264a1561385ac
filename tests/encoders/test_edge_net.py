from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.encoders import HOG, EdgeNet

IMAGES = np.random.default_rng(0).random((2, 19, 16, 1), np.float32)


def test_shapes_and_parameters():
    activations, variables = jax.eval_shape(
        lambda images: EdgeNet().init_with_output(jax.random.key(0), images), jnp.zeros((2, 64, 64, 1))
    )
    assert activations["normalized1"].shape == (2, 64, 64, 32)
    assert activations["cells"].shape == (2, 8, 8, 32)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == 9 * 32 + 2 * 2048 + 2048 * 128 + 128


def test_from_differences_the_cells_are_those_of_oriented_gradients():
    """Of K unit vectors around the circle the mean of [cos]² is 1/4, which is what the strongest channel is measured by."""
    encoder = EdgeNet(width=8, cell=5, start="differences")
    cells = jax.jit(encoder.init_with_output)(jax.random.key(0), IMAGES)[0]["cells"]
    gradients = jax.jit(HOG(cell=5).init_with_output)(jax.random.key(0), IMAGES)[0]["cells"]
    # Kernels of unit length are √2 times the halved differences, and the mean square is a quarter: √2 · 4^(3/2).
    np.testing.assert_allclose(cells / (np.sqrt(2) * 8), gradients, atol=1e-3)


def test_brightness_changes_nothing_and_contrast_stretches():
    encoder = EdgeNet(width=6)
    variables = jax.jit(encoder.init)(jax.random.key(1), IMAGES)
    cells = [
        np.asarray(jax.jit(encoder.apply)(variables, images)["cells"])
        for images in (0.5 * IMAGES, 0.5 * IMAGES + np.float32(0.4), IMAGES)
    ]
    np.testing.assert_allclose(cells[0], cells[1], atol=1e-5)
    np.testing.assert_allclose(2 * cells[0], cells[2], rtol=1e-2, atol=1e-3)


def test_a_power_of_one_leaves_the_responses_as_they_are():
    found = jax.jit(EdgeNet(width=6, power=1).init_with_output)(jax.random.key(0), IMAGES)[0]
    np.testing.assert_allclose(found["normalized1"], found["relu1"], rtol=1e-6)


@pytest.mark.parametrize("power", [1, 2, 4])
def test_gradient_by_a_blank_image_is_finite(power):
    encoder = EdgeNet(width=4, dimension=4, power=power)
    variables = jax.jit(encoder.init)(jax.random.key(0), IMAGES)

    def total(images):
        activations: Any = encoder.apply(variables, images)
        return activations["embedding"].sum()

    gradient = jax.jit(jax.grad(total))
    for value in (0.0, 0.5, 1.0):
        assert np.isfinite(gradient(np.full_like(IMAGES, value))).all(), value
