"""Pairs of images: the gradient of their distance, and its axioms."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.encoders import Conv4
from likeness.research.visualization import explain_pairs, grad_cam_of_pairs, gradient_times_input, integrated_gradients

KEY = jax.random.key(0)


def squared(first, second):
    return jnp.sum((first - second) ** 2, axis=-1)


def an_encoder():
    encoder = Conv4(width=4, dimension=4)
    first, second = jax.random.uniform(KEY, (2, 2, 16, 16, 1))
    variables = jax.jit(encoder.init)(jax.random.key(1), first)
    return jax.jit(lambda x: encoder.apply(variables, x)), first, second


def test_the_gradient_of_the_distance_is_that_of_numpy_and_pairs_do_not_mix():
    """f(x) = x W on flat images, d squared: ∂(−d)/∂a = −2 W Wᵀ (a − b)."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 3, 2, 2, 1))
    weights = rng.normal(size=(4, 5))
    with jax.enable_x64():
        by_first, by_second = explain_pairs(lambda x: x.reshape(len(x), -1) @ weights, squared, first, second)
        expected = (-2 * (first - second).reshape(3, 4) @ weights @ weights.T).reshape(first.shape)
        np.testing.assert_allclose(by_first, expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(by_second, -expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_it_is_the_finite_difference_of_an_encoders_distance():
    network, first, second = an_encoder()

    def embed(x):
        return network(x)["embedding"]

    by_first, by_second = explain_pairs(embed, squared, first, second)
    for number, (found, images) in enumerate(((by_first, first), (by_second, second))):
        direction = jax.random.normal(jax.random.key(number), images.shape)
        pair = (first, second)
        ends = [
            squared(*(embed(each + step * direction if at == number else each) for at, each in enumerate(pair)))
            for step in (-1e-3, 1e-3)
        ]
        slope = -(ends[1] - ends[0]) / 2e-3
        np.testing.assert_allclose(jnp.sum(found * direction, axis=(1, 2, 3)), slope, rtol=0.05, atol=2e-3)


@pytest.mark.slow
def test_integrated_gradients_add_up_to_the_likeness_gained_and_are_symmetric():
    weights = jax.random.normal(KEY, (12, 5))
    first, second, baseline = jax.random.uniform(jax.random.key(1), (3, 2, 2, 2, 3))

    def embed(x):
        return jnp.tanh(x.reshape(len(x), -1) @ weights)

    def attribute(score, x):
        return integrated_gradients(score, x, baseline, steps=48)

    by_first, by_second = explain_pairs(embed, squared, first, second, attribute)
    for found, images, other in ((by_first, first, second), (by_second, second, first)):
        gained = squared(embed(baseline), embed(other)) - squared(embed(images), embed(other))
        np.testing.assert_allclose(found.sum(axis=(1, 2, 3)), gained, atol=0.005 * float(jnp.abs(gained).max()))
    exchanged = explain_pairs(embed, squared, second, first, attribute)
    np.testing.assert_allclose(exchanged[0], by_second, atol=1e-6)


def test_an_image_and_itself_have_no_gradient():
    network, first, _ = an_encoder()
    for found in explain_pairs(lambda x: network(x)["embedding"], squared, first, first, gradient_times_input):
        np.testing.assert_allclose(found, 0.0, atol=1e-6)


@pytest.mark.slow
def test_grad_cam_of_a_pair_is_signed_or_cut_at_0():
    network, first, second = an_encoder()

    @functools.partial(jax.jit, static_argnames=("relu", "resize"))
    def looked(relu=True, resize=None):
        return grad_cam_of_pairs(network, "pool2", squared, first, second, relu=relu, resize=resize)

    signed, kept = looked(relu=False), looked()
    assert signed[0].shape == (2, 4, 4)
    for one, other in zip(signed, kept, strict=True):
        np.testing.assert_allclose(other, jnp.maximum(one, 0.0), atol=1e-7)
    assert looked(resize="linear")[1].shape == (2, 16, 16)
