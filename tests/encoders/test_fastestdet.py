"""FastestDet against NumPy in float64, and its published weights against its authors' ONNX file."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks64 import Network, random_variables, relu, shufflenet

from likeness.research.encoders import FastestDet, ShuffleNetV2
from likeness.research.weights import named

TINY = FastestDet(classes=3, backbone=ShuffleNetV2(first=4, widths=(8, 14, 20), blocks=(2, 1, 2)))
IMAGES = np.random.default_rng(0).uniform(size=(2, 64, 96, 3)).astype(np.float32)


def abstract(encoder, side=64):
    return jax.eval_shape(lambda images: encoder.init_with_output(jax.random.key(0), images), jnp.zeros((2, side, side, 3)))


def oracle(encoder, variables, images):
    network = Network(variables)
    found = shufflenet(encoder.backbone, network.below("backbone"), images)

    def step(x, name, **fields):
        return network.norm(network.convolve(x, name, **fields), f"{name}_norm")

    fine, middle, coarse = (found[f"stage{number}"] for number in (2, 3, 4))
    padded = np.pad(fine, ((0, 0), (1, 1), (1, 1), (0, 0)))
    fine = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2].mean((-1, -2))
    coarse = coarse.repeat(2, 1).repeat(2, 2)
    x = found["joined"] = relu(step(np.concatenate([fine, middle, coarse], -1), "join"))
    branches = []
    for depth in (1, 2, 3):
        y = x
        for number in range(1, depth + 1):
            y = relu(step(y, f"context{depth}_{number}", depthwise=True))
        branches.append(y)
    x = found["context"] = relu(x + step(np.concatenate(branches, -1), "context"))
    x = relu(step(x, "head"))
    for head in ("objectness", "boxes", "classes"):
        found[head] = step(relu(step(x, f"{head}_depthwise", depthwise=True)), head)
    return found


@pytest.mark.slow
def test_every_layer_equals_numpy():
    variables = random_variables(abstract(TINY)[1])
    activations = jax.jit(TINY.apply)(variables, IMAGES)
    expected = oracle(TINY, variables, IMAGES)
    assert set(activations) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(activations[name], value, rtol=1e-4, atol=1e-4 * np.abs(value).max(), err_msg=name)


def test_heads_are_maps_at_stride_16():
    activations, variables = abstract(FastestDet(), 352)
    shapes = {name: activations[name].shape for name in ("objectness", "boxes", "classes")}
    assert shapes == {"objectness": (2, 22, 22, 1), "boxes": (2, 22, 22, 4), "classes": (2, 22, 22, 80)}
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == 244_490


@pytest.mark.parametrize("shape", [(1, 350, 352, 3), (1, 352, 33, 3), (1, 0, 32, 3)])
def test_images_whose_maps_would_not_meet_are_refused(shape):
    with pytest.raises(ValueError, match=r"FastestDet: images of \d+×\d+ pixels have a side that is no multiple of 32"):
        jax.eval_shape(FastestDet().init, jax.random.key(0), jnp.zeros(shape))


def test_illegal_fields_are_named():
    with pytest.raises(ValueError, match=r"FastestDet\.classes is 0"):
        FastestDet(classes=0)
    with pytest.raises(ValueError, match=r"FastestDet\.backbone has 2 stages"):
        FastestDet(backbone=ShuffleNetV2(widths=(48, 96), blocks=(4, 8)))


def test_half_precision_keeps_what_the_heads_say_in_float32():
    encoder = FastestDet(dtype="bfloat16", backbone=ShuffleNetV2(dtype="bfloat16"))
    activations, variables = abstract(encoder)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    assert {activations[name].dtype for name in ("objectness", "boxes", "classes")} == {jnp.dtype("float32")}
    assert activations["context"].dtype == jnp.bfloat16


@pytest.mark.slow
def test_a_gradient_reaches_every_parameter():
    variables = random_variables(abstract(TINY)[1])

    @jax.jit
    def slope(params):
        state = {"params": params, "batch_stats": variables["batch_stats"]}
        heads = TINY.apply(state, IMAGES[:1, :32, :32], train=False)
        return sum(jnp.sum(jnp.square(heads[name])) for name in ("objectness", "boxes", "classes"))

    gradient = jax.grad(slope)(variables["params"])
    assert all(np.isfinite(leaf).all() and np.any(leaf) for leaf in jax.tree.leaves(gradient))


@pytest.mark.data
@pytest.mark.peers
def test_the_published_heads_are_those_of_the_onnx_file(real_data):
    """On the same pixels, noise and the authors' test image: within 1e-4."""
    onnxruntime = pytest.importorskip("onnxruntime")
    from PIL import Image

    folder = real_data / "weights" / "fastestdet"
    session = onnxruntime.InferenceSession(folder / "FastestDet.onnx", providers=["CPUExecutionProvider"])
    photo = np.asarray(Image.open(folder / "3.jpg").convert("RGB").resize((352, 352)))
    images = np.stack([np.random.default_rng(0).integers(0, 256, (352, 352, 3)), photo]).astype(np.float32) / 255
    variables, report = named("fastestdet").load()
    assert report.complete
    heads = jax.jit(FastestDet().apply)(variables, images)
    ours = np.concatenate(
        [jax.nn.sigmoid(heads["objectness"]), heads["boxes"], jax.nn.softmax(heads["classes"], axis=-1)], axis=-1
    )
    for image, found in zip(images, ours, strict=True):
        [theirs] = session.run(None, {session.get_inputs()[0].name: image[None, :, :, ::-1].transpose(0, 3, 1, 2).copy()})
        np.testing.assert_allclose(found, theirs[0].transpose(1, 2, 0), rtol=0, atol=1e-4)


@pytest.mark.slow
@pytest.mark.data
def test_the_backbone_has_published_weights_of_its_own(real_data):
    """Both files give finite activations of the same kind on a photograph, and differ, since one went on to learn detection."""
    from PIL import Image

    photo = np.asarray(Image.open(real_data / "weights" / "fastestdet" / "3.jpg").convert("RGB").resize((352, 352)))
    images = photo[None].astype(np.float32) / 255
    own, _ = named("shufflenetv2").load()
    detecting = named("fastestdet").load()[0]
    backbone = {collection: detecting[collection]["backbone"] for collection in ("params", "batch_stats")}
    first, second = (jax.jit(ShuffleNetV2().apply)(variables, images)["stage4"] for variables in (own, backbone))
    assert np.isfinite(first).all() and 0.01 < float(first.mean()) < 10
    assert not np.allclose(first, second, atol=1e-3)
