"""Reads the networks that dlib's ``serialize`` writes: numbers and the names of layers, and nothing else.

A whole number is a byte that says of how many bytes it is, then these, the lowest first; a float is two of them, mantissa and
exponent; a string its length and its bytes; a truth is the character 0 or 1. A tensor is a version, four sides (samples,
channels, rows, columns) and its numbers in little-endian float32. A network is its loss, a version for every layer from the
last to the first, the input, and then the layers from the first to the last.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from likeness.research.data.paths import printable
from likeness.research.data.regular import open_regular
from likeness.research.weights.headers import Check, Header, check_headers, damaged, unreadable

__all__ = ["is_dlib", "read_dlib"]

_LOSSES = {"loss_metric_2": 2}
"""How many floats each loss has."""
_INPUTS = {"input_rgb_image": (3, 0), "input_rgb_image_sized": (3, 2)}
"""How many floats each input has, and then how many whole numbers."""
_LONGEST_NAME = 64

Place: TypeAlias = tuple[int, Header]
"""Where in the file an array begins, and what it is."""


class _Damaged(ValueError):
    pass


class _OfAnotherKind(ValueError):
    pass


def is_dlib(head: bytes) -> bool:
    """Whether a file that begins so (16 bytes or more) is a network of dlib's with its loss."""
    return head[:3] == b"\x01\x01\x01" and head[4:9] == b"loss_"


def read_dlib(path: Path, check: Check | None = None) -> dict[str, np.ndarray]:
    """Reads the arrays of a network, each kind of layer numbered from the input on.

    ``con1/filters`` (out, in, h, w), ``con1/biases`` (out,), ``affine1/gamma`` and ``affine1/beta`` (channels,),
    ``fc1/weights`` (in, out), and ``fc1/biases`` (out,) where there are any.

    Args:
        path: the file.
        check: told the headers before an array is read.

    Raises:
        UserError: it is cut short or longer than its layers, its sides do not fit its arrays, or it has a layer of a kind that
            is not read.
    """
    with open_regular(path) as file:
        stored = file.seek(0, os.SEEK_END)
        try:
            places = _Network(file, stored).places()
        except _OfAnotherKind as error:
            raise unreadable(path, str(error), "Bring the weights as safetensors.") from error
        except _Damaged as error:
            raise damaged(path, "dlib", error) from error
        check_headers(path, {name: header for name, (_, header) in places.items()}, stored, check)
        arrays = {}
        for name, (start, header) in places.items():
            file.seek(start)
            content = file.read(header.nbytes)
            if len(content) != header.nbytes:
                raise unreadable(path, f"{name} changes while it is read", "Wait until it is written.")
            arrays[name] = np.frombuffer(content, "<f4").astype(np.float32).reshape(header.shape)
    return arrays


class _Network:
    """Walks through a file, past the arrays, and notes where they are."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._found: dict[str, Place] = {}
        self._counts: dict[str, int] = {}
        self._layers: dict[str, Callable[[], object]] = {
            "con_4": self._convolution,
            "affine_": self._affine,
            "fc_2": self._matrix,
            "relu_": lambda: None,
            "add_prev_": lambda: None,
            "max_pool_2": lambda: self._integers(6),
            "avg_pool_2": lambda: self._integers(6),
        }

    def places(self) -> dict[str, Place]:
        """Where each array is."""
        self._file.seek(0)
        self._version(1, "the network")
        self._floats(self._one_of(_LOSSES, "loss"))
        count = self._count_layers()
        for index in range(count):
            self._one_of(self._layers, "layer")()
            for _ in range(3):
                self._truth()
            # Gradients and the last output, which are empty unless it was written in the middle of training.
            for _ in range(3):
                self._tensor()
            if index == 0:
                # How many samples the input makes of one.
                self._integer()
        if self._file.tell() != self._size:
            raise _Damaged(f"{self._size - self._file.tell():,} bytes are left behind its {count} layers")
        return self._found

    def _count_layers(self) -> int:
        """Reads the versions of layers, tags and skips up to the input's name, and the input."""
        count, last = 0, 0
        # A layer has version 2, a tag or a skip 1, and the layer behind the input, which ends them, 3.
        while last != 3:
            last = self._integer()
            if last not in (1, 2, 3):
                raise _OfAnotherKind(f"it has a layer of version {last}, which another version of dlib wrote")
            count += last != 1
        floats, integers = self._one_of(_INPUTS, "input")
        self._floats(floats)
        self._integers(integers)
        return count

    def _convolution(self) -> None:
        params, name = self._tensor(), self._numbered("con")
        filters, rows, columns = self._integers(7)[:3]
        kernel, bias = self._alias(), self._alias()
        self._floats(4)
        if (kernel[0], *kernel[2:]) != (filters, rows, columns) or np.prod(bias) != filters:
            raise _Damaged(f"{name} of {filters} filters {rows}×{columns} has arrays of other sides")
        self._split(params, {f"{name}/filters": kernel, f"{name}/biases": (filters,)})

    def _affine(self) -> None:
        params, name = self._tensor(), self._numbered("affine")
        gamma, beta = self._alias(), self._alias()
        self._integer()
        self._split(params, {f"{name}/gamma": (_product(gamma),), f"{name}/beta": (_product(beta),)})

    def _matrix(self) -> None:
        name = self._numbered("fc")
        outputs, inputs = self._integers(2)
        params, weights, biases = self._tensor(), self._alias(), self._alias()
        self._integer()
        self._floats(4)
        if _product(weights) != inputs * outputs:
            raise _Damaged(f"{name} from {inputs} to {outputs} has a matrix of other sides")
        more = {f"{name}/biases": (_product(biases),)} if _product(biases) else {}
        self._split(params, {f"{name}/weights": (inputs, outputs), **more})

    def _split(self, params: tuple[int, int], shapes: dict[str, tuple[int, ...]]) -> None:
        """Notes the arrays that lie one after another in a tensor."""
        start, count = params
        total = sum(map(_product, shapes.values()))
        if total != count:
            raise _Damaged(f"{next(iter(shapes))} and what follows it should hold {total:,} numbers, and {count:,} are there")
        for name, shape in shapes.items():
            header = Header(shape, np.dtype("<f4"))
            self._found[name] = (start, header)
            start += header.nbytes

    def _numbered(self, kind: str) -> str:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return f"{kind}{self._counts[kind]}"

    def _tensor(self) -> tuple[int, int]:
        """Where the numbers of a tensor begin and how many they are; goes past them."""
        self._version(2, "a tensor")
        count = _product(self._sides())
        start = self._file.tell()
        if count * 4 > self._size - start:
            raise _Damaged(f"a tensor of {count:,} numbers reaches beyond its end")
        self._file.seek(start + 4 * count)
        return start, count

    def _alias(self) -> tuple[int, ...]:
        """The sides of a part of a tensor."""
        self._version(1, "a part of a tensor")
        return self._sides()

    def _sides(self) -> tuple[int, ...]:
        sides = self._integers(4)
        if min(sides) < 0:
            raise _Damaged(f"a tensor has the sides {sides}")
        return sides

    def _version(self, known: int, what: str) -> None:
        found = self._integer()
        if found != known:
            raise _OfAnotherKind(f"{what} is of version {found}, and {known} is read")

    def _one_of(self, known: Mapping[str, Any], what: str) -> Any:
        name = self._string()
        if name not in known:
            raise _OfAnotherKind(f"its {what} is {printable(name)}, and what is read is {', '.join(known)}")
        return known[name]

    def _string(self) -> str:
        length = self._integer()
        if not 0 < length <= _LONGEST_NAME:
            raise _Damaged(f"a name has {length:,} letters")
        try:
            return self._bytes(length).decode("ascii")
        except UnicodeDecodeError as error:
            raise _Damaged("a name is not of letters") from error

    def _floats(self, count: int) -> None:
        self._integers(2 * count)

    def _integers(self, count: int) -> tuple[int, ...]:
        return tuple(self._integer() for _ in range(count))

    def _integer(self) -> int:
        (control,) = self._bytes(1)
        # The highest bit is the sign, the lowest four are the length.
        if not 1 <= control & 0x0F <= 8 or control & 0x70:
            raise _Damaged(f"a whole number begins with the byte {control}")
        value = int.from_bytes(self._bytes(control & 0x0F), "little")
        return -value if control & 0x80 else value

    def _truth(self) -> None:
        if self._bytes(1) not in (b"0", b"1"):
            raise _Damaged("a truth is neither 0 nor 1")

    def _bytes(self, count: int) -> bytes:
        content = self._file.read(count)
        if len(content) != count:
            raise _Damaged("it ends in the middle of a layer")
        return content


def _product(sides: tuple[int, ...]) -> int:
    return int(np.prod(sides, dtype=object))
