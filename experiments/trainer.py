"""The trainer: one straight line from a run's definition to a working directory.

It knows nothing of faces or paintings. Launched twice in one working directory, it goes on where it stopped, to the bit.
"""

import contextlib
import dataclasses
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments import processes
from experiments.boards import BoardName
from experiments.checkpoints import CheckpointStore
from experiments.compilations import Recompilations
from experiments.config import describe_changes, to_json
from experiments.evaluation import evaluate_run
from experiments.experiment import Batches, Evaluation, Variables
from experiments.interruption import Interrupted
from experiments.profiling import Profile
from experiments.program import Program, build
from experiments.progress import Quiet, Reporter
from experiments.run import Run
from experiments.stages import Stage, stage_of, stages
from experiments.step import StepReport, TrainState
from experiments.stop_request import StopRequest
from experiments.timing import Timing
from experiments.watchdog import Watchdog
from experiments.workdir import Workdir, fresh_directory, metric_json, read_json, write_json
from experiments.writers import Metrics, provenance
from research.errors import UserError
from research.pictures import write_picture


@dataclasses.dataclass
class Record:
    """What a checkpoint holds beside the arrays. All JSON."""

    position: Any = None
    """The data stream's."""
    seconds: float = 0.0
    """Time spent in the loop, over all launches."""
    evaluated: int = 0
    """The last step that was evaluated."""
    best: float | None = None
    """The best value so far of the metric that decides."""
    best_step: int | None = None
    """The step it belongs to."""
    pending: list[dict[str, float]] = dataclasses.field(default_factory=list)
    """Metrics of the steps since the last line of the log."""


@dataclasses.dataclass(frozen=True)
class Trained:
    """A finished run."""

    workdir: Path
    state: TrainState
    """After the last step."""
    variables: Variables
    """What was evaluated and is used: the best by the run's metric, averaged where the run averages."""
    evaluation: Evaluation
    """On the test part."""
    seconds: float
    """In the training loop, over all launches."""


class _Ready(NamedTuple):
    """A run, or a stage of it, with its data and its program."""

    run: Run
    data: Any
    """What the experiment opened."""
    stream: Batches
    program: Program
    end: int
    """The step at which it ends."""


@dataclasses.dataclass(frozen=True)
class _Launch:
    """What one launch of a run, or a stage of it, works with, the same at every step."""

    run: Run
    data: Any
    stream: Batches
    program: Program
    end: int
    files: Workdir
    store: CheckpointStore
    stop: StopRequest
    say: Reporter
    watchdog: Watchdog
    profile: Profile


class NonFinite(UserError):
    """The loss, or what led to it, is NaN or infinite."""


def train(
    run: Run,
    workdir: str | Path,
    *,
    fresh: bool = False,
    reporter: Reporter | None = None,
    hang_after: float | None = None,
    boards: tuple[BoardName, ...] = (),
    profile: int | None = None,
) -> Trained:
    """Trains a run in a working directory, from the beginning or from its newest checkpoint.

    Args:
        run: what to train.
        workdir: where its files are; made when missing.
        fresh: start over in a new directory beside ``workdir`` instead of going on in it. Nothing is deleted.
        reporter: told how it goes; by default only warnings are printed.
        hang_after: seconds without a step after which the process reports where it stands and ends; None waits for ever.
        boards: where metrics go beside ``metrics.jsonl``.
        profile: how many steps to record for a profiler; None for none.

    Returns:
        The final state and its evaluation on the test part.

    Raises:
        UserError: for what the person who launched it can mend, such as a checkpoint of another config.
        NonFinite: when the loss is no longer a number; the last checkpoint is from before that.
        Interrupted: after SIGTERM or SIGINT, once a checkpoint is written.
    """
    say: Reporter = Quiet() if reporter is None or not processes.first() else reporter
    files = Workdir(processes.told(str(fresh_directory(Path(workdir)) if fresh else workdir)))
    with contextlib.ExitStack() as held:
        processes.by_first(lambda: held.enter_context(files.held()), None)
        held.enter_context(jax.default_matmul_precision(run.matmul_precision))
        plan, latest = stages(run), _latest(files, run)
        begin = stage_of(plan, latest)
        if len(plan) > 1 and latest is not None:
            _check_steps(files, run, begin, latest)
        ready = _prepare(plan[begin], say)
        store, stop = CheckpointStore(files.checkpoints, run.checkpoints), StopRequest()
        watchdog = held.enter_context(Watchdog(hang_after))
        recorded = held.enter_context(Profile(files.profile, profile))
        say.say(f"working in {files.root}; the first step is compiled")
        try:
            launch = _Launch(*ready, files, store, stop, say, watchdog, recorded)
            # From here on, and not only in the loop: an interrupt in the middle of a compilation can crash the process.
            with stop:
                state, record = _restore(launch)
                _note_config(run, files, say)
                _note_origin(launch)
                metrics = held.enter_context(Metrics(files, boards, resume_from=int(state.step)))
                state = _loop(launch, metrics, state, record)
                for stage in plan[begin + 1 :]:
                    launch = _Launch(*_prepare(stage, say), files, store, stop, say, watchdog, recorded)
                    _note_origin(launch)
                    state = _loop(launch, metrics, launch.program.promote(state, launch.program.fixed), record)
            step, variables = run.steps, launch.program.variables(state)
            best = store.best(run.checkpoints)
            if best is not None and best != run.steps:
                step, variables = best, store.load_variables(best)
                say.say(f"step {best} was the best by {run.checkpoints.best_metric}: it is the one that is evaluated and used")
        finally:
            store.close()
        say.say("judging on the test part")
        evaluation = evaluate_run(launch.run, files, launch.data, variables, step=step, seconds=record.seconds)
        metrics.finish(to_json(run), metric_json(evaluation.metrics))
        return Trained(files.root, state, variables, evaluation, record.seconds)


def _check_steps(files: Workdir, run: Run, begin: int, latest: int) -> None:
    """Refuses to go on in another stage than the one in which the checkpoint was written."""
    steps = read_json(files.config).get("steps")
    if not isinstance(steps, int) or steps == run.steps:
        return
    written = stage_of(stages(dataclasses.replace(run, steps=steps)), latest)
    if written != begin:
        raise UserError(
            f"{files.root} holds a run in stages that was launched with {steps} steps and has come to step {latest}, in stage "
            f"{written + 1}; with {run.steps} steps that step is in stage {begin + 1}, where other shapes are learned. Ask for "
            f"{steps} steps again, or start over in a new directory with --fresh."
        )


def _prepare(stage: Stage, say: Reporter) -> _Ready:
    """Opens a stage's data and makes its program."""
    run = stage.run
    data = run.experiment.open()
    for sentence in run.experiment.describe(data):
        say.say(sentence)
    stream = run.experiment.stream(data, run.seed)
    return _Ready(run, data, stream, build(run, run.experiment.fixed(data), _peek(stream)), stage.end)


def _note_origin(launch: _Launch) -> None:
    run = launch.run
    origin = provenance(run.seed, run.experiment.fingerprint(launch.data))
    processes.by_first(lambda: write_json(launch.files.provenance, origin), None)


def _loop(launch: _Launch, metrics: Metrics, state: TrainState, record: Record) -> TrainState:
    """Write, evaluate and checkpoint what is due, then the next batch and its step: do not change the order.

    What is due at step ``i`` is done before step ``i`` is taken, and the log is written first, so that a checkpoint of step
    ``i`` has behind it exactly the lines that a resumed run must not write again.
    """
    run, program = launch.run, launch.program
    key, recompilations = program.key(run.seed), Recompilations(launch.say.warn)
    reports: list[StepReport] = []
    timing = Timing(launch.files.system)
    began = time.monotonic() - record.seconds
    for step in range(int(state.step), launch.end + 1):
        last, stopping = step == launch.end, launch.stop.asked(step)
        writes = last or _due(step, run.log_every)
        judges = step != record.evaluated and (_due(step, run.evaluate_every) or (last and run.evaluate_every is not None))
        saves = last or stopping is not None or _due(step, run.checkpoints.every)
        if writes or judges or saves:
            # Nothing that is not finite is evaluated or saved, and what is saved knows every step before it.
            with timing.fetching():
                record.pending += _fetch(launch, reports, step)
            reports.clear()
        if writes and record.pending:
            _write(launch, metrics, step, record)
            timing.write(step, recompilations.total)
        improved = judges and _evaluate(launch, metrics, state, step, record)
        if saves or improved:
            record.seconds, record.position = time.monotonic() - began, _position(launch.stream)
            launch.store.save(step, state, dataclasses.asdict(record), record.best if improved else None)
        if last:
            break
        if stopping is not None:
            raise Interrupted(
                f"Stopped by {stopping} at step {step} of {run.steps}, with a checkpoint in "
                f"{launch.store.directory}: the same command goes on from there."
            )
        launch.watchdog.step(step)
        launch.profile.step()
        trace = jax.profiler.StepTraceAnnotation("train", step_num=step)
        with timing.step(), recompilations.watched(step), jax.transfer_guard("disallow"), trace:
            with timing.waiting():
                batch = next(launch.stream)
            timing.count(batch)
            batch = program.put(batch)
            state, report = program.step(state, program.fixed, batch, key)
        reports.append(report)
    record.seconds = time.monotonic() - began
    return state


def _due(step: int, every: int | None) -> bool:
    return every is not None and step > 0 and step % every == 0


def _peek(stream: Batches) -> Any:
    start = stream.get_state()
    batch = next(stream)
    stream.set_state(start)
    return batch


def _position(stream: Batches) -> Any:
    position = stream.get_state()
    return position.decode() if isinstance(position, bytes) else position


def _latest(files: Workdir, run: Run) -> int | None:
    """The newest checkpoint; makes no directory."""
    if not files.checkpoints.is_dir():
        return None
    store = CheckpointStore(files.checkpoints, run.checkpoints, reading=True)
    latest = store.latest()
    store.close()
    if latest is not None and latest > run.steps:
        raise UserError(
            f"The newest checkpoint in {store.directory} is of step {latest}, beyond the {run.steps} steps asked for: ask for "
            "more with --steps, or start over in a new directory with --fresh."
        )
    return latest


def _restore(launch: _Launch) -> tuple[TrainState, Record]:
    run, program, stream = launch.run, launch.program, launch.stream
    latest = launch.store.latest()
    if latest is None:
        return program.init(program.key(run.seed), program.fixed, program.put(_peek(stream))), Record()
    state, saved = launch.store.load(latest, program.state)
    record = Record(**saved)
    position = record.position
    stream.set_state(position.encode() if isinstance(stream.get_state(), bytes) else position)
    launch.say.say(f"going on from step {latest}")
    return state, record


def _note_config(run: Run, files: Workdir, say: Reporter) -> None:
    config = to_json(run)
    if files.config.exists():
        for change in describe_changes(read_json(files.config), config):
            say.say(f"changed since this directory's last launch: {change}")
    processes.by_first(lambda: write_json(files.config, config), None)


def _fetch(launch: _Launch, reports: list[StepReport], step: int) -> list[dict[str, float]]:
    fetched = jax.device_get(reports)
    kept = []
    for taken, report in enumerate(fetched, start=step - len(fetched)):
        if report.recovers:
            launch.say.warn(f"step {taken} is not finite: the step before it is taken back and tried again at half its length")
            continue
        if report.finite.all():
            kept.append({name: float(value) for name, value in report.metrics.items()})
            continue
        leaf = launch.program.watched[int(np.argmin(report.finite))]
        latest = launch.store.latest()
        spared = "No checkpoint was written yet" if latest is None else f"The newest checkpoint, of step {latest}, is intact"
        raise NonFinite(
            f"Step {taken} is not finite, first seen in {leaf} (loss {report.metrics['loss']:.4g}). {spared}. If it is the "
            "batch, look at the data; else try a lower learning rate, --optimizer.halvings, --optimizer.clip-norm, or float32."
        )
    return kept


def _write(launch: _Launch, metrics: Metrics, step: int, record: Record) -> None:
    """Writes the mean of the steps since the last line."""
    averages = {name: statistics.fmean(entry[name] for entry in record.pending) for name in record.pending[-1]}
    record.pending = []
    metrics.write(step, "train", averages)
    launch.say.advance(step, averages)
    if remark := launch.run.experiment.remark(averages):
        launch.say.warn(f"step {step}: {remark}")


def _evaluate(launch: _Launch, metrics: Metrics, state: TrainState, step: int, record: Record) -> bool:
    """Judges on the validation part; tells whether this is the best so far."""
    variables = launch.program.variables(state)
    evaluation = launch.run.experiment.evaluate(launch.data, variables.params, variables.state, "validation")
    record.evaluated = step
    metrics.write(step, "validation", metric_json(evaluation.metrics))
    for name, picture in evaluation.pictures.items():
        if processes.first():
            write_picture(launch.files.pictures / f"{name}_{step:06d}.png", picture)
        launch.say.show(name, picture)
    policy = launch.run.checkpoints
    if policy.best_metric is None:
        return False
    value = best_value(evaluation.metrics, policy.best_metric)
    if record.best is not None and (value >= record.best if policy.best_is == "lowest" else value <= record.best):
        return False
    record.best, record.best_step = value, step
    launch.say.say(f"step {step}: {policy.best_metric} {value:.4g}, the best so far")
    return True


def best_value(metrics: Mapping[str, Any], name: str) -> float:
    """The plain number of the metric that decides which checkpoint is best.

    Raises:
        UserError: when the evaluation has no such metric, or could not resolve it.
    """
    if name not in metrics:
        raise UserError(
            f"Checkpoints.best_metric is {name!r}, which the evaluation does not report: choose one of "
            f"{', '.join(sorted(metrics))}."
        )
    value = getattr(metrics[name], "value", metrics[name])
    if value is None:
        raise UserError(
            f"Checkpoints.best_metric is {name!r}, which the validation data cannot resolve ({metrics[name].why}): choose "
            "another metric, or more validation people."
        )
    return float(value)
