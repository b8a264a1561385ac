import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.encoders.dlib_resnet import BLOCKS, MEANS, WIDTHS, Affine, DlibResNet, PaddedBlock
from likeness.research.weights import named


@functools.cache
def abstract():
    return jax.eval_shape(lambda images: DlibResNet().init_with_output(jax.random.key(0), images), jnp.zeros((2, 150, 150, 3)))


def test_parameter_count_is_the_definition_s():
    _, variables = abstract()
    convolutions, before = [(49, 3, 32)], 32
    for width, blocks in zip(WIDTHS, BLOCKS, strict=True):
        for _ in range(blocks):
            convolutions += [(9, before, width), (9, width, width)]
            before = width
    assert len(convolutions) == 29
    # A kernel, a bias, and the two of the affine layer.
    total = sum(window * fan_in * width + 3 * width for window, fan_in, width in convolutions) + 256 * 128
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == total == 5_614_592


def test_names_and_shapes():
    activations, _ = abstract()
    assert {name: value.shape[1:] for name, value in activations.items()} == {
        "input": (150, 150, 3),
        "conv1": (72, 72, 32),
        "pool1": (35, 35, 32),
        "stage1": (35, 35, 32),
        "stage2": (17, 17, 64),
        "stage3": (8, 8, 128),
        "stage4": (4, 4, 256),
        "stage5": (2, 2, 256),
        "embedding": (128,),
    }


@pytest.mark.parametrize(
    ("shape", "why"), [((1, 102, 150, 3), "images of 102×150 pixels are too small"), ((1, 150, 150, 1), "RGB images")]
)
def test_images_that_it_cannot_take(shape, why):
    with pytest.raises(ValueError, match=why):
        jax.eval_shape(DlibResNet().init, jax.random.key(0), jnp.zeros(shape))


def test_illegal_fields():
    with pytest.raises(ValueError, match="DlibResNet.dimension is 0"):
        DlibResNet(dimension=0)


def test_half_precision_keeps_the_embedding_float32():
    encoder = DlibResNet(dtype="bfloat16")
    activations, _ = jax.eval_shape(
        lambda images: encoder.init_with_output(jax.random.key(0), images), jnp.zeros((1, 103, 103, 3))
    )
    assert activations["stage5"].dtype == jnp.bfloat16
    assert activations["embedding"].dtype == jnp.float32


def convolved(x, kernel, bias, stride, padding):
    """float64, (h, w, c)."""
    x = np.pad(x, ((padding, padding), (padding, padding), (0, 0)))
    side = kernel.shape[0]
    rows, columns = ((length - side) // stride + 1 for length in x.shape[:2])
    y = np.empty((rows, columns, kernel.shape[-1]))
    for i in range(rows):
        for j in range(columns):
            window = x[i * stride : i * stride + side, j * stride : j * stride + side]
            y[i, j] = np.tensordot(window, kernel, 3) + bias
    return y


def added(one, other):
    """What ``add_prev`` makes of two maps: as large as the larger along every axis, and 0 where one has nothing."""
    total = np.zeros(tuple(map(max, one.shape, other.shape)))
    for each in (one, other):
        total[: each.shape[0], : each.shape[1], : each.shape[2]] += each
    return total


@pytest.mark.parametrize(
    ("stride", "side", "channels", "width"),
    [(1, 6, 4, 4), (2, 7, 3, 5), (2, 8, 3, 5), (2, 4, 5, 5), (2, 8, 5, 3)],
    ids=["same", "odd", "even", "1×1 and 2×2", "fewer channels"],
)
def test_a_block_is_that_of_an_independent_computation(stride, side, channels, width):
    rng = np.random.default_rng(side)
    x = rng.normal(size=(2, side, side, channels))
    block = PaddedBlock(width=width, stride=stride)
    shapes = jax.eval_shape(block.init, jax.random.key(0), jnp.zeros(x.shape))
    variables = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), shapes)
    params = variables["params"]
    expected = []
    for image in x:
        y = convolved(image, params["conv1"]["kernel"], params["conv1"]["bias"], stride, 1 if stride == 1 else 0)
        y = np.maximum(y * params["affine1"]["scale"] + params["affine1"]["bias"], 0)
        y = (
            convolved(y, params["conv2"]["kernel"], params["conv2"]["bias"], 1, 1) * params["affine2"]["scale"]
            + params["affine2"]["bias"]
        )
        half = side // 2
        pooled = image if stride == 1 else image[: 2 * half, : 2 * half].reshape(half, 2, half, 2, channels).mean((1, 3))
        expected.append(np.maximum(added(y, pooled), 0))
    single = jax.tree.map(np.float32, variables)
    found = jax.jit(block.apply)(single, np.float32(x))
    assert found.shape == (2, side // stride, side // stride, max(width, channels))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_an_affine_layer_begins_as_what_changes_nothing():
    x = np.random.default_rng(0).normal(size=(2, 3, 3, 4)).astype(np.float32)
    y, variables = Affine().init_with_output(jax.random.key(0), x)
    np.testing.assert_array_equal(y, x)
    assert {name: leaf.shape for name, leaf in variables["params"].items()} == {"scale": (4,), "bias": (4,)}


@pytest.mark.peers
@pytest.mark.slow
def test_the_published_network_is_torch_s_layer_by_layer():
    """The same weights in a network written for torch, on noise: every activation within float32's rounding."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    published = named("dlib_face")
    if published.find() is None:
        pytest.skip(f"needs the weights dlib_face: {published.how_to_get()}")
    variables, report = published.load()
    assert report.complete
    params = jax.tree.map(torch.from_numpy, variables["params"])

    def layer(x, place, number, stride, padding):
        conv, affine = place[f"conv{number}"], place[f"affine{number}"]
        y = functional.conv2d(x, conv["kernel"].permute(3, 2, 0, 1), conv["bias"], stride, padding)
        return y * affine["scale"][:, None, None] + affine["bias"][:, None, None]

    images = np.random.default_rng(0).uniform(size=(2, 150, 150, 3)).astype(np.float32)
    x = ((255 * torch.from_numpy(images) - torch.tensor(MEANS)) / 256).permute(0, 3, 1, 2)
    expected = {}
    x = expected["conv1"] = functional.relu(layer(x, params, 1, 2, 0))
    x = expected["pool1"] = functional.max_pool2d(x, 3, 2)
    for stage, count in enumerate(BLOCKS, 1):
        for block in range(1, count + 1):
            place, down = params[f"stage{stage}_{block}"], stage > 1 and block == 1
            y = functional.relu(layer(x, place, 1, 2 if down else 1, 0 if down else 1))
            y = layer(y, place, 2, 1, 1)
            x = functional.avg_pool2d(x, 2) if down else x
            _, channels, rows, columns = map(max, x.shape, y.shape)
            x, y = (
                functional.pad(z, (0, columns - z.shape[3], 0, rows - z.shape[2], 0, channels - z.shape[1])) for z in (x, y)
            )
            x = functional.relu(x + y)
        expected[f"stage{stage}"] = x
    embedding = (x.mean((2, 3)) @ params["dense"]["kernel"]).numpy()

    activations = jax.jit(DlibResNet().apply)(variables, images)
    for name, value in expected.items():
        value = value.permute(0, 2, 3, 1).numpy()
        np.testing.assert_allclose(activations[name], value, rtol=1e-4, atol=1e-5 * np.abs(value).max(), err_msg=name)
    np.testing.assert_allclose(activations["embedding"], embedding, rtol=1e-4, atol=1e-5 * np.abs(embedding).max())
