import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.encoders import AlexNet
from likeness.research.encoders.layer_geometry import map_sides, smallest_side

TINY = AlexNet(widths=(3, 4, 5, 2, 3))
IMAGES = np.random.default_rng(0).uniform(size=(2, 45, 52, 3)).astype(np.float32)


def abstract(encoder, height=64, width=64):
    return jax.eval_shape(lambda images: encoder.init_with_output(jax.random.key(0), images), jnp.zeros((1, height, width, 3)))


def random_variables(encoder):
    rng = np.random.default_rng(1)

    def draw(leaf):
        scale = np.sqrt(2 / np.prod(leaf.shape[:-1])) if leaf.ndim == 4 else 0.1
        return jnp.asarray(rng.normal(size=leaf.shape) * scale, jnp.float32)

    return jax.tree.map(draw, abstract(encoder)[1])


def windows(x, side, stride):
    return np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(1, 2))[:, ::stride, ::stride]


def oracle(params, images):
    found = {"input": images}
    x = (images.astype(np.float64) - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    for number, (stride, padding) in enumerate([(4, 2), (1, 2), (1, 1), (1, 1), (1, 1)], 1):
        kernel, bias = (np.asarray(params[f"conv{number}"][name], np.float64) for name in ("kernel", "bias"))
        padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
        x = np.einsum("bhwcij,ijcd->bhwd", windows(padded, kernel.shape[0], stride), kernel) + bias
        found[f"conv{number}"] = x
        x = found[f"relu{number}"] = np.maximum(x, 0)
        if number <= 2:
            x = found[f"pool{number}"] = windows(x, 3, 2).max((-2, -1))
    return found


def test_every_layer_equals_numpy():
    variables = random_variables(TINY)
    activations = jax.jit(TINY.apply)(variables, IMAGES)
    expected = oracle(variables["params"], IMAGES)
    assert set(activations) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(activations[name], value, rtol=1e-5, atol=1e-5 * np.abs(value).max(), err_msg=name)


def test_parameter_counts_and_shapes_of_the_published_network():
    activations, variables = abstract(AlexNet(), 224, 224)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables)) == 2_469_696
    assert activations["conv1"].shape == (1, 55, 55, 64)
    assert activations["pool1"].shape == (1, 27, 27, 64)
    assert activations["pool2"].shape == (1, 13, 13, 192)
    assert activations["relu5"].shape == (1, 13, 13, 256)


@pytest.mark.parametrize("side", [31, 32, 35, 64, 67])
def test_geometry_lists_what_is_computed(side):
    activations = abstract(TINY, side, side)[0]
    assert {name: value.shape[1] for name, value in activations.items()} == map_sides(TINY.geometry, side)


def test_a_small_image_is_refused_by_layer_and_size():
    assert smallest_side(AlexNet().geometry) == 31
    abstract(AlexNet(), 31, 31)
    with pytest.raises(ValueError, match=r"AlexNet: images of 30×40 .*pool2 gets a map of 2×4 .*at least 31×31"):
        abstract(AlexNet(), 30, 40)


def test_an_illegal_field_is_named():
    with pytest.raises(ValueError, match=r"AlexNet\.widths"):
        AlexNet(widths=(1, 2, 3, 4, 0))
