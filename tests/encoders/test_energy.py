import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from likeness.research.encoders import SqueezeNet, Vgg, normalize_energy

IMAGES = np.random.default_rng(0).uniform(size=(2, 20, 24, 3)).astype(np.float32)
TINY = Vgg(convolutions=(2, 1), widths=(4, 6))
NETWORKS = {
    "max": TINY,
    "average": TINY.clone(pooling="average", padding="replicate", preprocessing="unit"),
    "l2": TINY.clone(pooling="l2", rescale=True, preprocessing="convolution"),
    "convolution last": TINY.clone(last="conv2_1"),
    "squeezenet": SqueezeNet(first=4, squeeze=(2, 2, 2)),
}


def random_variables(encoder):
    """Filters and biases of every size, so that no layer starts with an energy of one."""
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(encoder.init, jax.random.key(0), IMAGES)
    variables = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape) * 3, jnp.float32), shapes)
    if "conv0" in variables["params"]:
        variables["params"]["conv0"] = {
            "kernel": 255.0 * jnp.eye(3)[None, None, ::-1],
            "bias": jnp.full(3, -116.0),
        }
    return variables


@pytest.mark.parametrize("name", NETWORKS)
def test_every_relu_has_an_energy_of_one_and_the_network_computes_the_same(name):
    encoder = NETWORKS[name]
    variables = random_variables(encoder)
    normalized = normalize_energy(encoder, variables, IMAGES)
    assert jax.tree.structure(normalized) == jax.tree.structure(variables)
    apply = jax.jit(encoder.apply)
    before, after = apply(variables, IMAGES), apply(normalized, IMAGES)
    kernels = traverse_util.flatten_dict(variables["params"], sep="/")
    for layer in [key.removesuffix("/kernel") for key in kernels if key.endswith("kernel") and "conv0" not in key]:
        passed = np.maximum(np.asarray(after[layer], np.float64), 0)
        np.testing.assert_allclose(np.mean(passed**2), 1, rtol=1e-5)
        old = np.asarray(before[layer], np.float64)
        energy = np.mean(np.maximum(old, 0) ** 2)
        np.testing.assert_allclose(after[layer], old / np.sqrt(energy), rtol=1e-3, atol=1e-3 * np.abs(old).max() / energy**0.5)


def test_the_preprocessing_is_left_alone():
    variables = random_variables(NETWORKS["l2"])
    normalized = normalize_energy(NETWORKS["l2"], variables, IMAGES)
    jax.tree.map(np.testing.assert_array_equal, normalized["params"]["conv0"], variables["params"]["conv0"])


def test_normalizing_twice_changes_nothing():
    once = normalize_energy(TINY, random_variables(TINY), IMAGES)
    twice = normalize_energy(TINY, once, IMAGES)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), once, twice)


def test_a_silent_layer_keeps_its_scale():
    variables = random_variables(TINY)
    variables["params"]["conv1_2"] = jax.tree.map(jnp.zeros_like, variables["params"]["conv1_2"])
    variables["params"]["conv2_1"]["bias"] = jnp.full(6, -1.0)
    normalized = normalize_energy(TINY, variables, IMAGES)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(normalized))
    jax.tree.map(np.testing.assert_array_equal, normalized["params"]["conv2_1"], variables["params"]["conv2_1"])
