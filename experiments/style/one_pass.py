"""What paints any image in one pass, once it is trained."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from likeness.experiments.experiment import Variables
from likeness.research.style_networks import StyleNetwork
from likeness.research.types import AnyArray, Array, Float, PyTree

__all__ = ["LearnedStyles", "OnePass", "TrainsOnePass"]


@runtime_checkable
class OnePass(Protocol):
    """Paints images, with the weights that it was given."""

    @property
    def styles(self) -> tuple[str, ...] | None:
        """What the styles are called that it has learned; None where it takes any style, from an image."""
        ...

    def __call__(
        self,
        image: Float[AnyArray, "1 h w 3"],
        weights: Float[AnyArray, "n"],
        styles: Sequence[Float[AnyArray, "h w 3"]],
        strength: float,
    ) -> Float[Array, "1 h w 3"]:
        """Paints one image, RGB in [0, 1].

        Args:
            image: any that it can take.
            weights: how much of each style, together 1.
            styles: images whose look it is given; none where it has learned its styles.
            strength: how much of the style, 0 to 1; 1 where it has learned its styles.

        Raises:
            ValueError: an image that is too small.
        """
        ...


@runtime_checkable
class TrainsOnePass(Protocol):
    """An experiment whose result paints any image in one pass."""

    def learned_shapes(self) -> Variables:
        """The shapes of what is learned, known without data."""
        ...

    def one_pass(self, learned: Variables) -> OnePass:
        """What paints with what was learned.

        Raises:
            UserError: weights that it needs beside these cannot be had.
        """
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class LearnedStyles:
    """A network of one learned style or of several, with its weights."""

    network: StyleNetwork
    variables: PyTree
    styles: tuple[str, ...]

    def __call__(
        self,
        image: Float[AnyArray, "1 h w 3"],
        weights: Float[AnyArray, "n"],
        styles: Sequence[Float[AnyArray, "h w 3"]],
        strength: float,
    ) -> Float[Array, "1 h w 3"]:
        """See :class:`OnePass`."""
        del styles, strength
        return _transformed(self.network, self.variables, image, weights[None])


@functools.partial(jax.jit, static_argnums=0)
def _transformed(network: StyleNetwork, variables: PyTree, image: Array, weights: Array) -> Array:
    return jnp.clip(network.apply(variables, image, weights), 0.0, 1.0)
