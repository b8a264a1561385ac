import functools
import itertools
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tyro
from PIL import Image
from safetensors.numpy import load_file

from likeness.research.encoders import Vgg, l2_pool
from likeness.research.encoders.layer_geometry import map_sides, smallest_side

TINY = Vgg(convolutions=(2, 1, 2), widths=(3, 4, 5), preprocessing="torchvision")
NORMALISED = Vgg(last="relu3_1", padding="reflect")
PRUNED = Vgg(widths=(16, 32, 64, 128, 128), last="relu5_1", padding="reflect", preprocessing="convolution")
OFFLINE = Vgg(convolutions=(2, 2, 4, 2), widths=(32, 64, 128, 256), pooling="average")
IMAGES = np.random.default_rng(0).uniform(size=(2, 13, 10, 3)).astype(np.float32)


def abstract(encoder, height=32, width=32, channels=3):
    return jax.eval_shape(
        lambda images: encoder.init_with_output(jax.random.key(0), images), jnp.zeros((1, height, width, channels))
    )


def count(encoder):
    return sum(leaf.size for leaf in jax.tree.leaves(abstract(encoder)[1]))


def random_variables(encoder, seed=1):
    """He normal filters, and biases so that a forgotten one is noticed."""
    rng = np.random.default_rng(seed)

    def draw(leaf):
        fan_in = np.prod(leaf.shape[:-1])
        return jnp.asarray(rng.normal(size=leaf.shape) * np.sqrt(2 / fan_in if leaf.ndim == 4 else 0.1), jnp.float32)

    return jax.tree.map(draw, abstract(encoder)[1])


def oracle(encoder, variables, images):
    """The network in float64, one window at a time."""
    mode = {"zeros": "constant", "replicate": "edge", "reflect": "reflect", "circular": "wrap"}
    x = (images.astype(np.float64) - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    found = {}
    for block, convolutions in enumerate(encoder.convolutions, 1):
        for index in range(1, convolutions + 1):
            if f"conv{block}_{index}" not in variables["params"]:
                return found
            weights = {k: np.asarray(v, np.float64) for k, v in variables["params"][f"conv{block}_{index}"].items()}
            padding = encoder.first_padding if (block, index) == (1, 1) and encoder.first_padding else encoder.padding
            padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode=mode[padding])
            view = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
            x = found[f"conv{block}_{index}"] = np.einsum("bhwcij,ijcd->bhwd", view, weights["kernel"]) + weights["bias"]
            x = found[f"relu{block}_{index}"] = np.maximum(x, 0)
        if encoder.pooling == "hann":
            padded = np.pad(x**2, ((0, 0), (1, 1), (1, 1), (0, 0)))
            window = np.outer((0.25, 0.5, 0.25), (0.25, 0.5, 0.25))
            view = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]
            x = found[f"pool{block}"] = np.sqrt(np.einsum("bhwcij,ij->bhwc", view, window) + 1e-12)
            continue
        x = x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2]
        quarters = np.stack([x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)])
        pooled = {"max": quarters.max(0), "average": quarters.mean(0), "l2": np.sqrt((quarters**2).sum(0))}
        factor = {"max": 1.0, "average": 2.0, "l2": 0.78}[encoder.pooling] if encoder.rescale else 1.0
        x = found[f"pool{block}"] = factor * pooled[encoder.pooling]
    return found


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"pooling": "average", "padding": "replicate"},
        {"pooling": "average", "rescale": True, "first_padding": "replicate"},
        {"pooling": "l2", "padding": "reflect"},
        {"pooling": "l2", "rescale": True, "padding": "reflect", "first_padding": "zeros"},
        {"pooling": "average", "padding": "circular"},
        {"pooling": "hann"},
    ],
)
def test_every_layer_equals_numpy(fields):
    encoder = TINY.clone(**fields, last="pool3")
    variables = random_variables(encoder)
    activations = jax.jit(encoder.apply)(variables, IMAGES)
    np.testing.assert_array_equal(activations.pop("input"), IMAGES)
    expected = oracle(encoder, variables, IMAGES)
    assert set(activations) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(activations[name], value, rtol=1e-5, atol=1e-5, err_msg=name)


def test_of_an_image_that_goes_on_at_its_other_side_a_shift_by_strides_shifts_every_map():
    encoder = TINY.clone(first_padding="replicate", last="pool3").wrapped()
    variables, images = random_variables(encoder), np.random.default_rng(5).random((1, 16, 24, 3)).astype(np.float32)
    still, moved = (jax.jit(encoder.apply)(variables, x) for x in (images, np.roll(images, (8, 16), (1, 2))))
    for name, found in still.items():
        stride = images.shape[1] // found.shape[1]
        np.testing.assert_allclose(moved[name], np.roll(found, (8 // stride, 16 // stride), (1, 2)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("padding", ["zeros", "replicate", "reflect", "circular"])
def test_the_gradient_of_the_image_is_the_difference_quotient(padding):
    # Average pooling: the maximum's kinks would lie within the step.
    encoder = TINY.clone(padding=padding, pooling="average", last="conv2_1")
    variables = random_variables(encoder)
    rng = np.random.default_rng(2)
    weights = rng.normal(size=(2, 6, 5, 4))

    def cost(images):
        return jnp.sum(encoder.apply(variables, images)["conv2_1"] * jnp.asarray(weights, jnp.float32))

    gradient = jax.jit(jax.grad(cost))(IMAGES)
    for direction in rng.choice([-1.0, 1.0], size=(3, *IMAGES.shape)):
        values = [np.sum(oracle(encoder, variables, IMAGES + step * direction)["conv2_1"] * weights) for step in (1e-7, -1e-7)]
        quotient = (values[0] - values[1]) / 2e-7
        np.testing.assert_allclose(np.sum(gradient * direction), quotient, rtol=1e-3, atol=1e-3)


def test_parameter_counts():
    # The published networks without their dense layers.
    assert count(Vgg()) == 20_024_384
    assert count(Vgg(convolutions=(2, 2, 3, 3, 3))) == 14_714_688
    assert count(Vgg(last="relu5_1")) == 12_944_960


def test_names_and_shapes_of_vgg19():
    activations = abstract(Vgg(), 33, 47)[0]
    blocks = zip((2, 2, 4, 4, 4), (64, 128, 256, 512, 512), strict=True)
    expected = {"input": (1, 33, 47, 3)}
    for block, (convolutions, width) in enumerate(blocks, 1):
        shape = (1, 33 >> block - 1, 47 >> block - 1, width)
        expected |= {f"{kind}{block}_{i}": shape for i in range(1, convolutions + 1) for kind in ("conv", "relu")}
        if block < 5:
            expected[f"pool{block}"] = (1, 33 >> block, 47 >> block, width)
    assert {name: value.shape for name, value in activations.items()} == expected
    assert abstract(Vgg(last="pool5"))[0]["pool5"].shape == (1, 1, 1, 512)


def test_the_network_without_a_download():
    activations, _ = abstract(OFFLINE)
    assert OFFLINE.geometry[-1].name == "relu4_2"
    assert activations["relu4_2"].shape == (1, 4, 4, 256)
    widths = [3, 32, 32, 64, 64, 128, 128, 128, 128, 256, 256]
    assert count(OFFLINE) == sum(9 * a * b + b for a, b in itertools.pairwise(widths)) == 1_467_424


def test_nothing_deeper_than_the_last_layer_has_parameters():
    activations, variables = abstract(Vgg(last="conv3_2"))
    assert "conv3_2" in activations
    assert not {"relu3_2", "conv3_3", "pool3"} & set(activations)
    assert list(variables["params"]) == ["conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2"]


def test_geometry_lists_what_is_computed():
    for encoder in (Vgg(), TINY, TINY.clone(last="pool2")):
        activations = abstract(encoder, 32, 32)[0]
        sides = map_sides(encoder.geometry, 32)
        assert {name: value.shape[1] for name, value in activations.items()} == sides


def test_random_filters_are_he_normal_and_biases_zero():
    encoder = Vgg(convolutions=(1, 2), widths=(64, 64), last="conv2_2")
    variables = jax.jit(encoder.init)(jax.random.key(3), np.zeros((1, 4, 4, 3), np.float32))
    kernel = variables["params"]["conv2_2"]["kernel"]
    assert kernel.shape == (3, 3, 64, 64)
    np.testing.assert_allclose(np.var(kernel), 2 / (9 * 64), rtol=0.03)
    assert not np.any(variables["params"]["conv2_2"]["bias"])


def test_the_preprocessing_by_convolution_starts_as_caffe():
    encoder = TINY.clone(preprocessing="convolution")
    variables = jax.jit(encoder.init)(jax.random.key(0), IMAGES)
    without = {"params": {name: value for name, value in variables["params"].items() if name != "conv0"}}
    ours = jax.jit(encoder.apply)(variables, IMAGES)
    theirs = jax.jit(TINY.clone(preprocessing="caffe").apply)(without, IMAGES)
    assert set(ours) == set(theirs)
    np.testing.assert_allclose(ours["relu3_2"], theirs["relu3_2"], rtol=1e-4, atol=1e-3)


def test_bfloat16_keeps_parameters_and_input_in_float32():
    activations, variables = abstract(TINY.clone(dtype="bfloat16", pooling="l2", rescale=True, padding="reflect"))
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    assert activations.pop("input").dtype == jnp.float32
    assert {value.dtype for value in activations.values()} == {jnp.dtype("bfloat16")}


def test_a_constant_image_has_no_border_under_replication():
    encoder = TINY.clone(padding="replicate")
    activations = jax.jit(encoder.apply)(random_variables(encoder), np.full((1, 16, 16, 3), 0.3, np.float32))
    for value in activations.values():
        np.testing.assert_allclose(value, np.broadcast_to(value[:, :1, :1], value.shape), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("encoder", "smallest", "layer"),
    [
        (Vgg(last="relu5_1"), 16, "pool4"),
        (Vgg(last="relu5_1", padding="reflect"), 32, "conv5_1"),
        (Vgg(last="relu3_1"), 4, "pool2"),
        (OFFLINE, 8, "pool3"),
    ],
)
def test_a_small_image_is_refused_by_layer_and_size(encoder, smallest, layer):
    assert smallest_side(encoder.geometry) == smallest
    abstract(encoder, smallest, smallest)
    with pytest.raises(ValueError, match=rf"{smallest - 1}×{smallest} .*{layer} .*at least {smallest}×{smallest}"):
        abstract(encoder, smallest - 1, smallest)


def test_gray_images_are_refused():
    with pytest.raises(ValueError, match="RGB"):
        abstract(TINY, channels=1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"last": "relu4_9"}, r"'relu4_9'.*nearest: relu4_\d, relu4_\d"),
        ({"convolutions": (2, 2)}, "one width for each block"),
        ({"convolutions": (), "widths": ()}, "one width for each block"),
        ({"convolutions": (2, 2, 0, 4, 4)}, r"Vgg\.convolutions"),
        ({"widths": (64, 128, -1, 512, 512)}, r"Vgg\.widths"),
    ],
)
def test_an_illegal_field_is_named(fields, message):
    with pytest.raises(ValueError, match=message):
        Vgg(**fields)


def test_tyro_overrides_fields():
    arguments = ["--convolutions", "2", "2", "--widths", "8", "16", "--last", "relu2_1", "--pooling", "average"]
    encoder = tyro.cli(Vgg, args=arguments, config=(tyro.conf.AvoidSubcommands,))
    assert encoder == Vgg(convolutions=(2, 2), widths=(8, 16), last="relu2_1", pooling="average")
    assert hash(encoder) == hash(encoder.clone())


def weights_folder() -> Path:
    return Path(os.environ["LIKENESS_DATA"]) / "weights"


def from_torch(tensors, names):
    """Filters (out, in, h, w) by the file's key → variables by the layer's name."""
    return {
        "params": {
            name: {"kernel": tensors[f"{key}.weight"].transpose(2, 3, 1, 0), "bias": tensors[f"{key}.bias"]}
            for key, name in names.items()
        }
    }


@functools.cache
def published(which):
    """(encoder, its variables, the file's tensors, key → layer, key of the preprocessing)."""
    if which == "normalised":
        tensors = load_file(weights_folder() / "vgg19_normalised" / "vgg_normalised_conv3_1.safetensors")
        names = {"2": "conv1_1", "5": "conv1_2", "9": "conv2_1", "12": "conv2_2", "16": "conv3_1"}
        return NORMALISED, from_torch(tensors, names), tensors, names, "0"
    tensors = load_file(weights_folder() / "vgg19_pruned16x" / "5SE.safetensors")
    keys = {key.split(".")[0] for key in tensors if "aux" not in key} - {"conv0"}
    names = {key: f"conv{key[4]}_{key[5]}" for key in sorted(keys)}
    return PRUNED, from_torch(tensors, {**names, "conv0": "conv0"}), tensors, names, "conv0"


@pytest.mark.data
@pytest.mark.parametrize("which", ["normalised", "pruned"])
def test_published_weights_have_the_shapes_of_the_encoder(which):
    encoder, variables, *_ = published(which)
    expected = jax.tree.map(lambda leaf: leaf.shape, abstract(encoder)[1])
    assert jax.tree.map(lambda leaf: leaf.shape, variables) == expected


@pytest.mark.data
@pytest.mark.peers
@pytest.mark.parametrize("which", ["normalised", "pruned"])
def test_published_weights_activate_as_in_torch(which):
    torch = pytest.importorskip("torch")
    encoder, variables, tensors, names, first = published(which)
    images = np.random.default_rng(0).uniform(size=(1, 37, 50, 3)).astype(np.float32)
    activations = jax.jit(encoder.apply)(variables, images)

    def convolve(x, key):
        weight, bias = (torch.from_numpy(tensors[f"{key}.{kind}"]).double() for kind in ("weight", "bias"))
        return torch.nn.functional.conv2d(x, weight, bias)

    x = convolve(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).double(), first)
    block = "1"
    for key, name in names.items():
        if name[4] != block:
            x, block = torch.nn.functional.max_pool2d(x, 2), name[4]
        x = convolve(torch.nn.functional.pad(x, (1, 1, 1, 1), "reflect"), key)
        for kind in ("conv", "relu"):
            x = x.relu() if kind == "relu" else x
            expected = x.numpy().transpose(0, 2, 3, 1)
            ours = np.asarray(activations[name.replace("conv", kind)])
            np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=2e-5 * np.abs(expected).max(), err_msg=name)
    assert encoder.geometry[-1].name == names[key].replace("conv", "relu")


@pytest.mark.data
def test_the_normalised_weights_have_a_mean_activation_of_about_one():
    encoder, variables, *_ = published("normalised")
    image = Image.open(weights_folder().parent / "pictures" / "content" / "tubingen_neckarfront.jpg")
    pixels = np.asarray(image.convert("RGB").resize((96, 72)), np.float32)[None] / 255
    activations = jax.jit(encoder.apply)(variables, pixels)
    means = [float(jnp.mean(activations[name])) for name in ("relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1")]
    assert all(0.4 < mean < 2.5 for mean in means), means


def test_l2_pooling_is_the_root_of_the_sum_of_squares():
    # Twice the root of the mean, as Crowson's factor of 0.78 supposes.
    np.testing.assert_allclose(l2_pool(jnp.full((1, 2, 2, 1), 3.0), 2), 6.0)
