"""YuNet against NumPy in float64, and its published weights against its authors' ONNX file."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks64 import Network, convolve, max_pool, random_variables, relu

from likeness.research.encoders import YuNet
from likeness.research.encoders.layer_geometry import map_sides
from likeness.research.weights import named

TINY = YuNet(widths=(4, 6, 5, 7, 7, 7), points=2)
SMALL = YuNet(widths=(16, 32, 64, 64, 64, 64), shared=0)
IMAGES = np.random.default_rng(0).uniform(size=(2, 64, 96, 3)).astype(np.float32)
HEADS = {"classes": 1, "objectness": 1, "boxes": 4, "landmarks": 10}


def abstract(encoder, height=64, width=64):
    return jax.eval_shape(lambda images: encoder.init_with_output(jax.random.key(0), images), jnp.zeros((2, height, width, 3)))


def oracle(encoder, variables, images):
    network = Network(variables)

    def unit(x, name):
        x = network.convolve(network.convolve(x, f"{name}_pointwise"), f"{name}_depthwise", depthwise=True)
        return relu(network.norm(x, f"{name}_norm"))

    found = {"input": images}
    x = 255 * images[..., ::-1].astype(np.float64)
    x = found["conv0"] = relu(network.norm(network.convolve(x, "conv0", 2), "conv0_norm"))
    x = found["stage0"] = unit(x, "stage0")
    for stage in range(1, 6):
        x = x if stage == 2 else max_pool(x, 2, 2, 0)
        x = found[f"stage{stage}"] = unit(unit(x, f"stage{stage}_1"), f"stage{stage}_2")
    coarser = 0
    for stride, stage in ((32, 5), (16, 4), (8, 3)):
        x = coarser = found[f"neck{stride}"] = unit(found[f"stage{stage}"] + coarser, f"neck{stride}")
        coarser = coarser.repeat(2, 1).repeat(2, 2)
        for number in range(1, encoder.shared + 1):
            x = unit(x, f"shared{stride}_{number}")
        params = {name: np.asarray(value, np.float64) for name, value in variables["params"][f"heads{stride}"].items()}
        for head in HEADS:
            y = convolve(x, params[f"{head}_pointwise_kernel"]) + params[f"{head}_pointwise_bias"]
            y = convolve(y, params[f"{head}_depthwise_kernel"], depthwise=True) + params[f"{head}_depthwise_bias"]
            found[f"{head}{stride}"] = y
    return found


@pytest.mark.slow
@pytest.mark.parametrize("encoder", [TINY, TINY.clone(shared=0), TINY.clone(shared=2)], ids=lambda encoder: f"{encoder.shared}")
def test_every_layer_equals_numpy(encoder):
    variables = random_variables(abstract(encoder)[1])
    activations = jax.jit(encoder.apply)(variables, IMAGES)
    expected = oracle(encoder, variables, IMAGES)
    assert set(activations) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(activations[name], value, rtol=1e-4, atol=1e-4 * np.abs(value).max(), err_msg=name)


@pytest.mark.parametrize(("encoder", "parameters"), [(YuNet(), 75_856), (SMALL, 54_608)], ids=["n", "s"])
def test_the_published_networks_have_as_many_parameters_as_their_authors_say(encoder, parameters):
    activations, variables = abstract(encoder, 320, 640)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == parameters
    for stride in (8, 16, 32):
        for head, channels in HEADS.items():
            assert activations[f"{head}{stride}"].shape == (2, 320 // stride, 640 // stride, channels)


def test_geometry_lists_the_backbone():
    activations = abstract(TINY)[0]
    sides = map_sides(TINY.geometry, 64)
    assert sides == {name: activations[name].shape[1] for name in sides}
    assert sides.keys() == {"input", "conv0", *(f"stage{stage}" for stage in range(6))}


def test_images_whose_maps_would_not_meet_are_refused():
    with pytest.raises(ValueError, match=r"YuNet: images of 48×64 pixels have a side that is no multiple of 32"):
        abstract(YuNet(), 48, 64)


@pytest.mark.parametrize(
    "fields", [{"widths": (16, 64)}, {"widths": (16, 64, 64, 64, 32, 64)}, {"shared": -1}, {"points": 0}, {"widths": (0,) * 6}]
)
def test_an_illegal_field_is_named(fields):
    with pytest.raises(ValueError, match=r"YuNet.*(widths|points)"):
        YuNet(**fields)


def test_half_precision_keeps_what_the_heads_say_in_float32():
    activations, variables = abstract(YuNet(dtype="bfloat16"))
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    assert {activations[f"{head}8"].dtype for head in HEADS} == {jnp.dtype("float32")}
    assert activations["neck8"].dtype == jnp.bfloat16


@pytest.mark.slow
def test_a_gradient_reaches_every_parameter():
    variables = random_variables(abstract(TINY)[1])

    @jax.jit
    def slope(params):
        activations = TINY.apply({"params": params, "batch_stats": variables["batch_stats"]}, IMAGES[:1])
        return sum(jnp.sum(jnp.square(activations[f"{head}{stride}"])) for head in HEADS for stride in (8, 16, 32))

    gradient = jax.grad(slope)(variables["params"])
    assert all(np.isfinite(leaf).all() and np.any(leaf) for leaf in jax.tree.leaves(gradient))


@pytest.mark.data
@pytest.mark.peers
def test_the_published_heads_are_those_of_the_onnx_file(real_data):
    """On the same pixels, of noise and of a photograph, at three sizes and in a batch: within 1e-4."""
    onnxruntime = pytest.importorskip("onnxruntime")
    from PIL import Image

    session = onnxruntime.InferenceSession(
        real_data / "weights" / "yunet" / "yunet_n_dynamic.onnx", providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    photo = np.asarray(Image.open(real_data / "pictures" / "content" / "astronaut.png").convert("RGB"))
    noise = np.random.default_rng(0).integers(0, 256, (2, 160, 224, 3), dtype=np.uint8)
    variables, report = named("yunet").load()
    assert report.complete
    apply = jax.jit(YuNet().apply)
    keys = {"cls": "classes", "obj": "objectness", "bbox": "boxes", "kps": "landmarks"}
    for images in (noise, photo[None], photo[None, :320, 64:384]):
        pixels = np.ascontiguousarray(images[..., ::-1].transpose(0, 3, 1, 2)).astype(np.float32)
        theirs = dict(zip(names, session.run(None, {"input": pixels}), strict=True))
        ours = apply(variables, images.astype(np.float32) / 255)
        for name, value in theirs.items():
            key, stride = name.split("_")
            found = ours[f"{keys[key]}{stride}"].reshape(value.shape)
            found = jax.nn.sigmoid(found) if key in ("cls", "obj") else found
            np.testing.assert_allclose(found, value, rtol=0, atol=1e-4, err_msg=name)


@pytest.mark.slow
@pytest.mark.data
def test_the_smaller_network_is_complete():
    variables, report = named("yunet_s").load()
    assert report.complete
    activations = jax.jit(SMALL.apply)(variables, np.zeros((1, 32, 32, 3), np.float32))
    assert all(np.isfinite(value).all() for value in activations.values())
