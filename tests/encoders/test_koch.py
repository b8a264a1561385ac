import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.encoders import Koch


def test_shapes_and_parameter_count_are_the_papers():
    activations, variables = jax.eval_shape(
        lambda images: Koch().init_with_output(jax.random.key(0), images), jnp.zeros((2, 105, 105, 1))
    )
    expected = {
        "conv1": (96, 96, 64),
        "relu1": (96, 96, 64),
        "pool1": (48, 48, 64),
        "conv2": (42, 42, 128),
        "relu2": (42, 42, 128),
        "pool2": (21, 21, 128),
        "conv3": (18, 18, 128),
        "relu3": (18, 18, 128),
        "pool3": (9, 9, 128),
        "conv4": (6, 6, 256),
        "relu4": (6, 6, 256),
        "flatten": (9216,),
        "embedding": (4096,),
    }
    assert {name: value.shape[1:] for name, value in activations.items()} == expected
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == 38_947_648
    assert set(variables) == {"params"}


@pytest.mark.slow
def test_initial_distributions_are_the_papers_and_the_embedding_is_a_sigmoid():
    images = np.random.default_rng(1).random((1, 65, 65, 1), np.float32)
    activations, variables = jax.jit(Koch(dimension=64).init_with_output)(jax.random.key(0), images)
    for name, layer in variables["params"].items():
        scale = 0.2 if name == "dense" else 0.01
        np.testing.assert_allclose(np.std(layer["kernel"]), scale, rtol=0.05)
        assert abs(np.mean(layer["kernel"])) < scale * 0.05
        np.testing.assert_allclose(np.mean(layer["bias"]), 0.5, atol=0.005)
        np.testing.assert_allclose(np.std(layer["bias"]), 0.01, rtol=0.3)
    assert (activations["embedding"] >= 0).all()
    assert (activations["embedding"] <= 1).all()
