"""Inception-v3 against NumPy in float64, read from a state dict of torchvision's names, and against torchvision itself."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from likeness.research.encoders import InceptionV3
from likeness.research.encoders.layer_geometry import map_sides, smallest_side
from likeness.research.errors import UserError
from likeness.research.weights import named, read, shapes, write

NARROW = InceptionV3(width=4)
RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(2, 107, 131, 3)).astype(np.float32)


@functools.cache
def abstract(encoder, height, width):
    return jax.eval_shape(lambda images: encoder.init_with_output(jax.random.key(0), images), jnp.zeros((1, height, width, 3)))


@functools.cache
def state_dict(width=4):
    """As torch saves one: random numbers under torchvision's names, heads and counters among them."""
    wanted = traverse_util.flatten_dict(shapes(InceptionV3(width=width)), sep="/")
    draw, found = np.random.default_rng(1), {}
    for entry in named("inception_art").layouts[0].entries:
        shape = wanted[entry.variable].shape
        match entry.variable.rpartition("/")[2]:
            case "kernel":
                array = draw.normal(size=shape) * np.sqrt(2 / np.prod(shape[:-1]))
                array = array.transpose(entry.inverse)
            case "var" | "scale":
                array = draw.uniform(0.5, 1.5, shape)
            case _:
                array = 0.1 * draw.normal(size=shape)
        found[entry.key] = array.astype(np.float32)
    for head in ("fc1.weight", "fc2.bias", "AuxLogits1.conv0.conv.weight", "AuxLogits2.conv1.bn.running_mean"):
        found[head] = np.ones(3, np.float32)
    return found


@pytest.fixture(scope="module")
def variables(tmp_path_factory):
    """What is imported of that file."""
    path = tmp_path_factory.mktemp("inception") / "art_inception.safetensors"
    write(path, state_dict())
    found, report = dataclasses.replace(named("inception_art"), encoder=NARROW).read(path)
    assert report.layout == "torchvision Inception-v3" and report.complete and len(report.matched) == 470
    return found


def windows(x, rows, columns, stride=1):
    return np.lib.stride_tricks.sliding_window_view(x, (rows, columns), axis=(1, 2))[:, ::stride, ::stride]


def padded(x, rows, columns, value=0.0):
    return np.pad(x, ((0, 0), (rows, rows), (columns, columns), (0, 0)), constant_values=value)


def convolved(arrays, name, x, stride=1, padding=(0, 0)):
    kernel, scale, bias, mean, var = (
        arrays[f"{name}.{part}"].astype(np.float64)
        for part in ("conv.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var")
    )
    x = windows(padded(x, *padding), *kernel.shape[2:], stride)
    x = np.einsum("bhwcij,ocij->bhwo", x, kernel, optimize=True)
    return np.maximum((x - mean) / np.sqrt(var + 0.001) * scale + bias, 0)


def halved(x):
    return windows(x, 3, 3, 2).max((-2, -1))


def pooled(x, kind):
    if kind == "maximum":
        return windows(padded(x, 1, 1, -np.inf), 3, 3).max((-2, -1))
    inside = windows(padded(np.ones_like(x), 1, 1), 3, 3).sum((-2, -1)) if kind == "inside" else 9
    return windows(padded(x, 1, 1), 3, 3).sum((-2, -1)) / inside


def oracle(arrays, x, fid):
    """The network as torchvision writes it, block by block, and with ``fid`` as pytorch-fid changes it."""
    found = {}
    mean = "inside" if fid else "mean"

    def conv(block, branch, x, stride=1, padding=(0, 0)):
        return convolved(arrays, f"{block}.{branch}", x, stride, padding)

    def a(block, x):
        five = conv(block, "branch5x5_2", conv(block, "branch5x5_1", x), 1, (2, 2))
        three = conv(block, "branch3x3dbl_2", conv(block, "branch3x3dbl_1", x), 1, (1, 1))
        three = conv(block, "branch3x3dbl_3", three, 1, (1, 1))
        return [conv(block, "branch1x1", x), five, three, conv(block, "branch_pool", pooled(x, mean))]

    def b(block, x):
        double = conv(block, "branch3x3dbl_2", conv(block, "branch3x3dbl_1", x), 1, (1, 1))
        return [conv(block, "branch3x3", x, 2), conv(block, "branch3x3dbl_3", double, 2), halved(x)]

    def c(block, x):
        seven = conv(block, "branch7x7_2", conv(block, "branch7x7_1", x), 1, (0, 3))
        seven = conv(block, "branch7x7_3", seven, 1, (3, 0))
        double = conv(block, "branch7x7dbl_1", x)
        for number, padding in ((2, (3, 0)), (3, (0, 3)), (4, (3, 0)), (5, (0, 3))):
            double = conv(block, f"branch7x7dbl_{number}", double, 1, padding)
        return [conv(block, "branch1x1", x), seven, double, conv(block, "branch_pool", pooled(x, mean))]

    def d(block, x):
        three = conv(block, "branch3x3_2", conv(block, "branch3x3_1", x), 2)
        seven = conv(block, "branch7x7x3_2", conv(block, "branch7x7x3_1", x), 1, (0, 3))
        seven = conv(block, "branch7x7x3_4", conv(block, "branch7x7x3_3", seven, 1, (3, 0)), 2)
        return [three, seven, halved(x)]

    def e(block, x):
        three = conv(block, "branch3x3_1", x)
        double = conv(block, "branch3x3dbl_2", conv(block, "branch3x3dbl_1", x), 1, (1, 1))
        last = "maximum" if fid and block == "Mixed_7c" else mean
        return [
            conv(block, "branch1x1", x),
            conv(block, "branch3x3_2a", three, 1, (0, 1)),
            conv(block, "branch3x3_2b", three, 1, (1, 0)),
            conv(block, "branch3x3dbl_3a", double, 1, (0, 1)),
            conv(block, "branch3x3dbl_3b", double, 1, (1, 0)),
            conv(block, "branch_pool", pooled(x, last)),
        ]

    x = found["conv_1a"] = convolved(arrays, "Conv2d_1a_3x3", x, 2)
    x = found["conv_2a"] = convolved(arrays, "Conv2d_2a_3x3", x)
    x = found["conv_2b"] = convolved(arrays, "Conv2d_2b_3x3", x, 1, (1, 1))
    x = found["pool1"] = halved(x)
    x = found["conv_3b"] = convolved(arrays, "Conv2d_3b_1x1", x)
    x = found["conv_4a"] = convolved(arrays, "Conv2d_4a_3x3", x)
    x = found["pool2"] = halved(x)
    kinds = {"5b": a, "5c": a, "5d": a, "6a": b, "6b": c, "6c": c, "6d": c, "6e": c, "7a": d, "7b": e, "7c": e}
    for block, kind in kinds.items():
        x = found[f"mixed_{block}"] = np.concatenate(kind(f"Mixed_{block}", x), -1)
    return found | {"avgpool": x.mean((1, 2))}


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["torchvision", "fid"])
def test_every_layer_equals_numpy(variables, pooling):
    encoder = InceptionV3(width=4, pooling=pooling, preprocessing="signed" if pooling == "fid" else "unit")
    activations = jax.jit(encoder.apply)(variables, IMAGES)
    x = IMAGES.astype(np.float64)
    expected = oracle(state_dict(), 2 * x - 1 if pooling == "fid" else x, pooling == "fid")
    assert set(activations) == {"input", *expected}
    np.testing.assert_array_equal(activations["input"], IMAGES)
    for name, value in expected.items():
        assert value.std() > 0
        np.testing.assert_allclose(activations[name], value, rtol=1e-4, atol=2e-5 * np.abs(value).max(), err_msg=name)


def interpolated(x, sides):
    """Between the two nearest pixels of each axis, whose centers lie at halves; the border's go on beyond the edge."""
    for axis, side in zip((1, 2), sides, strict=True):
        had = x.shape[axis]
        at = np.maximum((np.arange(side) + 0.5) * had / side - 0.5, 0)
        before = np.floor(at).astype(int)
        after = np.minimum(before + 1, had - 1)
        share = (at - before).reshape(-1, *[1] * (3 - axis))
        x = np.take(x, before, axis) * (1 - share) + np.take(x, after, axis) * share
    return x


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(53, 200), (300, 80)])
def test_images_are_resized_by_the_nearest_four_pixels(variables, shape):
    images = RNG.uniform(size=(1, *shape, 3)).astype(np.float32)
    resized = interpolated(images.astype(np.float64), (96, 107)).astype(np.float32)
    found, expected = (
        jax.jit(lambda x, size=size: InceptionV3(width=4, preprocessing="signed", size=size).apply(variables, x)["conv_1a"])(x)
        for x, size in ((images, (96, 107)), (resized, None))
    )
    # Where a pixel lies is known to 1e-5 of a pixel in float32; another pixel would make a difference of 0.1.
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.slow
def test_names_shapes_and_parameters_of_the_published_network():
    activations, variables = abstract(InceptionV3(), 299, 299)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == 21_785_568
    assert {name: value.shape[1:] for name, value in activations.items()} == {
        "input": (299, 299, 3),
        "conv_1a": (149, 149, 32),
        "conv_2a": (147, 147, 32),
        "conv_2b": (147, 147, 64),
        "pool1": (73, 73, 64),
        "conv_3b": (73, 73, 80),
        "conv_4a": (71, 71, 192),
        "pool2": (35, 35, 192),
        "mixed_5b": (35, 35, 256),
        "mixed_5c": (35, 35, 288),
        "mixed_5d": (35, 35, 288),
        "mixed_6a": (17, 17, 768),
        "mixed_6b": (17, 17, 768),
        "mixed_6c": (17, 17, 768),
        "mixed_6d": (17, 17, 768),
        "mixed_6e": (17, 17, 768),
        "mixed_7a": (8, 8, 1280),
        "mixed_7b": (8, 8, 2048),
        "mixed_7c": (8, 8, 2048),
        "avgpool": (2048,),
    }


@pytest.mark.parametrize("side", [75, 96])
def test_geometry_lists_what_is_computed(side):
    activations = abstract(NARROW, side, side)[0]
    found = {name: value.shape[1] for name, value in activations.items() if name != "avgpool"}
    assert found == map_sides(NARROW.geometry, side)


@pytest.mark.slow
def test_a_unit_sees_what_its_geometry_says(variables):
    """By the gradient of a unit in the middle of mixed_5b."""
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(NARROW.apply(variables, x)["mixed_5b"][0, 5, 7])))(IMAGES[:1])
    rows, columns = (np.flatnonzero(np.abs(gradient[0]).sum((axis, 2))) for axis in (1, 0))
    layers = NARROW.geometry[: [layer.name for layer in NARROW.geometry].index("mixed_5b") + 1]
    kernel, stride, start = 1, 1, 0
    for layer in layers:
        kernel, start, stride = kernel + (layer.kernel - 1) * stride, start - layer.padding * stride, stride * layer.stride
    assert (kernel, stride, start) == (63, 8, -18)
    for seen, unit in ((rows, 5), (columns, 7)):
        first = unit * stride + start
        assert first <= seen.min() < first + 6 and first + kernel - 6 <= seen.max() < first + kernel


@pytest.mark.slow
def test_small_images_and_illegal_fields_are_refused(variables):
    assert smallest_side(InceptionV3().geometry) == 75
    with pytest.raises(ValueError, match=r"InceptionV3: images of 74×100 .* at least 75×75"):
        abstract(NARROW, 74, 100)
    resizing = InceptionV3(width=4, size=(299, 299))
    assert abstract(resizing, 20, 30)[0]["mixed_7c"].shape == (1, 8, 8, 128) and resizing.geometry == ()
    with pytest.raises(ValueError, match=r"InceptionV3\.width is 6"):
        InceptionV3(width=6)
    with pytest.raises(ValueError, match=r"InceptionV3\.size is \(64, 299\)"):
        InceptionV3(size=(64, 299))


@pytest.mark.slow
def test_a_file_without_a_layer_is_refused_by_name(tmp_path):
    arrays = {key: array for key, array in state_dict().items() if key != "Mixed_7c.branch1x1.bn.running_var"}
    write(tmp_path / "cut.npz", arrays)
    assert "fc1.weight" in read(tmp_path / "cut.npz")
    with pytest.raises(UserError, match=r"Mixed_7c\.branch1x1\.bn\.running_var"):
        dataclasses.replace(named("inception_art"), encoder=NARROW).read(tmp_path / "cut.npz")


@pytest.mark.slow
@pytest.mark.peers
def test_the_published_network_is_torchvision_s(tmp_path):
    torch, models = pytest.importorskip("torch"), pytest.importorskip("torchvision.models")
    network = models.inception_v3(weights=None, init_weights=False, transform_input=False).eval()
    network.load_state_dict({key: torch.from_numpy(array) for key, array in state_dict(64).items()}, strict=False)
    network.fc = torch.nn.Identity()
    torch.save(network.state_dict(), tmp_path / "network.pth")
    with torch.no_grad():
        expected = network(torch.from_numpy(IMAGES).permute(0, 3, 1, 2)).numpy()
    variables, _ = named("inception_art").read(tmp_path / "network.pth")
    found = jax.jit(lambda images: InceptionV3().apply(variables, images)["avgpool"])(IMAGES)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
