"""The stages of a run, usually one: each opens its own data and its own program.

They share the run's steps, its optimizer, its log and its checkpoints. Each goes on from what the one before has learned,
brought into its own shapes (:meth:`~likeness.experiments.experiment.Experiment.promote`).
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax

from likeness.experiments.display.pace import StageWork
from likeness.experiments.experiment import Peekable, TrainState
from likeness.experiments.fingerprints import Fingerprints
from likeness.experiments.run import Run
from likeness.experiments.training.program import Program, build
from likeness.experiments.training.step import StepReport
from likeness.research.errors import UserError
from likeness.research.types import PRNGKey, PyTree


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage of a run."""

    run: Run
    """With the stage's experiment, and the steps of all stages."""
    end: int
    """The step at which the next stage begins."""
    number: int
    """Counted from 1."""
    of: int
    """How many there are."""

    def open(self, say: Callable[[str], None]) -> "OpenedStage":
        """Opens the stage's data and makes its program; the sentences that its user must know of the data are said."""
        experiment = self.run.experiment
        if self.number > 1:
            say(f"stage {self.number} of {self.of}: its losses do not compare with those before")
        data = experiment.open()
        for sentence in experiment.describe(data):
            say(sentence)
        stream = Peekable(experiment.stream(data, self.run.seed))
        program = build(self.run, experiment.constants(data), stream.peek())
        return OpenedStage(self, data, experiment.fingerprints(data), stream, program, program.key(self.run.seed))


@dataclasses.dataclass(frozen=True)
class OpenedStage:
    """A stage with its data at hand. It is what the loop takes steps of, see :mod:`likeness.experiments.training.loop`."""

    stage: Stage
    data: Any
    """What the experiment opened."""
    inputs: Fingerprints
    """Of what was opened."""
    stream: Peekable
    program: Program
    key: PRNGKey
    """The run's, on every device."""

    @property
    def run(self) -> Run:
        """The stage's."""
        return self.stage.run

    def start(self) -> TrainState:
        """The state before the first step."""
        return self.program.init(self.key, self.program.constants, self.put(self.stream.peek()))

    def promote(self, state: TrainState) -> TrainState:
        """The state that the stage before has come to, in this one's shapes."""
        return self.program.promote(state, self.program.constants)

    def draw(self) -> PyTree:
        """The next batch, in NumPy arrays."""
        return next(self.stream)

    def put(self, batch: PyTree) -> PyTree:
        """A batch on the devices."""
        return self.program.put(batch)

    def rows_of(self, batch: PyTree) -> int:
        """How many rows a batch has that was drawn; of several processes, its share."""
        return len(next(iter(jax.tree.leaves(batch)), ()))

    def step(self, state: TrainState, batch: PyTree) -> tuple[TrainState, StepReport]:
        """One step from a state, which is donated."""
        return self.program.step(state, self.program.constants, batch, self.key)

    def compile(self) -> None:
        """Compiles the step, which the first one would do otherwise."""
        self.program.step.lower(self.program.state, self.program.constants, self.put(self.stream.peek()), self.key).compile()

    def row(self, state: TrainState, number: int) -> TrainState:
        """The state of the only run."""
        del number
        return state

    def report_of(self, report: StepReport, number: int) -> StepReport:
        """The report of the only run."""
        del number
        return report


def stages(run: Run) -> tuple[Stage, ...]:
    """The stages of a run, usually one. The steps are divided as the experiment's ``stage_parts`` say, at least one for each.

    Raises:
        UserError: fewer steps than stages; a metric that decides which checkpoint is best.
        ValueError: an experiment that has not a part of the steps, above 0, for each of its stages.
    """
    experiments = run.experiment.stages()
    count = len(experiments)
    if run.steps < count and count > 1:
        raise UserError(f"A run of {run.steps} steps cannot have {count} stages: ask for more with --steps.")
    if count > 1 and run.checkpoints.best_metric is not None:
        raise UserError(
            f"Checkpoints.best_metric is {run.checkpoints.best_metric!r}, but values of different stages do not compare: a run "
            "in stages ends with its last step, so leave best_metric out."
        )
    ends = _ends(run.steps, run.experiment.stage_parts(), count)
    return tuple(
        Stage(dataclasses.replace(run, experiment=experiment), end, number, count)
        for number, (experiment, end) in enumerate(zip(experiments, ends, strict=True), 1)
    )


def work(plan: Sequence[Stage]) -> tuple[StageWork, ...]:
    """What each stage asks for, by which the time that is left is told."""
    return tuple(StageWork(stage.end, stage.run.experiment.step_cost) for stage in plan)


def _ends(steps: int, parts: Sequence[float], count: int) -> list[int]:
    """The last step of each stage: the share of its parts so far in all of them, and at least one step a stage."""
    if len(parts) != count or not all(0 < part < math.inf for part in parts):
        raise ValueError(f"stage_parts() says {tuple(parts)} of {count} stages: it must have a finite number above 0 for each")
    ends = [round(steps * sum(parts[:number]) / sum(parts)) for number in range(1, count + 1)]
    if count == 1:
        return ends
    for number in range(count):
        # As many steps are left as stages follow.
        ends[number] = min(max(ends[number], ends[number - 1] + 1 if number else 1), steps - (count - 1 - number))
    return ends


def going_on(plan: tuple[Stage, ...], ends: Sequence[int], step: int) -> tuple[Stage, ...]:
    """The stages of a run that goes on from a step with other steps in all.

    Those that were done stay so: more steps are for the others, and of a run that was done for its last stage.

    Args:
        plan: of the steps that are asked for.
        ends: of the stages when the checkpoint was written, as it tells; of other stages than the plan's nothing follows.
        step: of the checkpoint.
    """
    if len(ends) != len(plan):
        return plan
    done = [end for end in ends[:-1] if end <= step]
    # What is under way has come to this step, wherever it was to end.
    kept = [*done, *(max(stage.end, step) for stage in plan[len(done) :])]
    return tuple(dataclasses.replace(stage, end=end) for stage, end in zip(plan, kept, strict=True))


def stage_of(plan: tuple[Stage, ...], step: int | None) -> int:
    """The stage in which a run goes on from a checkpoint, from 0; one made where two stages meet is of the first."""
    return next(number for number, stage in enumerate(plan) if step is None or step <= stage.end)
