"""Styles that share convolutions, and what lies between them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from painted import IMAGES, TINY, abstract, oracle, random_variables

from likeness.research.style_networks import Conditional, ConditionalInstanceNorm

THREE = Conditional(widths=TINY.widths, blocks=1, outer=5, styles=3)
WEIGHTS = np.array([[0.0, 1.0, 0.0], [0.2, 0.3, 0.5]], np.float32)


def test_painting_equals_numpy():
    variables = random_variables(THREE, IMAGES, WEIGHTS)
    painted = jax.jit(THREE.apply)(variables, IMAGES, WEIGHTS)
    np.testing.assert_allclose(painted, oracle(THREE, variables, IMAGES, WEIGHTS), rtol=1e-4, atol=1e-5)


def test_it_narrows_on_the_way_back_as_it_is_told():
    network = Conditional(widths=(3, 4, 4), back=(3, 2), blocks=2, outer=5, styles=3)
    variables = random_variables(network, IMAGES, WEIGHTS)
    assert variables["params"]["last"]["kernel"].shape == (5, 5, 2, 3)
    np.testing.assert_allclose(
        jax.jit(network.apply)(variables, IMAGES, WEIGHTS), oracle(network, variables, IMAGES, WEIGHTS), rtol=1e-4, atol=1e-5
    )


def test_without_weights_all_styles_count_alike():
    variables = random_variables(THREE, IMAGES, WEIGHTS)
    alike = np.full((2, 3), 1 / 3, np.float32)
    np.testing.assert_array_equal(jax.jit(THREE.apply)(variables, IMAGES), jax.jit(THREE.apply)(variables, IMAGES, alike))


def test_a_style_alone_is_the_network_of_one_style():
    variables = random_variables(THREE, IMAGES, WEIGHTS)
    choose = lambda name, leaf: leaf[1] if name[-1].key in ("scale", "bias") else leaf  # noqa: E731
    alone = jax.tree_util.tree_map_with_path(choose, variables)
    chosen = np.tile(np.array([0.0, 1.0, 0.0], np.float32), (2, 1))
    expected = jax.jit(TINY.apply)(alone, IMAGES)
    np.testing.assert_allclose(jax.jit(THREE.apply)(variables, IMAGES, chosen), expected, rtol=1e-5, atol=1e-6)


def test_a_style_that_is_not_chosen_is_not_learned():
    norm, chosen = ConditionalInstanceNorm(styles=3), np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], np.float32)
    variables = random_variables(norm, IMAGES, chosen)
    gradient = jax.jit(jax.grad(lambda v: jnp.sum(norm.apply(v, IMAGES, chosen) ** 2)))(variables)
    for table in gradient["params"].values():
        assert np.abs(table[:2]).min() > 0
        np.testing.assert_array_equal(table[2], 0)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"Conditional.back is \(8,\): 3 widths shrink the image 2 times"):
        Conditional(back=(8,))
    with pytest.raises(ValueError, match="styles is 0"):
        Conditional(styles=0)
    with pytest.raises(ValueError, match=r"weights are \(2, 2\), and 2 images in 3 styles need \(2, 3\)"):
        abstract(THREE, jnp.asarray(IMAGES), jnp.ones((2, 2)))
