"""The trainer: one straight line from a run's definition to a working directory.

It knows nothing of faces or paintings. Launched twice in one working directory, it goes on where it stopped, to the bit.
"""

import contextlib
import dataclasses
from pathlib import Path
from typing import Literal

import jax

from likeness.experiments.display.progress import Reporter, reporting
from likeness.experiments.distributed import processes
from likeness.experiments.distributed.cores import a_device_for_each_core
from likeness.experiments.distributed.watchdog import Watchdog
from likeness.experiments.experiment import Evaluation, TrainState, Variables
from likeness.experiments.fingerprints import CannotResume
from likeness.experiments.host_memory import keep_freed_memory
from likeness.experiments.own_code import Code, own_code
from likeness.experiments.run import Run
from likeness.experiments.storage.checkpoints import CheckpointStore
from likeness.experiments.storage.metrics_log import Metrics
from likeness.experiments.storage.trackers import TrackerName
from likeness.experiments.storage.workdir import Workdir, fresh_directory
from likeness.experiments.training.ahead import Ahead
from likeness.experiments.training.interruption import Interrupted
from likeness.experiments.training.loop import Lane, Launch, take_steps
from likeness.experiments.training.profiling import Profile
from likeness.experiments.training.recorder import RunRecorder, changed, indifferent, shortened
from likeness.experiments.training.stages import Stage, going_on, stage_of, stages, work
from likeness.experiments.training.stop_request import StopRequest
from likeness.experiments.training.timing import Timing


@dataclasses.dataclass(frozen=True)
class Trained:
    """A finished run."""

    workdir: Path
    state: TrainState
    """After the last step taken."""
    variables: Variables
    """What was evaluated and is used: the best by the run's metric, averaged where the run averages."""
    evaluation: Evaluation
    """On the test part; of a run that was to stop on the way, on the validation part."""
    seconds: float
    """In the training loop, over all launches."""


def train(
    run: Run,
    workdir: str | Path,
    *,
    fresh: bool = False,
    reporter: Reporter | Literal["auto"] | None = "auto",
    hang_after: float | None = None,
    trackers: tuple[TrackerName, ...] = (),
    profile: int | None = None,
    until: int | None = None,
    watch: int | None = None,
    accept_changed_inputs: bool = False,
    code: Code | None = None,
) -> Trained:
    """Trains a run in a working directory, from the beginning or from its newest checkpoint.

    The process keeps memory that it has freed (:func:`likeness.experiments.host_memory.keep_freed_memory`), and on a CPU a
    batch is divided among its cores (:func:`likeness.experiments.distributed.cores.a_device_for_each_core`).

    Args:
        run: what to train.
        workdir: where its files are; made when missing.
        fresh: start over in a new directory beside ``workdir`` instead of going on in it. Nothing is deleted.
        reporter: told how it goes. By default progress is shown on a terminal and in a notebook; None prints only warnings.
        hang_after: seconds without a step after which the process reports where it stands and ends; None waits for ever.
        trackers: where metrics go beside ``metrics.jsonl``.
        profile: how many steps to record for a profiler; None for none.
        until: stop at this step with a checkpoint, and evaluate the state there on the validation part. Nothing of that is
            logged and the schedule is still that of the whole run, so the run may be launched again and is as if never stopped.
        watch: how many steps lie between two images, of an experiment that has any to look at: the reporter is shown them, and
            they are kept below ``images``. Nothing else depends on it.
        accept_changed_inputs: go on also where what was trained on is not what it was; the change is kept in
            ``changes.jsonl``.
        code: of your own, to be kept with the run; by default the modules of the run's classes, and what they import.

    Returns:
        The final state and its evaluation on the test part.

    Raises:
        CannotResume: the directory holds a run of another config, or one that has read something else.
        UserError: for whatever else the person who launched it can mend.
        NonFinite: when the loss is no longer a number; the last checkpoint is from before that.
        Interrupted: after SIGTERM or SIGINT, once a checkpoint is written.
    """
    keep_freed_memory()
    a_device_for_each_core()
    code = own_code(run) if code is None else code
    files = Workdir(processes.told(str(fresh_directory(Path(workdir)) if fresh else workdir)))
    plan = stages(run)
    with contextlib.ExitStack() as held:
        say = held.enter_context(reporting(reporter if processes.first() else None, run.steps, run.evaluate_every, work(plan)))
        processes.by_first(lambda: held.enter_context(files.held()), None)
        held.enter_context(jax.default_matmul_precision(run.matmul_precision))
        store = CheckpointStore(files.checkpoints, run.checkpoints)
        held.callback(store.close)
        plan, first = _first_stage(run, plan, files, store, code, until)
        opened = plan[first].open(say.say)
        watchdog = held.enter_context(Watchdog(hang_after))
        # Closed within the watchdog: a checkpoint that is being written waits for all processes.
        held.callback(store.close)
        profiled = held.enter_context(Profile(files.profile, profile))
        launch = Launch(say, StopRequest(), watchdog, profiled, Timing(), until, watch)
        recorder = RunRecorder(run, opened, files, store, say, code, accept_changed_inputs=accept_changed_inputs)
        devices = opened.program.mesh.size
        say.say(f"working in {files.root}; the first step is compiled" + (f" for {devices} devices" if devices > 1 else ""))
        # From here on, and not only in the loop: an interrupt in the middle of a compilation can crash the process.
        with launch.stop:
            state = recorder.restore() or opened.start()
            recorder.record.ends = [stage.end for stage in plan]
            recorder.note_config(int(state.step))
            recorder.note_origin()
            recorder.metrics = held.enter_context(Metrics(files, trackers, resume_from=int(state.step)))
            ahead = None
            for number, stage in enumerate(plan[first:], first):
                if ahead is not None:
                    opened = ahead.opened(say)
                    recorder.enter(opened)
                    state = opened.promote(state)
                goes_on = number + 1 < len(plan) and (until is None or until > stage.end)
                ahead = Ahead(plan[number + 1] if goes_on else None)
                state, signal = take_steps(
                    opened, [Lane(recorder)], state, int(state.step), stage.end, launch, under_way=ahead.begin
                )
                if signal is not None:
                    raise _interrupted(signal, state, run, store)
                if int(state.step) == until:
                    break
            # Whoever trains one run after another must not go on with the next.
            if (signal := launch.stop.unanswered) is not None:
                raise _interrupted(signal, state, run, store)
        finish = recorder.conclude if int(state.step) == run.steps else recorder.on_validation
        variables, evaluation = finish(state)
        return Trained(files.root, state, variables, evaluation, recorder.record.seconds)


def _interrupted(signal: str, state: TrainState, run: Run, store: CheckpointStore) -> Interrupted:
    return Interrupted(
        f"Stopped by {signal} at step {int(state.step)} of {run.steps}, with a checkpoint in {store.directory}: the same "
        "command goes on from there."
    )


def _first_stage(
    run: Run, plan: tuple[Stage, ...], files: Workdir, store: CheckpointStore, code: Code, until: int | None
) -> tuple[tuple[Stage, ...], int]:
    """The stages, and in which of them a launch begins, from 0; what cannot be gone on from is refused before any data is
    opened."""
    latest = store.latest()
    if latest is None:
        return plan, 0
    asked = run.steps if until is None else min(until, run.steps)
    if latest > asked:
        raise CannotResume(
            f"The newest checkpoint in {store.directory} is of step {latest}, beyond the {asked} steps asked for: ask for "
            "more with --steps, or start over in another working directory."
        )
    if latest == run.steps:
        _check_unchanged(files, run, code)
    if len(plan) > 1:
        plan = going_on(plan, store.record(latest).get("ends", []), latest)
    return plan, stage_of(plan, latest)


def _check_unchanged(files: Workdir, run: Run, code: Code) -> None:
    """Refuses to evaluate a run that has taken all its steps as if it had been trained by another config."""
    changes = [change for change in changed(files, run, code) if not change.startswith(indifferent(run))]
    if changes and not run.steps:
        raise CannotResume(
            f"{files.root} holds what weights as they are were measured by, and this is another measurement "
            f"({shortened(changes)}): give it a directory of its own by --workdir DIR, or say --fresh for one beside that one. "
            f"`likeness evaluate {files.root}` repeats what is there."
        )
    if changes:
        raise CannotResume(
            f"{files.root} has taken all of its {run.steps} steps, and none would be trained with what has changed since "
            f"({shortened(changes)}): ask for more --steps, or start over in another working directory. `likeness evaluate "
            f"{files.root}` evaluates it again as it was trained."
        )
