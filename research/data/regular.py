"""Opening a file that somebody else named: a pipe or a device is refused without waiting for it."""

import hashlib
import io
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from likeness.research.data.paths import printable
from likeness.research.errors import UserError

_WHOLE, _BLOCK = 1 << 16, 1 << 14


class NotAFile(UserError):
    """A path that leads to no file that can be read: ``name`` says which, ``why`` what is wrong, ``remedy`` what to do."""

    def __init__(self, name: str, why: str, remedy: str) -> None:
        super().__init__(f"The file {name} cannot be used: {why}. {remedy}")
        self.name = name
        self.why = why
        self.remedy = remedy

    def __reduce__(self):
        return NotAFile, (self.name, self.why, self.remedy)


def read_regular(path: str | os.PathLike) -> bytes:
    """The content of a regular file, see :func:`open_regular`."""
    with open_regular(path) as file:
        return file.read()


@contextmanager
def open_regular(path: str | os.PathLike) -> Iterator[io.BufferedReader]:
    """Opens a regular file for reading; a pipe or a device is refused without waiting for it.

    Raises:
        NotAFile: it is missing, unreadable or not a regular file.
    """
    try:
        # Opening a pipe waits for its writer unless told not to; asking the open file leaves no race.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise NotAFile(printable(path), f"it cannot be opened ({reason})", "Check the path and its permissions.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotAFile(printable(path), "it is a folder, a pipe or a device and not a file", "Give the path of a file.")
    with os.fdopen(descriptor, "rb") as file:
        yield file


def whole_digests(paths: Sequence[Path], digests: Sequence[bytes]) -> list[bytes]:
    """Digests of whole files in place of those of their beginnings, where several begin alike."""
    times = Counter(digests)
    return [
        hashlib.sha256(path.read_bytes()).digest() if times[digest] > 1 else digest
        for path, digest in zip(paths, digests, strict=True)
    ]


def sampled_digest(file: io.BufferedReader) -> bytes:
    """SHA-256 of what identifies an open file among millions: its length, and its content up to 64 KiB.

    Of a longer one four blocks of 16 KiB count, the first, the last and two between them. It is read from its beginning.
    """
    length = os.fstat(file.fileno()).st_size
    digest = hashlib.sha256(str(length).encode() + b"\0")
    starts = [0] if length <= _WHOLE else [number * (length - _BLOCK) // 3 for number in range(4)]
    for start in starts:
        file.seek(start)
        digest.update(file.read(_WHOLE if length <= _WHOLE else _BLOCK))
    return digest.digest()
