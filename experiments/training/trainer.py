"""The trainer: one straight line from a run's definition to a working directory.

It knows nothing of faces or paintings. Launched twice in one working directory, it goes on where it stopped, to the bit.
"""

import contextlib
import dataclasses
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax

from likeness.experiments.config import to_json
from likeness.experiments.display.progress import Quiet, Reporter
from likeness.experiments.distributed import processes
from likeness.experiments.distributed.watchdog import Watchdog
from likeness.experiments.experiment import Batches, Evaluation, Variables, peek
from likeness.experiments.own_code import Code, own_code
from likeness.experiments.run import Run
from likeness.experiments.storage.checkpoints import CheckpointStore
from likeness.experiments.storage.metrics_log import Metrics
from likeness.experiments.storage.trackers import TrackerName
from likeness.experiments.storage.workdir import Workdir, fresh_directory, metric_json, read_json
from likeness.experiments.training.compilations import Recompilations
from likeness.experiments.training.interruption import Interrupted
from likeness.experiments.training.profiling import Profile
from likeness.experiments.training.program import Program, build
from likeness.experiments.training.recorder import RunRecorder, changed, due, shortened
from likeness.experiments.training.resuming import CannotResume, Fingerprints
from likeness.experiments.training.stages import Stage, stage_of, stages
from likeness.experiments.training.step import StepReport, TrainState
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


class _Launch(NamedTuple):
    """What one launch of a run works with, the same in all its stages."""

    files: Workdir
    stop: StopRequest
    watchdog: Watchdog
    profile: Profile
    metrics: Metrics
    until: int | None


def train(
    run: Run,
    workdir: str | Path,
    *,
    fresh: bool = False,
    reporter: Reporter | None = None,
    hang_after: float | None = None,
    trackers: tuple[TrackerName, ...] = (),
    profile: int | None = None,
    until: int | None = None,
    accept_changed_inputs: bool = False,
    code: Code | None = None,
) -> Trained:
    """Trains a run in a working directory, from the beginning or from its newest checkpoint.

    Args:
        run: what to train.
        workdir: where its files are; made when missing.
        fresh: start over in a new directory beside ``workdir`` instead of going on in it. Nothing is deleted.
        reporter: told how it goes; by default only warnings are printed.
        hang_after: seconds without a step after which the process reports where it stands and ends; None waits for ever.
        trackers: where metrics go beside ``metrics.jsonl``.
        profile: how many steps to record for a profiler; None for none.
        until: stop at this step with a checkpoint, and evaluate the state there on the validation part. Nothing of that is
            logged and the schedule is still that of the whole run, so the run may be launched again and is as if never stopped.
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
    say: Reporter = Quiet() if reporter is None or not processes.first() else reporter
    code = own_code(run) if code is None else code
    files = Workdir(processes.told(str(fresh_directory(Path(workdir)) if fresh else workdir)))
    with contextlib.ExitStack() as held:
        processes.by_first(lambda: held.enter_context(files.held()), None)
        held.enter_context(jax.default_matmul_precision(run.matmul_precision))
        plan, latest = stages(run), _latest(files, run, until)
        begin = stage_of(plan, latest)
        if latest == run.steps:
            _check_unchanged(files, run, code)
        if len(plan) > 1 and latest is not None:
            _check_steps(files, run, begin, latest)
        opened = _open(plan[begin], say)
        store = CheckpointStore(files.checkpoints, run.checkpoints)
        # Entered first, it watches over the close too, in which a checkpoint that is being written waits for all processes.
        watchdog = held.enter_context(Watchdog(hang_after))
        held.callback(store.close)
        recorder = RunRecorder(
            *opened, files, store, say, code, stage=_numbered(plan, begin), accept_changed_inputs=accept_changed_inputs
        )
        stop = StopRequest()
        profiled = held.enter_context(Profile(files.profile, profile))
        say.say(f"working in {files.root}; the first step is compiled")
        # From here on, and not only in the loop: an interrupt in the middle of a compilation can crash the process.
        with stop:
            state = _restored(recorder, run) or recorder.start()
            recorder.note_config(run, int(state.step))
            recorder.note_origin()
            metrics = held.enter_context(Metrics(files, trackers, resume_from=int(state.step)))
            launch = _Launch(files, stop, watchdog, profiled, metrics, until)
            state = _loop(launch, recorder, plan[begin].end, state)
            for number in range(begin + 1, len(plan)):
                if int(state.step) == until:
                    break
                stage = plan[number]
                say.say(f"stage {number + 1} of {len(plan)}: its losses do not compare with those before")
                recorder = RunRecorder(
                    *_open(stage, say), files, store, say, code, recorder.record, stage=_numbered(plan, number)
                )
                recorder.note_origin()
                state = _loop(launch, recorder, stage.end, recorder.program.promote(state, recorder.program.constants))
        if int(state.step) < run.steps:
            variables = recorder.program.variables(state)
            evaluated = recorder.run.experiment.evaluate(recorder.data, variables.params, variables.state, "validation")
            return Trained(files.root, state, variables, evaluated, recorder.record.seconds)
        variables, evaluation = recorder.conclude(state)
        metrics.finish(to_json(run), metric_json(evaluation.metrics))
        return Trained(files.root, state, variables, evaluation, recorder.record.seconds)


def _restored(recorder: RunRecorder, run: Run) -> TrainState | None:
    """The newest checkpoint's state; where it cannot be gone on from, what the config has changed since is said too."""
    try:
        return recorder.restore()
    except CannotResume as error:
        if not (changes := changed(recorder.files, run, recorder.code)):
            raise
        raise type(error)(f"{error} Changed since the last launch: {shortened(changes)}.") from error


def _check_unchanged(files: Workdir, run: Run, code: Code) -> None:
    """Refuses to evaluate a run that has taken all its steps as if it had been trained by another config."""
    if changes := changed(files, run, code):
        raise CannotResume(
            f"{files.root} has taken all of its {run.steps} steps, and none would be trained with what has changed since "
            f"({shortened(changes)}): ask for more --steps, or start over in another working directory. `likeness evaluate "
            f"{files.root}` evaluates it again as it was trained."
        )


def _check_steps(files: Workdir, run: Run, begin: int, latest: int) -> None:
    """Refuses to go on in another stage than the one in which the checkpoint was written."""
    steps = read_json(files.config).get("steps")
    if not isinstance(steps, int) or steps == run.steps:
        return
    written = stage_of(stages(dataclasses.replace(run, steps=steps)), latest)
    if written != begin:
        raise CannotResume(
            f"{files.root} holds a run in stages that was launched with {steps} steps and has come to step {latest}, in stage "
            f"{written + 1}; with {run.steps} steps that step is in stage {begin + 1}, where other shapes are learned. Ask for "
            f"{steps} steps again, or start over in another working directory."
        )


def _numbered(plan: tuple[Stage, ...], number: int) -> int | None:
    """What a stage is called in the log; nothing where there is only one."""
    return number + 1 if len(plan) > 1 else None


def _open(stage: Stage, say: Reporter) -> tuple[Run, Any, Fingerprints, Batches, Program]:
    """Opens a stage's data and makes its program."""
    run = stage.run
    data = run.experiment.open()
    for sentence in run.experiment.describe(data):
        say.say(sentence)
    stream = run.experiment.stream(data, run.seed)
    return run, data, run.experiment.fingerprints(data), stream, build(run, run.experiment.constants(data), peek(stream))


def _loop(launch: _Launch, recorder: RunRecorder, end: int, state: TrainState) -> TrainState:
    """What is due at step ``i`` is done before step ``i`` is taken; then the next batch and its step."""
    run, program, stream, record = recorder.run, recorder.program, recorder.stream, recorder.record
    key, recompilations = program.key(run.seed), Recompilations(recorder.say.warn)
    reports: list[StepReport] = []
    timing = Timing(launch.files.system)
    began = time.monotonic() - record.seconds

    def current() -> TrainState:
        return state

    def clock() -> float:
        return time.monotonic() - began

    for step in range(int(state.step), end + 1):
        last, pausing, stopping = step == end, step == launch.until, launch.stop.asked(step)
        now = due(run, step, last=last, stopping=pausing or stopping is not None)
        if now.anything:
            with timing.fetching():
                fetched = jax.device_get(reports)
            reports.clear()
            if now.writes:
                timing.write(step, recompilations.total)
            recorder.keep_up(now, fetched, launch.metrics, current, clock)
        if last or pausing:
            break
        if stopping is not None:
            raise Interrupted(
                f"Stopped by {stopping} at step {step} of {run.steps}, with a checkpoint in "
                f"{recorder.store.directory}: the same command goes on from there."
            )
        launch.watchdog.step(step)
        launch.profile.step()
        trace = jax.profiler.StepTraceAnnotation("train", step_num=step)
        with timing.step(), recompilations.watched(step), jax.transfer_guard("disallow"), trace:
            with timing.waiting():
                batch = next(stream)
            timing.count(batch)
            batch = program.put(batch)
            recompilations.given(state=state, batch=batch)
            state, report = program.step(state, program.constants, batch, key)
        reports.append(report)
    record.seconds = clock()
    return state


def _latest(files: Workdir, run: Run, until: int | None) -> int | None:
    """The newest checkpoint; makes no directory."""
    if not files.checkpoints.is_dir():
        return None
    store = CheckpointStore(files.checkpoints, run.checkpoints, reading=True)
    latest = store.latest()
    store.close()
    asked = run.steps if until is None else min(until, run.steps)
    if latest is not None and latest > asked:
        raise CannotResume(
            f"The newest checkpoint in {store.directory} is of step {latest}, beyond the {asked} steps asked for: ask for "
            "more with --steps, or start over in another working directory."
        )
    return latest
