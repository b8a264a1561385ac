import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tyro
from flax import linen as nn

from likeness.research.encoders import Conv4


def shapes(encoder, side, channels=1):
    return jax.eval_shape(
        lambda images: encoder.init_with_output(jax.random.key(0), images)[0],
        jnp.zeros((2, side, side, channels)),
    )


def count(encoder, shape):
    variables = jax.eval_shape(lambda: encoder.init(jax.random.key(0), jnp.zeros((1, *shape))))
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


def test_parameter_count():
    assert count(Conv4(head="flatten"), (28, 28, 1)) == 9 * 64 + 3 * 9 * 64**2 + 4 * 2 * 64 == 111_680
    assert count(Conv4(), (28, 28, 1)) == 111_680 + 64 * 128 + 128


@pytest.mark.parametrize(("side", "last"), [(28, 1), (48, 3), (64, 4), (105, 6)])
def test_sizes_in_use(side, last):
    activations = shapes(Conv4(), side)
    assert activations["pool4"].shape == (2, last, last, 64)
    assert activations["embedding"].shape == (2, 128)
    assert shapes(Conv4(head="flatten"), side)["embedding"].shape == (2, last * last * 64)


def test_names_and_shapes():
    activations = shapes(Conv4(width=8), 32, channels=3)
    layers = [f"{kind}{block}" for block in range(1, 5) for kind in ("conv", "relu", "pool")]
    assert set(activations) == {
        *layers,
        "flatten",
        "embedding",
    }
    assert activations["conv2"].shape == activations["relu2"].shape == (2, 16, 16, 8)
    assert activations["pool2"].shape == (2, 8, 8, 8)


def test_pooling_before_relu_is_the_published_order():
    encoder = Conv4(width=4, head="flatten", normalize=False)
    images = jax.random.uniform(jax.random.key(1), (2, 16, 16, 1))
    activations, _ = jax.jit(encoder.init_with_output)(jax.random.key(0), images)
    for block in range(1, 5):
        pooled = nn.max_pool(activations[f"relu{block}"], (2, 2), (2, 2))
        np.testing.assert_array_equal(activations[f"pool{block}"], pooled)
    np.testing.assert_array_equal(activations["embedding"], activations["pool4"].reshape(2, -1))


def test_a_width_comes_from_the_command_line():
    encoder = tyro.cli(Conv4, args=["--width", "32"], config=(tyro.conf.AvoidSubcommands,))
    assert encoder == Conv4(width=32)
