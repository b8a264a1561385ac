"""Laplacian loss: the same edges at the same places, at a coarser scale."""

import dataclasses
from typing import ClassVar, Literal, TypeAlias

import jax.numpy as jnp

from likeness.research.checks import check_choice, check_count
from likeness.research.losses.style.layers import Layers, Mask, mask_at, safe_divide
from likeness.research.types import Activations, Array, Float, PyTree, Scalar

LaplacianNormalizer: TypeAlias = Literal["relative", "sum", "mean"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Laplacian(Layers):
    """``J = s Σ_ij (D(x)_ij - D(x')_ij)²``, D the Laplacian of the image averaged over squares of ``pooling`` pixels.

    The filter is ``[[0, -1, 0], [-1, 4, -1], [0, -1, 0]]`` without padding, summed over the channels. It keeps the
    drawing of the content that style layers paint over. Several scales: several of these losses.

    Li et al., "Laplacian-steered neural style transfer", 2017: pooling 4 (weight 100 on images in 0…255), or 4 and 16.
    """

    neighbors: ClassVar[bool] = True
    """It does."""

    layers: tuple[str, ...] = ("input",)
    """The image; any map will do."""

    pooling: int = 4
    """Side of the squares, in pixels; what is left over at the right and at the bottom is not seen."""

    normalizer: LaplacianNormalizer = "relative"
    """s. ``relative``: ``1/Σ D(x')²``, dimensionless. ``sum``: 1, the paper's formula. ``mean``: one over the number of
    places, as in its code (lapstyle). A mask weighs the places, and its sum is their number."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("Laplacian", "normalizer", self.normalizer, LaplacianNormalizer)
        check_count("Laplacian", "pooling", self.pooling)

    def target(self, reference: Activations, mask: Mask | None = None) -> PyTree:
        """By layer: ``edges`` D(x'), (b, h, w), and ``scale`` s, (b,)."""
        kept = {}
        for layer, features in self.read_maps(reference):
            edges = self._edges(layer, features)
            weights = jnp.ones(edges.shape[1:]) if mask is None else self._weights(mask, features, reference)
            energy = jnp.sum(weights * jnp.square(edges), axis=(1, 2))
            places = {"relative": energy, "mean": jnp.sum(weights), "sum": jnp.ones(())}[self.normalizer]
            kept[layer] = {"edges": edges, "scale": jnp.broadcast_to(safe_divide(jnp.ones(()), places), (len(edges),))}
        return kept

    def __call__(self, activations: Activations, target: PyTree, mask: Mask | None = None) -> Scalar:
        """The loss of images: mean over b.

        Raises:
            ValueError: an image with fewer than three squares a side; a reference of another size.
        """
        terms = {}
        for layer, features in self.read_maps(activations):
            edges, kept = self._edges(layer, features), target[layer]
            self.check_shape(layer, kept["edges"].shape, edges.shape)
            squares = jnp.square(edges - kept["edges"])
            if mask is not None:
                squares = squares * self._weights(mask, features, activations)
            terms[layer] = kept["scale"] * jnp.sum(squares, axis=(1, 2))
        return self.total(terms)

    def _edges(self, layer: str, features: Float[Array, "b h w c"]) -> Float[Array, "b i j"]:
        if min(features.shape[1:3]) < 3 * self.pooling:
            raise ValueError(
                f"Laplacian(pooling={self.pooling}): at {layer!r} the image is {features.shape[1]}×{features.shape[2]}, but "
                f"three squares a side, {3 * self.pooling} pixels, are needed. Give a larger image or a smaller pooling."
            )
        x = self._pooled(features.astype(jnp.float32).sum(axis=3))
        around = x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:]
        return 4.0 * x[:, 1:-1, 1:-1] - around

    def _weights(self, mask: Mask, features: Array, activations: Activations) -> Float[Array, "i j"]:
        return self._pooled(mask_at(mask, features, activations)[None])[0, 1:-1, 1:-1]

    def _pooled(self, x: Float[Array, "b h w"]) -> Float[Array, "b i j"]:
        side, height, width = self.pooling, x.shape[1] // self.pooling, x.shape[2] // self.pooling
        squares = x[:, : height * side, : width * side].reshape(len(x), height, side, width, side)
        return jnp.mean(squares, axis=(2, 4))
