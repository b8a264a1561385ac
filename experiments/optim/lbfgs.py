"""L-BFGS whose line search takes one evaluation a step.

A line search is a loop around the cost. Inside a compiled step that loop is slow on a CPU, where XLA runs a convolution's
gradient in a loop 11 to 18 times slower, and on an accelerator it hides from the trainer how often the cost is evaluated. Here
the search is a state machine instead: every step evaluates the cost once, at a point on the current search line, and the state
remembers the bracket. So the trainer's step is the same as for Adam, and checkpoints fall anywhere, also inside a search.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

from likeness.research.types import Array, Bool, Float, Int, PyTree, Scalar

Vector = Float[Array, "n"]


class _Point(NamedTuple):
    """A point of the search line: how far along, the cost, and its slope there."""

    step: Scalar
    value: Scalar
    slope: Scalar


class LbfgsState(NamedTuple):
    """Where the search is."""

    evaluations: Int[Array, ""]
    """In this search, the coming one not counted; 0 before the very first."""
    origin: Vector
    """Where the search line begins: the last accepted parameters."""
    gradient: Vector
    """There."""
    direction: Vector
    """Of the line."""
    start: _Point
    """The origin as a point of the line."""
    low: _Point
    """The farthest point known to be low enough and still going down."""
    high: _Point
    """The nearest point known to be too far; its step is infinite before there is one."""
    step: Scalar
    """How far along the line the parameters are now."""
    changes: Float[Array, "memory n"]
    """s: differences of accepted parameters, newest last."""
    gradient_changes: Float[Array, "memory n"]
    """y: differences of their gradients."""
    curvatures: Float[Array, "memory"]
    """1 / (s·y), and 0 for a pair that is not there."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lbfgs:
    """L-BFGS (Nocedal & Wright 2006, algorithm 7.4) for a cost without noise, such as an image's.

    ``search="wolfe"`` accepts a point x + a d when ``f <= f_0 + 1e-4 a f'_0`` and ``|f'| <= 0.9 |f'_0|`` (the strong Wolfe
    conditions). It tries a = 1 first, and in the next step another one: farther out, or between the two nearest by the minimum
    of the cubic through them. ``search="fixed"`` accepts every point at ``rate`` times the quasi-Newton step, as published
    style transfer does (torch.optim.LBFGS without line search). Every trainer step is one evaluation of cost and gradient. A
    point at which the cost is not finite is too far along the line: the next is halfway.
    """

    memory: int = 10
    """Pairs of steps and gradient changes kept; each takes twice the parameters' memory. torch keeps 100."""
    search: Literal["wolfe", "fixed"] = "wolfe"
    """How far to go along each direction."""
    rate: float = 1.0
    """Of the fixed search: every step, as a multiple of the quasi-Newton step."""
    first_change: float = 0.02
    """Largest change of any parameter in the first step of all, when nothing is known of the curvature yet."""
    evaluations: int = 20
    """Most evaluations of one search; then the best point of it is where the next one begins."""

    def __post_init__(self) -> None:
        if self.memory < 1 or self.evaluations < 1:
            raise ValueError(f"Lbfgs has memory {self.memory} and evaluations {self.evaluations}: both must be 1 or more")
        if not (0 < self.rate < float("inf") and 0 < self.first_change < float("inf")):
            raise ValueError(f"Lbfgs has rate {self.rate} and first_change {self.first_change}: both must be above 0")

    def transformation(self, steps: int) -> optax.GradientTransformationExtraArgs:
        """The update rule; it needs the cost's ``value`` as an extra argument."""
        del steps
        return optax.GradientTransformationExtraArgs(self._init, self._update)  # pyright: ignore[reportArgumentType]

    def recovers(self, state: PyTree) -> Bool[Array, ""]:
        """While the search that met it goes on."""
        return (state.evaluations > 1) & (state.evaluations <= self.evaluations)

    def carry(self, steps: int, state: PyTree, params: PyTree, promote: Callable[[Array], Array]) -> LbfgsState:
        """Nothing of the last stage: its curvature is that of another cost."""
        del state, promote
        return self.transformation(steps).init(params)  # pyright: ignore[reportReturnType]

    def _init(self, params: PyTree) -> LbfgsState:
        flat = ravel_pytree(params)[0].astype(jnp.float32)
        nothing, zero = jnp.zeros_like(flat), jnp.zeros((), jnp.float32)
        point = _Point(zero, zero, zero)
        pairs = jnp.zeros((self.memory, flat.size), jnp.float32)
        far = point._replace(step=jnp.full((), jnp.inf, jnp.float32))
        return LbfgsState(
            jnp.zeros((), jnp.int32), nothing, nothing, nothing, point, point, far, zero, pairs, pairs, jnp.zeros(self.memory)
        )

    def _update(
        self, updates: PyTree, state: LbfgsState, params: PyTree | None = None, *, value: Scalar, **_: Any
    ) -> tuple[PyTree, LbfgsState]:
        flat, unravel = ravel_pytree(params)
        here, gradient = flat.astype(jnp.float32), ravel_pytree(updates)[0].astype(jnp.float32)
        point = _Point(state.step, value.astype(jnp.float32), gradient @ state.direction)
        first = state.evaluations == 0
        accepted = first | self._accepts(state, point)
        searching = self._narrowed(state, point)
        starting = self._turned(state, here, gradient, point, first)
        next_state: LbfgsState = jax.tree.map(lambda new, old: jnp.where(accepted, new, old), starting, searching)
        target = next_state.origin + next_state.step * next_state.direction
        return unravel((target - here).astype(flat.dtype)), next_state

    def _accepts(self, state: LbfgsState, point: _Point) -> Array:
        if self.search == "fixed":
            return jnp.isfinite(point.value) & jnp.isfinite(point.slope)
        enough = point.value <= state.start.value + 1e-4 * point.step * state.start.slope
        flat = jnp.abs(point.slope) <= 0.9 * jnp.abs(state.start.slope)
        # A cost that float32 can no longer tell apart is accepted when the slope says that the point is better.
        close = jnp.abs(point.value - state.start.value) <= 1e-6 * jnp.abs(state.start.value)
        exhausted = (state.evaluations >= self.evaluations) & (point.value <= state.start.value)
        return ((enough | close) & flat) | exhausted

    def _narrowed(self, state: LbfgsState, point: _Point) -> LbfgsState:
        """The search goes on: the point becomes one end of the bracket."""
        low_enough = point.value <= state.start.value + 1e-4 * point.step * state.start.slope
        farther = low_enough & (point.value <= state.low.value) & (point.slope < 0)
        low: _Point = jax.tree.map(lambda a, b: jnp.where(farther, a, b), point, state.low)
        high: _Point = jax.tree.map(lambda a, b: jnp.where(farther, b, a), point, state.high)
        bracketed = jnp.isfinite(high.step)
        width = jnp.where(bracketed, high.step - low.step, 0.0)
        between = jnp.clip(_cubic_minimum(low, high), low.step + 0.1 * width, high.step - 0.1 * width)
        step = jnp.where(bracketed, jnp.where(jnp.isfinite(between), between, low.step + 0.5 * width), 4.0 * point.step)
        # A search that found nothing returns to the best it knows, where it will be accepted.
        step = jnp.where(state.evaluations >= self.evaluations, low.step, step)
        return state._replace(evaluations=state.evaluations + 1, low=low, high=high, step=step)

    def _turned(self, state: LbfgsState, here: Vector, gradient: Vector, point: _Point, first: Array) -> LbfgsState:
        """The point is accepted: a pair more, and a new direction from here."""
        change, gradient_change = here - state.origin, gradient - state.gradient
        curvature = change @ gradient_change
        keeps = ~first & (curvature > 1e-10 * (gradient_change @ gradient_change))
        memory = state._replace(
            changes=_push(state.changes, change, keeps),
            gradient_changes=_push(state.gradient_changes, gradient_change, keeps),
            # A search that went nowhere makes what led to it worthless.
            curvatures=_push(state.curvatures, 1.0 / jnp.where(keeps, curvature, 1.0), keeps) * jnp.any(change != 0),
        )
        steepest = -gradient * self.first_change / jnp.maximum(jnp.max(jnp.abs(gradient)), 1e-30)
        newton = -_inverse_hessian_times(memory, gradient)
        known = memory.curvatures[-1] > 0
        direction = jnp.where(known & (newton @ gradient < 0), newton, steepest)
        zero = jnp.zeros((), jnp.float32)
        start = _Point(zero, point.value, gradient @ direction)
        return memory._replace(
            evaluations=jnp.ones((), jnp.int32),
            origin=here,
            gradient=gradient,
            direction=direction,
            start=start,
            low=start,
            high=_Point(jnp.full((), jnp.inf, jnp.float32), zero, zero),
            step=jnp.full((), 1.0 if self.search == "wolfe" else self.rate, jnp.float32),
        )


def _push(kept: Array, new: Array, keeps: Array) -> Array:
    return jnp.where(keeps, jnp.concatenate([kept[1:], new[None]]), kept)


def _inverse_hessian_times(state: LbfgsState, gradient: Vector) -> Vector:
    """The two-loop recursion, with ``(s·y)/(y·y)`` of the newest pair as the initial scale."""
    q = gradient
    memory = len(state.curvatures)
    alphas = []
    for i in reversed(range(memory)):
        alpha = state.curvatures[i] * (state.changes[i] @ q)
        alphas.append(alpha)
        q = q - alpha * state.gradient_changes[i]
    newest = state.gradient_changes[-1]
    scale = 1.0 / jnp.maximum(state.curvatures[-1] * (newest @ newest), 1e-30)
    q = jnp.where(state.curvatures[-1] > 0, scale, 1.0) * q
    for i, alpha in zip(range(memory), reversed(alphas), strict=True):
        beta = state.curvatures[i] * (state.gradient_changes[i] @ q)
        q = q + (alpha - beta) * state.changes[i]
    return q


def _cubic_minimum(low: _Point, high: _Point) -> Scalar:
    """The minimum of the cubic with these two values and slopes (Nocedal & Wright, equation 3.59); NaN where it has none."""
    width = low.step - high.step
    d1 = low.slope + high.slope - 3.0 * (low.value - high.value) / width
    root = d1 * d1 - low.slope * high.slope
    d2 = -jnp.sign(width) * jnp.sqrt(jnp.where(root >= 0, root, jnp.nan))
    return high.step - (high.step - low.step) * (high.slope + d2 - d1) / (high.slope - low.slope + 2.0 * d2)
