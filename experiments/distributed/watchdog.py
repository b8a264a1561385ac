"""A run that hangs says where and ends, so that whoever launched it can launch it again."""

import faulthandler
import os
import sys
import threading
import time
from types import TracebackType

import jax

HUNG = 70
"""The exit code, EX_SOFTWARE."""


class Watchdog:
    """While entered, ends the process with a report when no step was taken for too long.

    The report names the process and its last step and shows where every thread stands; each process of a run writes its own. It
    is a thread and no signal, since a collective that waits for a process that is gone never comes back to Python's handlers.
    """

    def __init__(self, seconds: float | None) -> None:
        """With the longest time between two steps, a compilation or an evaluation between them included; None never ends."""
        self._seconds = seconds
        self._step: int | None = None
        self._last = time.monotonic()
        self._ended = threading.Event()

    def step(self, step: int) -> None:
        """A step is about to be taken."""
        self._step, self._last = step, time.monotonic()

    def __enter__(self) -> "Watchdog":
        if self._seconds is not None:
            self._last = time.monotonic()
            threading.Thread(target=self._watch, args=(self._seconds,), name="watchdog", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()

    def _watch(self, seconds: float) -> None:
        while not self._ended.wait(min(1.0, seconds / 4)):
            if time.monotonic() - self._last > seconds:
                place = "before its first step" if self._step is None else f"since step {self._step}"
                print(
                    f"likeness: process {jax.process_index()} of {jax.process_count()} has hung for {seconds:g} seconds "
                    f"{place}. Its threads stand here; the same command goes on from the newest checkpoint.",
                    file=sys.stderr,
                    flush=True,
                )
                faulthandler.dump_traceback(sys.__stderr__ or sys.stderr, all_threads=True)
                # Nothing less ends a process whose threads wait in the runtime.
                os._exit(HUNG)
