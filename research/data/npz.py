"""NumPy's .npz files from anywhere: what they claim is checked before any of it is unpacked, and nothing is unpickled."""

import dataclasses
import io
import math
import os
import struct
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from jaxtyping import Shaped

from likeness.research.data.paths import printable

ReadFile = io.BytesIO | io.BufferedReader
"""What beartype can tell at run time, which `IO[bytes]` is not."""

_DIRECTORY_BYTES = 8 << 20
"""More than a hundred thousand files are in no archive that is meant; listing them takes a second."""
_HEADER_BYTES = 10_000
"""NumPy's own limit."""
_UNPACKED_BYTES = 64 << 20
_UNPACKED_TIMES = 200
"""Drawings in black and white shrink to a fiftieth, and nothing to a thousandth but what is equal throughout."""
_METHODS = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflate"}
_ENCRYPTED = 0x1
_KINDS = "biufcSU"


class BadArchive(ValueError):
    """A zip or .npz file that is damaged or claims more than it may; the message continues "cannot be read: "."""


@dataclasses.dataclass(frozen=True)
class ArrayHeader:
    """What an array in an .npz file is said to be; the file holds as many bytes as that takes."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran_order: bool
    start: int
    """Where the numbers begin in the unpacked file."""

    @property
    def nbytes(self) -> int:
        """Of the array in memory."""
        return math.prod(self.shape) * self.dtype.itemsize


class Npz:
    """An open .npz file: ``headers`` tells what is in it, and :meth:`read` unpacks one array.

    Example:
        >>> file = io.BytesIO()
        >>> np.savez(file, labels=np.array([1, 2], np.int8))
        >>> with open_npz(file) as archive:
        ...     archive.headers["labels"].shape, archive.read("labels").tolist()
        ((2,), [1, 2])
    """

    def __init__(self, archive: zipfile.ZipFile, wanted: Collection[str] | None, packed: int) -> None:
        """For :func:`open_npz`."""
        self._archive = archive
        entries = {info.filename.removesuffix(".npy"): info for info in archive.infolist() if info.filename.endswith(".npy")}
        self._entries = {name: info for name, info in entries.items() if wanted is None or name in wanted}
        self.names = tuple(entries)
        """Of all arrays in the file."""
        unpacked = sum(info.file_size for info in self._entries.values())
        check_unpacked(unpacked, packed)
        self.headers = {name: _header(archive, name, info) for name, info in self._entries.items()}
        """The arrays that were asked for, by name."""

    def read(self, name: str) -> Shaped[np.ndarray, "..."]:
        """Unpacks one array.

        Raises:
            BadArchive: it is damaged.
            KeyError: there is none of this name, or it was not asked for.
        """
        header, entry = self.headers[name], self._entries[name]
        with explained(), self._archive.open(entry) as file:
            file.read(header.start)
            flat = np.empty(math.prod(header.shape), header.dtype)
            _fill(file, flat)
        return flat.reshape(header.shape, order="F" if header.fortran_order else "C")


def check_unpacked(unpacked: int, packed: int) -> None:
    """Refuses a file of arrays that claims to unpack to more than 64 MiB and more than 200 times its own size.

    Args:
        unpacked: bytes of the arrays, by the file's headers.
        packed: bytes of the file.

    Raises:
        BadArchive: it does.
    """
    if unpacked > max(_UNPACKED_BYTES, _UNPACKED_TIMES * packed):
        raise BadArchive(
            f"its arrays claim {unpacked / 1e6:,.0f} MB, {unpacked / max(packed, 1):,.0f} times the file's own size; if that "
            "is meant, write it uncompressed, as by `numpy.savez`"
        )


@contextmanager
def open_npz(file: ReadFile, wanted: Collection[str] | None = None) -> Iterator[Npz]:
    """Reads the headers of an .npz file's arrays, and checks that they agree with the file before anything is unpacked.

    Each header's shape and dtype must take just as many bytes as the archive says that it holds. All arrays together may
    unpack to 64 MiB, or to 200 times the file's own size if that is more: what ``numpy.savez`` writes always passes, and so
    does what ``numpy.savez_compressed`` writes of data that are not nearly all the same.

    Args:
        file: opened for reading, seekable.
        wanted: the names of the arrays that will be read; all when not given. The others are named and not looked at.

    Raises:
        BadArchive: it is no .npz file, is damaged or encrypted, holds something else than plain numbers and strings, or
            claims more than it may.
    """
    with open_zip(file) as archive:
        with explained():
            opened = Npz(archive, wanted, _size(file))
        yield opened


def read_npz(file: ReadFile, wanted: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by name, checked as by :func:`open_npz`."""
    with open_npz(file, wanted) as archive:
        return {name: archive.read(name) for name in archive.headers}


@contextmanager
def open_zip(file: ReadFile) -> Iterator[zipfile.ZipFile]:
    """Opens a zip file whose list of contents is not too long to be read.

    Raises:
        BadArchive: it is no zip file, or the list is damaged or longer than 8 MiB.
    """
    with explained():
        if _directory_bytes(file) > _DIRECTORY_BYTES:
            raise BadArchive(f"its list of contents is longer than {_DIRECTORY_BYTES >> 20} MiB")
        archive = zipfile.ZipFile(file)
    with archive:
        yield archive


def check_entry(info: zipfile.ZipInfo) -> None:
    """Refuses a file of a zip that Python's own library may not be able to unpack.

    Raises:
        BadArchive: it is encrypted, or packed by a method other than deflate.
    """
    name = printable(info.filename)
    if info.flag_bits & _ENCRYPTED:
        raise BadArchive(f"{name} in it is encrypted; unpack it and pack it without a password")
    if info.compress_type not in _METHODS:
        raise BadArchive(f"{name} in it is packed by method {info.compress_type}; pack it by deflate, the usual one")


@contextmanager
def explained() -> Iterator[None]:
    """Turns what Python and NumPy raise on damaged archives into :class:`BadArchive`."""
    try:
        yield
    except BadArchive:
        raise
    except MemoryError as error:
        raise BadArchive("it takes more memory than there is") from error
    # On a file that is damaged on purpose the parsers of Python and NumPy raise nearly anything.
    except Exception as error:
        raise BadArchive(printable(" ".join(str(error).split())[:200].rstrip(".")) or type(error).__name__) from error


def _size(file: ReadFile) -> int:
    position = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(position)
    return size


def _directory_bytes(file: ReadFile) -> int:
    """How long a zip's list of contents says it is; 0 where there is none (APPNOTE.TXT 4.3.14 and 4.3.16)."""
    size = _size(file)
    file.seek(max(0, size - (1 << 16) - 22))
    tail = file.read()
    end = tail.rfind(b"PK\5\6")
    if end < 0 or len(tail) - end < 22:
        return 0
    (length,) = struct.unpack_from("<I", tail, end + 12)
    locator = tail[end - 20 : end] if end >= 20 else b""
    if locator.startswith(b"PK\6\7"):
        (at,) = struct.unpack_from("<Q", locator, 8)
        file.seek(min(at, size))
        record = file.read(56)
        if len(record) == 56 and record.startswith(b"PK\6\6"):
            (length,) = struct.unpack_from("<Q", record, 40)
    return length


def _header(archive: zipfile.ZipFile, name: str, info: zipfile.ZipInfo) -> ArrayHeader:
    check_entry(info)
    shown = printable(name)
    with archive.open(info) as file:
        start = file.read(12)
        version = tuple(start[6:8])
        if start[:6] != b"\x93NUMPY" or version not in ((1, 0), (2, 0)):
            raise BadArchive(f"{shown} in it is no array of plain numbers or strings")
        prefix = 10 if version == (1, 0) else 12
        (length,) = struct.unpack("<H" if version == (1, 0) else "<I", start[8:prefix])
        if length > _HEADER_BYTES:
            raise BadArchive(f"the header of {shown} in it has {length:,} bytes")
        header = io.BytesIO(start[8:] + file.read(length + prefix - 12))
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, fortran_order, dtype = read(header)
    # Brackets within brackets exhaust the parser, whatever memory there is.
    except Exception as error:
        raise BadArchive(f"the header of {shown} in it is damaged") from error
    if dtype.hasobject:
        raise BadArchive(f"{shown} in it is an array of Python objects, which could run code; write names as strings")
    if dtype.kind not in _KINDS or dtype.itemsize == 0:
        raise BadArchive(f"{shown} in it is {dtype}; plain numbers and strings are read")
    if any(isinstance(side, bool) or side < 0 for side in shape):
        raise BadArchive(f"{shown} in it has the shape {shape}")
    told = ArrayHeader(tuple(shape), dtype, fortran_order, prefix + length)
    # Python's integers do not overflow, so that no product of sides wraps round to a small one.
    if told.start + told.nbytes != info.file_size:
        raise BadArchive(
            f"{shown} in it says that it is {dtype} {shape}, which takes {told.nbytes:,} bytes, and the file holds "
            f"{info.file_size - told.start:,}"
        )
    return told


def _fill(file: Any, flat: np.ndarray) -> None:
    """Unpacks straight into the array: a copy less than NumPy's own way."""
    view = memoryview(flat.view(np.uint8).data) if flat.size else memoryview(b"")
    done = 0
    while done < len(view):
        piece = file.read(min(1 << 20, len(view) - done))
        if not piece:
            raise BadArchive("it is cut short")
        view[done : done + len(piece)] = piece
        done += len(piece)
    # Read to the very end, Python compares the checksum.
    if file.read(1):
        raise BadArchive("it holds more than it says")
