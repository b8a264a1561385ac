"""Identity: a face encoder still knows the person."""

import dataclasses

import jax.numpy as jnp

from likeness.research.checks import check_members
from likeness.research.distances import Cosine, Distance
from likeness.research.losses.style.layers import Layers, Mask
from likeness.research.types import Activations, Array, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class Identity(Layers):
    """Distance of a face encoder's embeddings of the image and of the reference.

    The activations are those of the face encoder, for a crop of the image around the face as that encoder wants it.
    A portrait whose distance stays below the encoder's calibrated threshold is verified as the same person.
    """

    layers: tuple[str, ...] = ("embedding",)
    """The embedding, (b, d)."""

    distance: Distance = Cosine()
    """How embeddings are compared."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_members("Identity", "distance", self.distance, Distance, "Cosine()")

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
            terms[layer] = self.distance.paired(embedding, reference)
        return self.total(terms)

    def _read_embeddings(self, activations: Activations) -> list[tuple[str, Array]]:
        found = [(layer, embedding.astype(jnp.float32)) for layer, embedding in self.read(activations)]
        for layer, embedding in found:
            if embedding.ndim != 2:
                raise ValueError(f"Identity: {layer!r} is {embedding.shape}, not one embedding (b, d) an image.")
        return found

    def _check_mask(self, mask: Mask | None) -> None:
        if mask is not None:
            raise ValueError("Identity takes no mask, for an embedding has no places: crop the face instead.")
