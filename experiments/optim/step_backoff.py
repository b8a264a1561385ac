"""Steps that are taken back: where the cost stops being a number, the last step was too long."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from likeness.research.types import Array, Int, PyTree, Scalar


class BackoffState(NamedTuple):
    """Where to go back to."""

    rule: Any
    """The state of the rule whose steps are halved."""
    good: PyTree
    """The last parameters at which cost and gradient were finite."""
    change: PyTree
    """The step that was taken from there."""
    share: Scalar
    """The factor of every step."""
    retries: Int[Array, ""]
    """How many times in a row a step was taken back."""


def halving(rule: optax.GradientTransformationExtraArgs) -> optax.GradientTransformationExtraArgs:
    """A rule whose step is taken back and tried again at half its length when it led to a cost that is not finite.

    With g the last good parameters and u the rule's update there, the parameters are g + u; while the cost or its gradient is
    not finite there, they become g + u/2, g + u/4, …, and the rule sees none of those gradients. Later steps stay as short as
    the one that went well: a rate that was too high once is too high.
    """

    def init(params: PyTree) -> BackoffState:
        # A copy: two donated arguments must not be one buffer.
        good = jax.tree.map(jnp.copy, params)
        change = jax.tree.map(jnp.zeros_like, params)
        return BackoffState(rule.init(params), good, change, jnp.ones((), jnp.float32), jnp.zeros((), jnp.int32))

    def update(updates: PyTree, state: BackoffState, params: PyTree | None = None, **known: Any) -> tuple[PyTree, BackoffState]:
        finite = jnp.isfinite(known["value"])
        for leaf in jax.tree.leaves(updates):
            finite &= jnp.isfinite(leaf).all()

        def choose(new: PyTree, old: PyTree) -> PyTree:
            return jax.tree.map(lambda a, b: jnp.where(finite, a, b), new, old)

        change, inner = rule.update(updates, state.rule, params, **known)
        share = jnp.where(finite, state.share, 0.5 * state.share)
        change = choose(jax.tree.map(lambda leaf: share * leaf, change), jax.tree.map(lambda leaf: 0.5 * leaf, state.change))
        good = choose(params, state.good)
        retries = jnp.where(finite, 0, state.retries + 1)
        moved = jax.tree.map(lambda origin, step, now: (origin + step) - now, good, change, params)
        # From good parameters the rule's own update to the bit; from bad ones to the middle, up to the rounding of a step.
        return choose(change, moved), BackoffState(choose(inner, state.rule), good, change, share, retries)

    return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType]
