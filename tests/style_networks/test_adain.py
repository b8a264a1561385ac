"""Adaptive instance normalization and the mirrored decoder, against NumPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.encoders import Vgg
from likeness.research.style_networks import Decoder, InstanceNorm, adain, mirror, style_statistics

RNG = np.random.default_rng(0)
CONTENT = (3.0 + 2.0 * RNG.normal(size=(2, 5, 4, 3))).astype(np.float32)
STYLE = (-1.0 + 5.0 * RNG.normal(size=(2, 7, 6, 3))).astype(np.float32)


def oracle(content, style, alpha=1.0, epsilon=1e-5):
    x, s = content.astype(np.float64), style.astype(np.float64)
    moments = lambda a: (a.mean((1, 2), keepdims=True), np.sqrt(a.var((1, 2), keepdims=True) + epsilon))  # noqa: E731
    (mean, deviation), (wanted, spread) = moments(x), moments(s)
    return (1 - alpha) * x + alpha * (spread * (x - mean) / deviation + wanted)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_adain_equals_numpy(alpha):
    moved = adain(CONTENT, style_statistics(STYLE), alpha)
    assert moved.dtype == jnp.float32
    np.testing.assert_allclose(moved, oracle(CONTENT, STYLE, alpha), rtol=1e-5, atol=1e-5)


def test_one_style_serves_all_images():
    one = adain(CONTENT, style_statistics(STYLE[:1]))
    np.testing.assert_allclose(one, oracle(CONTENT, STYLE[[0, 0]]), rtol=1e-5, atol=1e-5)


def test_what_comes_out_has_the_style_s_statistics():
    statistics = style_statistics(STYLE)
    again = style_statistics(adain(CONTENT, statistics))
    for kept, wanted in zip(again, statistics, strict=True):
        np.testing.assert_allclose(kept, wanted, rtol=1e-4, atol=1e-4)


def test_averaged_statistics_are_the_average_of_the_features():
    parts = [style_statistics(STYLE[:1]), style_statistics(STYLE[1:])]
    mixed = jax.tree.map(lambda a, b: 0.25 * a + 0.75 * b, *parts)
    expected = 0.25 * oracle(CONTENT, STYLE[[0, 0]]) + 0.75 * oracle(CONTENT, STYLE[[1, 1]])
    np.testing.assert_allclose(adain(CONTENT, mixed), expected, rtol=1e-4, atol=1e-5)


def test_statistics_are_float32_in_bfloat16_and_keep_the_digits_of_a_channel_far_from_zero():
    coarse = jnp.asarray(STYLE, jnp.bfloat16)
    assert {kept.dtype for kept in style_statistics(coarse)} == {jnp.dtype("float32")}
    far = (1e4 + RNG.normal(size=(1, 30, 30, 1))).astype(np.float32)
    np.testing.assert_allclose(style_statistics(far).deviation.ravel(), far.astype(np.float64).std(), rtol=1e-4)


def test_a_constant_channel_gives_finite_values_and_gradients():
    flat = jnp.ones((1, 4, 4, 2))
    value, gradient = jax.jit(jax.value_and_grad(lambda x: adain(x, style_statistics(flat)).sum()))(flat)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_instance_norm_is_adain_to_its_own_parameters():
    norm = InstanceNorm(epsilon=1e-3)
    variables = {"params": {"scale": jnp.array([1.0, 2.0, -3.0]), "bias": jnp.array([0.5, 0.0, 4.0])}}
    x = CONTENT.astype(np.float64)
    expected = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 1e-3)
    expected = expected * [1.0, 2.0, -3.0] + [0.5, 0.0, 4.0]
    np.testing.assert_allclose(norm.apply(variables, CONTENT), expected, rtol=1e-5, atol=1e-5)


def decoded(decoder, params, x):
    """The decoder in float64, one window at a time."""

    def convolved(x, layer):
        x = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
        view = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
        return np.einsum("bhwcij,ijcd->bhwd", view, params[layer]["kernel"]) + params[layer]["bias"]

    x = np.maximum(convolved(x, "conv3_1"), 0).repeat(2, 1).repeat(2, 2)
    for layer in ("conv2_2", "conv2_1"):
        x = np.maximum(convolved(x, layer), 0)
    x = x.repeat(2, 1).repeat(2, 2)
    return convolved(np.maximum(convolved(x, "conv1_2"), 0), "conv1_1")


def test_the_decoder_equals_numpy():
    decoder = mirror(Vgg(convolutions=(2, 2, 3), widths=(2, 3, 4)), "relu3_1")
    assert decoder == Decoder(convolutions=(2, 2, 1), widths=(2, 3, 4))
    features = RNG.normal(size=(2, 3, 2, 4)).astype(np.float32)
    variables = jax.tree.map(
        lambda leaf: jnp.asarray(RNG.normal(size=leaf.shape), jnp.float32),
        jax.eval_shape(decoder.init, jax.random.key(0), features),
    )
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), variables["params"])
    found = jax.jit(decoder.apply)(variables, features)
    expected = decoded(decoder, params, features.astype(np.float64))
    assert found.shape == (2, 12, 8, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_the_decoder_of_vgg19_is_the_paper_s():
    decoder = mirror(Vgg(), "relu4_1")
    shapes = jax.eval_shape(decoder.init, jax.random.key(0), jnp.zeros((1, 4, 4, 512)))["params"]
    layers = ("4_1", "3_4", "3_3", "3_2", "3_1", "2_2", "2_1", "1_2", "1_1")
    kernels = [shapes[f"conv{layer}"]["kernel"].shape[2:] for layer in layers]
    middle = [(256, 256)] * 3
    assert kernels == [(512, 256), *middle, (256, 128), (128, 128), (128, 64), (64, 64), (64, 3)]
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == 3_505_219


def test_what_cannot_be_decoded_is_refused():
    with pytest.raises(ValueError, match="'relu6_1' cannot be decoded: give one of relu1_1, relu1_2"):
        mirror(Vgg(), "relu6_1")
    with pytest.raises(ValueError, match="'pool1' cannot be decoded"):
        mirror(Vgg(), "pool1")
    with pytest.raises(ValueError, match="give as many of the one as of the other"):
        Decoder(convolutions=(1,), widths=(2, 3))
    with pytest.raises(ValueError, match="features of 5 channels, and 4 are decoded"):
        jax.eval_shape(Decoder(convolutions=(1,), widths=(4,)).init, jax.random.key(0), jnp.zeros((1, 4, 4, 5)))
