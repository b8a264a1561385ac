"""Trains several runs as one program, and leaves of each what the ordinary trainer would have left.

The runs take every step together. Whatever is due between two steps (a line of the log, an evaluation, a checkpoint) is done
for one run after the other, in its own books; so a run may later be trained on alone, evaluated again or used.
"""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from likeness.experiments.config import to_json
from likeness.experiments.display.progress import Named, Reporter
from likeness.experiments.experiment import evaluating
from likeness.experiments.own_code import Code
from likeness.experiments.storage.checkpoints import CheckpointStore
from likeness.experiments.storage.metrics_log import Metrics
from likeness.experiments.storage.trackers import TrackerName
from likeness.experiments.storage.workdir import Workdir, metric_json
from likeness.experiments.sweeps.members import note_rung
from likeness.experiments.sweeps.together import Together
from likeness.experiments.training.compilations import Recompilations
from likeness.experiments.training.interruption import Interrupted
from likeness.experiments.training.recorder import RunRecorder, due
from likeness.experiments.training.resuming import Fingerprints
from likeness.experiments.training.step import StepReport, TrainState
from likeness.experiments.training.stop_request import StopRequest


@dataclasses.dataclass
class _Lane:
    """One of the runs that are trained together."""

    number: int
    recorder: RunRecorder
    metrics: Metrics
    failure: Exception | None = None

    def guarded(self, act: Callable[[], Any]) -> None:
        """Acts for this run; what goes wrong ends this run and no other."""
        if self.failure is not None:
            return
        try:
            act()
        except Interrupted:
            raise
        except Exception as error:
            self.failure = error

    def pause(self, state: TrainState, step: int) -> None:
        """Writes down what the run comes to at a rung; nothing of it is logged."""
        recorder = self.recorder
        variables = recorder.program.variables(state)
        evaluated = recorder.run.experiment.evaluate(recorder.data, variables.params, variables.state, "validation")
        note_rung(recorder.files.root, step, metric_json(evaluated.metrics), recorder.record.seconds)

    def finish(self, state: TrainState) -> None:
        _, evaluation = self.recorder.conclude(state)
        self.metrics.finish(to_json(self.recorder.run), metric_json(evaluation.metrics))


def train_together(
    together: Together,
    workdirs: Sequence[Path],
    code: Code,
    say: Reporter,
    trackers: tuple[TrackerName, ...] = (),
    until: int | None = None,
) -> list[Exception | None]:
    """Trains runs at once, each in its working directory, from the beginning or from checkpoints of one step.

    Of the time that all take, each run is written its equal share.

    Args:
        together: the runs.
        workdirs: where the files of each are.
        code: of one's own, that they are made with.
        say: told how it goes.
        trackers: where metrics go beside ``metrics.jsonl``.
        until: stop at this rung with checkpoints, and evaluate each run there on the validation part.

    Returns:
        For each run None, or why it failed.

    Raises:
        Interrupted: after SIGTERM or SIGINT, once every run has its checkpoint.
    """
    with contextlib.ExitStack() as held:
        held.enter_context(jax.default_matmul_precision(together.runs[0].matmul_precision))
        stop = held.enter_context(StopRequest())
        every = []
        # Runs that share their data need not have it identified again.
        inputs: dict[int, Fingerprints] = {}
        for number, (run, workdir) in enumerate(zip(together.runs, workdirs, strict=True)):
            files = Workdir(workdir)
            held.enter_context(files.held())
            store = CheckpointStore(files.checkpoints, run.checkpoints)
            held.callback(store.close)
            stream, voice, data = together.stream_of(number), Named(workdir.name, say.warn), together.data[number]
            if id(data) not in inputs:
                inputs[id(data)] = run.experiment.fingerprints(data)
            every.append(RunRecorder(run, data, inputs[id(data)], stream, together.alone, files, store, voice, code))
        states = _restored(together, every)
        first = int(together.row(states, 0).step)
        lanes = []
        for number, recorder in enumerate(every):
            recorder.note_config(recorder.run, first)
            recorder.note_origin()
            metrics = held.enter_context(Metrics(recorder.files, trackers, resume_from=first))
            lanes.append(_Lane(number, recorder, metrics))
        states = _loop(together, lanes, states, first, until, stop, say)
        steps = together.runs[0].steps
        rung = None if until is None or until >= steps else until
        say.say(f"each run: {evaluating(together.runs[0].experiment) if rung is None else 'evaluating on the validation part'}")
        for lane in lanes:
            state = together.row(states, lane.number)
            lane.guarded(functools.partial(lane.finish, state) if rung is None else functools.partial(lane.pause, state, rung))
        if (signal := stop.asked(rung or steps)) is not None:
            raise Interrupted(f"Stopped by {signal} after {rung or steps} steps: the same command goes on from there.")
        return [lane.failure for lane in lanes]


def _restored(together: Together, every: Sequence[RunRecorder]) -> TrainState:
    newest = {recorder.store.latest() for recorder in every}
    if len(newest) > 1:
        raise ValueError(f"runs that have come to different steps cannot go on together: {newest}")
    states = [state for recorder in every if (state := recorder.restore()) is not None]
    return together.stacked(states) if states else together.start()


def _loop(
    together: Together,
    lanes: list[_Lane],
    states: TrainState,
    first: int,
    until: int | None,
    stop: StopRequest,
    say: Reporter,
) -> TrainState:
    """The trainer's loop, in its order."""
    run = together.runs[0]
    keys, rows, recompilations = together.keys(), together.rows, Recompilations(say.warn)
    reports: list[StepReport] = []
    began = time.monotonic() - len(lanes) * lanes[0].recorder.record.seconds

    def share() -> float:
        return (time.monotonic() - began) / len(lanes)

    for step in range(first, run.steps + 1):
        last, pausing, stopping = step == run.steps, step == until, stop.asked(step)
        now = due(run, step, last=last, stopping=pausing or stopping is not None)
        if now.anything:
            fetched = jax.device_get(reports)
            reports.clear()
            for lane in lanes:
                own = [_of(report, lane.number) for report in fetched]
                state = functools.partial(together.row, states, lane.number)
                lane.guarded(functools.partial(lane.recorder.keep_up, now, own, lane.metrics, state, share))
            alive = [lane.number for lane in lanes if lane.failure is None]
            if not alive:
                break
            if fetched:
                say.advance(step, {"loss": float(min(fetched[-1].metrics["loss"][number] for number in alive))})
        if last or pausing:
            break
        if stopping is not None:
            raise Interrupted(
                f"Stopped by {stopping} at step {step} of {run.steps}, with a checkpoint of each of {len(lanes)} runs: the "
                "same command goes on from there."
            )
        trace = jax.profiler.StepTraceAnnotation("train", step_num=step)
        with recompilations.watched(step), jax.transfer_guard("disallow"), trace:
            batch = together.batch()
            recompilations.given(state=states, batch=batch)
            states, report = together.step(states, together.constants, batch, keys, rows)
        reports.append(report)
    for lane in lanes:
        lane.recorder.record.seconds = share()
    return states


def _of(report: StepReport, number: int) -> StepReport:
    """One run's part of the report of all."""
    metrics = {name: values[number] for name, values in report.metrics.items()}
    return StepReport(metrics, np.asarray(report.finite)[number], np.asarray(report.recovers)[number])  # pyright: ignore
