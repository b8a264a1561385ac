import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import correlate

from likeness.research.encoders import ResidualConv


def shapes(encoder, side):
    return jax.eval_shape(lambda images: encoder.init_with_output(jax.random.key(0), images), jnp.zeros((2, side, side, 1)))


def test_parameter_count():
    _, variables = shapes(ResidualConv(), 36)
    blocks = 9 * (32 + 32 * 64 + 64 * 128) + 2 * (32 + 64 + 128)
    units = 2 * 9 * (64**2 + 128**2) + 2 * 2 * (64 + 128)
    last = 9 * 128 * 64 + 2 * 64
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == blocks + units + last == 536_160


@pytest.mark.parametrize(("side", "map_side"), [(28, 3), (36, 4), (105, 13)])
def test_the_last_map_keeps_its_places(side, map_side):
    activations, _ = shapes(ResidualConv(), side)
    assert set(activations) == {"pool1", "pool2", "unit2", "pool3", "unit3", "last", "flatten", "embedding"}
    assert activations["last"].shape == (2, map_side, map_side, 64)
    assert activations["embedding"].shape == (2, map_side**2 * 64)
    assert shapes(ResidualConv(head="dense", dimension=10), side)[0]["embedding"].shape == (2, 10)


def test_it_is_what_its_docstring_says_in_float64():
    """Beside loops over SciPy's correlations, from the same parameters and statistics."""
    encoder = ResidualConv(widths=(3, 4), units=(0, 1), last=2)
    images = np.random.default_rng(0).random((2, 8, 8, 1)).astype(np.float32)
    _, template = jax.eval_shape(lambda x: encoder.init_with_output(jax.random.key(0), x), images)
    rng = np.random.default_rng(1)
    variables = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32) / 3, template)
    variables["batch_stats"] = jax.tree.map(lambda leaf: np.abs(leaf) + np.float32(0.2), variables["batch_stats"])
    found = jax.jit(encoder.apply)(variables, images)
    params, stats = (jax.tree.map(lambda leaf: leaf.astype(np.float64), variables[k]) for k in ("params", "batch_stats"))

    def conv(x, kernel):
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        planes = [
            [sum(correlate(image[..., c], kernel[..., c, d], "valid") for c in range(x.shape[-1])) for image in padded]
            for d in range(kernel.shape[-1])
        ]
        return np.moveaxis(np.array(planes), 0, -1)

    def norm(x, params, stats):
        return (x - stats["mean"]) / np.sqrt(stats["var"] + 1e-5) * params["scale"] + params["bias"]

    x = 2 * images.astype(np.float64) - 1
    for block in ("1", "2"):
        y = conv(x, params[f"conv{block}"]["kernel"])
        y = y.reshape(2, y.shape[1] // 2, 2, y.shape[2] // 2, 2, -1).max(axis=(2, 4))
        x = np.maximum(norm(y, params[f"norm{block}"], stats[f"norm{block}"]), 0)
        np.testing.assert_allclose(found[f"pool{block}"], x, atol=1e-5)
    unit, unit_stats = params["unit2_1"], stats["unit2_1"]
    y = np.maximum(norm(conv(x, unit["conv1"]["kernel"]), unit["norm1"], unit_stats["norm1"]), 0)
    x = np.maximum(x + norm(conv(y, unit["conv2"]["kernel"]), unit["norm2"], unit_stats["norm2"]), 0)
    np.testing.assert_allclose(found["unit2"], x, atol=1e-5)
    x = np.maximum(norm(conv(x, params["conv_last"]["kernel"]), params["norm_last"], stats["norm_last"]), 0)
    np.testing.assert_allclose(found["embedding"], x.reshape(2, -1), atol=2e-5)
