"""Reads PyTorch's state dicts: the file is looked through first, and then read by torch's weights-only loader."""

import io
import os
import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from likeness.research.data.npz import open_zip
from likeness.research.data.paths import printable
from likeness.research.data.regular import open_regular
from likeness.research.errors import UserError, how_to_install
from likeness.research.weights.headers import Check, Header, check_headers, damaged, unreadable

# What torch says of a file that holds more than tensors; its errors have one type.
_OBJECTS = ("Unsupported global", "Unsupported class", "unrecognized function", "TorchScript")
_REMEDY = "Save the model's state_dict() where it was made, as safetensors."
_DENSE = "Convert it where it was made, by dequantize() or to_dense(), and save it as safetensors."
_ODD = {
    "torch._utils._rebuild_qtensor": "quantized",
    "torch._utils._rebuild_sparse_tensor": "sparse",
    "torch._utils._rebuild_meta_tensor_no_storage": "meta",
    "torch._utils._rebuild_nested_tensor": "nested",
}
# The description of ten thousand arrays takes two million bytes.
_LONGEST_PICKLE = 64_000_000
_DTYPE = r"bool|double|half|(u?int|float|bfloat|complex)\d*(_e\dm\d\w*)?"
# Before torch 1.6 a file was five pickles, one after the other, and then the numbers.
_OLD_PICKLES = 5
_OLD_MAGIC = 0x1950A86A20F9469CFC6C.to_bytes(10, "little")


def read_torch(path: Path, check: Check | None = None) -> dict[str, np.ndarray]:
    """Reads a PyTorch state dict by the weights-only loader; one inside ``{"model": …}`` is found.

    A PyTorch file is a Python pickle, which is a program. What it would call is looked up first, without torch and without
    running it: a file that asks for anything but tensors is refused, and the error says what it asked for.

    Args:
        path: the file.
        check: told the headers before an array is kept.

    Raises:
        UserError: torch is not installed, or the file is damaged, asks for something else than tensors, holds tensors of a kind
            that NumPy does not have, or would unpack to far more than its size.
    """
    with open_regular(path) as file:
        stored = file.seek(0, os.SEEK_END)
        file.seek(0)
        _look_through(path, file, stored)
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
            raise unreadable(path, why, _REMEDY) from error
        raise damaged(path, "PyTorch", error) from error
    tensors = _state_dict(path, found, torch)
    headers = {name: _header(path, name, tensor, torch) for name, tensor in tensors.items()}
    check_headers(path, headers, stored, check)
    return {name: _as_array(tensor, torch) for name, tensor in tensors.items()}


def _look_through(path: Path, file: io.BufferedReader, stored: int) -> None:
    """Refuses, before torch sees it, what asks for more than tensors or unpacks to more than the file."""
    asked: dict[str, None] = {}
    broken = None
    try:
        for pickle in _pickles(path, file, stored):
            for name in _globals(pickle):
                asked[name] = None
    except UserError:
        raise
    # Of a damaged archive zipfile raises nearly anything, and pickletools ValueError and more.
    except Exception as error:
        broken = error
    for name, kind in _ODD.items():
        if name in asked:
            raise unreadable(path, f"it holds a {kind} tensor, and plain ones are expected", _DENSE)
    if strange := [name for name in asked if not _is_tensor(name)]:
        shown = ", ".join(map(printable, strange[:3])) + (" and more" if len(strange) > 3 else "")
        why = f"it is a Python pickle that asks for {shown}, and only a dictionary of tensors is read: the rest could run code"
        raise unreadable(path, why, _REMEDY)
    if broken is not None:
        raise damaged(path, "PyTorch", broken) from broken


def _pickles(path: Path, file: io.BufferedReader, stored: int) -> Iterator[io.BytesIO]:
    if file.read(4) == b"PK\x03\x04":
        with open_zip(file) as archive:
            for member in archive.infolist():
                if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
                    raise unreadable(path, f"its {printable(member.filename)} is packed, which torch does not do", _REMEDY)
            if sum(member.file_size for member in archive.infolist()) > stored:
                raise unreadable(path, "its parts are larger than all of it", "Fetch or copy it again.")
            for member in archive.infolist():
                if member.filename.endswith(".pkl"):
                    yield io.BytesIO(archive.read(member))
        return
    file.seek(0)
    # All of an old file's beginning lies in memory at most once; its numbers are not looked at.
    head = io.BytesIO(file.read(_LONGEST_PICKLE))
    for number in range(_OLD_PICKLES):
        yield head
        if number == 0 and _OLD_MAGIC not in head.getbuffer()[: head.tell()].tobytes():
            return


def _globals(pickle: io.BytesIO) -> Iterator[str]:
    """What a pickle would import, one after another, found by reading its program and not by running it."""
    texts: list[str] = []
    for operation, argument, _ in pickletools.genops(pickle):
        if operation.name in ("GLOBAL", "INST"):
            yield str(argument).replace(" ", ".")
        elif operation.name == "STACK_GLOBAL":
            # The two names lie on the stack; which texts those are cannot be told for certain, and need not be.
            yield ".".join(texts[-2:]) or "something"
        elif operation.name in ("EXT1", "EXT2", "EXT4"):
            yield f"extension {argument}"
        elif isinstance(argument, str):
            texts.append(argument)


def _is_tensor(name: str) -> bool:
    """Whether a name that a pickle imports is one of those that tensors are made of."""
    if name in (
        "collections.OrderedDict",
        "torch.Size",
        "torch.device",
        "torch._utils._rebuild_tensor",
        "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_tensor_v3",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_parameter_with_state",
    ):
        return True
    module, _, last = name.rpartition(".")
    if module in ("torch", "torch.storage"):
        return last.endswith("Storage") or re.fullmatch(_DTYPE, last) is not None
    return False


def _state_dict(path: Path, found: Any, torch: Any) -> dict[str, Any]:
    """The one dictionary of tensors among what the file holds."""

    def tensors(value: Any) -> dict[str, Any]:
        items = value.items() if isinstance(value, Mapping) else ()
        return {str(name): item for name, item in items if isinstance(item, torch.Tensor)}

    inside = {str(name): tensors(value) for name, value in found.items()} if isinstance(found, Mapping) else {}
    candidates = [one for one in (tensors(found), *inside.values()) if one]
    if len(candidates) > 1:
        names = ", ".join(printable(name) for name, one in inside.items() if one)
        raise unreadable(path, f"it holds several dictionaries of tensors ({names})", "Save the one that is meant by itself.")
    return candidates[0] if candidates else {}


def _header(path: Path, name: str, tensor: Any, torch: Any) -> Header:
    """What a tensor is, where NumPy has such arrays."""
    if tensor.is_quantized or tensor.layout != torch.strided or tensor.device.type != "cpu":
        raise unreadable(path, f"{printable(name)} is no plain tensor", _DENSE)
    dtype = torch.float32 if tensor.dtype == torch.bfloat16 else tensor.dtype
    try:
        return Header(tuple(tensor.shape), torch.empty(0, dtype=dtype).numpy().dtype)
    except (TypeError, RuntimeError) as error:
        why = f"{printable(name)} holds {str(tensor.dtype).removeprefix('torch.')}, which NumPy does not have"
        raise unreadable(path, why, "Convert it to float32 where it was made.") from error


def _as_array(tensor: Any, torch: Any) -> np.ndarray:
    tensor = tensor.detach()
    # NumPy has no bfloat16 of its own; float32 holds every value of it.
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).contiguous().resolve_conj().resolve_neg().numpy()
