"""Identity: a face encoder still knows the person."""

import dataclasses
from typing import Literal, TypeAlias

import jax.numpy as jnp

from likeness.research.checks import check_choice
from likeness.research.losses.distances import safe_sqrt, squared_distance
from likeness.research.losses.style.layers import Layers, Mask
from likeness.research.types import Activations, Array, Float, PyTree, Scalar

Distance: TypeAlias = Literal["cosine", "euclidean", "squared_euclidean"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Identity(Layers):
    """Distance of a face encoder's embeddings of the image and of the reference.

    The activations are those of the face encoder, for a crop of the image around the face as that encoder wants it.
    A portrait whose distance stays below the encoder's calibrated threshold is verified as the same person.
    """

    layers: tuple[str, ...] = ("embedding",)
    """The embedding, (b, d)."""

    distance: Distance = "cosine"
    """``cosine``: ``1 - f·f'/(|f| |f'|)``, from 0 to 2, and 1 if either is zero. ``euclidean``: ``|f - f'|``, with derivative
    0 where they are equal. ``squared_euclidean``: ``|f - f'|²``, which is twice the cosine distance for unit embeddings."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("Identity", "distance", self.distance, Distance)

    def target(self, reference: Activations, mask: Mask | None = None) -> PyTree:
        """By layer: ``embedding``, (b, d)."""
        self._check_mask(mask)
        return {layer: {"embedding": embedding} for layer, embedding in self._read_embeddings(reference)}

    def __call__(self, activations: Activations, target: PyTree, mask: Mask | None = None) -> Scalar:
        """The loss of images: mean over b.

        Raises:
            ValueError: with a mask, since an embedding has no places; a layer that is not (b, d).
        """
        self._check_mask(mask)
        terms = {}
        for layer, embedding in self._read_embeddings(activations):
            reference = target[layer]["embedding"]
            self.check_shape(layer, reference.shape, embedding.shape)
            terms[layer] = self._distance(embedding, reference)
        return self.total(terms)

    def _distance(self, first: Float[Array, "b d"], second: Float[Array, "_ d"]) -> Float[Array, "b"]:
        match self.distance:
            case "cosine":
                return 1.0 - jnp.sum(_unit(first) * _unit(second), axis=1)
            case "euclidean":
                return safe_sqrt(squared_distance(first, second))
            case "squared_euclidean":
                return squared_distance(first, second)

    def _read_embeddings(self, activations: Activations) -> list[tuple[str, Array]]:
        found = [(layer, embedding.astype(jnp.float32)) for layer, embedding in self.read(activations)]
        for layer, embedding in found:
            if embedding.ndim != 2:
                raise ValueError(f"Identity: {layer!r} is {embedding.shape}, not one embedding (b, d) an image.")
        return found

    def _check_mask(self, mask: Mask | None) -> None:
        if mask is not None:
            raise ValueError("Identity takes no mask, for an embedding has no places: crop the face instead.")


def _unit(x: Float[Array, "b d"]) -> Float[Array, "b d"]:
    norm = safe_sqrt(jnp.sum(jnp.square(x), axis=1, keepdims=True))
    return x / jnp.where(norm > 0, norm, 1.0)
