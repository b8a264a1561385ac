"""The loop: one straight line, for one run or for several that are one program.

What is due at step ``i`` is done before step ``i`` is taken; then the next batch and its step.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import jax

from likeness.experiments.display.progress import Reporter
from likeness.experiments.distributed.watchdog import Watchdog
from likeness.experiments.experiment import TrainState
from likeness.experiments.run import Run
from likeness.experiments.training.compilations import Recompilations
from likeness.experiments.training.profiling import Profile
from likeness.experiments.training.recorder import Clock, RunRecorder, due
from likeness.experiments.training.step import StepReport
from likeness.experiments.training.stop_request import StopRequest
from likeness.experiments.training.timing import Timing
from likeness.research.types import PyTree


class Steps(Protocol):
    """What steps are taken of: one run, or several whose states have a leading axis of runs."""

    @property
    def run(self) -> Run:
        """The run; of several, one that says when something is due in all of them."""
        ...

    def draw(self) -> PyTree:
        """The next batch, in NumPy arrays."""
        ...

    def put(self, batch: PyTree) -> PyTree:
        """A batch on the devices."""
        ...

    def rows_of(self, batch: PyTree) -> int:
        """How many rows a batch that was drawn has; of several runs, those of all."""
        ...

    def step(self, state: TrainState, batch: PyTree) -> tuple[TrainState, StepReport]:
        """One step from a state, which is donated."""
        ...

    def row(self, state: TrainState, number: int) -> TrainState:
        """One run's state."""
        ...

    def report_of(self, report: StepReport, number: int) -> StepReport:
        """One run's part of a report that was fetched."""
        ...


@dataclasses.dataclass
class Lane:
    """One of the runs whose steps are taken."""

    recorder: RunRecorder
    number: int = 0
    """From 0."""
    isolated: bool = False
    """What goes wrong ends this run and no other."""
    failure: Exception | None = None
    """What went wrong."""

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """While entered, something is done for this run."""
        try:
            yield
        except Exception as error:
            if not self.isolated:
                raise
            self.failure = error


def running(lanes: Sequence[Lane]) -> list[Lane]:
    """Those that have not failed."""
    return [lane for lane in lanes if lane.failure is None]


@dataclasses.dataclass
class Launch:
    """What one launch works with, the same in all stages of a run."""

    say: Reporter
    stop: StopRequest
    watchdog: Watchdog
    profile: Profile
    timing: Timing
    until: int | None = None
    """The step at which it stops on the way, with a checkpoint."""
    watch: int | None = None
    """How many steps lie between two images that are shown and kept."""


def take_steps(
    steps: Steps,
    lanes: Sequence[Lane],
    state: TrainState,
    begin: int,
    end: int,
    launch: Launch,
    under_way: Callable[[], None] = lambda: None,
) -> tuple[TrainState, str | None]:
    """Takes steps, and what falls due between them is done for each run.

    Args:
        steps: what they are taken of.
        lanes: the runs, in the order of their rows.
        state: before step ``begin``.
        begin: the step that is taken first.
        end: the step before which the loop ends, that of the run or of a stage.
        launch: what it works with.
        under_way: called once, when the first step is compiled and on its way.

    Returns:
        The state, and the signal that stopped the loop on the way, with a checkpoint of each run; else None.

    Raises:
        NonFinite: the loss of the only run is no longer a number.
    """
    recompilations, clock = Recompilations(launch.say.warn), Clock(lanes[0].recorder.record.seconds, len(lanes))
    reports: list[StepReport] = []
    stopping = None
    for step in range(begin, end + 1):
        last, pausing, stopping = step == end, step == launch.until, launch.stop.asked(step)
        ending = pausing or stopping is not None
        now = due(steps.run, step, last=last, stopping=ending, taken=step - begin, watch=launch.watch)
        if now.anything:
            with launch.timing.fetching():
                fetched = jax.device_get(reports)
            reports.clear()
            if now.writes:
                files = [lane.recorder.files.system for lane in running(lanes)]
                launch.timing.write(files, step, recompilations.total, runs=len(lanes))
            written = []
            for lane in running(lanes):
                with lane.guarded():
                    written.append(lane.recorder.log(now, [steps.report_of(report, lane.number) for report in fetched]))
            if means := [line for line in written if line]:
                launch.say.advance(step, min(means, key=lambda line: line["loss"]))
            for lane in running(lanes) if now.shows or now.evaluate or now.saves else ():
                with lane.guarded():
                    lane.recorder.settle(now, steps.row(state, lane.number), clock)
        if last or pausing or stopping is not None or not running(lanes):
            stopping = None if last or pausing else stopping
            break
        launch.watchdog.step(step)
        launch.profile.step()
        trace = jax.profiler.StepTraceAnnotation("train", step_num=step)
        with launch.timing.step(), recompilations.watched(step), jax.transfer_guard("disallow"), trace:
            with launch.timing.waiting():
                batch = steps.draw()
            launch.timing.count(steps.rows_of(batch))
            batch = steps.put(batch)
            recompilations.given(state=state, batch=batch)
            state, report = steps.step(state, batch)
        reports.append(report)
        if step == begin:
            under_way()
    for lane in lanes:
        lane.recorder.record.seconds = clock.seconds
    return state, stopping
