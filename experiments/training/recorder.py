"""What is kept of a run between two steps: what is due, and what is then written, evaluated and saved."""

import dataclasses
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from likeness.experiments.config import describe_changes, to_json
from likeness.experiments.display.progress import Reporter
from likeness.experiments.distributed import processes
from likeness.experiments.experiment import Batches, Evaluation, Experiment, TrainState, Variables
from likeness.experiments.fingerprints import CannotResume, ChangedInputs, listed
from likeness.experiments.own_code import Code
from likeness.experiments.own_code.keeping import describe, keep, kept_or_none
from likeness.experiments.own_code.trust import remember
from likeness.experiments.run import Run
from likeness.experiments.storage.checkpoints import CheckpointStore
from likeness.experiments.storage.metrics_log import Metrics
from likeness.experiments.storage.workdir import Workdir, metric_json, read_json, write_json
from likeness.experiments.training.evaluation import evaluate_run
from likeness.experiments.training.provenance import provenance
from likeness.experiments.training.stages import OpenedStage
from likeness.experiments.training.step import StepReport
from likeness.research.errors import UserError
from likeness.research.files import write_atomically
from likeness.research.images import write_image


class NonFinite(UserError):
    """The loss, or what led to it, is NaN or infinite."""


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
    ends: list[int] = dataclasses.field(default_factory=list)
    """The last step of each of the run's stages."""
    pending: list[dict[str, float]] = dataclasses.field(default_factory=list)
    """Metrics of the steps since the last line of the log."""
    inputs: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    """Fingerprints of what the steps before were taken with, see
    :class:`~likeness.experiments.fingerprints.Fingerprints`."""


class Clock:
    """Counts the seconds in the loop over all launches; each of several runs that share a loop is written its equal share."""

    def __init__(self, before: float, runs: int = 1) -> None:
        """Of runs that each had so many seconds before."""
        self._runs = runs
        self._began = time.monotonic() - runs * before

    @property
    def seconds(self) -> float:
        """Of each run."""
        return (time.monotonic() - self._began) / self._runs


FIRST = (1, 2, 5)
"""After how many steps of a launch, or of a stage, they are told even where no line of the log is due."""


class Due(NamedTuple):
    """What is to be done at a step, before it is taken."""

    step: int
    writes: bool
    tells: bool
    """The steps so far are told to whoever watches."""
    shows: bool
    """What is learned is shown, where it can be."""
    evaluate: bool
    saves: bool

    @property
    def anything(self) -> bool:
        return self.writes or self.tells or self.shows or self.evaluate or self.saves


def due(run: Run, step: int, *, last: bool, stopping: bool, taken: int = 0, watch: int | None = None) -> Due:
    """What is due at a step of a run.

    Args:
        run: what is trained.
        step: that is about to be taken.
        last: the run, or a stage of it, ends here.
        stopping: the loop ends here.
        taken: how many steps this launch has taken of the stage.
        watch: how many steps lie between two images that are shown; None for none.
    """

    def every(interval: int | None) -> bool:
        return interval is not None and step > 0 and step % interval == 0

    writes = last or every(run.log_every)
    return Due(
        step,
        writes=writes,
        tells=writes or taken in FIRST,
        shows=(every(watch) and taken > 0) or (last and watch is not None),
        evaluate=every(run.evaluate_every) or (last and run.evaluate_every is not None),
        saves=last or stopping or every(run.checkpoints.every),
    )


_WATCHING = ("log_every", "evaluate_every", "checkpoints.every", "checkpoints.keep_last", "checkpoints.keep_every")


def indifferent(run: Run) -> tuple[str, ...]:
    """The fields of a run that only look on, or decide how it is computed: none of them changes what is learned, nor which
    checkpoint is used."""
    return (*_WATCHING, *(f"experiment.{name}" for name in run.experiment.indifferent))


def changed(files: Workdir, run: Run, code: Code | None = None) -> list[str]:
    """What a run has otherwise than the last launch in a directory: ``optimizer.schedule.peak_lr: 0.001 → 1e-05``.

    Args:
        files: the directory.
        run: what is launched.
        code: of one's own that it is launched with; None leaves the code out.
    """
    if not files.config.exists():
        return []
    changes = describe_changes(read_json(files.config), to_json(run))
    return changes if code is None else changes + describe(kept_or_none(files.root), code)


def shortened(changes: Sequence[str], most: int = 5) -> str:
    """The first of them in one line, and how many more there are."""
    more = f"; and {len(changes) - most} more" if len(changes) > most else ""
    return "; ".join(changes[:most]) + more


@dataclasses.dataclass
class RunRecorder:
    """What is kept of one run while its steps are taken."""

    run: Run
    """With all its stages."""
    opened: OpenedStage
    """The stage that is trained."""
    files: Workdir
    store: CheckpointStore
    say: Reporter
    code: Code
    """Of one's own."""
    metrics: Metrics | None = None
    """Where lines go; opened once it is known from which step on."""
    record: Record = dataclasses.field(default_factory=Record)
    accept_changed_inputs: bool = False
    """Goes on from a checkpoint that was trained with other inputs."""

    def restore(self) -> TrainState | None:
        """The state of the newest checkpoint, with the record and the stream brought to it; None where there is none.

        Raises:
            ChangedInputs: what the steps before were taken with is not what was opened.
            CannotResume: the checkpoint is of other shapes; what the config has changed since is said too.
        """
        latest = self.store.latest()
        if latest is None:
            return None
        try:
            # Before the arrays, whose shapes follow from the inputs.
            before = self.store.record(latest).get("inputs", {})
            processes.by_first(lambda: self._check_inputs(latest, before), None)
            state, saved = self.store.load(latest, self.opened.program.state)
        except CannotResume as error:
            if not (changes := changed(self.files, self.run, self.code)):
                raise
            raise type(error)(f"{error} Changed since the last launch: {shortened(changes)}.") from error
        self.record = Record(**saved)
        position, stream = self.record.position, self.opened.stream
        stream.set_state(position.encode() if isinstance(stream.get_state(), bytes) else position)
        self.say.say(f"going on from step {latest}")
        return state

    def enter(self, opened: OpenedStage) -> None:
        """Goes on with the next stage, in the same files."""
        self.opened = opened
        self.note_origin()

    def note_config(self, step: int) -> None:
        """Writes what is trained, all stages of it; what has changed since the last launch is said and kept, with the step."""
        inputs = self.opened.inputs
        changes = changed(self.files, self.run, self.code)
        changes += inputs.since(self.record.inputs).described(self.record.inputs, inputs)
        for change in changes:
            self.say.say(f"changed since this directory's last launch: {change}")

        def write() -> None:
            if changes:
                before = self.files.changes.read_text(encoding="utf-8") if self.files.changes.exists() else ""
                line = json.dumps({"step": step, "changed": changes}, ensure_ascii=False) + "\n"
                # Killed before config.json was written, the last launch has left this line already.
                if not before.endswith(line):
                    write_atomically(self.files.changes, before + line)
            keep(self.files.root, self.code)
            write_json(self.files.config, to_json(self.run))

        for warning in self.code.warnings:
            self.say.warn(warning)
        if self.code:
            processes.by_first(self._trust, None)
        processes.by_first(write, None)

    def _trust(self) -> None:
        """What this user trains with may be executed again, when the run is read."""
        try:
            remember(self.code.digest)
        except UserError as error:
            self.say.warn(f"{error} Until then this run is read with --trust-code.")

    def note_origin(self) -> None:
        """Writes what it is trained with."""
        inputs = self.opened.inputs
        origin = provenance(self.run.seed, inputs, self.code)
        self.record.inputs = inputs.to_json()
        processes.by_first(lambda: write_json(self.files.provenance, origin), None)

    def log(self, due: Due, reports: Sequence[StepReport]) -> dict[str, float] | None:
        """Checks the steps since the last time, and writes a line of the log where one is due.

        It comes before :meth:`settle`. Nothing that is not finite is evaluated or saved, and a checkpoint of step ``i`` has
        behind it exactly the lines that a resumed run must not write again.

        Args:
            due: what is due.
            reports: fetched, of the steps since the last time.

        Returns:
            The means that were written, or where only that is due the last step's own numbers.

        Raises:
            NonFinite: a step was not finite.
        """
        self.record.pending += self._checked(reports, due.step)
        if not self.record.pending:
            return None
        if due.writes:
            return self._write(due.step)
        return self._with_stage(self.record.pending[-1]) if due.tells else None

    def settle(self, due: Due, state: TrainState, clock: Clock) -> None:
        """Shows, evaluates and saves where that is due; what is saved knows every step before it, and the evaluation.

        Args:
            due: what is due.
            state: before the step.
            clock: of the loop.
        """
        record = self.record
        evaluate = due.evaluate and due.step != record.evaluated
        seen = self._show(state, due.step) if due.shows or evaluate else frozenset[str]()
        improved = evaluate and self._evaluate(state, due.step, seen)
        if due.saves or improved:
            record.seconds, record.position = clock.seconds, _position(self.opened.stream)
            self.store.save(due.step, state, dataclasses.asdict(record), record.best if improved else None)

    def on_validation(self, state: TrainState) -> tuple[Variables, Evaluation]:
        """Evaluates a run that is to stop on the way. Nothing of it is logged."""
        variables = self.opened.program.variables(state)
        experiment = self.opened.run.experiment
        return variables, experiment.evaluate(self.opened.data, variables.params, variables.state, "validation")

    def conclude(self, state: TrainState) -> tuple[Variables, Evaluation]:
        """Evaluates the run, by the best checkpoint where the run keeps one, and says what is used from now on."""
        run, policy = self.opened.run, self.run.checkpoints
        step, variables = run.steps, self.opened.program.variables(state)
        best = self.store.best(policy)
        if best is not None and best != step:
            step, variables = best, self.store.load_variables(best)
            self.say.say(f"step {best} was the best by {policy.best_metric}: it is the one that is evaluated and used")
        # What can be seen is not kept waiting by what is measured of it.
        for name, image in run.experiment.shown(variables.params).items():
            self.say.show(name, image)
        self.say.say(run.experiment.evaluating)
        evaluation = evaluate_run(run, self.files, self.opened.data, variables, step=step, seconds=self.record.seconds)
        self._metrics.finish(to_json(self.run), metric_json(evaluation.metrics))
        return variables, evaluation

    @property
    def _metrics(self) -> Metrics:
        if self.metrics is None:
            raise ValueError("no metrics are open")
        return self.metrics

    def _check_inputs(self, step: int, before: Mapping[str, Mapping[str, str]]) -> None:
        """Refuses to take further steps with other inputs, and says where only evaluations read others."""
        changes = self.opened.inputs.since(before)
        # Which checkpoint is the best would be decided by values that do not compare.
        decides = changes.validation if self.run.checkpoints.best_metric is not None else ()
        if (names := changes.training + decides) and not self.accept_changed_inputs:
            raise ChangedInputs(
                f"{self.files.root} has come to step {step} with other inputs: {listed(names)} changed since then. A run "
                "goes on only with what it began with: start over in another working directory (--workdir), or bring back what "
                "was there."
            )
        if changes.beside_training:
            self.say.warn(
                f"{listed(changes.beside_training)} changed since this directory's last launch: evaluations before and after "
                "do not compare"
            )

    def _checked(self, reports: Sequence[StepReport], step: int) -> list[dict[str, float]]:
        """The metrics of the steps before this one, all of them finite."""
        kept = []
        for taken, report in enumerate(reports, start=step - len(reports)):
            if report.recovers:
                self.say.warn(
                    f"step {taken} is not finite: the step before it is taken back and tried again at half its length"
                )
                continue
            if report.finite.all():
                kept.append({name: float(value) for name, value in report.metrics.items()})
                continue
            leaf = self.opened.program.watched[int(np.argmin(report.finite))]
            latest = self.store.latest()
            spared = (
                "No checkpoint was written yet" if latest is None else f"The newest checkpoint, of step {latest}, is intact"
            )
            raise NonFinite(
                f"Step {taken} is not finite, first seen in {leaf} (loss {report.metrics['loss']:.4g}). {spared}. If it is the "
                "batch, look at the data; else try a lower learning rate, optimizer.halvings, optimizer.clip_norm, or "
                "float32."
            )
        return kept

    def _write(self, step: int) -> dict[str, float]:
        """Writes the mean of the steps since the last line."""
        pending, self.record.pending = self.record.pending, []
        averages = self._with_stage({name: statistics.fmean(entry[name] for entry in pending) for name in pending[-1]})
        self._metrics.write(step, "train", averages)
        if warning := self.opened.run.experiment.diagnose(averages):
            self.say.warn(f"step {step}: {warning}")
        return averages

    def _with_stage(self, numbers: Mapping[str, float]) -> dict[str, float]:
        if self.opened.stage.of == 1:
            return dict(numbers)
        # Losses of two stages do not compare: a jump between them is no divergence.
        return {**numbers, "stage": self.opened.stage.number}

    def _show(self, state: TrainState, step: int) -> frozenset[str]:
        """Keeps and shows what the parameters are to look at, and tells the names of it."""
        experiment = self.opened.run.experiment
        if type(experiment).shown is Experiment.shown:
            return frozenset()
        images = experiment.shown(self.opened.program.variables(state).params)
        self._keep(images, step)
        return frozenset(images)

    def _keep(self, images: Mapping[str, np.ndarray], step: int) -> None:
        for name, image in images.items():
            if processes.first():
                write_image(self.files.images / f"{name}_{step:06d}.png", image)
            self.say.show(name, image)

    def _evaluate(self, state: TrainState, step: int, seen: frozenset[str]) -> bool:
        """Evaluates on the validation part; tells whether this is the best so far."""
        record, (_, evaluation) = self.record, self.on_validation(state)
        record.evaluated = step
        self._metrics.write(step, "validation", metric_json(evaluation.metrics))
        self._keep({name: image for name, image in evaluation.images.items() if name not in seen}, step)
        policy = self.run.checkpoints
        if policy.best_metric is None:
            return False
        value = best_value(evaluation.metrics, policy.best_metric)
        if record.best is not None and (value >= record.best if policy.mode == "min" else value <= record.best):
            return False
        record.best, record.best_step = value, step
        self.say.say(f"step {step}: {policy.best_metric} {value:.4g}, the best so far")
        return True


def _position(stream: Batches) -> Any:
    position = stream.get_state()
    return position.decode() if isinstance(position, bytes) else position


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
