"""Grad-CAM against NumPy, finite differences, and where it cannot look."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.encoders import Conv4, FlipEmbedding, Koch, PlainConvNet, Vgg
from likeness.research.visualization import grad_cam, last_features, layers_below

KEY = jax.random.key(0)


def by_hand(shape, seed=0):
    """A network x → A = relu(x W) → B = relu(A V) → Σ over places of (B u)², and its Grad-CAM at A, in NumPy float64."""
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(2, *shape, 3))
    first, second, last = rng.normal(size=(3, 5)), rng.normal(size=(5, 4)), rng.normal(size=4)
    a = np.maximum(images @ first, 0)
    before = a @ second
    slopes = ((2 * (np.maximum(before, 0) @ last)[..., None] * last) * (before > 0)) @ second.T
    axes = tuple(range(1, 1 + len(shape)))
    expected = (slopes.mean(axis=axes, keepdims=True) * a).sum(axis=-1)

    def network(x):
        found = {"a": jax.nn.relu(x @ first)}
        found["b"] = jax.nn.relu(found["a"] @ second)
        return found | {"score": jnp.sum((found["b"] @ last) ** 2, axis=axes)}

    return network, images, expected


@pytest.mark.parametrize("shape", [(7,), (4, 5), (3, 4, 2)], ids=["1d", "2d", "3d"])
@pytest.mark.parametrize("compiled", [False, True])
def test_it_is_the_definition(shape, compiled):
    with jax.enable_x64():
        network, images, expected = by_hand(shape)
        network = jax.jit(network) if compiled else network
        found = grad_cam(network, "a", lambda found: found["score"], images, relu=False, resize=None)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
        kept = grad_cam(network, "a", lambda found: found["score"], images)
    assert kept.shape == images.shape[:-1]
    np.testing.assert_allclose(kept, np.maximum(expected, 0), rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.slow
def test_the_weights_are_finite_differences_of_the_layer():
    """Of an encoder that knows nothing of it: what is above the layer is computed again with the map changed."""
    encoder = Vgg(convolutions=(1, 1), widths=(4, 6))
    images = jax.random.uniform(KEY, (1, 8, 8, 3))
    with jax.enable_x64():
        variables = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), jax.jit(encoder.init)(jax.random.key(1), images))
        # Vgg computes in float32 unless told; the tail is what is compared, in float64, from the same map on.
        kernel, bias = (variables["params"]["conv2_1"][name] for name in ("kernel", "bias"))

        def above(pool):
            return jnp.sum(
                jax.nn.relu(
                    jax.lax.conv_general_dilated(pool, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
                    + bias
                )[..., 2]
                ** 2
            )

        pool = encoder.apply(variables, images)["pool1"].astype(jnp.float64)
        slopes = np.zeros(pool.shape)
        for place in np.ndindex(pool.shape):
            step = jnp.zeros_like(pool).at[place].set(1e-4)
            slopes[place] = (above(pool + step) - above(pool - step)) / 2e-4
        expected = (slopes.mean(axis=(1, 2), keepdims=True) * pool).sum(axis=-1)
        found = grad_cam(
            lambda x: encoder.apply(variables, x),
            "pool1",
            lambda found: jnp.sum(found["relu2_1"][..., 2] ** 2, axis=(1, 2)),
            images,
            relu=False,
            resize=None,
        )
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.slow
def test_a_network_under_a_wrapper_is_cut_in_the_image_itself():
    """FlipEmbedding adds the embedding of the mirror image, in which the layer is another."""
    encoder = FlipEmbedding(encoder=Conv4(width=4, dimension=4, normalize=False), normalize=False)
    images = jax.random.uniform(KEY, (2, 16, 16, 1))
    variables = jax.jit(encoder.init)(jax.random.key(1), images)
    inner = {"params": variables["params"]["encoder"], "batch_stats": variables["batch_stats"]["encoder"]}

    def score(found):
        return found["embedding"][:, 0]

    def looked(network, variables):
        return jax.jit(lambda x: grad_cam(lambda x: network.apply(variables, x), "pool2", score, x, relu=False))(images)

    whole, alone = looked(encoder, variables), looked(encoder.encoder, inner)
    np.testing.assert_allclose(whole, alone / 2, rtol=1e-4, atol=1e-5 * np.abs(alone).max())


def test_the_corners_of_the_map_are_those_of_the_image():
    """A layer with half the resolution, bright in one quarter."""

    def network(x):
        return {"pool": (pool := x.reshape(1, 2, 4, 2, 4, 1).mean((2, 4))), "score": pool.sum((1, 2, 3))}

    image = np.zeros((1, 8, 8, 1), np.float32)
    image[:, :4, 4:] = 1.0
    nearest = grad_cam(network, "pool", lambda found: found["score"], image, resize="nearest")
    np.testing.assert_array_equal(nearest, image[..., 0])
    linear = grad_cam(network, "pool", lambda found: found["score"], image)
    np.testing.assert_allclose(linear[0, 0, -1], 1.0)
    assert 0 < linear[0, 3, 4] < 1


def test_what_is_computed_aside_or_has_no_map_is_refused():
    encoder = Conv4(width=4, dimension=4)
    images = jnp.zeros((1, 16, 16, 1)) + 0.1
    variables = jax.jit(encoder.init)(jax.random.key(1), images)

    def network(x):
        found = encoder.apply(variables, x)
        return {**found, "squares": found["relu4"] ** 2}

    def score(found):
        return found["embedding"][:, 0]

    expected = tuple(f"{layer}{block}" for block in range(1, 5) for layer in ("conv", "relu", "pool"))
    assert layers_below(network, score, images) == expected
    assert layers_below(jax.jit(network), score, images) == expected
    for layer, message in (
        ("squares", "does not depend on 'squares', which is computed aside: choose of conv1, .* pool4"),
        ("flatten", "'flatten' has no map"),
        ("relu9", "no layer 'relu9': choose of conv1"),
    ):
        with pytest.raises(ValueError, match=message):
            grad_cam(network, layer, score, images)


@pytest.mark.parametrize(
    ("encoder", "side", "expected"),
    [
        (Conv4(width=4, dimension=4), 48, "relu4"),
        # Of one place it says nothing of places.
        (Conv4(width=4, dimension=4), 16, "relu4"),
        (FlipEmbedding(encoder=Conv4(width=4, dimension=4)), 32, "relu4"),
        (Koch(dimension=4), 65, "relu3"),
        (PlainConvNet(widths=(4, 4), side=3, dimension=4), 16, "relu2"),
        (PlainConvNet(widths=(4, 4), side=3, pool=2, dimension=4), 16, "relu2"),
    ],
)
def test_the_last_features_are_those_before_the_pooling(encoder, side, expected):
    """Selvaraju et al. look at the last convolutional layer, not at what is pooled of it."""
    images = jnp.zeros((1, side, side, 1))
    shapes = jax.eval_shape(encoder.init, KEY, images)
    variables = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    found = last_features(lambda x: encoder.apply(variables, x), lambda found: found["embedding"][:, 0], images)
    assert found == expected
