"""What a run spends its time on: ``system.jsonl``, a line for each line of the metrics.

It lies apart from the metrics, which are the same to the bit whenever a run is repeated, and these are not.
"""

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from likeness.experiments.distributed import processes
from likeness.research.files import cannot_write


class Timing:
    """Measures the loop of one launch."""

    def __init__(self) -> None:
        self._steps: list[float] = []
        self._waited, self._fetched, self._rows = 0.0, 0.0, 0

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """While entered, a step is handed to the devices."""
        began = time.perf_counter()
        yield
        self._steps.append(time.perf_counter() - began)

    def count(self, rows: int) -> None:
        """Counts the rows of a batch, or of this process's share of it."""
        self._rows += rows

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """While entered, in a step, the loop waits for its batch."""
        began = time.perf_counter()
        yield
        self._waited += time.perf_counter() - began

    @contextlib.contextmanager
    def fetching(self) -> Iterator[None]:
        """While entered, the loop waits for the devices to come to the end of what they were handed."""
        began = time.perf_counter()
        yield
        self._fetched += time.perf_counter() - began

    def write(self, paths: Sequence[Path], step: int, compilations: int, runs: int = 1) -> None:
        """Writes what was measured since the last time, evaluations and checkpoints left out.

        ``seconds_per_step`` is that of the devices, for which the loop waits before it writes; the percentiles are of the loop,
        which may run ahead of them. ``input_wait`` is the share of the time in which the next batch was waited for. Of several
        runs that are one program, each is written its equal share of the seconds, and ``vmapped`` says how many they are.

        Args:
            paths: the files, one a run; each gets the same line.
            step: before which it is written.
            compilations: how many there were so far.
            runs: how many took the steps together.
        """
        taken, elapsed = len(self._steps), sum(self._steps) + self._fetched
        if taken and processes.first():
            p50, p95 = np.percentile(self._steps, [50, 95])
            record = {
                "step": step,
                "seconds_per_step": elapsed / taken / runs,
                "loop_seconds_p50": float(p50) / runs,
                "loop_seconds_p95": float(p95) / runs,
                "loop_seconds_max": max(self._steps) / runs,
                **({"rows_per_second": self._rows * jax.process_count() / elapsed} if self._rows else {}),
                "input_wait": self._waited / elapsed,
                "compilations": compilations,
                **({"vmapped": runs} if runs > 1 else {}),
                **_memory(),
            }
            for path in paths:
                try:
                    with path.open("a") as file:
                        file.write(json.dumps(record) + "\n")
                except OSError as error:
                    raise cannot_write(path, error) from error
        self._steps.clear()
        self._waited, self._fetched, self._rows = 0.0, 0.0, 0


def _memory() -> dict[str, Any]:
    """Of the device of this process that has used most; the CPU does not count it."""
    stats = [device.memory_stats() for device in jax.local_devices()]
    peaks = [each["peak_bytes_in_use"] for each in stats if each and "peak_bytes_in_use" in each]
    return {"peak_memory_gb": max(peaks) / 1e9} if peaks else {}
