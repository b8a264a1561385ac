"""Self-similarity: which places of an image are alike stays, whatever they look like."""

import dataclasses

import jax
import jax.numpy as jnp

from likeness.research.checks import check_count
from likeness.research.distances import unit
from likeness.research.losses.style.layers import Layers, Mask, absolute, extent, flatten_places, mask_at, safe_divide
from likeness.research.types import Activations, Array, Float, Int, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class SelfSimilarity(Layers):
    """``J_l = (1/n) Σ_ij |D_ij/Σ_k D_kj - D'_ij/Σ_k D'_kj|``, D the cosine distances between n places of one image.

    A content loss that does not hold on to values: images can change all colors and strokes as long as what was alike
    stays alike. From 0 to 2.

    Kolkin, Salavon and Shakhnarovich, "Style transfer by relaxed optimal transport and self-similarity" (STROTSS), 2019.
    The paper divides by n² and its code, as here, by n; it compares features of several layers joined to one vector
    and draws 1024 places anew at every step (:class:`~likeness.research.losses.HypercolumnSimilarity`), where here every
    layer is a term of its own and the places are fixed.

    A place of mask m weighs m, as row and as column.
    """

    samples: int = 1024
    """n at most: places drawn from a larger layer, spread evenly. Memory is n² numbers a layer and image."""

    seed: int = 0
    """Of the places; each layer has its own."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("SelfSimilarity", "samples", self.samples, least=2)

    def places(self, index: int, count: int) -> Int[Array, "n"]:
        """Which of so many places are compared, for the layer of this index: one drawn from each of n equal parts."""
        samples = min(self.samples, count)
        if samples == count:
            return jnp.arange(count)
        edges = jnp.arange(samples + 1) * (count // samples) + jnp.arange(samples + 1) * (count % samples) // samples
        key = jax.random.fold_in(jax.random.key(self.seed), index)
        return jax.random.randint(key, (samples,), edges[:-1], edges[1:])

    def target(self, reference: Activations, mask: Mask | None = None) -> PyTree:
        """By layer: ``shares`` ``D'_ij/Σ_k D'_kj``, (b, n, n), and the layer's size."""
        kept = {}
        for index, (layer, features) in enumerate(self.read_maps(reference)):
            shares, _ = self._shares(index, features, mask, reference)
            kept[layer] = {"shares": shares, "extent": extent(features)}
        return kept

    def __call__(self, activations: Activations, target: PyTree, mask: Mask | None = None) -> Scalar:
        """The loss of images: mean over b of ``Σ_l λ_l J_l``.

        Raises:
            ValueError: a reference of another size.
        """
        terms = {}
        for index, (layer, features) in enumerate(self.read_maps(activations)):
            kept = target[layer]
            self.check_extent(layer, extent(features), kept["extent"], "the same places of both are compared: resize one")
            shares, weights = self._shares(index, features, mask, activations)
            self.check_shape(layer, kept["shares"].shape, shares.shape)
            distance = jnp.einsum("i,bij,j->b", weights, absolute(shares - kept["shares"]), weights)
            terms[layer] = safe_divide(distance, jnp.sum(weights))
        return self.total(terms)

    def _shares(
        self, index: int, features: Float[Array, "b h w c"], mask: Mask | None, activations: Activations
    ) -> tuple[Float[Array, "b n n"], Float[Array, "n"]]:
        chosen = self.places(index, features.shape[1] * features.shape[2])
        weights = jnp.ones(chosen.shape) if mask is None else mask_at(mask, features, activations).reshape(-1)[chosen]
        distance = jax.vmap(cosine_distances)(flatten_places(features)[:, chosen])
        return safe_divide(distance, jnp.sum(weights[:, None] * distance, axis=1, keepdims=True)), weights


def cosine_distances(rows: Float[Array, "n c"]) -> Float[Array, "n n"]:
    """``1 - cos`` of every two rows, never negative and exactly 0 on the diagonal."""
    directions = unit(rows)
    cosine = jnp.matmul(directions, directions.T, precision=jax.lax.Precision.HIGHEST)
    return jnp.maximum(1.0 - cosine, 0.0) * (1.0 - jnp.eye(len(rows)))
