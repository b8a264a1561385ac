"""What a person sees while a run goes on: where it is, how it does, how long it will take."""

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Reporter(Protocol):
    """Told what happens in a run; the trainer decides nothing by it."""

    def say(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...
    def advance(self, step: int, metrics: Mapping[str, float]) -> None: ...


class Quiet:
    """Says nothing but warnings, for notebooks and tests."""

    def say(self, text: str) -> None:
        del text

    def warn(self, text: str) -> None:
        print(f"warning: {text}", file=sys.stderr)

    def advance(self, step: int, metrics: Mapping[str, float]) -> None:
        del step, metrics


class Terminal:
    """A progress bar on a terminal, a line every few seconds in a log file."""

    def __init__(self, total: int, unit: str = "steps") -> None:
        self._console = Console(stderr=True, highlight=False)
        self._total = total
        self._live = self._console.is_terminal
        self._started: tuple[float, int] | None = None
        self._last_line = 0.0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeRemainingColumn(),
            TextColumn("{task.fields[shown]}"),
            console=self._console,
            transient=True,
        )
        self._task = self._bar.add_task("training", total=total, shown="")

    def __enter__(self) -> "Terminal":
        if self._live:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live:
            self._bar.stop()

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        self._console.print(f"warning: {text}", style="yellow", markup=False, soft_wrap=True)

    def advance(self, step: int, metrics: Mapping[str, float]) -> None:
        shown = f"loss {metrics['loss']:.4g}"
        self._bar.update(self._task, completed=step, shown=shown)
        now = time.monotonic()
        if self._started is None:
            self._started = (now, step)
        if self._live or (now - self._last_line < 5 and step < self._total):
            return
        self._last_line = now
        since, first = self._started
        left = f", {(now - since) / (step - first) * (self._total - step):.0f} s left" if step > first else ""
        self.say(f"step {step} of {self._total}{left}  {shown}")
