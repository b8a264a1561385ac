"""Markov random field loss: every patch of features is one that the reference has."""

import dataclasses
from typing import ClassVar, Literal, TypeAlias

import jax
import jax.numpy as jnp

from likeness.research.checks import check_choice, check_count
from likeness.research.distances import unit
from likeness.research.losses.style.layers import Layers, Mask, each_image, mask_at, safe_divide
from likeness.research.types import Activations, Array, Float, PyTree, Scalar

MRFNormalizer: TypeAlias = Literal["relative", "sum", "mean"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MRF(Layers):
    """``J_l = s_l Σ_i ‖Ψ_i - Ψ'_NN(i)‖²`` over all patches Ψ_i of the image's features, stride 1.

    ``NN(i)`` is the reference's patch of the highest normalized cross-correlation, ``argmax_j Ψ_i·Ψ'_j / (|Ψ_i| |Ψ'_j|)``,
    held fixed in the derivative. It copies parts of the style that belong together, and wants a style image with
    parts like the content's. The paper reads relu3_1 and relu4_1 and adds turned and scaled copies of the style
    image; give those as images of their own.

    Li and Wand, "Combining Markov random fields and convolutional neural networks for image synthesis", 2016.

    Under a mask a patch weighs the least m in it, and the reference's patches are those where that is at least ½.

    Memory: patch² times the features, three times, and ``chunk`` correlations with every patch of the reference.
    """

    neighbors: ClassVar[bool] = True
    """It does."""

    patch: int = 3
    """Side of a patch, in places of the layer."""

    normalizer: MRFNormalizer = "relative"
    """s_l. ``relative``: one over the number of patches and the mean ``‖Ψ'‖²``, dimensionless. ``sum``: 1, the paper's
    formula. ``mean``: one over the number of patches and their ``patch² nC`` numbers. (Σ m for the number.)"""

    chunk: int = 1024
    """Patches of the image whose nearest neighbors are searched at once."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("MRF", "normalizer", self.normalizer, MRFNormalizer)
        check_count("MRF", "patch", self.patch)
        check_count("MRF", "chunk", self.chunk)

    def target(self, reference: Activations, mask: Mask | None = None) -> PyTree:
        """By layer: ``features`` (b, h, w, c) and ``inside``, 1 for a patch that may be matched, (1, p)."""
        kept = {}
        for layer, features in self.read_maps(reference):
            self._check_size(layer, features)
            weights = self._weights(mask, features, reference)
            kept[layer] = {"features": features.astype(jnp.float32), "inside": jnp.where(weights >= 0.5, 1.0, 0.0)}
        return kept

    def __call__(self, activations: Activations, target: PyTree, mask: Mask | None = None) -> Scalar:
        """The loss of images: mean over b of ``Σ_l λ_l J_l``.

        Raises:
            ValueError: a layer smaller than a patch; layers that do not exist; a target of another encoder.
        """
        terms = {}
        for layer, features in self.read_maps(activations):
            self._check_size(layer, features)
            kept = target[layer]["features"]
            self.check_shape(layer, kept.shape[::3], features.shape[::3])
            weights = self._weights(mask, features, activations)
            own = (features.astype(jnp.float32), weights)
            terms[layer] = each_image(self._distance, own, (kept, target[layer]["inside"]))
        return self.total(terms)

    def nearest(self, patches: Float[Array, "p n"], references: Float[Array, "q n"], inside: Float[Array, "q"]) -> Array:
        """NN(i) for every patch, an integer (p,)."""
        directions = unit(references)

        def search(chunk: Array) -> Array:
            # |Ψ_i| does not change which j is best.
            correlation = jnp.matmul(chunk, directions.T, precision=jax.lax.Precision.HIGHEST)
            return jnp.argmax(jnp.where(inside > 0, correlation, -jnp.inf), axis=1)

        if len(patches) <= self.chunk:
            return search(patches)
        padded = jnp.pad(patches, ((0, -len(patches) % self.chunk), (0, 0)))
        found = jax.lax.map(search, padded.reshape(-1, self.chunk, patches.shape[1]))
        return found.reshape(-1)[: len(patches)]

    def _distance(
        self,
        features: Float[Array, "h w c"],
        weights: Float[Array, "p"],
        kept: Float[Array, "i j c"],
        inside: Float[Array, "q"],
    ) -> Scalar:
        patches, references = self._cut(features), self._cut(kept)
        matched = references[self.nearest(jax.lax.stop_gradient(patches), references, inside)]
        # A region of the reference without one whole patch in it has nothing to match.
        weights = weights * jnp.max(inside)
        distance = jnp.sum(weights * jnp.sum(jnp.square(patches - matched), axis=1))
        match self.normalizer:
            case "sum":
                return distance
            case "mean":
                return safe_divide(distance, jnp.sum(weights) * patches.shape[1])
            case "relative":
                energy = safe_divide(jnp.sum(inside * jnp.sum(jnp.square(references), axis=1)), jnp.sum(inside))
                return safe_divide(safe_divide(distance, jnp.sum(weights)), energy)

    def _cut(self, features: Float[Array, "h w c"]) -> Float[Array, "p n"]:
        """All patches, one row each."""
        height, width = (side - self.patch + 1 for side in features.shape[:2])
        shifts = [(i, j) for i in range(self.patch) for j in range(self.patch)]
        windows = jnp.concatenate([features[i : i + height, j : j + width] for i, j in shifts], axis=2)
        return windows.reshape(height * width, -1)

    def _weights(self, mask: Mask | None, features: Array, activations: Activations) -> Float[Array, "1 p"]:
        if mask is None:
            height, width = (side - self.patch + 1 for side in features.shape[1:3])
            return jnp.ones((1, height * width), jnp.float32)
        return jnp.min(self._cut(mask_at(mask, features, activations)[:, :, None]), axis=1)[None]

    def _check_size(self, layer: str, features: Array) -> None:
        if min(features.shape[1:3]) < self.patch:
            raise ValueError(
                f"MRF(patch={self.patch}): {layer!r} is {features.shape[1]}×{features.shape[2]}, smaller than a patch. "
                "Give a larger image or a shallower layer."
            )
