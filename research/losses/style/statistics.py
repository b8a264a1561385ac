"""Sums over pixels from which Gram matrix, mean, standard deviation and covariance follow.

They are additive: the sums of an image are the sums of the sums of its parts, so an image too large for a device
can be taken tile by tile, exactly. A pixel with mask m weighs m² (Gatys et al., "Controlling perceptual factors in
neural style transfer", 2017, multiply the features by the mask before the Gram matrix); everything is divided by
Σ m², which without a mask is the number of pixels.
"""

import abc
import dataclasses
from collections.abc import Sequence
from typing import ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp

from likeness.research.losses.style.layers import Layers, PlaceMask, flatten_places, mask_of, safe_divide
from likeness.research.types import Activations, Array, Float, PyTree, Scalar

Sums: TypeAlias = dict[str, Array]
"""Of one layer: ``count`` (b,) Σ m², ``first`` (b, c) Σ m² x, ``second`` Σ m² x xᵀ (b, c, c), or its diagonal (b, c)."""

Moments: TypeAlias = Literal["diagonal", "full"]
"""The whole matrix of second moments, or its diagonal only."""


@runtime_checkable
class BlendsTargets(Protocol):
    """A loss whose targets of several references can be blended into one, as of an image of parts of them all."""

    def blend(self, targets: Sequence[PyTree], shares: Sequence[float]) -> PyTree:
        """The target of an image of whose pixels a share is of each reference: moments about 0 are weighed, not variances.

        Args:
            targets: what the loss has kept of each.
            shares: of each, together 1.
        """
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdditiveLayers(Layers):
    """A loss that sees of an image only sums over its pixels.

    So it can be had exactly from tiles: add up ``statistics`` of the tiles (each with a mask that is 1 on the pixels
    that the tile owns), then ``from_statistics``. The derivative goes back the same way.
    """

    moments: ClassVar[Moments] = "full"

    def statistics(self, activations: Activations, mask: PlaceMask | None = None) -> dict[str, Sums]:
        """Sums over the pixels of each image, by layer: ``count``, ``first``, ``second``; float32."""
        return {
            layer: pixel_sums(features, None if mask is None else mask_of(mask, layer, activations), self.moments)
            for layer, features in self.read_maps(activations)
        }

    @abc.abstractmethod
    def keep(self, statistics: dict[str, Sums]) -> PyTree:
        """The target: what the loss keeps of a reference of which only the sums are known."""

    @abc.abstractmethod
    def from_statistics(self, statistics: dict[str, Sums], target: PyTree) -> Scalar:
        """The loss of images of which only the sums are known."""

    def target(self, reference: Activations, mask: PlaceMask | None = None) -> PyTree:
        """What the loss keeps of a reference image, by layer."""
        return self.keep(self.statistics(reference, mask))

    def __call__(self, activations: Activations, target: PyTree, mask: PlaceMask | None = None) -> Scalar:
        """The loss of images: mean over b of ``Σ_l λ_l J_l``."""
        return self.from_statistics(self.statistics(activations, mask), target)


def pixel_sums(features: Float[Array, "b h w c"], mask: Float[Array, "h w"] | None = None, moments: Moments = "full") -> Sums:
    """Sums over the pixels of each image, accumulated in float32 whatever the features' dtype.

    Args:
        features: one layer.
        mask: m at the layer's resolution; None weighs all pixels 1.
        moments: which second moments.
    """
    images, height, width, channels = features.shape
    if mask is None:
        count = jnp.full((images,), height * width, jnp.float32)
        first = jnp.sum(features, axis=(1, 2), dtype=jnp.float32)
        seen = features
    else:
        weights = mask[None, :, :, None]
        seen = features.astype(jnp.float32) * weights
        count = jnp.broadcast_to(jnp.sum(mask * mask), (images,))
        first = jnp.sum(seen * weights, axis=(1, 2))
    if moments == "full":
        second = gram_matrix(seen.reshape(images, height * width, channels))
    else:
        second = jnp.sum(jnp.square(flatten_places(seen)), axis=1)
    return {"count": count, "first": first, "second": second}


@jax.custom_vjp
def gram_matrix(places: Float[Array, "b p c"]) -> Float[Array, "b c c"]:
    """``G_kk' = Σ_p x_pk x_pk'``, float32: nothing is subtracted and nothing divided.

    Its derivative is written down, ``∂L/∂x = x (W + Wᵀ)`` with ``W = ∂L/∂G``: one product instead of the two that
    automatic differentiation makes, in the features' own dtype. (Reverse mode only.)

    Example:
        >>> import jax.numpy as jnp
        >>> print(gram_matrix(jnp.array([[[1.0, 2.0], [0.0, 1.0]]])))
        [[[1. 2.]
          [2. 5.]]]
    """
    if places.shape[2] < 8:
        # XLA on a CPU adds up the products of narrow matrices one after the other, and loses digits over many places.
        wide = places.astype(jnp.float32)
        return jnp.sum(wide[:, :, :, None] * wide[:, :, None, :], axis=1)
    return jnp.einsum("bpi,bpj->bij", places, places, precision=jax.lax.Precision.HIGHEST, preferred_element_type=jnp.float32)


def _gram_forward(places: Array) -> tuple[Array, Array]:
    return gram_matrix(places), places


def _gram_backward(places: Array, weights: Array) -> tuple[Array]:
    symmetric = (weights + jnp.swapaxes(weights, 1, 2)).astype(places.dtype)
    return (jnp.einsum("bpi,bij->bpj", places, symmetric, precision=jax.lax.Precision.HIGHEST),)


gram_matrix.defvjp(_gram_forward, _gram_backward)


def mixed(parts: Sequence[Array], shares: Sequence[float]) -> Array:
    """``Σ_s p_s x_s``."""
    return sum((share * part for share, part in zip(shares, parts, strict=True)), start=jnp.zeros(()))


def mixed_covariance(
    means: Sequence[Float[Array, "b c"]], covariances: Sequence[Float[Array, "b c c"]], shares: Sequence[float]
) -> tuple[Float[Array, "b c"], Float[Array, "b c c"]]:
    """Mean and covariance of a mixture: ``μ = Σ p_s μ_s`` and ``Σ = Σ p_s (Σ_s + (μ_s - μ)(μ_s - μ)ᵀ)``."""
    center = mixed(means, shares)
    apart = [found - center for found in means]
    return center, mixed([s + d[:, :, None] * d[:, None, :] for s, d in zip(covariances, apart, strict=True)], shares)


def mean(sums: Sums) -> Float[Array, "b c"]:
    """``μ = Σ m² x / Σ m²``."""
    return safe_divide(sums["first"], sums["count"][:, None])


def second_moment(sums: Sums) -> Array:
    """``Σ m² x xᵀ / Σ m²`` (b, c, c), or its diagonal (b, c)."""
    second = sums["second"]
    return safe_divide(second, sums["count"].reshape(-1, *(1,) * (second.ndim - 1)))


def variance(sums: Sums) -> Float[Array, "b c"]:
    """``Σ m² x² / Σ m² - μ²`` of diagonal sums; rounding below 0 is cut off."""
    return jnp.maximum(second_moment(sums) - jnp.square(mean(sums)), 0.0)


def covariance(sums: Sums) -> Float[Array, "b c c"]:
    """``Σ m² x xᵀ / Σ m² - μ μᵀ`` of full sums: the biased estimate, divided by n and not by n - 1."""
    center = mean(sums)
    return second_moment(sums) - center[:, :, None] * center[:, None, :]
