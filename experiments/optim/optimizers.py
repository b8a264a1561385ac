"""Update rules: frozen dataclasses that build an optax transformation.

Whatever the trainer knows of the step (``value``, ``grad``, ``value_fn``) is passed to every rule, so a line search needs no
trainer of its own.
"""

import dataclasses
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import optax

from likeness.experiments.optim.layer_rates import LayerRate, check_rates, factors, scaled
from likeness.experiments.optim.schedules import Constant, Schedule
from likeness.experiments.optim.step_backoff import halving
from likeness.research.types import Array, Bool, PyTree


@runtime_checkable
class Optimizer(Protocol):
    """Builds the transformation for a run of ``steps`` trainer steps."""

    def recovers(self, state: PyTree) -> Bool[Array, ""]:
        """Whether, where the cost was not finite just now, the rule has gone back and tries a shorter step."""
        ...

    def transformation(self, steps: int) -> optax.GradientTransformationExtraArgs: ...

    def carry(self, steps: int, state: PyTree, params: PyTree, promote: Callable[[Array], Array]) -> PyTree:
        """The state for the next stage of a run, which begins at ``params``; ``promote`` gives an array its shape."""
        ...


def restarted(optimizer: Optimizer, steps: int, state: PyTree, params: PyTree) -> PyTree:
    """The state of a rule that begins anew at these parameters, but whose schedule goes on from where it is."""
    fresh = optimizer.transformation(steps).init(params)
    scheduled = lambda node: isinstance(node, optax.ScaleByScheduleState)  # noqa: E731
    passed = [node for node in jax.tree.leaves(state, is_leaf=scheduled) if scheduled(node)]
    return jax.tree.map(lambda node: passed[0] if scheduled(node) else node, fresh, is_leaf=scheduled)


def decayed(params: PyTree) -> PyTree:
    """Marks what weight decay acts on: arrays of two or more axes, so neither biases nor norms' scales."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)


def boxed(low: float, high: float) -> optax.GradientTransformation:
    """Shortens updates so that no parameter leaves [low, high]: the projected gradient method, when it comes last."""

    def update(updates: PyTree, params: PyTree | None) -> PyTree:
        return jax.tree.map(lambda change, value: jnp.clip(value + change, low, high) - value, updates, params)

    return optax.stateless(update)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _FirstOrder:
    schedule: Schedule = Constant()
    """Learning rate over time."""
    weight_decay: float = 0.0
    """Decoupled decay of every array with two or more axes (norms and biases are skipped)."""
    clip_norm: float | None = None
    """Largest global norm of the gradient; longer ones are scaled down."""
    box: tuple[float, float] | None = None
    """Keep every parameter between these two, such as an image's pixels in [0, 1]: each update ends at the nearest point."""
    accumulate: int = 1
    """Batches averaged into one update. A pairwise loss still sees one batch at a time."""
    halvings: int = 0
    """How many times in a row a step that led to a cost that is not finite is taken back and halved before the run stops; later
    steps stay as short. With 0 the run stops at once."""
    rates: tuple[LayerRate, ...] = ()
    """Factors of the learning rate for parts of the parameters; a part with 0 does not learn."""

    def __post_init__(self) -> None:
        name = type(self).__name__
        if self.weight_decay < 0:
            raise ValueError(f"{name}.weight_decay is {self.weight_decay}: give 0 or more")
        if self.clip_norm is not None and self.clip_norm <= 0:
            raise ValueError(f"{name}.clip_norm is {self.clip_norm}: give a number above 0, or None for no clipping")
        if self.box is not None and not self.box[0] < self.box[1]:
            raise ValueError(f"{name}.box is {self.box}: give the smaller bound first")
        if self.accumulate < 1:
            raise ValueError(f"{name}.accumulate is {self.accumulate}: give 1 or more batches")
        if self.halvings < 0:
            raise ValueError(f"{name}.halvings is {self.halvings}: give 0 or more")
        check_rates(name, self.rates)
        if self.halvings and self.accumulate > 1:
            raise ValueError(
                f"{name} has halvings={self.halvings} and accumulate={self.accumulate}: which of several batches led to a cost "
                "that is not finite is not known, so leave one of them out"
            )

    def rule(self) -> optax.GradientTransformation:
        raise TypeError("use one of the optimizers derived from this one")

    def transformation(self, steps: int) -> optax.GradientTransformationExtraArgs:
        parts = []
        if self.clip_norm is not None:
            parts.append(optax.clip_by_global_norm(self.clip_norm))
        parts.append(optax.masked(self.rule(), self._learning) if self.rates else self.rule())
        if self.weight_decay:
            parts.append(optax.add_decayed_weights(self.weight_decay, mask=decayed))
        if self.rates:
            parts.append(scaled(self.rates))
        parts.append(optax.scale_by_learning_rate(self.schedule.over(max(1, steps // self.accumulate))))
        if self.box is not None:
            parts.append(boxed(*self.box))
        if self.rates:
            # Also of what lies outside the box, and where a gradient is given for what was asked to stand still.
            parts.append(optax.masked(optax.set_to_zero(), self.frozen))
        chain = optax.chain(*parts)
        if self.accumulate > 1:
            steps_of_one = optax.MultiSteps(chain, every_k_schedule=self.accumulate)
            return optax.with_extra_args_support(steps_of_one.gradient_transformation())
        return halving(chain) if self.halvings else optax.with_extra_args_support(chain)

    def frozen(self, params: PyTree) -> PyTree:
        """True for each parameter whose rate is multiplied by 0.

        Raises:
            UserError: a rate is for a part that is not there.
        """
        return jax.tree.map(lambda times: bool(times == 0), factors(params, self.rates))

    def _learning(self, params: PyTree) -> PyTree:
        return jax.tree.map(lambda still: not still, self.frozen(params))

    def recovers(self, state: PyTree) -> Bool[Array, ""]:
        """While a step has not been halved more often than ``halvings``."""
        return state.retries <= self.halvings if self.halvings else jnp.zeros((), bool)

    def carry(self, steps: int, state: PyTree, params: PyTree, promote: Callable[[Array], Array]) -> PyTree:
        """The gradient's moments in the next stage's shapes; the counts go on."""
        del params
        return optax.tree_map_params(self.transformation(steps), promote, state)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adam(_FirstOrder):
    """Adam (Kingma & Ba 2015); with ``weight_decay``, AdamW (Loshchilov & Hutter 2019)."""

    b1: float = 0.9
    """Decay of the gradient's running mean."""
    b2: float = 0.999
    """Decay of the running mean of its square."""
    eps: float = 1e-8
    """Added to the denominator."""

    def rule(self) -> optax.GradientTransformation:
        return optax.scale_by_adam(b1=self.b1, b2=self.b2, eps=self.eps)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sgd(_FirstOrder):
    """Gradient descent with momentum."""

    momentum: float = 0.9
    """Decay of the velocity; 0 for plain gradient descent."""
    nesterov: bool = False
    """Look ahead along the velocity."""

    def rule(self) -> optax.GradientTransformation:
        if self.momentum == 0:
            return optax.identity()
        return optax.trace(decay=self.momentum, nesterov=self.nesterov)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RmsProp(_FirstOrder):
    """RMSprop (Tieleman & Hinton 2012): the gradient over the root of the running mean of its square, which starts at 0 and is
    not corrected for that."""

    decay: float = 0.99
    """Decay of the running mean."""
    eps: float = 1e-8
    """Added to the root."""

    def rule(self) -> optax.GradientTransformation:
        return optax.scale_by_rms(decay=self.decay, eps=self.eps, eps_in_sqrt=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdaGrad(_FirstOrder):
    """AdaGrad (Duchi et al. 2011), FaceNet's choice."""

    initial_accumulator: float = 0.1
    """Where the sum of squared gradients starts."""

    def rule(self) -> optax.GradientTransformation:
        return optax.scale_by_rss(initial_accumulator_value=self.initial_accumulator)
