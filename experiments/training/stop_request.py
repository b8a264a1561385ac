"""SIGTERM and SIGINT ask for an orderly stop: finish the step, write a checkpoint, leave."""

import os
import signal
import sys
from types import FrameType, TracebackType
from typing import Any

from jax.experimental import multihost_utils

from likeness.experiments.distributed import processes


class StopRequest:
    """While entered, turns the first SIGTERM or SIGINT into a flag; the second interrupts at once.

    Of several processes that train together, a signal to any of them stops all after the same step, which JAX's preemption
    service finds: there SIGTERM stays with that service, and SIGINT is passed on to it.

    Only the main thread may set signal handlers; elsewhere (a notebook's worker, a test) nothing is installed.
    """

    def __init__(self) -> None:
        self._signal: signal.Signals | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def asked(self, step: int) -> str | None:
        """The signal after which all processes stop before ``step``, or None. Must be asked once a step."""
        if processes.several():
            return "a signal" if multihost_utils.reached_preemption_sync_point(step) else None
        return None if self._signal is None else self._signal.name

    @property
    def unanswered(self) -> str | None:
        """The signal that came when no step was left to stop before; None for none, and where several processes train together,
        of which each may have had another."""
        return None if self._signal is None or processes.several() else self._signal.name

    def __enter__(self) -> "StopRequest":
        numbers = (signal.SIGINT,) if processes.several() else (signal.SIGTERM, signal.SIGINT)
        try:
            for number in numbers:
                self._previous[number] = signal.signal(number, self._note)
        except ValueError:
            pass
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self._signal is not None:
            raise KeyboardInterrupt
        self._signal = signal.Signals(number)
        print(f"{self._signal.name}: stopping with a checkpoint after this step; again to stop at once", file=sys.stderr)
        if processes.several():
            os.kill(os.getpid(), signal.SIGTERM)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()
