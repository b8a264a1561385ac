"""Which layer of the encoder asks for what is painted at a place: the gradient of the style's loss, layer by layer."""

import dataclasses
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.style.correspondence import CellGrid
from likeness.experiments.style.parametrizations import PixelParametrization
from likeness.experiments.style.stylization import Stylization, StylizationConstants
from likeness.experiments.style.terms import layers
from likeness.research.losses.style.layers import averaged_mask
from likeness.research.types import Activations, Array, Float, PRNGKey, PyTree

__all__ = ["SteeredEncoder", "layer_gradients", "style_alone", "style_layers"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SteeredEncoder(FrozenEncoder):
    """An encoder whose activations are what they are, and have a gradient only as far as is said of each layer:

        a_l  →  t_l a_l + (1 - t_l) stop(a_l),    t_l in [0, 1]

    Since the chain rule adds up over the layers that a loss reads, the gradients of t = (1, 0, …), (0, 1, …) and so on add up
    to that of the loss.
    """

    through: Mapping[str, Array]
    """t by layer; 0 for a layer that is not named."""

    def __call__(self, variables: PyTree, images: Float[Array, "b h w 3"]) -> Activations:
        """The activations of images, RGB in [0, 1]."""
        return {
            name: jax.lax.stop_gradient(each) + self.through[name] * (each - jax.lax.stop_gradient(each))
            if name in self.through
            else jax.lax.stop_gradient(each)
            for name, each in super().__call__(variables, images).items()
        }


def style_layers(experiment: Stylization) -> tuple[str, ...]:
    """All layers at which a stylization compares the style, each once, those of its styles' own terms too."""
    terms = (term for style in experiment.styles for term in style.terms or experiment.objective.style_terms)
    return layers(tuple(terms))


def style_alone(experiment: Stylization) -> Stylization:
    """The stylization whose cost is that of the style, of an image that is its pixels."""
    objective = dataclasses.replace(experiment.objective, alpha=0.0, content_terms=(), image_terms=())
    return dataclasses.replace(experiment, objective=objective, portrait=None, parametrization=PixelParametrization())


def layer_gradients(
    experiment: Stylization, names: tuple[str, ...], grid: CellGrid
) -> Callable[
    [StylizationConstants, PyTree, PyTree, PRNGKey, Float[np.ndarray, "h w 3"]], Float[np.ndarray, "layers rows columns"]
]:
    """What asks an experiment's layers how much they want an image changed: at each cell, ``√mean |∂J_style/∂pixel|²`` of the
    part of the gradient that comes through each layer, by one backward pass a layer.

    Args:
        experiment: one stage of a stylization.
        names: the layers.
        grid: the cells.

    Returns:
        A function of the constants, of the state (partners that losses have looked up), of a batch, of a key for losses that
        draw places, and of the image's pixels. It is compiled once.
    """
    alone = style_alone(experiment)

    @jax.jit
    def norms(
        constants: StylizationConstants, state: PyTree, batch: PyTree, key: PRNGKey, pixels: Array, through: Array
    ) -> Array:
        steered = SteeredEncoder(
            encoder=alone.encoder.encoder,
            weights=alone.encoder.weights,
            through=dict(zip(names, through, strict=True)),
        )
        asked = dataclasses.replace(alone, objective=dataclasses.replace(alone.objective, encoder=steered))
        kept = constants._replace(portrait=None)
        kept = kept._replace(targets=kept.targets._replace(content=[], image=[]))

        def cost(pixels: Array) -> Array:
            return asked.cost({"pixels": pixels}, state, kept, batch, key).value

        squares = jnp.sum(jnp.square(jax.grad(cost)(pixels[None])[0]), axis=-1)
        return jnp.sqrt(averaged_mask(squares, (grid.rows, grid.columns)))

    def of_all(
        constants: StylizationConstants, state: PyTree, batch: PyTree, key: PRNGKey, pixels: Float[np.ndarray, "h w 3"]
    ) -> Float[np.ndarray, "layers rows columns"]:
        chosen = np.eye(len(names), dtype=np.float32)
        found = [norms(constants, state, batch, key, pixels, row) for row in chosen]
        return np.stack([np.asarray(each) for each in found])

    return of_all
