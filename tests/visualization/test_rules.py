"""The three ways back through a ReLU."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from likeness.research.encoders import Conv4, IResNet, Koch, MobileFaceNet, SqueezeNet, Vgg
from likeness.research.visualization import reconstruct, with_rule

X = np.array([-2.0, -1.0, 1.0, 2.0], np.float32)
ABOVE = np.array([3.0, -4.0, 5.0, -6.0], np.float32)


@pytest.mark.parametrize(
    ("rule", "expected"), [("gradient", [0, 0, 5, -6]), ("deconvnet", [3, 0, 5, 0]), ("guided", [0, 0, 5, 0])]
)
@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit, jax.checkpoint], ids=["plain", "jit", "remat"])
def test_one_relu_by_its_definition(rule, expected, wrap):
    back = jax.grad(lambda x: jnp.sum(ABOVE * with_rule(wrap(nn.relu), rule)(x)))(jnp.asarray(X))
    np.testing.assert_array_equal(back, expected)


def test_relu6_is_cut_at_both_ends():
    x = jnp.asarray([-1.0, 3.0, 7.0])
    back = jax.grad(lambda x: jnp.sum(with_rule(nn.relu6, "guided")(x)))(x)
    np.testing.assert_array_equal(back, [0, 1, 0])
    np.testing.assert_array_equal(with_rule(nn.relu6, "guided")(x), [0, 3, 6])


def two_layers(x, rule):
    """Back to x from relu(W2 relu(W1 x)) · a, in NumPy float64, where W2's output is seeded with ones."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(5, 6)), rng.normal(size=(6, 3))
    before = x @ first
    middle = np.maximum(before, 0)
    last = middle @ second
    back = np.ones_like(last)

    def through(value, above):
        mask = {"gradient": value > 0, "deconvnet": above > 0, "guided": (value > 0) & (above > 0)}[rule]
        return np.where(mask, above, 0)

    return first, second, through(before, through(last, back) @ second.T) @ first.T


@pytest.mark.parametrize("rule", ["gradient", "deconvnet", "guided"])
def test_two_layers_equal_numpy(rule):
    x = np.random.default_rng(1).normal(size=(4, 5))
    first, second, expected = two_layers(x, rule)
    with jax.enable_x64():

        def network(x):
            return jnp.sum(jax.nn.relu(jax.nn.relu(x @ first) @ second))

        np.testing.assert_allclose(jax.grad(with_rule(network, rule))(jnp.asarray(x)), expected, rtol=1e-12)


ENCODERS = [
    pytest.param(Conv4(width=4, dimension=4), 16, "relu2", id="conv4", marks=pytest.mark.end_to_end),
    pytest.param(Koch(), 105, "relu2", id="koch", marks=pytest.mark.slow),
    pytest.param(Vgg(convolutions=(1, 1), widths=(4, 6)), 16, "relu2_1", id="vgg"),
    pytest.param(SqueezeNet(), 32, "fire2/concat", id="squeezenet", marks=pytest.mark.slow),
    pytest.param(MobileFaceNet(), 112, "conv2", id="mobilefacenet", marks=pytest.mark.slow),
]


@pytest.mark.slow
@pytest.mark.parametrize(("encoder", "side", "layer"), ENCODERS)
def test_an_encoder_computes_the_same_and_its_gradient_is_the_gradient(encoder, side, layer):
    channels = 1 if isinstance(encoder, Koch) else 3
    images = jax.random.uniform(jax.random.key(0), (2, side, side, channels))
    variables = encoder.init(jax.random.key(1), images)

    def read(images):
        return encoder.apply(variables, images)[layer]

    found = read(images)
    # A small value of a map is what is left of large terms, so that its rounding error is as large as theirs.
    rounding = 1e-6 * max(1.0, float(jnp.max(jnp.abs(found))))
    np.testing.assert_allclose(with_rule(read, "guided")(images), found, rtol=1e-5, atol=rounding)
    # Where each image's map is largest, since a unit at 0 has no gradient.
    largest = [np.unravel_index(np.argmax(one), one.shape) for one in np.asarray(found)]
    units, places = np.array([place[2] for place in largest]), np.array([place[:2] for place in largest])
    plain = jax.grad(lambda x: jnp.sum(read(x)[np.arange(2), places[:, 0], places[:, 1], units]))(images)
    np.testing.assert_allclose(reconstruct(read, images, units, places, "gradient"), plain, rtol=1e-5, atol=1e-7)
    by_rule = jax.grad(lambda x: jnp.sum(with_rule(read, "gradient")(x)[np.arange(2), places[:, 0], places[:, 1], units]))
    np.testing.assert_allclose(by_rule(images), plain, rtol=1e-4, atol=1e-6)
    guided = reconstruct(read, images, units, places, "guided")
    assert np.isfinite(guided).all() and np.abs(np.asarray(guided) - np.asarray(plain)).max() > 0


def test_without_a_relu_it_says_so():
    with pytest.raises(ValueError, match="has none"):
        with_rule(jnp.tanh, "guided")(jnp.ones(3))
    encoder = IResNet(blocks=(1, 1, 1, 1), dimension=8)
    images = jnp.zeros((1, 112, 112, 3))
    variables = jax.eval_shape(encoder.init, jax.random.key(0), images)
    with pytest.raises(ValueError, match="PReLU"):
        jax.eval_shape(with_rule(lambda x, v: encoder.apply(v, x), "guided"), images, variables)
