"""Reads the IResNets that InsightFace exports to ONNX, ``w600k_r50.onnx`` among them, by their graph and not by its names.

An exporter folds a batch normalization into the convolution before it, and calls what comes of it by a number. So the graph is
followed from the image to the embedding, and what is met is compared with the definition: a normalization that is not there is
one that changes nothing, and the convolution's bias is its bias.
"""

import collections
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from likeness.research.data.paths import printable
from likeness.research.encoders.iresnet import IResNet
from likeness.research.errors import UserError
from likeness.research.types import PyTree
from likeness.research.weights.headers import damaged, unreadable
from likeness.research.weights.layout import Entry, Layout
from likeness.research.weights.matching import fill, shapes
from likeness.research.weights.onnx_files import open_graph
from likeness.research.weights.report import MatchReport

__all__ = ["read_iresnet"]

_EPSILON = 1e-5
"""Of our batch normalization."""
_PASSED = frozenset({"Identity", "Dropout", "Cast"})
"""What changes nothing when a network is used."""
_HALF = 127.5


class _Other(ValueError):
    """A graph that is no IResNet."""


def read_iresnet(path: Path, graph: Any = None) -> tuple[IResNet, PyTree, MatchReport]:
    """The encoder that a file holds, its variables, and which array of the file each of them is.

    The encoder takes images in [0, 1] and maps them to [−1, 1] itself, as InsightFace does before it calls such a file; a file
    that begins with a subtraction and a multiplication of its own, as those from MXNet do, has these folded into the first
    convolution. Its embedding has the length that the file gives it.

    Args:
        path: the file. It is read with onnx, which the ``onnx`` extra brings. Numbers that lie in other files are not read.
        graph: what :func:`open_graph` made of it, where that is at hand.

    Returns:
        The encoder of the file's blocks, width and dimension, variables in NumPy arrays, and the report.

    Raises:
        UserError: it is damaged, or its graph is not that of an IResNet for images of 112×112; onnx is not installed.

    Source: https://github.com/deepinsight/insightface, ``recognition/arcface_torch/backbones/iresnet.py``.
    """
    try:
        found = _Walk(open_graph(path) if graph is None else graph).network()
    except (IndexError, KeyError, RecursionError, ValueError) as error:
        if isinstance(error, _Other):
            raise _refused(path, error) from error
        raise damaged(path, "ONNX", error) from error
    encoder = IResNet(blocks=found.blocks, width=found.width, dimension=found.dimension, normalize=False)
    entries = tuple(Entry(variable=variable, key=key) for variable, (key, _) in found.arrays.items())
    arrays = dict(found.arrays.values())
    layout = Layout(name="InsightFace's IResNet in ONNX", entries=entries)
    variables, report = fill(shapes(encoder), arrays, layout, source=printable(path))
    return encoder, variables, report


def _refused(path: Path, error: _Other) -> UserError:
    remedy = "What InsightFace exports of its iresnet18 to iresnet200 is read; bring other weights as safetensors."
    return unreadable(path, f"its graph is no IResNet: {error}", remedy)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Found:
    blocks: tuple[int, int, int, int]
    width: int
    dimension: int
    arrays: Mapping[str, tuple[str, np.ndarray]]
    """By the variable's path: what it is in the file, and its numbers."""


class _Walk:
    """Follows a graph from its input."""

    def __init__(self, graph: Any) -> None:
        from onnx import numpy_helper

        self._graph = graph
        self._stored: dict[str, Any] = {each.name: each for each in graph.initializer}
        self._to_array = numpy_helper.to_array
        self._consumers: dict[str, list[Any]] = collections.defaultdict(list)
        self._producer: dict[str, Any] = {}
        for place, node in enumerate(graph.node):
            # What is no UTF-8 comes as bytes.
            if not all(isinstance(name, str) for name in (*node.input, *node.output, node.name, node.op_type)):
                raise KeyError(f"the names of operation {place}")
            for name in node.input:
                self._consumers[name].append(node)
            for name in node.output:
                self._producer[name] = node
            node.name = node.name or f"{node.op_type}_{place}"
        # By what a node puts out, which no other does.
        self._attributes = {node.output[0]: {each.name: each for each in node.attribute} for node in graph.node if node.output}
        self._found: dict[str, tuple[str, np.ndarray]] = {}

    def network(self) -> _Found:
        """What the graph holds."""
        inputs = [each.name for each in self._graph.input if each.name not in self._stored]
        if len(inputs) != 1:
            raise _Other(f"it has {len(inputs)} inputs")
        x, scale = self._input(inputs[0])
        x, kernel = self._convolution(x, "conv1", "norm1", 3, 1)
        if scale != 1.0:
            key, array = self._found["params/conv1/kernel"]
            self._found["params/conv1/kernel"] = key, array * np.float32(scale)
        x = self._slopes(x, "prelu")
        blocks: list[int] = []
        while (block := self._block(x, blocks)) is not None:
            x = block
        if len(blocks) != 4:
            raise _Other(f"it has {len(blocks)} stages, and 4 are expected")
        stages: tuple[int, int, int, int] = (blocks[0], blocks[1], blocks[2], blocks[3])
        width = kernel.shape[-1]
        return _Found(blocks=stages, width=width, dimension=self._tail(x, width * 8), arrays=self._found)

    def _input(self, x: str) -> tuple[str, float]:
        """Past a subtraction and a multiplication, and by how much more than by 1/127.5 they multiply."""
        node = self._only(x)
        if node.op_type != "Sub":
            return x, 1.0
        middle, node = self._constant(node.input[1]), self._only(node.output[0])
        if node.op_type not in ("Mul", "Div") or not np.allclose(middle, _HALF):
            raise _Other(f"it begins with {node.op_type} after a subtraction of {middle.ravel()[:3].tolist()}, not of 127.5")
        factor = float(self._constant(node.input[1]).ravel()[0])
        return node.output[0], _HALF * (factor if node.op_type == "Mul" else 1 / factor)

    def _block(self, x: str, blocks: list[int]) -> str | None:
        """Past a residual block, whose number it notes; None where there is no further one."""
        norms = [node for node in self._after(x) if node.op_type == "BatchNormalization"]
        if len(norms) != 1:
            raise _Other(f"{len(norms)} batch normalizations, and not one, take {printable(x)}")
        if [node.op_type for node in self._after(norms[0].output[0])] != ["Conv"]:
            return None
        stride = self._stride(self._only(norms[0].output[0]))
        stride = max(stride, self._stride_of_second(norms[0]))
        if stride == 2:
            blocks.append(0)
        if not blocks or len(blocks) > 4:
            raise _Other("its stages do not each begin with a stride of 2, four times")
        blocks[-1] += 1
        name = f"layer{len(blocks)}_{blocks[-1]}/"
        self._norm(norms[0], f"{name}norm1")
        y, _ = self._convolution(norms[0].output[0], f"{name}conv1", f"{name}norm2", 3, 1)
        y, _ = self._convolution(self._slopes(y, f"{name}prelu"), f"{name}conv2", f"{name}norm3", 3, stride)
        added = self._only(y)
        if added.op_type != "Add":
            raise _Other(f"{printable(added.name)} is {added.op_type} where the input is added to a block")
        shortcuts = [node for node in self._after(x) if node.op_type == "Conv"]
        if shortcuts:
            self._convolution(x, f"{name}shortcut_conv", f"{name}shortcut_norm", 1, stride)
        return added.output[0]

    def _stride_of_second(self, norm: Any) -> int:
        """Of the second convolution behind a normalization, past what lies between."""
        node = self._only(norm.output[0])
        for _ in range(3):
            node = self._only(node.output[0])
            if node.op_type == "Conv":
                return self._stride(node)
        raise _Other(f"no second convolution follows {printable(norm.name)}")

    def _tail(self, x: str, channels: int) -> int:
        """The last normalizations and the dense layer between them; returns the length of the embedding."""
        norm = self._only(x)
        self._norm(norm, "norm2")
        flat = self._only(norm.output[0])
        if flat.op_type not in ("Flatten", "Reshape"):
            raise _Other(f"{printable(flat.name)} is {flat.op_type}, where the last map is made a vector")
        dense = self._only(flat.output[0])
        if dense.op_type not in ("Gemm", "MatMul"):
            raise _Other(f"{printable(dense.name)} is {dense.op_type}, where a dense layer is expected")
        weight = self._constant(dense.input[1])
        if self._number(dense, "transB", 0.0):
            weight = weight.T
        inputs, dimension = weight.shape
        side = round((inputs / channels) ** 0.5)
        if side * side * channels != inputs:
            raise _Other(f"its dense layer takes {inputs:,} numbers, which are no square of {channels} channels")
        end, bias = dense.output[0], np.zeros(dimension, np.float32)
        if len(dense.input) > 2:
            bias = self._constant(dense.input[2])
        elif (more := self._after(end)) and more[0].op_type == "Add":
            bias, end = self._constant(more[0].input[1]), more[0].output[0]
        # Channels come first in the file.
        weight = weight.reshape(channels, side, side, dimension).transpose(1, 2, 0, 3).reshape(inputs, dimension)
        mean, variance, shift = np.zeros_like(bias), np.full_like(bias, 1 - _EPSILON), np.zeros_like(bias)
        keys = [f"{dense.name} without normalization: {part}" for part in ("shift", "mean", "variance")]
        after = self._after(end)
        if after and after[0].op_type == "BatchNormalization":
            scale, shift, mean, variance = self._statistics(after[0])
            # Ours has no scale: what InsightFace fixes at 1 goes into what is normalized.
            weight, bias, mean = weight * scale, bias * scale, mean * scale
            keys = [f"{after[0].name}: {part}" for part in ("shift", "mean", "variance")]
        self._keep("params/dense/kernel", f"{dense.name}: weight", weight)
        self._keep("params/dense/bias", f"{dense.name}: bias", bias)
        self._keep("params/norm_embedding/bias", keys[0], shift)
        self._keep("batch_stats/norm_embedding/mean", keys[1], mean)
        self._keep("batch_stats/norm_embedding/var", keys[2], variance)
        return dimension

    def _convolution(self, x: str, layer: str, norm: str, side: int, stride: int) -> tuple[str, np.ndarray]:
        """Past a convolution and its normalization, wherever that is; the kernel is (h, w, in, out)."""
        nodes = [node for node in self._after(x) if node.op_type == "Conv"]
        if len(nodes) != 1:
            raise _Other(f"{len(nodes)} convolutions, and not one, take {printable(x)}")
        node = nodes[0]
        kernel = self._constant(node.input[1])
        if kernel.ndim != 4 or kernel.shape[2:] != (side, side) or self._stride(node) != stride:
            found = f"{'×'.join(map(str, kernel.shape))} with stride {self._stride(node)}"
            raise _Other(f"{printable(node.name)} is of {found}, not of {side}×{side} with {stride}")
        bias = self._constant(node.input[2]) if len(node.input) > 2 else np.zeros(len(kernel), np.float32)
        after = self._after(node.output[0])
        end = node.output[0]
        if len(after) == 1 and after[0].op_type == "BatchNormalization":
            # A bias before the normalization is one of its mean.
            self._norm(after[0], norm, bias)
            end = after[0].output[0]
        else:
            unit = np.ones_like(bias)
            self._keep(f"params/{norm}/scale", f"{node.name} with normalization: scale", unit)
            self._keep(f"params/{norm}/bias", f"{node.name} with normalization: bias", bias)
            self._keep(f"batch_stats/{norm}/mean", f"{node.name} with normalization: mean", 0 * unit)
            self._keep(f"batch_stats/{norm}/var", f"{node.name} with normalization: variance", unit - np.float32(_EPSILON))
        kernel = kernel.transpose(2, 3, 1, 0)
        self._keep(f"params/{layer}/kernel", f"{node.name}: weight", kernel)
        return end, kernel

    def _norm(self, node: Any, variable: str, before: np.ndarray | float = 0.0) -> None:
        if node.op_type != "BatchNormalization":
            raise _Other(f"{printable(node.name)} is {node.op_type}, where a batch normalization is expected")
        scale, shift, mean, variance = self._statistics(node)
        self._keep(f"params/{variable}/scale", f"{node.name}: scale", scale)
        self._keep(f"params/{variable}/bias", f"{node.name}: shift", shift)
        self._keep(f"batch_stats/{variable}/mean", f"{node.name}: mean", mean - before)
        self._keep(f"batch_stats/{variable}/var", f"{node.name}: variance", variance)

    def _statistics(self, node: Any) -> list[np.ndarray]:
        """Scale, shift, mean, and the variance that goes with our ε."""
        scale, shift, mean, variance = (self._constant(name) for name in node.input[1:5])
        return [scale, shift, mean, variance + np.float32(self._number(node, "epsilon", _EPSILON) - _EPSILON)]

    def _slopes(self, x: str, variable: str) -> str:
        node = self._only(x)
        if node.op_type != "PRelu":
            raise _Other(f"{printable(node.name)} is {node.op_type}, where a parametric ReLU is expected")
        self._keep(f"params/{variable}/slope", f"{node.name}: slope", self._constant(node.input[1]).reshape(-1))
        return node.output[0]

    def _keep(self, variable: str, key: str, array: np.ndarray) -> None:
        self._found[variable] = key, np.asarray(array, np.float32)

    def _stride(self, node: Any) -> int:
        found = self._attributes[node.output[0]].get("strides")
        return int(found.ints[0]) if found is not None else 1

    def _number(self, node: Any, name: str, otherwise: float) -> float:
        found = self._attributes[node.output[0]].get(name)
        # An attribute is a float or a whole number.
        return otherwise if found is None else float(found.f if found.type == 1 else found.i)

    def _after(self, name: str) -> list[Any]:
        """What takes a value, past what changes nothing."""
        found = []
        for node in self._consumers[name]:
            found += self._after(node.output[0]) if node.op_type in _PASSED else [node]
        return found

    def _only(self, name: str) -> Any:
        found = self._after(name)
        if len(found) != 1:
            raise _Other(f"{len(found)} operations, and not one, take {printable(name)}")
        return found[0]

    def _constant(self, name: str) -> np.ndarray:
        """An array that the file holds, in float32."""
        while (node := self._producer.get(name)) is not None and node.op_type in _PASSED:
            name = node.input[0]
        tensor = self._stored.get(name)
        if tensor is None and node is not None and node.op_type == "Constant":
            tensor = self._attributes[node.output[0]]["value"].t
        if tensor is None:
            raise _Other(f"{printable(name)} is computed, where an array is expected")
        if tensor.data_location == 1:
            raise _Other(f"{printable(name)} lies in another file, which is not read")
        try:
            return np.asarray(self._to_array(tensor), np.float32)
        except (ValueError, TypeError) as error:
            raise _Other(f"{printable(name)} is damaged") from error
