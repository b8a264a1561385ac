"""The train state and the jitted step: pure functions of the run's definition."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from likeness.experiments.experiment import Experiment, TrainState, Variables
from likeness.experiments.optim.layer_rates import Freezes
from likeness.experiments.optim.optimizers import Optimizer, restarted
from likeness.experiments.run import Run
from likeness.research.types import Array, PRNGKey, PyTree, Scalar


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class StepReport:
    """What a step leaves on the device for the log: few arrays, since each that leaves a program costs a step its time."""

    numbers: Array
    """The metrics, (metrics,) in float32; of several runs (runs, metrics)."""
    finite: Array
    """One flag a leaf, in the order of :func:`watched`."""
    recovers: Array
    """Whether the optimizer has gone back from a cost that is not finite, and tries a shorter step."""
    names: tuple[str, ...] = dataclasses.field(metadata={"static": True})
    """What the metrics are called."""

    @property
    def metrics(self) -> dict[str, Any]:
        """Each metric by its name."""
        return {name: self.numbers[..., place] for place, name in enumerate(self.names)}


def initial_state(
    experiment: Experiment,
    optimizer: optax.GradientTransformation,
    averaged: bool,
    key: PRNGKey,
    constants: PyTree,
    batch: PyTree,
) -> TrainState:
    """The state before the first step."""
    variables = strongly_typed(experiment.init(key, constants, batch))
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=variables.params,
        model_state=variables.state,
        optimizer=strongly_typed(optimizer.init(variables.params)),
        # A copy: two donated arguments must not be one buffer.
        average=jax.tree.map(jnp.copy, variables.params) if averaged else None,
    )


def strongly_typed(tree: PyTree) -> PyTree:
    """The same numbers, none of which takes its type from what it is combined with.

    ``jnp.full((), jnp.inf)`` is weakly typed and what a step makes of it is not. To ``jit`` these are two types, so the step
    would be traced and compiled twice; and a state read from a checkpoint would not be of the type that was saved.
    """

    def strengthen(leaf: Any) -> Any:
        return jnp.asarray(leaf).astype(jax.typeof(leaf).dtype) if jax.typeof(leaf).weak_type else leaf

    return jax.tree.map(strengthen, tree)


def train_step(
    experiment: Experiment,
    optimizer: optax.GradientTransformationExtraArgs,
    recovers: Callable[[PyTree], Array],
    decay: float | None,
    state: TrainState,
    constants: PyTree,
    batch: PyTree,
    key: PRNGKey,
    frozen: Callable[[PyTree], PyTree] | None = None,
) -> tuple[TrainState, StepReport]:
    """One update: the cost's gradient, the optimizer's answer, the running mean.

    The key of step ``t`` is ``fold_in(key, t)``, so a resumed run draws what an uninterrupted one would. What
    ``frozen`` marks of the parameters is not differentiated by, and XLA leaves out what only that gradient needs.
    """
    key = jax.random.fold_in(key, state.step)
    still = jax.tree.map(lambda leaf: False, state.params) if frozen is None else frozen(state.params)

    def cost(params: PyTree) -> tuple[Scalar, Any]:
        params = jax.tree.map(lambda held, leaf: jax.lax.stop_gradient(leaf) if held else leaf, still, params)
        result = experiment.cost(params, state.model_state, constants, batch, key)
        return result.value.astype(jnp.float32), result

    (value, result), gradients = jax.value_and_grad(cost, has_aux=True)(state.params)
    updates, optimizer_state = optimizer.update(
        gradients,
        state.optimizer,
        state.params,
        value=value,
        grad=gradients,
        value_fn=lambda params: cost(params)[0],
    )
    params = optax.apply_updates(state.params, updates)
    seen = _watched(batch, state.params, value, gradients)
    finite = jnp.stack([jnp.isfinite(leaf).all() for _, leaf in seen])
    # What comes in cannot be mended by a shorter step.
    mendable = jnp.array([name.startswith(_RESULTS) for name, _ in seen])
    recovered = ~finite.all() & jnp.all(finite | mendable) & recovers(optimizer_state)
    model_state = jax.tree.map(lambda new, old: jnp.where(recovered, old, new), result.state, state.model_state)
    average = state.average
    if decay is not None:
        # The mean starts short, or the first hundreds of steps would weigh the random initialization.
        ramp = (1.0 + state.step) / (10.0 + state.step)
        # After a step that was taken back the mean starts anew, or what it led to would stay in it.
        average = optax.incremental_update(params, average, jnp.where(recovered, 1.0, 1.0 - jnp.minimum(decay, ramp)))
        # A mean of equal numbers may be rounded to another one.
        average = jax.tree.map(lambda held, mean, old: old if held else mean, still, average, state.average)
    metrics = {"loss": value, "gradient_norm": optax.tree.norm(gradients), **result.metrics}
    next_state = TrainState(state.step + 1, params, model_state, optimizer_state, average)
    return strongly_typed(next_state), StepReport(_stacked(metrics), finite, recovered, tuple(metrics))


def _stacked(metrics: dict[str, Array]) -> Array:
    for name, value in metrics.items():
        if jnp.shape(value):
            raise ValueError(f"the metric {name!r} of a step has shape {jnp.shape(value)}, and the log keeps single numbers")
    return jnp.stack([jnp.asarray(value, jnp.float32) for value in metrics.values()])


def frozen_by(optimizer: Optimizer) -> Callable[[PyTree], PyTree] | None:
    """What says which parameters an optimizer leaves as they are; None for one that has no such choice."""
    return optimizer.frozen if isinstance(optimizer, Freezes) else None


def promoted(run: Run, state: TrainState, constants: PyTree) -> TrainState:
    """The state after one stage as the state before the next, whose run this is."""

    def promote_moment(leaf: Array) -> Array:
        return run.experiment.promote_moment(leaf, constants)

    params, model_state = run.experiment.enter(Variables(state.params, state.model_state), constants)
    if run.experiment.carries_moments:
        optimizer = run.optimizer.carry(run.steps, state.optimizer, params, promote_moment)
    else:
        optimizer = restarted(run.optimizer, run.steps, state.optimizer, params)
    average = state.average
    if average is not None:
        # A copy: two donated arguments must not be one buffer.
        average = jax.tree.map(jnp.copy, run.experiment.enter(Variables(average, state.model_state), constants).params)
    state = TrainState(state.step, params, model_state, optimizer, average)
    return strongly_typed(state)


_RESULTS = ("loss", "gradient of")


def _watched(batch: PyTree, params: PyTree, value: Any, gradients: PyTree) -> list[tuple[str, Any]]:
    parts = {"batch": batch, "parameter": params, "loss": value, "gradient of": gradients}
    return [
        (f"{part} {jax.tree_util.keystr(path, simple=True, separator='/')}".strip(), leaf)
        for part, tree in parts.items()
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
        if jnp.issubdtype(leaf.dtype, jnp.inexact)
    ]


def watched(state: TrainState, batch: PyTree) -> list[str]:
    """Names what :attr:`StepReport.finite` flags, causes first: the batch, the parameters, the loss, the gradients."""
    return [name for name, _ in _watched(batch, state.params, jax.ShapeDtypeStruct((), jnp.float32), state.params)]
