import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.encoders.mobilefacenet import STAGES, InvertedResidual, MobileFaceNet
from likeness.research.weights import named, read


@functools.cache
def abstract():
    return jax.eval_shape(
        lambda images: MobileFaceNet().init_with_output(jax.random.key(0), images), jnp.zeros((2, 112, 112, 3))
    )


def test_parameter_count_is_the_definition_s():
    _, variables = abstract()
    total, before = 27 * 64 + 2 * 64 + 9 * 64 + 2 * 64 + 64 * 64 + 2 * 64, 64
    for expansion, width, blocks, _ in STAGES:
        for _ in range(blocks):
            inner = expansion * before
            total += before * inner + 2 * inner + 9 * inner + 2 * inner + inner * width + 2 * width
            before = width
    total += 128 * 512 + 2 * 512 + 49 * 512 + 2 * 512 + 512 * 128 + 128 + 2 * 128
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == total == 999_936


def test_names_and_shapes():
    activations, _ = abstract()
    assert {name: value.shape[1:] for name, value in activations.items()} == {
        "input": (112, 112, 3),
        "conv1": (56, 56, 64),
        "separable": (56, 56, 64),
        "stage1": (28, 28, 64),
        "stage2": (14, 14, 128),
        "stage3": (14, 14, 128),
        "stage4": (7, 7, 128),
        "stage5": (7, 7, 128),
        "conv2": (7, 7, 512),
        "global": (1, 1, 512),
        "embedding": (128,),
    }


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ((1, 96, 112, 3), "images of 96×112 pixels are too small"),
        ((1, 112, 113, 3), "images of 112×113 pixels are too large"),
        ((1, 112, 112, 1), "RGB images"),
    ],
)
def test_images_that_it_cannot_take(shape, why):
    with pytest.raises(ValueError, match=why):
        jax.eval_shape(MobileFaceNet().init, jax.random.key(0), jnp.zeros(shape))


def test_illegal_fields():
    with pytest.raises(ValueError, match="MobileFaceNet.dimension is 0"):
        MobileFaceNet(dimension=0)


@pytest.mark.parametrize(("stride", "width", "added"), [(1, 4, True), (2, 4, False), (1, 6, False)])
def test_the_input_is_added_where_the_shape_stays(stride, width, added):
    x = np.random.default_rng(0).normal(size=(1, 6, 6, 4)).astype(np.float32)
    block = InvertedResidual(expansion=2, width=width, stride=stride)
    shapes = jax.eval_shape(functools.partial(block.init, train=False), jax.random.key(0), x)
    silent = jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float32), shapes)
    y = jax.jit(functools.partial(block.apply, train=False))(silent, x)
    np.testing.assert_array_equal(y, x if added else np.zeros_like(y))


@pytest.mark.slow
def test_training_updates_the_statistics_and_half_precision_keeps_the_embedding_float32():
    encoder = MobileFaceNet(dtype="bfloat16")
    images = jnp.zeros((2, 97, 97, 3))
    activations, updated = jax.eval_shape(
        lambda key: encoder.apply(encoder.init(key, images), images, train=True, mutable=["batch_stats"]), jax.random.key(0)
    )
    assert activations["embedding"].dtype == jnp.float32
    assert activations["stage5"].dtype == jnp.bfloat16
    assert updated["batch_stats"].keys() >= {"conv1_norm", "stage5_2", "embedding_norm"}


@pytest.mark.data
@pytest.mark.peers
@pytest.mark.slow
def test_the_published_network_is_torch_s_layer_by_layer(real_data):
    """The same weights in a network written for torch, on noise: every activation within float32's rounding."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    arrays = read(real_data / "weights" / "mobilefacenet" / "foamliu_mobilefacenet.safetensors")
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}

    def conv(x, key, stride=1, padding=0, groups=1, bias=None):
        return functional.conv2d(x, tensors[f"{key}.weight"], bias, stride, padding, groups=groups)

    def norm(x, key):
        state = [tensors[f"{key}.{name}"] for name in ("running_mean", "running_var", "weight", "bias")]
        return functional.batch_norm(x, *state, eps=1e-5)

    images = np.random.default_rng(0).uniform(size=(2, 112, 112, 3)).astype(np.float32)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = ((torch.from_numpy(images) - mean) / deviation).permute(0, 3, 1, 2)
    expected = {}
    x = expected["conv1"] = functional.relu6(norm(conv(x, "conv1.0", 2, 1), "conv1.1"))
    x = functional.relu(norm(conv(x, "dw_conv.depthwise", 1, 1, 64), "dw_conv.bn1"))
    x = expected["separable"] = functional.relu(norm(conv(x, "dw_conv.pointwise"), "dw_conv.bn2"))
    index = 0
    for stage, (_, _, blocks, stride) in enumerate(STAGES, 1):
        for block in range(blocks):
            key, step = f"features.{index}.conv", stride if block == 0 else 1
            y = functional.relu6(norm(conv(x, f"{key}.0.0"), f"{key}.0.1"))
            y = functional.relu6(norm(conv(y, f"{key}.1.0", step, 1, y.shape[1]), f"{key}.1.1"))
            y = norm(conv(y, f"{key}.2"), f"{key}.3")
            x = x + y if y.shape == x.shape else y
            index += 1
        expected[f"stage{stage}"] = x
    x = expected["conv2"] = functional.relu6(norm(conv(x, "conv2.0"), "conv2.1"))
    x = expected["global"] = norm(conv(x, "gdconv.depthwise", 1, 0, 512), "gdconv.bn")
    x = conv(x, "conv3", bias=tensors["conv3.bias"]).reshape(2, -1)
    embedding = norm(x, "bn").numpy()

    encoder = MobileFaceNet(normalize=False)
    variables, report = named("mobilefacenet").load(encoder)
    assert report.complete
    activations = jax.jit(encoder.apply)(variables, images)
    assert activations["embedding"].shape == (2, 128)
    np.testing.assert_array_equal(activations["input"], images)
    for name, value in expected.items():
        value = value.permute(0, 2, 3, 1).numpy()
        np.testing.assert_allclose(activations[name], value, rtol=1e-4, atol=1e-5 * np.abs(value).max(), err_msg=name)
    np.testing.assert_allclose(activations["embedding"], embedding, rtol=1e-4, atol=1e-5 * np.abs(embedding).max())
