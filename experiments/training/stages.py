"""Experiments in stages: a small image first, then a larger one; a coarse problem before a fine one.

The stages of a run share its steps, its optimizer, its log and its checkpoints. Each goes on from what the one before has
learned, brought into its own shapes.
"""

import dataclasses
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from likeness.experiments.experiment import Experiment
from likeness.experiments.run import Run
from likeness.experiments.training.step import TrainState, strongly_typed
from likeness.research.errors import UserError
from likeness.research.types import Array, PyTree


@runtime_checkable
class Staged(Protocol):
    """An experiment that may be run in stages."""

    def stages(self) -> tuple[Experiment, ...]:
        """What is run, one after the other, the steps shared evenly; the last is this experiment without its stages."""
        ...

    def promote(self, learned: Array, constants: PyTree) -> Array:
        """An array of what the stage before has learned, or a moment of its gradient, in this stage's shape.

        A map that keeps positive what is positive. Runs under ``jit``.
        """
        ...


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage of a run."""

    run: Run
    """With the stage's experiment, and the steps of all stages."""
    end: int
    """The step at which the next stage begins."""


def stages(run: Run) -> tuple[Stage, ...]:
    """The stages of a run, usually one.

    Raises:
        UserError: fewer steps than stages; a metric that decides which checkpoint is best.
    """
    experiments = run.experiment.stages() if isinstance(run.experiment, Staged) else (run.experiment,)
    if run.steps < len(experiments):
        raise UserError(f"A run of {run.steps} steps cannot have {len(experiments)} stages: ask for more with --steps.")
    if len(experiments) > 1 and run.checkpoints.best_metric is not None:
        raise UserError(
            f"Checkpoints.best_metric is {run.checkpoints.best_metric!r}, but values of different stages do not compare: a run "
            "in stages ends with its last step, so leave best_metric out."
        )
    return tuple(
        Stage(dataclasses.replace(run, experiment=experiment), round(run.steps * number / len(experiments)))
        for number, experiment in enumerate(experiments, 1)
    )


def stage_of(plan: tuple[Stage, ...], step: int | None) -> int:
    """The stage in which a run goes on from a checkpoint; one made where two stages meet is of the first."""
    return next(number for number, stage in enumerate(plan) if step is None or step <= stage.end)


def promoted(run: Run, state: TrainState, constants: PyTree) -> TrainState:
    """The state after one stage as the state before the next, whose run this is."""
    experiment = run.experiment
    if not isinstance(experiment, Staged):
        raise TypeError(f"{type(experiment).__name__} has no stages")

    def promote(leaf: Array) -> Array:
        return experiment.promote(leaf, constants)

    params = jax.tree.map(promote, state.params)
    state = TrainState(
        step=state.step,
        params=params,
        model_state=state.model_state,
        optimizer=run.optimizer.carry(run.steps, state.optimizer, params, promote),
        # A copy: two donated arguments must not be one buffer.
        average=None if state.average is None else jax.tree.map(lambda leaf: jnp.copy(promote(leaf)), state.average),
    )
    return strongly_typed(state)
