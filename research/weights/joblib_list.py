"""Reads the lists of arrays that joblib writes, compressed by LZ4: numbers, and nothing that could be run.

Such a file is a pickle of a list, with the numbers of each array right behind the operation that describes it. To unpickle a
file runs what it says. Here the operations that describe arrays are carried out by hand, and every other one is refused by
its name.
"""

import io
import pickletools
from pathlib import Path
from typing import Any

import numpy as np

from likeness.research.data.paths import printable
from likeness.research.data.regular import read_regular
from likeness.research.errors import how_to_install
from likeness.research.weights.headers import Check, Header, check_headers, damaged, unreadable

__all__ = ["is_lz4", "read_joblib_list"]

_LARGEST = 2**28
"""Bytes that are unpacked, at most: the lists known have a few million."""
_WRAPPER = ("joblib.numpy_pickle", "NumpyArrayWrapper")
_NAMES = frozenset({_WRAPPER, ("numpy", "ndarray"), ("numpy", "dtype")})
"""What a pickle may mention. It is not looked up."""
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_MARK = object()


class _Refused(ValueError):
    pass


class _Kind(dict):
    """A dtype, as its state is gathered."""


class _Array(dict):
    """What describes an array, as it is gathered."""


def is_lz4(head: bytes) -> bool:
    """Whether a file that begins so is a frame of LZ4."""
    return head[:4] == b"\x04\x22\x4d\x18"


def read_joblib_list(path: Path, check: Check | None = None) -> dict[str, np.ndarray]:
    """Reads a list of arrays, by their places in it: ``0``, ``1``, …

    Args:
        path: the file. It is read with lz4, which the ``faces`` extra brings.
        check: told the headers before the arrays are kept.

    Raises:
        UserError: it is damaged, holds anything but a list of arrays of float32, unpacks to more than 256 MB, or lz4 is not
            installed.
    """
    try:
        import lz4.frame
    except ImportError as error:
        why = f"{printable(path.name)} is compressed by LZ4, and lz4 is not installed"
        raise unreadable(path, why, f"Run {how_to_install('faces')}.") from error
    try:
        unpacked = lz4.frame.LZ4FrameDecompressor().decompress(read_regular(path), max_length=_LARGEST + 1)
    except (RuntimeError, EOFError) as error:
        raise damaged(path, "LZ4", error) from error
    if len(unpacked) > _LARGEST:
        raise unreadable(path, f"it unpacks to more than {_LARGEST / 1e6:.0f} MB", "Fetch or copy it again.")
    try:
        arrays = _Pickle(unpacked).arrays()
    except _Refused as error:
        raise unreadable(path, str(error), "Bring the weights as safetensors.") from error
    except (IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise damaged(path, "joblib", error) from error
    found = {str(place): array for place, array in enumerate(arrays)}
    check_headers(path, {name: Header(array.shape, array.dtype) for name, array in found.items()}, len(unpacked), check)
    return found


class _Pickle:
    """Goes through the operations of a pickle, and past the numbers between them."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)
        self._stack: list[Any] = []
        self._memo: list[Any] = []

    def arrays(self) -> list[np.ndarray]:
        """What it holds."""
        # The operations are read one by one, so that the file may be moved on between them.
        for operation, argument, at in pickletools.genops(self._file):
            if operation.name == "STOP":
                break
            self._step(operation.name, argument, at or 0)
        else:
            raise ValueError("it has no end")
        if len(self._stack) != 1 or type(self._stack[0]) is not list:
            raise _Refused("it holds something else than a list of arrays")
        found = self._stack[0]
        if not all(isinstance(array, np.ndarray) for array in found):
            raise _Refused("its list holds something else than arrays")
        return found

    def _step(self, name: str, argument: Any, at: int) -> None:
        stack = self._stack
        if name in ("PROTO", "FRAME"):
            return
        if name in ("SHORT_BINUNICODE", "BINUNICODE", "BININT", "BININT1", "BININT2"):
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name == "MARK":
            stack.append(_MARK)
        elif name in ("EMPTY_LIST", "EMPTY_DICT", "EMPTY_TUPLE"):
            stack.append({"EMPTY_LIST": [], "EMPTY_DICT": {}, "EMPTY_TUPLE": ()}[name])
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            size = int(name[-1])
            stack[-size:] = [tuple(stack[-size:])]
        elif name == "TUPLE":
            stack.append(tuple(self._since_mark()))
        elif name in ("APPEND", "APPENDS"):
            items = [stack.pop()] if name == "APPEND" else self._since_mark()
            # A list within a list is in no such file.
            if type(stack[-1]) is not list or any(not isinstance(item, np.ndarray) for item in items):
                raise _Refused("its list holds something else than arrays")
            stack[-1].extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = [stack.pop(-2), stack.pop()] if name == "SETITEM" else self._since_mark()
            stack[-1].update(zip(items[::2], items[1::2], strict=True))
        elif name == "MEMOIZE":
            self._memo.append(stack[-1])
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif name == "STACK_GLOBAL":
            mentioned = tuple(stack[-2:])
            if mentioned not in _NAMES:
                asked = printable(".".join(map(str, mentioned))[:80])
                raise _Refused(f"it asks for {asked} at byte {at}, and only arrays are read")
            stack[-2:] = [mentioned]
        elif name == "NEWOBJ":
            self._made(_WRAPPER, (), _Array())
        elif name == "REDUCE":
            # A dtype is asked for by its name, and two truths.
            kind = stack[-1][0]
            self._made(("numpy", "dtype"), stack[-1], _Kind(name=kind))
        elif name == "BUILD":
            self._build(stack.pop())
        else:
            raise _Refused(f"it holds {name} at byte {at}, and only lists of arrays are read")

    def _made(self, what: tuple[str, str], arguments: tuple[Any, ...], made: dict[str, Any]) -> None:
        if self._stack[-2] != what or self._stack[-1] != arguments:
            raise _Refused(f"it makes {printable(str(self._stack[-2])[:80])}, and only arrays are read")
        self._stack[-2:] = [made]

    def _build(self, state: Any) -> None:
        top = self._stack[-1]
        if isinstance(top, _Kind):
            top["order"] = state[1]
        elif isinstance(top, _Array):
            top.update(state)
            self._stack[-1] = self._numbers(top)
            # Later operations may point to it.
            self._memo = [self._stack[-1] if one is top else one for one in self._memo]
        else:
            raise _Refused("it sets the state of something else than an array")

    def _numbers(self, described: _Array) -> np.ndarray:
        kind, shape, order = described["dtype"], described["shape"], described["order"]
        if not isinstance(kind, _Kind) or (kind["name"], kind.get("order")) != ("f4", "<"):
            raise _Refused("an array of it is not of float32 in little-endian order")
        if order not in ("C", "F") or not all(type(side) is int and 0 <= side < 2**32 for side in shape):
            raise _Refused(f"an array of it has the shape {str(shape)[:60]} and the order {str(order)[:10]}")
        if described.get("numpy_array_alignment_bytes") is not None:
            self._file.seek(self._file.read(1)[0], io.SEEK_CUR)
        size = 4 * int(np.prod(shape, dtype=object))
        content = self._file.read(size) if size <= _LARGEST else b""
        if len(content) != size:
            raise ValueError("it ends in the middle of an array")
        return np.frombuffer(content, "<f4").astype(np.float32).reshape(shape, order=order)

    def _since_mark(self) -> list[Any]:
        items: list[Any] = []
        while (item := self._stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]
