import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.encoders import SqueezeNet
from likeness.research.encoders.layer_geometry import map_sides, smallest_side

TINY = SqueezeNet(first=4, squeeze=(1, 2, 1, 1, 2), classes=3)
IMAGES = np.random.default_rng(0).uniform(size=(2, 30, 33, 3)).astype(np.float32)


def abstract(encoder, height=64, width=64):
    return jax.eval_shape(lambda images: encoder.init_with_output(jax.random.key(0), images), jnp.zeros((1, height, width, 3)))


def random_variables(encoder):
    rng = np.random.default_rng(1)

    def draw(leaf):
        scale = np.sqrt(2 / np.prod(leaf.shape[:-1])) if leaf.ndim == 4 else 0.1
        return jnp.asarray(rng.normal(size=leaf.shape) * scale, jnp.float32)

    return jax.tree.map(draw, abstract(encoder)[1])


def convolve(x, weights, padding, stride=1):
    kernel, bias = (np.asarray(weights[name], np.float64) for name in ("kernel", "bias"))
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    view = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[:2], axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("bhwcij,ijcd->bhwd", view, kernel) + bias


def pool(x):
    """3×3/2, the last window cut off at the edge."""
    rows, columns = (range(0, side - 1, 2) for side in x.shape[1:3])
    return np.stack([np.stack([x[:, i : i + 3, j : j + 3].max((1, 2)) for j in columns], 1) for i in rows], 1)


def oracle(encoder, params, images):
    found = {"input": images}
    x = 255.0 * images[..., ::-1].astype(np.float64) - (104, 117, 123)
    found["conv1"] = convolve(x, params["conv1"], 0, 2)
    found["relu_conv1"] = np.maximum(found["conv1"], 0)
    x = found["pool1"] = pool(found["relu_conv1"])
    for number in range(2, len(encoder.squeeze) + 2):
        fire = f"fire{number}"
        found[f"{fire}/squeeze1x1"] = convolve(x, params[fire]["squeeze1x1"], 0)
        squeezed = found[f"{fire}/relu_squeeze1x1"] = np.maximum(found[f"{fire}/squeeze1x1"], 0)
        for name, padding in (("expand1x1", 0), ("expand3x3", 1)):
            found[f"{fire}/{name}"] = convolve(squeezed, params[fire][name], padding)
            found[f"{fire}/relu_{name}"] = np.maximum(found[f"{fire}/{name}"], 0)
        x = np.concatenate([found[f"{fire}/relu_expand1x1"], found[f"{fire}/relu_expand3x3"]], -1)
        found[f"{fire}/concat"] = x
        if number in (3, 5):
            x = found[f"pool{number}"] = pool(x)
    found["conv10"] = convolve(x, params["conv10"], 0)
    found["relu_conv10"] = np.maximum(found["conv10"], 0)
    return found | {"pool10": found["relu_conv10"].mean((1, 2))}


def test_every_layer_equals_numpy():
    variables = random_variables(TINY)
    activations = jax.jit(TINY.apply)(variables, IMAGES)
    expected = oracle(TINY, variables["params"], IMAGES)
    assert set(activations) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(activations[name], value, rtol=1e-5, atol=1e-5 * np.abs(value).max(), err_msg=name)


def test_parameter_counts_and_shapes_of_the_published_network():
    activations, variables = abstract(SqueezeNet(), 227, 227)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables)) == 722_496
    assert activations["conv1"].shape == (1, 113, 113, 64)
    assert activations["pool1"].shape == (1, 56, 56, 64)
    assert activations["pool3"].shape == (1, 28, 28, 128)
    assert activations["pool5"].shape == (1, 14, 14, 256)
    assert activations["fire9/concat"].shape == (1, 14, 14, 512)
    assert "conv10" not in activations
    activations, variables = abstract(SqueezeNet(classes=1000))
    assert sum(leaf.size for leaf in jax.tree.leaves(variables)) == 1_235_496
    assert activations["pool10"].shape == (1, 1000)


@pytest.mark.parametrize("side", [17, 64, 67, 70])
def test_geometry_lists_what_is_computed(side):
    activations = abstract(TINY, side, side)[0]
    del activations["pool10"]
    assert {name: value.shape[1] for name, value in activations.items()} == map_sides(TINY.geometry, side)


def test_a_small_image_is_refused_by_layer_and_size():
    assert smallest_side(SqueezeNet().geometry) == 17
    abstract(SqueezeNet(), 17, 17)
    with pytest.raises(ValueError, match=r"SqueezeNet: images of 16×20 .*pool5 gets a map of 1×2 .*at least 17×17"):
        abstract(SqueezeNet(), 16, 20)


def test_bfloat16_keeps_parameters_and_input_in_float32():
    activations, variables = abstract(TINY.clone(dtype="bfloat16"))
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    assert activations.pop("input").dtype == activations.pop("pool10").dtype == jnp.float32
    assert {value.dtype for value in activations.values()} == {jnp.dtype("bfloat16")}


@pytest.mark.parametrize("fields", [{"first": 0}, {"squeeze": ()}, {"squeeze": (16, 0)}, {"classes": 0}])
def test_an_illegal_field_is_named(fields):
    with pytest.raises(ValueError, match=rf"SqueezeNet\..*{next(iter(fields))}"):
        SqueezeNet(**fields)


@pytest.mark.data
def test_the_published_file_names_our_layers():
    """Its bytes hold the names of all layers; reading the tensors is for likeness.research.weights."""
    folder = Path(os.environ["LIKENESS_DATA"]) / "weights" / "squeezenet11"
    content = (folder / "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5").read_bytes()
    missing = [layer.name for layer in SqueezeNet().geometry if layer.name.encode() not in content]
    assert missing == []
