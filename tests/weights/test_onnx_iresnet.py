"""IResNets in ONNX, written here node by node as InsightFace's exporter leaves them, run by onnxruntime and by ours."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from likeness.research.encoders import IResNet
from likeness.research.errors import UserError
from likeness.research.weights import Pretrained, read
from likeness.research.weights.onnx_files import is_onnx
from likeness.research.weights.onnx_iresnet import read_iresnet

onnx = pytest.importorskip("onnx")
ENCODER = IResNet(blocks=(1, 2, 1, 1), width=4, dimension=8, normalize=False)


@pytest.fixture(scope="module")
def variables():
    shapes = jax.eval_shape(lambda: ENCODER.init(jax.random.key(0), jnp.zeros((1, 112, 112, 3))))
    rng = np.random.default_rng(0)
    flat = {
        path: (rng.uniform(0.5, 1.5, leaf.shape) if path.endswith(("var", "scale")) else rng.normal(0, 0.2, leaf.shape))
        for path, leaf in traverse_util.flatten_dict(shapes, sep="/").items()
    }
    return {path: array.astype(np.float32) for path, array in flat.items()}


class Exporter:
    """Writes the graph; ``folded`` puts normalizations into the convolutions before them, as torch's exporter does."""

    def __init__(self, variables, *, folded, epsilon=1e-5, head="Gemm", begins="image"):
        self.v, self.folded, self.epsilon, self.head, self.begins = variables, folded, epsilon, head, begins
        self.nodes, self.stored, self.count = [], [], 684

    def constant(self, array):
        self.count += 1
        self.stored.append(onnx.numpy_helper.from_array(np.ascontiguousarray(array, np.float32), str(self.count)))
        return str(self.count)

    def node(self, kind, inputs, **attributes):
        self.count += 1
        self.nodes.append(onnx.helper.make_node(kind, inputs, [str(self.count)], **attributes))
        return str(self.count)

    def statistics(self, name):
        scale = self.v.get(f"params/{name}/scale", np.ones_like(self.v[f"params/{name}/bias"]))
        # With another ε the variance is stored otherwise.
        variance = self.v[f"batch_stats/{name}/var"] + np.float32(1e-5 - self.epsilon)
        return scale, self.v[f"params/{name}/bias"], self.v[f"batch_stats/{name}/mean"], variance

    def norm(self, x, name):
        return self.node("BatchNormalization", [x, *map(self.constant, self.statistics(name))], epsilon=self.epsilon)

    def convolution(self, x, layer, norm, stride):
        kernel = self.v[f"params/{layer}/kernel"].transpose(3, 2, 0, 1)
        side = kernel.shape[-1]
        options = {"kernel_shape": [side, side], "strides": [stride] * 2, "pads": [side // 2] * 4}
        if not self.folded:
            return self.norm(self.node("Conv", [x, self.constant(kernel)], **options), norm)
        scale, shift, mean, variance = self.statistics(norm)
        factor = scale / np.sqrt(variance + self.epsilon)
        parts = [kernel * factor[:, None, None, None], shift - mean * factor]
        return self.node("Conv", [x, *map(self.constant, parts)], **options)

    def slopes(self, x, name):
        return self.node("PRelu", [x, self.constant(self.v[f"params/{name}/slope"][:, None, None])])

    def model(self):
        x = "input.1"
        if self.begins == "mxnet":
            x = self.node("Sub", [x, self.constant(np.array([127.5]))])
            x = self.node("Mul", [x, self.constant(np.array([1 / 128]))])
        x = self.slopes(self.convolution(x, "conv1", "norm1", 1), "prelu")
        for stage, blocks in enumerate(ENCODER.blocks, 1):
            for number in range(1, blocks + 1):
                name, stride = f"layer{stage}_{number}/", 2 if number == 1 else 1
                y = self.convolution(self.norm(x, f"{name}norm1"), f"{name}conv1", f"{name}norm2", 1)
                y = self.convolution(self.slopes(y, f"{name}prelu"), f"{name}conv2", f"{name}norm3", stride)
                if number == 1:
                    x = self.convolution(x, f"{name}shortcut_conv", f"{name}shortcut_norm", stride)
                x = self.node("Add", [y, x])
        x = self.node("Flatten", [self.node("Identity", [self.norm(x, "norm2")])], axis=1)
        weight = self.v["params/dense/kernel"].reshape(7, 7, 32, 8).transpose(2, 0, 1, 3).reshape(-1, 8)
        bias = self.constant(self.v["params/dense/bias"])
        if self.head == "Gemm":
            x = self.node("Gemm", [x, self.constant(weight.T), bias], transB=1)
        else:
            x = self.node("Add", [self.node("MatMul", [x, self.constant(weight)]), bias])
        x = self.norm(x, "norm_embedding")
        info, kind = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
        inputs, outputs = [info("input.1", kind, [None, 3, 112, 112])], [info(x, kind, [None, 8])]
        graph = onnx.helper.make_graph(self.nodes, "torch-jit-export", inputs, outputs, self.stored)
        model = onnx.helper.make_model(graph, producer_name="pytorch", opset_imports=[onnx.helper.make_opsetid("", 11)])
        model.ir_version = 6
        return model


def saved(path, variables, **options):
    onnx.save(Exporter(variables, **options).model(), path)
    return path


@pytest.mark.peers
@pytest.mark.parametrize(
    "options",
    [
        {"folded": True},
        {"folded": False},
        {"folded": True, "head": "MatMul"},
        {"folded": False, "epsilon": 2e-5},
        {"folded": False, "begins": "mxnet"},
    ],
    ids=str,
)
def test_the_embedding_is_that_of_onnxruntime(tmp_path, variables, options):
    onnxruntime = pytest.importorskip("onnxruntime")
    path = saved(tmp_path / "net.onnx", variables, **options)
    images = np.random.default_rng(1).integers(0, 256, (3, 112, 112, 3)).astype(np.float32)
    given = images if "begins" in options else (images - 127.5) / 127.5
    run = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    [expected] = run.run(None, {"input.1": np.ascontiguousarray(given.transpose(0, 3, 1, 2))})
    encoder, found, report = read_iresnet(path)
    assert encoder == ENCODER and report.complete
    embedding = encoder.apply(found, images / 255)["embedding"]
    np.testing.assert_allclose(embedding, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("folded", [True, False])
def test_what_is_read_computes_what_was_written(tmp_path, variables, folded):
    path = saved(tmp_path / "net.onnx", variables, folded=folded)
    images = np.random.default_rng(1).uniform(size=(2, 112, 112, 3)).astype(np.float32)
    expected = ENCODER.apply(traverse_util.unflatten_dict(variables, sep="/"), images)["embedding"]
    encoder, found, report = read_iresnet(path)
    np.testing.assert_allclose(encoder.apply(found, images)["embedding"], expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    told = "\n".join(report.lines())
    assert "Conv_0: weight" in told and ("with normalization: bias" in told) == folded
    assert "InsightFace's IResNet in ONNX: 110 of 110 variables matched" in told


def test_it_is_a_file_of_weights_as_any_other(tmp_path, variables):
    path = saved(tmp_path / "net.onnx", variables, folded=False)
    assert is_onnx(path.read_bytes()[:16])
    arrays = read(path)
    np.testing.assert_array_equal(arrays["params/layer1_1/conv2/kernel"], variables["params/layer1_1/conv2/kernel"])
    back = traverse_util.flatten_dict(Pretrained(path=str(path)).variables(ENCODER), sep="/")
    assert back.keys() == variables.keys()
    with pytest.raises(UserError, match=r"do not fit the encoder"):
        Pretrained(path=str(path)).variables(IResNet(blocks=(1, 1, 1, 1), width=4, dimension=8))


def test_another_network_is_refused_by_what_it_is(tmp_path, variables):
    model = Exporter(variables, folded=True).model()
    for change, why in (
        (lambda nodes: setattr(nodes[1], "op_type", "Relu"), "is Relu, where a parametric ReLU is expected"),
        (lambda nodes: nodes[1].input.__setitem__(0, "input.1"), "2 operations, and not one, take input.1"),
    ):
        odd = type(model)()
        odd.CopyFrom(model)
        change(odd.graph.node)
        onnx.save(odd, tmp_path / "odd.onnx")
        with pytest.raises(UserError, match=rf"odd\.onnx cannot be read: its graph is no IResNet: .*({why})"):
            read_iresnet(tmp_path / "odd.onnx")


@pytest.mark.slow
def test_a_damaged_file_raises_nothing_else(tmp_path, variables):
    path = saved(tmp_path / "net.onnx", variables, folded=True)
    content, rng = path.read_bytes(), np.random.default_rng(0)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"net\.onnx cannot be read"):
        read_iresnet(path)
    for _ in range(100):
        changed = bytearray(content)
        for place in rng.integers(0, 4000, 3):
            changed[place] = rng.integers(256)
        path.write_bytes(changed)
        try:
            read_iresnet(path)
        except UserError as error:
            assert "net.onnx" in str(error)
