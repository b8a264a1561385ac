"""Trains several runs as one program, and leaves of each what the ordinary trainer would have left.

The runs take every step together. Whatever is due between two steps (a line of the log, an evaluation, a checkpoint) is done
for one run after the other, in its own files; so a run may later be trained on alone, evaluated again or used.
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import jax

from likeness.experiments.display.progress import Named, Reporter
from likeness.experiments.distributed.watchdog import Watchdog
from likeness.experiments.experiment import TrainState
from likeness.experiments.own_code import Code
from likeness.experiments.storage.checkpoints import CheckpointStore
from likeness.experiments.storage.metrics_log import Metrics
from likeness.experiments.storage.trackers import TrackerName
from likeness.experiments.storage.workdir import Workdir, metric_json
from likeness.experiments.sweeps.members import note_rung
from likeness.experiments.sweeps.vmapped import VmappedRuns
from likeness.experiments.training.interruption import Interrupted
from likeness.experiments.training.loop import Lane, Launch, running, take_steps
from likeness.experiments.training.profiling import Profile
from likeness.experiments.training.recorder import RunRecorder
from likeness.experiments.training.stop_request import StopRequest
from likeness.experiments.training.timing import Timing


def train_vmapped(
    vmapped: VmappedRuns,
    workdirs: Sequence[Path],
    code: Code,
    say: Reporter,
    trackers: tuple[TrackerName, ...] = (),
    until: int | None = None,
) -> list[Exception | None]:
    """Trains runs at once, each in its working directory, from the beginning or from checkpoints of one step.

    Of the time that all take, each run is written its equal share.

    Args:
        vmapped: the runs.
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
    run = vmapped.run
    with contextlib.ExitStack() as held:
        held.enter_context(jax.default_matmul_precision(run.matmul_precision))
        stop = held.enter_context(StopRequest())
        recorders = []
        for stage, workdir in zip(vmapped.stages, workdirs, strict=True):
            files = Workdir(workdir)
            held.enter_context(files.held())
            store = CheckpointStore(files.checkpoints, run.checkpoints)
            held.callback(store.close)
            recorders.append(RunRecorder(stage.run, stage, files, store, Named(workdir.name, say.warn), code))
        states = _restored(vmapped, recorders)
        first = int(vmapped.row(states, 0).step)
        for recorder in recorders:
            recorder.note_config(first)
            recorder.note_origin()
            recorder.metrics = held.enter_context(Metrics(recorder.files, trackers, resume_from=first))
        lanes = [Lane(recorder, number, isolated=True) for number, recorder in enumerate(recorders)]
        launch = Launch(say, stop, Watchdog(None), Profile(recorders[0].files.profile, None), Timing(), until)
        states, signal = take_steps(vmapped, lanes, states, first, run.steps, launch)
        reached = run.steps if until is None else min(until, run.steps)
        if signal is None and running(lanes):
            whole = reached == run.steps
            say.say(f"each run: {run.experiment.evaluating if whole else 'evaluating on the validation part'}")
            for lane in running(lanes):
                with lane.guarded():
                    _finish(lane.recorder, vmapped.row(states, lane.number), None if whole else reached)
            signal = stop.asked(reached)
        if signal is not None:
            raise Interrupted(
                f"Stopped by {signal} at step {int(vmapped.row(states, 0).step)} of {run.steps}, with a checkpoint of each of "
                f"{len(lanes)} runs: the same command goes on from there."
            )
        return [lane.failure for lane in lanes]


def _finish(recorder: RunRecorder, state: TrainState, rung: int | None) -> None:
    """Evaluates a run at its end, or writes down what it comes to at a rung; of that nothing is logged."""
    if rung is None:
        recorder.conclude(state)
    else:
        _, evaluated = recorder.on_validation(state)
        note_rung(recorder.files.root, rung, metric_json(evaluated.metrics), recorder.record.seconds)


def _restored(vmapped: VmappedRuns, recorders: Sequence[RunRecorder]) -> TrainState:
    newest = {recorder.store.latest() for recorder in recorders}
    if len(newest) > 1:
        raise ValueError(f"runs that have come to different steps cannot go on together: {newest}")
    states = [state for recorder in recorders if (state := recorder.restore()) is not None]
    return vmapped.stacked(states) if states else vmapped.start()
