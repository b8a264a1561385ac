import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.encoders import HOG
from likeness.research.encoders.hog import oriented_edges

IMAGES = np.random.default_rng(0).random((2, 19, 16, 1), np.float32)


def test_shapes_and_parameters():
    activations, variables = jax.eval_shape(
        lambda images: HOG().init_with_output(jax.random.key(0), images), jnp.zeros((2, 48, 48, 1))
    )
    assert {name: value.shape for name, value in activations.items()} == {
        "gradients": (2, 48, 48, 8),
        "cells": (2, 6, 6, 8),
        "flatten": (2, 288),
        "embedding": (2, 128),
    }
    # Scale and bias of the batch normalization, then the dense layer.
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == 2 * 288 + 288 * 128 + 128


def test_edges_and_cells_equal_the_oracle():
    images = IMAGES.astype(np.float64)[..., 0]
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)), mode="edge")
    right = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2
    down = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2
    length, angle = np.hypot(right, down), np.arctan2(down, right)
    expected = np.stack([length * np.maximum(np.cos(angle - k * np.pi / 3), 0) ** 4 for k in range(6)], axis=-1)
    np.testing.assert_allclose(jax.jit(oriented_edges, static_argnums=1)(IMAGES, 6), expected, atol=1e-4)
    encoder = HOG(cell=5, directions=6)
    cells = np.asarray(jax.jit(encoder.init_with_output)(jax.random.key(0), IMAGES)[0]["cells"])
    assert cells.shape == (2, 4, 3, 6)
    y, x = np.mgrid[:19, :16]
    weights = np.exp(-((y - 7) ** 2 + (x - 12) ** 2) / (2 * 2.5**2))
    np.testing.assert_allclose(cells[:, 1, 2], np.einsum("bhwk,hw->bk", expected, weights) / weights.sum(), atol=1e-4)


def test_gray_values_may_be_shifted_but_not_stretched():
    encode = jax.jit(lambda images: HOG().init_with_output(jax.random.key(0), images)[0]["cells"])
    cells = [np.asarray(encode(images)) for images in (0.5 * IMAGES, 0.5 * IMAGES + np.float32(0.4), IMAGES)]
    np.testing.assert_allclose(cells[0], cells[1], atol=1e-6)
    np.testing.assert_allclose(2 * cells[0], cells[2], rtol=1e-3)


def test_gradient_by_a_blank_image_is_finite():
    encoder = HOG(dimension=4)
    variables = jax.jit(encoder.init)(jax.random.key(0), IMAGES)
    gradient = jax.jit(jax.grad(lambda x: encoder.apply(variables, x)["embedding"].sum()))
    for value in (0.0, 0.5, 1.0):
        assert np.isfinite(gradient(np.full_like(IMAGES, value))).all(), value
