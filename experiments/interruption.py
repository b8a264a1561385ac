"""SIGTERM and SIGINT asked for an orderly stop: finish the step, write a checkpoint, leave."""

import signal
from types import FrameType, TracebackType
from typing import Any


class Interrupted(Exception):
    """The run stopped on request and can go on; the command line exits with 75, "try again later"."""


class StopRequest:
    """While entered, turns the first SIGTERM or SIGINT into a flag; the second interrupts at once.

    Only the main thread may set signal handlers; elsewhere (a notebook's worker, a test) nothing is installed.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopRequest":
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                self._previous[number] = signal.signal(number, self._note)
        except ValueError:
            pass
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()
