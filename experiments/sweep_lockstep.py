"""Trains several runs as one program, and leaves of each what the ordinary trainer would have left.

The runs take every step together. Whatever is due between two steps (a line of the log, an evaluation, a checkpoint) is done
by the trainer's own functions, for one run after the other; so a run may later be trained on alone, judged again or used.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments import trainer
from experiments.checkpoints import CheckpointStore
from experiments.compilations import Recompilations
from experiments.evaluation import evaluate_run
from experiments.experiment import Batches
from experiments.interruption import Interrupted
from experiments.program import Program
from experiments.progress import Quiet, Reporter
from experiments.run import Run
from experiments.step import StepReport, TrainState
from experiments.stop_request import StopRequest
from experiments.together import Together
from experiments.trainer import Record
from experiments.workdir import Workdir
from experiments.writers import MetricsFile

_trainer: Any = trainer
"""Its promises are kept by its own functions, which take a :class:`_Lane` for a launch."""


class _Due(NamedTuple):
    """What is to be done before a step is taken."""

    step: int
    writes: bool
    judges: bool
    saves: bool

    def __bool__(self) -> bool:
        return self.writes or self.judges or self.saves


class _Voice(Quiet):
    """One run among many: what it warns of carries its name."""

    def __init__(self, name: str, warn: Callable[[str], None]) -> None:
        self._name, self._warn = name, warn

    def warn(self, text: str) -> None:
        self._warn(f"{self._name}: {text}")


@dataclasses.dataclass
class _Lane:
    """One of the runs that are trained together."""

    number: int
    run: Run
    data: Any
    stream: Batches
    program: Program
    """Of all runs alike."""
    files: Workdir
    store: CheckpointStore
    say: _Voice
    record: Record = dataclasses.field(default_factory=Record)
    metrics: MetricsFile | None = None
    failure: Exception | None = None

    def guarded(self, act: Callable[..., None], *of: Any) -> None:
        """Acts for this run; what goes wrong ends this run and no other."""
        if self.failure is not None:
            return
        try:
            act(*of)
        except Interrupted:
            raise
        except Exception as error:
            self.failure = error

    def keep_up(self, due: _Due, reports: list[StepReport], states: Callable[[int], TrainState], seconds: float) -> None:
        """Writes, evaluates and saves what is due, in the trainer's order."""
        record, step = self.record, due.step
        record.pending += _trainer._fetch(self, [_of(report, self.number) for report in reports], step)
        if due.writes and record.pending:
            _trainer._write(self, self.metrics, step, record)
        judges = due.judges and step != record.evaluated
        if not judges and not due.saves:
            return
        state = states(self.number)
        improved = judges and _trainer._evaluate(self, self.metrics, state, step, record)
        if due.saves or improved:
            record.seconds, record.position = seconds, _trainer._position(self.stream)
            self.store.save(step, state, dataclasses.asdict(record), record.best if improved else None)

    def finish(self, state: TrainState) -> None:
        """Judges on the test part, by the best checkpoint where the run keeps one."""
        step, variables = self.run.steps, self.program.variables(state)
        best = self.store.best(self.run.checkpoints)
        if best is not None and best != self.run.steps:
            step, variables = best, self.store.load_variables(best)
        evaluate_run(self.run, self.files, self.data, variables, step=step, seconds=self.record.seconds)


def train_together(together: Together, workdirs: Sequence[Path], say: Reporter) -> list[Exception | None]:
    """Trains runs at once, each in its working directory, from the beginning or from checkpoints of one step.

    Of the time that all take, each run is written its equal share.

    Returns:
        For each run None, or why it failed.

    Raises:
        Interrupted: after SIGTERM or SIGINT, once every run has its checkpoint.
    """
    with contextlib.ExitStack() as held:
        held.enter_context(jax.default_matmul_precision(together.runs[0].matmul_precision))
        stop = held.enter_context(StopRequest())
        lanes = []
        for number, (run, workdir) in enumerate(zip(together.runs, workdirs, strict=True)):
            files = Workdir(workdir)
            held.enter_context(files.held())
            store = CheckpointStore(files.checkpoints, run.checkpoints)
            held.callback(store.close)
            stream, voice = together.stream_of(number), _Voice(workdir.name, say.warn)
            lanes.append(_Lane(number, run, together.data[number], stream, together.alone, files, store, voice))
        states = _restored(together, lanes)
        first = int(together.row(states, 0).step)
        for lane in lanes:
            _trainer._note_config(lane.run, lane.files, lane.say)
            _trainer._note_origin(lane)
            lane.metrics = held.enter_context(MetricsFile(lane.files.metrics, resume_from=first))
        states = _loop(together, lanes, states, first, stop, say)
        say.say("judging each on the test part")
        for lane in lanes:
            lane.guarded(lane.finish, together.row(states, lane.number))
        return [lane.failure for lane in lanes]


def _restored(together: Together, lanes: list[_Lane]) -> TrainState:
    newest = {lane.store.latest() for lane in lanes}
    if len(newest) > 1:
        raise ValueError(f"runs that have come to different steps cannot go on together: {newest}")
    if newest == {None}:
        return together.start()
    states = []
    for lane in lanes:
        state, lane.record = _trainer._restore(lane)
        states.append(state)
    return together.stacked(states)


def _loop(
    together: Together, lanes: list[_Lane], states: TrainState, first: int, stop: StopRequest, say: Reporter
) -> TrainState:
    """The trainer's loop, in its order: write, evaluate and checkpoint what is due, then the next step."""
    run = together.runs[0]
    keys, rows, recompilations = together.keys(), together.rows, Recompilations(say.warn)
    reports: list[StepReport] = []
    began = time.monotonic() - len(lanes) * lanes[0].record.seconds
    for step in range(first, run.steps + 1):
        last, stopping = step == run.steps, stop.asked(step)
        due = _Due(
            step,
            writes=last or _every(step, run.log_every),
            judges=_every(step, run.evaluate_every) or (last and run.evaluate_every is not None),
            saves=last or stopping is not None or _every(step, run.checkpoints.every),
        )
        if due:
            fetched, one = jax.device_get(reports), _rows(together, states)
            reports.clear()
            for lane in lanes:
                lane.guarded(lane.keep_up, due, fetched, one, (time.monotonic() - began) / len(lanes))
            alive = [lane.number for lane in lanes if lane.failure is None]
            if not alive:
                break
            if fetched:
                say.advance(step, {"loss": float(min(fetched[-1].metrics["loss"][number] for number in alive))})
        if last:
            break
        if stopping is not None:
            raise Interrupted(
                f"Stopped by {stopping} at step {step} of {run.steps}, with a checkpoint of each of {len(lanes)} runs: the "
                "same command goes on from there."
            )
        trace = jax.profiler.StepTraceAnnotation("train", step_num=step)
        with recompilations.watched(step), jax.transfer_guard("disallow"), trace:
            states, report = together.step(states, together.fixed, together.batch(), keys, rows)
        reports.append(report)
    for lane in lanes:
        lane.record.seconds = (time.monotonic() - began) / len(lanes)
    return states


def _rows(together: Together, states: TrainState) -> Callable[[int], TrainState]:
    return lambda number: together.row(states, number)


def _every(step: int, every: int | None) -> bool:
    return every is not None and step > 0 and step % every == 0


def _of(report: StepReport, number: int) -> StepReport:
    """One run's part of the report of all."""
    metrics = {name: values[number] for name, values in report.metrics.items()}
    return StepReport(metrics, np.asarray(report.finite)[number], np.asarray(report.recovers)[number])  # pyright: ignore
