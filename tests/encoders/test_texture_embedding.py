import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.encoders import TextureEmbedding, Vgg

IMAGES = np.random.default_rng(0).random((2, 24, 32, 3), np.float32)
NETWORK = Vgg(convolutions=(1, 1), widths=(4, 6))
ENCODER = TextureEmbedding(encoder=NETWORK, layers=("relu1_1", "relu2_1"), dimension=5, normalize=False)


def test_the_embedding_is_that_of_an_independent_computation():
    activations, variables = jax.jit(ENCODER.init_with_output)(jax.random.key(0), IMAGES)
    parts = []
    for layer in ("relu1_1", "relu2_1"):
        places = np.asarray(activations[layer], np.float64).reshape(2, -1, activations[layer].shape[-1])
        both = np.concatenate([places.mean(1), np.sqrt(places.var(1) + 1e-4)], axis=1)
        parts.append((both - both.mean(1, keepdims=True)) / np.sqrt(both.var(1, keepdims=True) + 1e-6))
    dense = variables["params"]["dense"]
    expected = np.concatenate(parts, axis=1) @ np.asarray(dense["kernel"], np.float64) + dense["bias"]
    np.testing.assert_allclose(activations["embedding"], expected, atol=2e-5)


def test_where_things_are_does_not_matter():
    """Of a network without borders, an image rolled around is the same texture: here each pixel is seen alone."""
    encoder = TextureEmbedding(encoder=Vgg(convolutions=(1,), widths=(4,), last="relu1_1"), layers=("input",), dimension=5)
    variables = jax.jit(encoder.init)(jax.random.key(0), IMAGES)
    embed = jax.jit(encoder.apply)
    rolled = np.roll(IMAGES, (5, 9), axis=(1, 2))
    np.testing.assert_allclose(embed(variables, rolled)["embedding"], embed(variables, IMAGES)["embedding"], atol=1e-5)


def test_unit_length_and_gradient_of_a_blank_image():
    encoder = TextureEmbedding(encoder=NETWORK, layers=("relu2_1",), dimension=5)
    variables = jax.jit(encoder.init)(jax.random.key(0), IMAGES)
    lengths = jnp.linalg.norm(jax.jit(encoder.apply)(variables, IMAGES)["embedding"], axis=1)
    np.testing.assert_allclose(lengths, 1.0, atol=1e-6)
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(encoder.apply(variables, x)["embedding"][:, 0])))
    assert np.isfinite(gradient(np.zeros_like(IMAGES))).all()


def test_geometry_is_the_networks():
    assert ENCODER.geometry == NETWORK.geometry


@pytest.mark.parametrize("layers", [(), ("relu1_1", "relu1_1")])
def test_layers_are_named_once(layers):
    with pytest.raises(ValueError, match=r"TextureEmbedding\.layers is"):
        TextureEmbedding(encoder=NETWORK, layers=layers)


def test_an_unknown_layer_names_the_maps():
    with pytest.raises(ValueError, match=r"'relu9_1' is no map of Vgg; its maps are input, conv1_1"):
        TextureEmbedding(encoder=NETWORK, layers=("relu9_1",)).init(jax.random.key(0), IMAGES)
