"""Reads files of weights: whatever the format, a flat dictionary of names and arrays comes out, and nothing is executed."""

import json
import math
import os
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from research.data.paths import printable
from research.errors import UserError, how_to_install

_HDF5 = b"\x89HDF\r\n\x1a\n"
# What torch says of a file that holds more than tensors; its errors have one type.
_OBJECTS = ("Unsupported global", "Unsupported class", "unrecognized function", "TorchScript")
_FORMATS = "safetensors, .npz, Keras .h5, a PyTorch state dict, or a folder of raw float32 with manifest.json"


def read(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads weights of any known format, told by content and not by name.

    safetensors; ``.npz``; Keras ``.h5`` (with h5py, the ``keras`` extra); PyTorch state dicts (with torch, the ``peers``
    extra, and only by its weights-only loader); a folder of raw float32 files with ``manifest.json``. Nothing that a
    file holds is ever executed: pickled objects are refused.

    Args:
        path: the file or folder.

    Returns:
        The arrays by the names they have in the file: ``features.0.weight``, ``fire2/squeeze1x1/kernel:0``.

    Raises:
        UserError: it is missing, cut short, of no known format, holds something else than numbers, or needs a library
            that is not installed.
    """
    path = Path(path)
    try:
        arrays = _reader(path)(path)
    except OSError as error:
        # Only the system's own errors have a number; h5py raises bare ones for a damaged file.
        why = f"the system says: {error.strerror}" if error.errno else f"it is damaged ({_line(error)})"
        raise unreadable(path, why, "Check the path, or fetch or copy it again.") from error
    if not arrays:
        raise unreadable(path, "it holds no arrays", f"Known formats: {_FORMATS}.")
    return arrays


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Reads a safetensors file, see :func:`read`."""
    try:
        return dict(load_file(path))
    except (SafetensorError, KeyError, ValueError) as error:
        raise _damaged(path, "safetensors", error) from error


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Reads NumPy's ``.npz``, see :func:`read`; arrays of Python objects are pickles and are refused."""
    try:
        # A file that it opened itself np.load leaves open where it fails.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(path, ".npz", error) from error


def read_keras(path: Path) -> dict[str, np.ndarray]:
    """Reads the arrays of an HDF5 file by their path in it, see :func:`read`; of a whole Keras model, only its weights."""
    try:
        import h5py  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise unreadable(
            path,
            "it is HDF5, as Keras writes it, and h5py is not installed",
            f"Install the `keras` extra ({how_to_install('keras')}; it is h5py), or bring the weights as safetensors.",
        ) from error

    arrays: dict[str, np.ndarray] = {}

    def take(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiu":
            arrays[name] = np.asarray(item)

    try:
        with h5py.File(path, "r") as file:
            file.get("model_weights", file).visititems(take)
    except (KeyError, RuntimeError, ValueError) as error:
        raise _damaged(path, "HDF5", error) from error
    return arrays


def read_torch(path: Path) -> dict[str, np.ndarray]:
    """Reads a PyTorch state dict by the weights-only loader, see :func:`read`; one inside ``{"model": …}`` is found."""
    try:
        import torch  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise unreadable(
            path,
            "it is a PyTorch file, and torch is not installed",
            f"Install the `peers` extra ({how_to_install('peers')}), or convert it where torch is: "
            "safetensors.torch.save_file(torch.load('x.pth', weights_only=True), 'x.safetensors').",
        ) from error
    try:
        with warnings.catch_warnings():
            # Torch warns of formats that it goes on to refuse.
            warnings.simplefilter("ignore")
            found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    # What torch raises on a damaged file ranges from EOFError to its own; none of it ran anything.
    except Exception as error:
        if any(words in str(error) for words in _OBJECTS):
            why = "it holds Python objects or a program, and only a dictionary of tensors is read: the rest could run code"
            raise unreadable(path, why, "Save the model's state_dict() where it was made, as safetensors.") from error
        raise _damaged(path, "PyTorch", error) from error
    return {name: _as_array(tensor, torch) for name, tensor in _state_dict(path, found, torch).items()}


def read_folder(path: Path) -> dict[str, np.ndarray]:
    """Reads a folder of little-endian float32 files and ``manifest.json``: ``{name: {"filename": …, "shape": […]}}``."""
    try:
        manifest = json.loads((path / "manifest.json").read_text())
        entries = {name: (str(entry["filename"]), tuple(map(int, entry["shape"]))) for name, entry in manifest.items()}
    except FileNotFoundError as error:
        raise unreadable(path, "it is a folder without manifest.json", f"Known formats: {_FORMATS}.") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(path / "manifest.json", "manifest", error) from error
    arrays = {}
    for name, (filename, shape) in entries.items():
        file = path / filename
        if file.parent != path:
            raise unreadable(path, f"its manifest points to {printable(filename)}, which is outside", "Correct manifest.json.")
        content = file.read_bytes()
        if len(content) != 4 * math.prod(shape):
            why = f"{printable(filename)} has {len(content)} bytes, and {shape} in float32 has {4 * math.prod(shape)}"
            raise unreadable(path, why, "It may be cut short: fetch or copy it again.")
        arrays[name] = np.frombuffer(content, "<f4").astype(np.float32).reshape(shape)
    return arrays


def unreadable(path: Path, why: str, remedy: str) -> UserError:
    """The one paragraph for weights that cannot be read."""
    return UserError(f"The weights {printable(path)} cannot be read: {why}. {remedy}")


def _reader(path: Path) -> Callable[[Path], dict[str, np.ndarray]]:
    if path.is_dir():
        return read_folder
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(_HDF5):
        return read_keras
    if head.startswith(b"PK\x03\x04"):
        return read_torch if _is_torch(path) else read_npz
    if head[8:9] == b"{":
        return read_safetensors
    # The first bytes of a pickle, which PyTorch's old format is.
    if head.startswith(b"\x80"):
        return read_torch
    why = "it is empty" if not head else "it is of no known format"
    raise unreadable(path, why, f"Known formats: {_FORMATS}.")


def _is_torch(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/data.pkl") for name in archive.namelist())
    except zipfile.BadZipFile:
        # Cut short, for the list of contents is at the end; the suffix is all that is left.
        return path.suffix != ".npz"


def _state_dict(path: Path, found: Any, torch: Any) -> dict[str, Any]:
    """The one dictionary of tensors among what the file holds."""

    def tensors(value: Any) -> dict[str, Any]:
        items = value.items() if isinstance(value, Mapping) else ()
        return {str(name): item for name, item in items if isinstance(item, torch.Tensor)}

    inside = {str(name): tensors(value) for name, value in found.items()} if isinstance(found, Mapping) else {}
    candidates = [one for one in (tensors(found), *inside.values()) if one]
    if len(candidates) > 1:
        names = ", ".join(name for name, one in inside.items() if one)
        raise unreadable(path, f"it holds several dictionaries of tensors ({names})", "Save the one that is meant by itself.")
    return candidates[0] if candidates else {}


def _as_array(tensor: Any, torch: Any) -> np.ndarray:
    tensor = tensor.detach()
    # NumPy has no bfloat16 of its own; float32 holds every value of it.
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).contiguous().numpy()


def _damaged(path: Path, kind: str, error: Exception) -> UserError:
    return unreadable(path, f"it is not a whole {kind} file ({_line(error)})", "It may be cut short: fetch or copy it again.")


def _line(error: Exception) -> str:
    return printable(" ".join(str(error).split())[:120].rstrip(".")) or type(error).__name__
