"""The content loss: the same features at the same places."""

import dataclasses
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp

from likeness.research.checks import check_choice
from likeness.research.losses.style.layers import Layers, PlaceMask, mask_of, safe_divide
from likeness.research.losses.style.tiles import Corner
from likeness.research.types import Activations, Array, Float, PyTree, Scalar

ContentNormalizer: TypeAlias = Literal["relative", "course", "assignment", "mean"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Content(Layers):
    """Squared distance of activations, place by place: ``J_l = s_l Σ_ijk m_ij (F_ijk - P_ijk)²``.

    Gatys, Ecker and Bethge, "A neural algorithm of artistic style", 2015.

    The factor s_l belongs to the target, and so does its mask M: an image's loss is the sum of the losses of its
    tiles, each with its part of the target's features. Give the same mask to both to compare a region only.

    Example:
        >>> import jax.numpy as jnp
        >>> loss = Content(layers=("relu4_2",), normalizer="course")
        >>> content = {"relu4_2": jnp.zeros((1, 2, 2, 3))}
        >>> print(loss({"relu4_2": jnp.ones((1, 2, 2, 3))}, loss.target(content)))
        6.0
    """

    normalizer: ContentNormalizer = "relative"
    """s_l for a layer of nC channels and nH × nW places:

    ``relative``: ``1/Σ M P²``, dimensionless; the distance as a share of the reference's energy.
    ``course``: ``½``, the course's formula and Gatys' own, which are the same.
    ``assignment``: ``1/(4 nH nW nC)``, as in the course's programming assignment.
    ``mean``: ``1/(nH nW nC)``, the mean squared error of most code (jcjohnson, Gatys' notebook, Crowson).

    With a mask ``Σ M`` takes the place of nH·nW."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("Content", "normalizer", self.normalizer, ContentNormalizer)

    def target(self, reference: Activations, mask: PlaceMask | None = None) -> PyTree:
        """By layer: ``features`` P as they are, (b, h, w, c), and ``scale`` s_l, (b,)."""
        kept = {}
        for layer, features in self.read_maps(reference):
            weights = None if mask is None else mask_of(mask, layer, reference)
            kept[layer] = {"features": features, "scale": self._scale(features, weights)}
        return kept

    def __call__(self, activations: Activations, target: PyTree, mask: PlaceMask | None = None) -> Scalar:
        """The loss of images: mean over b of ``Σ_l λ_l J_l``.

        Raises:
            ValueError: layers that do not exist; a reference of another size or encoder; a mask of another size.
        """
        terms = {}
        for layer, features in self.read_maps(activations):
            reference = target[layer]["features"]
            self.check_shape(layer, reference.shape, features.shape)
            squares = jnp.square(features.astype(jnp.float32) - reference.astype(jnp.float32))
            if mask is not None:
                squares = squares * mask_of(mask, layer, activations)[:, :, None]
            terms[layer] = target[layer]["scale"] * jnp.sum(squares, axis=(1, 2, 3))
        return self.total(terms)

    def cut_target(self, target: PyTree, activations: Activations, corner: Corner) -> PyTree:
        """The part of a target that a window of the image is compared with: of the features there, and the whole scale."""
        part = {}
        for layer, kept in target.items():
            size = activations[layer].shape
            features = jax.lax.dynamic_slice(kept["features"], (0, *corner(layer), 0), size)
            part[layer] = {**kept, "features": features}
        return part

    def _scale(self, features: Float[Array, "b h w c"], weights: Float[Array, "h w"] | None) -> Float[Array, "b"]:
        images, height, width, channels = features.shape
        places = jnp.full((images,), height * width, jnp.float32) if weights is None else jnp.sum(weights)
        match self.normalizer:
            case "relative":
                squares = jnp.square(features.astype(jnp.float32))
                squares = squares if weights is None else squares * weights[:, :, None]
                scale = safe_divide(jnp.ones(()), jnp.sum(squares, axis=(1, 2, 3)))
            case "course":
                scale = jnp.full((), 0.5)
            case "assignment":
                scale = safe_divide(jnp.full((), 0.25), places * channels)
            case "mean":
                scale = safe_divide(jnp.ones(()), places * channels)
        return jnp.broadcast_to(scale.astype(jnp.float32), (images,))
