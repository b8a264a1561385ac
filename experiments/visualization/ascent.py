"""The update rule of DeepDream: steps of one length, whatever the slope."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from likeness.experiments.optim.schedules import Constant, Schedule
from likeness.research.types import Array, Bool, PyTree


@dataclasses.dataclass(frozen=True, kw_only=True)
class NormalizedGradient:
    """``x ← x - η g / mean |g|``, each image by itself (Mordvintsev et al. 2015).

    How loud a layer is then does not matter, and η is what a pixel changes by in a step, on average. Unlike Adam it keeps the
    gradient's proportions: where nothing is seen, little changes.
    """

    schedule: Schedule = Constant(peak_lr=0.01)
    """η over time."""

    def recovers(self, state: PyTree) -> Bool[Array, ""]:
        """Never."""
        del state
        return jnp.zeros((), bool)

    def transformation(self, steps: int) -> optax.GradientTransformationExtraArgs:
        """Of every array by its first axis, the image."""
        chain = optax.chain(_normalized(), optax.scale_by_learning_rate(self.schedule.over(steps)))
        return optax.with_extra_args_support(chain)

    def carry(self, steps: int, state: PyTree, params: PyTree, promote: Callable[[Array], Array]) -> PyTree:
        """The count of steps goes on; nothing else is kept."""
        del params
        return optax.tree_map_params(self.transformation(steps), promote, state)


def _normalized() -> optax.GradientTransformation:
    def normalized(leaf: Array) -> Array:
        size = jnp.mean(jnp.abs(leaf), axis=tuple(range(1, leaf.ndim)), keepdims=True)
        return leaf / jnp.where(size > 0, size, 1.0)

    return optax.stateless(lambda updates, params: jax.tree.map(normalized, updates))
