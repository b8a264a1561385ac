"""Standard output and error that take whatever is written, whether or not anybody reads it."""

import io
import os
import sys
from typing import Any


def settle_streams() -> None:
    """Makes what is printed harmless: to a pipe whose reader has gone, to a stream that was closed, in letters it has not.

    A command that trains for hours must not end, or half end, since ``head`` has seen enough: what it prints after that goes
    nowhere, and its exit code is that of its work. A descriptor that was closed is opened on the null device, or else the next
    file that is opened, such as a checkpoint, takes its number and gets what libraries print.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif isinstance(stream, io.TextIOWrapper):
            setattr(sys, name, _heard_or_not(stream))


def say_first(text: str) -> None:
    """Says what is begun, before a library that takes seconds to load is imported."""
    print(text, file=sys.stderr, flush=True)


def _heard_or_not(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Pipe(stream.fileno(), "w", closefd=False)),
        encoding=stream.encoding,
        # File names need not be UTF-8, nor is every terminal; what cannot be printed is escaped.
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Pipe(io.FileIO):
    """A file whose reader may go: from then on it leads to the null device."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return memoryview(data).nbytes
