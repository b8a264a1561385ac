"""The terms of a cost on activations: losses and how much each counts."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.frozen import FrozenEncoder
from likeness.research.checks import check_members
from likeness.research.losses.style.layers import ActivationLoss, Mask
from likeness.research.types import Activations, Array, Float, PRNGKey, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class Term:
    """One loss and how much it counts."""

    loss: ActivationLoss
    """What is compared, and at which layers."""
    weight: float = 1.0
    """Its factor."""

    def __post_init__(self) -> None:
        check_members(
            "Term", "loss", self.loss, ActivationLoss, "a loss of likeness.research.losses, such as Content(layers=(…,))"
        )
        if not 0 <= self.weight < float("inf"):
            raise ValueError(f"Term.weight is {self.weight}: give a finite number, 0 or more")


def layers(terms: tuple[Term, ...]) -> tuple[str, ...]:
    """All layers that the terms read, each once, in order."""
    return tuple(dict.fromkeys(layer for term in terms for layer in term.loss.layers))


def check_layers(encoder: FrozenEncoder, terms: tuple[Term, ...]) -> None:
    """Finds out, by shapes alone and without the weights, that an encoder has all layers that the terms read.

    Raises:
        ValueError: it lacks one; the nearest that it has are named.
    """

    def read(key: PRNGKey, image: Array) -> None:
        activations = encoder(encoder.encoder.init(key, encoder.as_trained(image)), image)
        for term in terms:
            term.loss.target({"input": image, **activations})

    size = (128, 128) if encoder.preprocessing is None else encoder.preprocessing.size
    jax.eval_shape(read, jax.random.key(0), jax.ShapeDtypeStruct((1, *size, 3), jnp.float32))


def targets(
    encoder: FrozenEncoder,
    variables: PyTree,
    image: Float[np.ndarray, "h w 3"],
    terms: tuple[Term, ...],
    mask: Float[np.ndarray, "h w"] | None = None,
) -> list[PyTree]:
    """What the terms keep of a reference image, or of what a mask leaves of it; on the device."""
    return _targets(encoder, terms, variables, jnp.asarray(image), None if mask is None else jnp.asarray(mask))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _targets(
    encoder: FrozenEncoder, terms: tuple[Term, ...], variables: PyTree, image: Array, mask: Array | None
) -> list[PyTree]:
    activations = encoder(variables, image[None])
    return [term.loss.target(activations, mask) for term in terms]


def total(terms: tuple[Term, ...], activations: Activations, kept: list[PyTree], mask: Mask | None = None) -> Scalar:
    """``Σ w J`` of images and what the terms kept of the reference, within a mask if there is one."""
    value = jnp.zeros((), jnp.float32)
    for term, target in zip(terms, kept, strict=True):
        value = value + term.weight * term.loss(activations, target, mask)
    return value
