"""Self-similarity of hypercolumns: which places of an image are alike stays, whatever they look like."""

import dataclasses
import functools

import jax.numpy as jnp

from likeness.research.losses.style.hypercolumns import Hypercolumns
from likeness.research.losses.style.layers import Mask, absolute, each_image, extent, mask_at, safe_divide
from likeness.research.losses.style.self_similarity import cosine_distances
from likeness.research.types import Activations, Array, Bool, Float, PRNGKey, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class HypercolumnSimilarity(Hypercolumns):
    """``J = (1/n) Σ_ij |D_ij/Σ_k D_kj - D'_ij/Σ_k D'_kj|``, D the cosine distances between n hypercolumns of one image.

    The content loss of STROTSS (Kolkin, Salavon and Shakhnarovich 2019): the same places of the image and of the content are
    compared, other ones for each key. From 0 to 2. :class:`~likeness.research.losses.SelfSimilarity` is the same layer by
    layer at fixed places, and keeps matrices where this one keeps the content's maps.
    """

    def target(self, reference: Activations, mask: Mask | None = None) -> PyTree:
        """By layer: the map, float32, and its size."""
        kept = {}
        for layer, features in self.read_maps(reference):
            if mask is not None:
                # The places are those of the image's mask, and this one is only looked at.
                mask_at(mask, features, reference)
            kept[layer] = {"features": features.astype(jnp.float32), "extent": extent(features)}
        return kept

    def __call__(
        self, activations: Activations, target: PyTree, mask: Mask | None = None, key: PRNGKey | None = None
    ) -> Scalar:
        """The loss of images: mean over b of J. The places are drawn from the mask, if there is one.

        Raises:
            ValueError: a reference of another size or of another encoder.
        """
        for layer, features in self.read_maps(activations):
            kept = target[layer]
            self.check_extent(layer, extent(features), kept["extent"], "the same places of both are compared: resize one")
            self.check_shape(layer, kept["features"].shape, features.shape)
        chosen, some = self.places(activations, mask, self.key(key), self.samples)
        own, other = (
            self.read_at(read, chosen) for read in (activations, {layer: kept["features"] for layer, kept in target.items()})
        )
        # A small region is drawn from again and again, and a place is no neighbor of itself.
        others = chosen[:, None] != chosen
        found = each_image(functools.partial(_distance, others), (own,), (other,))
        return some * jnp.sum(found) / max(len(found), 1)


def _distance(others: Bool[Array, "n n"], image: Float[Array, "n c"], reference: Float[Array, "n c"]) -> Scalar:
    shares, kept = (_shares(columns, others) for columns in (image, reference))
    return jnp.sum(absolute(shares - kept)) / len(image)


def _shares(columns: Float[Array, "n c"], others: Bool[Array, "n n"]) -> Float[Array, "n n"]:
    distance = cosine_distances(columns) * others
    return safe_divide(distance, jnp.sum(distance, axis=0, keepdims=True))
