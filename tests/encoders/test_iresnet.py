import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.encoders import IResNet, iresnet18, iresnet34, iresnet50, iresnet100


def count(encoder):
    variables = jax.eval_shape(lambda: encoder.init(jax.random.key(0), jnp.zeros((1, 112, 112, 3))))
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


def by_hand(blocks, dimension):
    """The definition's sum: convolutions without bias, two numbers a channel for BN, one for PReLU."""
    total, before = 27 * 64 + 3 * 64, 64
    for stage, blocks_here in enumerate(blocks):
        width = 64 * 2**stage
        for index in range(blocks_here):
            first = index == 0
            inputs = before if first else width
            total += 2 * inputs + 9 * inputs * width + 2 * width + width + 9 * width**2 + 2 * width
            total += (inputs * width + 2 * width) if first else 0
        before = width
    return total + 2 * 512 + 512 * 49 * dimension + dimension + dimension


@pytest.mark.parametrize(
    ("constructor", "blocks", "parameters"),
    [
        (iresnet18, (2, 2, 2, 2), 24_025_088),
        (iresnet34, (3, 4, 6, 3), 34_138_816),
        (iresnet50, (3, 4, 14, 3), 43_590_336),
        (iresnet100, (3, 13, 30, 3), 65_155_648),
    ],
)
def test_parameter_count_is_the_definition_s(constructor, blocks, parameters):
    assert count(constructor(512)) == by_hand(blocks, 512) == parameters
    assert constructor().blocks == blocks


def test_names_and_shapes():
    activations = jax.eval_shape(
        lambda images: iresnet18().init_with_output(jax.random.key(0), images)[0],
        jnp.zeros((2, 112, 112, 3)),
    )
    assert {name: value.shape[1:] for name, value in activations.items()} == {
        "conv1": (112, 112, 64),
        "layer1": (56, 56, 64),
        "layer2": (28, 28, 128),
        "layer3": (14, 14, 256),
        "layer4": (7, 7, 512),
        "flatten": (25088,),
        "embedding": (128,),
    }


@pytest.mark.peers
def test_the_forward_pass_equals_torch_layer_by_layer():
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    encoder = IResNet(blocks=(1, 2, 1, 1), width=4, dimension=6, normalize=False)
    images = np.random.default_rng(0).uniform(size=(2, 21, 18, 3)).astype(np.float32)
    shapes = jax.eval_shape(lambda: encoder.init(jax.random.key(0), jnp.asarray(images)))
    rng = np.random.default_rng(1)
    variables = jax.tree.map(lambda leaf: rng.uniform(0.2, 0.9, leaf.shape).astype(np.float32), shapes)
    variables["params"] = jax.tree.map(lambda leaf: leaf - 0.5, variables["params"])
    params, statistics = variables["params"], variables["batch_stats"]

    def tensor(array):
        return torch.from_numpy(np.array(array))

    def conv(x, layer, stride=1):
        kernel = tensor(layer["kernel"]).permute(3, 2, 0, 1)
        return functional.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)

    def norm(x, layer, state):
        scale = tensor(layer["scale"]) if "scale" in layer else None
        return functional.batch_norm(x, tensor(state["mean"]), tensor(state["var"]), scale, tensor(layer["bias"]), eps=1e-5)

    def prelu(x, layer):
        return functional.prelu(x, tensor(layer["slope"]))

    def block(x, layer, state, stride):
        shortcut = x
        if "shortcut_conv" in layer:
            shortcut = conv(x, layer["shortcut_conv"], stride)
            shortcut = norm(shortcut, layer["shortcut_norm"], state["shortcut_norm"])
        x = conv(norm(x, layer["norm1"], state["norm1"]), layer["conv1"])
        x = prelu(norm(x, layer["norm2"], state["norm2"]), layer["prelu"])
        return norm(conv(x, layer["conv2"], stride), layer["norm3"], state["norm3"]) + shortcut

    activations = jax.jit(encoder.apply)(variables, images)
    x = tensor(2 * images - 1).permute(0, 3, 1, 2)
    x = prelu(norm(conv(x, params["conv1"]), params["norm1"], statistics["norm1"]), params["prelu"])
    for stage, blocks in enumerate(encoder.blocks, 1):
        for index in range(1, blocks + 1):
            name = f"layer{stage}_{index}"
            x = block(x, params[name], statistics[name], 2 if index == 1 else 1)
        expected = x.permute(0, 2, 3, 1).numpy()
        np.testing.assert_allclose(activations[f"layer{stage}"], expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    x = norm(x, params["norm2"], statistics["norm2"]).permute(0, 2, 3, 1).reshape(2, -1)
    x = x @ tensor(params["dense"]["kernel"]) + tensor(params["dense"]["bias"])
    expected = norm(x, params["norm_embedding"], statistics["norm_embedding"]).numpy()
    np.testing.assert_allclose(activations["embedding"], expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
