"""What a person sees while a run goes on: where it is, how it does, how long it will take."""

import contextlib
import datetime
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Protocol

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from likeness.experiments.display.pace import Pace, StageWork
from likeness.experiments.display.phases import watched
from likeness.experiments.display.terminal_image import terminal_image

_QUIET = 5.0
"""Seconds between two lines in a log file."""
_AT_ONCE = 3
"""Lines at the beginning of a log file that nothing keeps back."""
_TWICE_A_SECOND = 0.5
"""Seconds between two versions of a notebook's line."""


class Reporter(Protocol):
    """Told what happens in a run; the trainer decides nothing by it."""

    def say(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...
    def advance(self, step: int, metrics: Mapping[str, float]) -> None: ...
    def show(self, name: str, image: np.ndarray) -> None:
        """An image (h, w, 3) in [0, 1] of what is learned, on the way and at the end."""
        ...


class Quiet:
    """Says nothing but warnings, for scripts and tests."""

    def say(self, text: str) -> None:
        del text

    def warn(self, text: str) -> None:
        print(f"warning: {text}", file=sys.stderr)

    def advance(self, step: int, metrics: Mapping[str, float]) -> None:
        del step, metrics

    def show(self, name: str, image: np.ndarray) -> None:
        del name, image


class Named(Quiet):
    """One run among many: what it warns of carries its name, and more it does not say."""

    def __init__(self, name: str, warn: Callable[[str], None]) -> None:
        self._name, self._warn = name, warn

    def warn(self, text: str) -> None:
        self._warn(f"{self._name}: {text}")


class Phases:
    """What is done beside the steps, such as embedding the test images: a bar on a terminal, lines in a log file.

    Example::

        with Phases() as phases, watched(phases.tell):
            evaluate("runs/mine")
    """

    def __init__(self, console: Console | None = None) -> None:
        """On a console of its own unless one is given."""
        self._console = console or Console(stderr=True, highlight=False)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
            console=self._console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._begun: dict[str, tuple[float, int]] = {}
        self._last_line = 0.0

    def __enter__(self) -> "Phases":
        if self._console.is_terminal:
            self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._console.is_terminal:
            self.bar.stop()

    def tell(self, what: str, done: int, total: int) -> None:
        """Takes in how much of something is done; see :func:`likeness.experiments.display.phases.watched`."""
        now = time.monotonic()
        if done == 0 or what not in self._tasks:
            self._begun[what] = (now, done)
            for task in self._tasks.values():
                self.bar.remove_task(task)
            self._tasks = {what: self.bar.add_task(what, total=total, left="")}
        # What was done before it was begun, or before something else came between, says nothing of how long it takes.
        then, before = self._begun[what]
        each = (now - then) / (done - before) if done > before else None
        if done and not before:
            # Programs are compiled for the first, which takes many times as long as any other.
            self._begun[what], each = (now, done), None
        left = f"{datetime.timedelta(seconds=round(each * (total - done)))} left" if each is not None and done < total else ""
        self.bar.update(self._tasks[what], completed=done, left=left)
        if self._console.is_terminal or done == total or (done and now - self._last_line < _QUIET):
            return
        self._last_line = now
        place = f": {done:,} of {total:,}" if done else ""
        place += f", {left}" if left else ""
        self._console.print(f"{what}{place}", markup=False, soft_wrap=True)


class Terminal:
    """A progress bar on a terminal, a line every few seconds in a log file."""

    def __init__(
        self,
        total: int,
        evaluate_every: int | None = None,
        shown: Callable[[np.ndarray], None] | None = None,
        above: Literal["nothing", "image"] = "nothing",
        stages: Sequence[StageWork] = (),
    ) -> None:
        """For a run of ``total`` steps, with an evaluation every so many; None for none.

        Args:
            total: steps.
            evaluate_every: steps between evaluations.
            shown: what else to do with an image of what is learned.
            above: what a terminal shows above the bar.
            stages: what each stage asks for; () for one.
        """
        self._shown, self._above, self._told = shown, above, 0
        self._console = Console(stderr=True, highlight=False)
        self._total = total
        self._live = self._console.is_terminal
        self._pace = Pace(total, evaluate_every, stages)
        self._last_line = 0.0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.fields[shown]}"),
            console=self._console,
        )
        self._task = self._bar.add_task("training", total=total, left="", shown="")
        self._phases = Phases(self._console)
        self._display = Live(Group(self._phases.bar, self._bar), console=self._console, transient=True)
        self._watching = contextlib.ExitStack()

    def __enter__(self) -> "Terminal":
        self._watching.enter_context(watched(self._phases.tell))
        if self._live:
            self._display.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._watching.close()
        if self._live:
            self._display.stop()

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        self._console.print(f"warning: {text}", style="yellow", markup=False, soft_wrap=True)

    def show(self, name: str, image: np.ndarray) -> None:
        del name
        if self._shown is not None:
            self._shown(image)
        if self._live and self._above == "image":
            blocks = terminal_image(image, self._console.width, self._console.height - 4)
            self._display.update(Group(blocks, self._phases.bar, self._bar), refresh=True)

    def advance(self, step: int, metrics: Mapping[str, float]) -> None:
        shown = _loss(metrics)
        now = time.monotonic()
        self._pace.note(step, now)
        left = self._pace.left()
        self._bar.update(self._task, completed=step, left=left, shown=shown)
        self._told += 1
        if self._live or (now - self._last_line < _QUIET and step < self._total and self._told > _AT_ONCE):
            return
        self._last_line = now
        place = f"step {step} of {self._total}"
        self.say("  ".join([f"{place}, {left}" if left else place, shown]))


class Notebook(Quiet):
    """One line below a notebook's cell, which is written anew as training goes on; in the end it says what was reached."""

    def __init__(self, total: int, evaluate_every: int | None = None, stages: Sequence[StageWork] = ()) -> None:
        """For a run of ``total`` steps, with an evaluation every so many; None for none. It has these stages; () for one."""
        self._total = total
        self._pace = Pace(total, evaluate_every, stages)
        self._reached = f"all {total} steps were taken before"
        self._line: Any = None
        self._told = 0.0
        self._watching = contextlib.ExitStack()

    def __enter__(self) -> "Notebook":
        self._watching.enter_context(watched(self._tell))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._watching.close()
        if kind is None:
            self.say(self._reached)

    def say(self, text: str) -> None:
        from IPython.display import display

        data = {"text/plain": text}
        if self._line is None:
            self._line = display(data, raw=True, display_id=True)
        else:
            self._line.update(data, raw=True)

    def advance(self, step: int, metrics: Mapping[str, float]) -> None:
        self._pace.note(step, time.monotonic())
        left = self._pace.left()
        place, shown = f"step {step} of {self._total}", _loss(metrics)
        self._reached = f"{place}, {shown}"
        self.say(f"{place}, {left}, {shown}" if left else self._reached)

    def _tell(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if not done or now - self._told > _TWICE_A_SECOND:
            self._told = now
            self.say(f"{what}: {done:,} of {total:,}")


def _loss(metrics: Mapping[str, float]) -> str:
    stage = f"stage {metrics['stage']:g}, " if "stage" in metrics else ""
    return f"{stage}loss {metrics['loss']:.4g}"


@contextlib.contextmanager
def reporting(
    reporter: Reporter | Literal["auto"] | None, total: int, evaluate_every: int | None = None, stages: Sequence[StageWork] = ()
) -> Iterator[Reporter]:
    """The reporter that was asked for.

    Args:
        reporter: itself; None says nothing but warnings. ``auto`` shows progress to a person who looks on, in a notebook or on
            a terminal, and is None elsewhere.
        total: the run's steps.
        evaluate_every: steps between evaluations; None for none.
        stages: what each stage asks for; () for one.
    """
    console = Console(stderr=True)
    if reporter != "auto":
        yield reporter or Quiet()
    elif console.is_jupyter:
        with Notebook(total, evaluate_every, stages) as notebook:
            yield notebook
    elif console.is_terminal:
        with Terminal(total, evaluate_every, stages=stages) as terminal:
            yield terminal
    else:
        yield Quiet()
