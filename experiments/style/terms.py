"""The terms of a cost on activations: losses and how much each counts."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.compiled_quickly import compiled_quickly
from likeness.experiments.frozen import FrozenEncoder
from likeness.research.checks import check_members
from likeness.research.losses.style.hypercolumns import DrawsPlaces
from likeness.research.losses.style.layers import ActivationLoss, Mask
from likeness.research.losses.style.nearest_neighbors import JoinsReferences, MatchesOnce
from likeness.research.types import Activations, Array, Float, PRNGKey, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class Term:
    """One loss and how much it counts."""

    loss: ActivationLoss
    """What is compared, and at which layers."""
    weight: float = 1.0
    """Its factor."""
    growth: float = 1.0
    """What the factor is multiplied by from each size of a pyramid to the next: 0.5 halves it each time."""

    def __post_init__(self) -> None:
        check_members(
            "Term", "loss", self.loss, ActivationLoss, "a loss of likeness.research.losses, such as Content(layers=(…,))"
        )
        if not 0 <= self.weight < float("inf"):
            raise ValueError(f"Term.weight is {self.weight}: give a finite number, 0 or more")
        if not 0 < self.growth < float("inf"):
            raise ValueError(f"Term.growth is {self.growth}: give a finite number above 0")


def layers(terms: tuple[Term, ...]) -> tuple[str, ...]:
    """All layers that the terms read, each once, in order."""
    return tuple(dict.fromkeys(layer for term in terms for layer in term.loss.layers))


def grown(terms: tuple[Term, ...], sizes: int) -> tuple[Term, ...]:
    """The terms at a size of a pyramid before which there were so many."""
    return tuple(dataclasses.replace(term, weight=term.weight * term.growth**sizes) for term in terms)


def check_joined(loss: ActivationLoss) -> None:
    """Refuses a loss whose reference cannot be several images.

    Raises:
        ValueError: naming the loss, and those that can.
    """
    if not isinstance(loss, JoinsReferences):
        raise ValueError(
            f"StyleImage.turned is set, but {type(loss).__name__} takes one image for its reference: use NeuralNeighbors or "
            "NearestNeighbors, or a loss that is a JoinsReferences of likeness.research.losses, or leave turned out"
        )


def joined(loss: ActivationLoss, targets: Sequence[PyTree]) -> PyTree:
    """What a loss keeps of several references, taken as one."""
    check_joined(loss)
    return cast(JoinsReferences, loss).join(targets)


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


@functools.partial(compiled_quickly, static_argnums=(0, 1))
def _targets(
    encoder: FrozenEncoder, terms: tuple[Term, ...], variables: PyTree, image: Array, mask: Array | None
) -> list[PyTree]:
    activations = encoder(variables, image[None])
    return [term.loss.target(activations, mask) for term in terms]


def total(
    terms: tuple[Term, ...],
    activations: Activations,
    kept: list[PyTree],
    mask: Mask | None = None,
    *,
    key: PRNGKey | None = None,
    matches: Mapping[int, PyTree] | None = None,
) -> Scalar:
    """``Σ w J`` of images and what the terms kept of the reference, within a mask if there is one.

    Args:
        terms: the losses.
        activations: of the images.
        kept: what each term kept of its reference.
        mask: where in the images the losses look.
        key: decides the places of losses that draw some (:class:`~likeness.research.losses.DrawsPlaces`).
        matches: the partners of the images, by the place of the term (:class:`~likeness.research.losses.MatchesOnce`).
    """
    value = jnp.zeros((), jnp.float32)
    for index, (term, target) in enumerate(zip(terms, kept, strict=True)):
        loss = term.loss
        if isinstance(loss, MatchesOnce) and matches is not None and index in matches:
            found = loss.matched(activations, target, matches[index], mask)
        elif isinstance(loss, DrawsPlaces):
            found = loss(activations, target, mask, key)
        else:
            found = loss(activations, target, mask)
        value = value + term.weight * found
    return value
