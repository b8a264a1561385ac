"""Contextual loss: every feature of the reference is some feature's nearest, wherever that is."""

import dataclasses

import jax
import jax.numpy as jnp

from likeness.research.checks import check_count, check_finite_positive
from likeness.research.distances import unit
from likeness.research.losses.style.layers import Layers, Mask, each_image, flatten_places, mask_at, safe_divide
from likeness.research.types import Activations, Array, Float, PyTree, Scalar

# Below every exponent that can occur, and still a number: a region of no place must not become NaN.
NOWHERE = -1e30


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contextual(Layers):
    """``J_l = -log CX``, ``CX = mean_j max_i CX_ij``, for features x_i of the image and y_j of the reference.

    With cosine distances ``d_ij = 1 - cos(x_i - μ, y_j - μ)``, μ the mean of y: relative to the nearest,
    ``d̃_ij = d_ij / (min_k d_ik + ε)``, then ``CX_ij = exp((1 - d̃_ij)/h) / Σ_k exp((1 - d̃_ik)/h)``. From 0, when every
    y_j is the clear nearest of some x_i, to log m, m the number of the reference's places. It needs no two images of
    one size and no alignment.

    Mechrez, Talmi and Zelnik-Manor, "The contextual loss for image transformation with non-aligned data", 2018. (Their
    code halves d, which halves what ε weighs, and samples large layers; here all places are used, ``chunk`` at a time.)

    Under a mask only the places where it is at least ½ take part, of the image and of the reference.

    Time and the intermediate arrays of a chunk grow with the product of both numbers of places: read layers of some
    64 × 64 (the paper: conv3_2 and conv4_2).
    """

    bandwidth: float = 0.5
    """h; smaller is stricter."""

    eps: float = 1e-5
    """ε, so that a distance of 0 can be divided by."""

    chunk: int = 1024
    """Places of the image compared at once with all of the reference's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_finite_positive("Contextual", "bandwidth", self.bandwidth)
        check_finite_positive("Contextual", "eps", self.eps)
        check_count("Contextual", "chunk", self.chunk)

    def target(self, reference: Activations, mask: Mask | None = None) -> PyTree:
        """By layer: ``center`` μ (b, c), ``directions`` (y - μ)/|y - μ| (b, m, c), ``inside`` (1, m)."""
        kept = {}
        for layer, features in self.read_maps(reference):
            places, inside = flatten_places(features), _inside(mask, features, reference)
            center = safe_divide(jnp.sum(places * inside[..., None], axis=1), jnp.sum(inside, axis=1, keepdims=True))
            kept[layer] = {"center": center, "directions": unit(places - center[:, None]), "inside": inside}
        return kept

    def __call__(self, activations: Activations, target: PyTree, mask: Mask | None = None) -> Scalar:
        """The loss of images: mean over b of ``Σ_l λ_l J_l``."""
        terms = {}
        for layer, features in self.read_maps(activations):
            kept = target[layer]
            self.check_shape(layer, kept["center"].shape, features.shape[::3])
            own = (flatten_places(features), _inside(mask, features, activations))
            terms[layer] = each_image(self._term, own, (kept["center"], kept["directions"], kept["inside"]))
        return self.total(terms)

    def _term(
        self,
        places: Float[Array, "n c"],
        own: Float[Array, "n"],
        center: Float[Array, "c"],
        directions: Float[Array, "m c"],
        inside: Float[Array, "m"],
    ) -> Scalar:
        def best(chunk: tuple[Array, Array]) -> Array:
            """``max_i CX_ij`` over the chunk, for every j."""
            rows, counts = chunk
            cosine = jnp.matmul(unit(rows - center), directions.T, precision=jax.lax.Precision.HIGHEST)
            distance = jnp.where(inside > 0, jnp.maximum(1.0 - cosine, 0.0), 4.0)
            relative = distance / (jnp.min(distance, axis=1, keepdims=True) + self.eps)
            similarity = jax.nn.softmax(jnp.where(inside > 0, -relative / self.bandwidth, NOWHERE), axis=1)
            return jnp.max(similarity * counts[:, None], axis=0)

        if len(places) <= self.chunk:
            maxima = best((places, own))
        else:
            rest = -len(places) % self.chunk
            rows = jnp.pad(places, ((0, rest), (0, 0))).reshape(-1, self.chunk, places.shape[1])
            counts = jnp.pad(own, (0, rest)).reshape(-1, self.chunk)
            # Recomputed in the backward pass: kept, the chunks would be the whole matrix again.
            maxima = jnp.max(jax.lax.map(jax.checkpoint(best), (rows, counts)), axis=0)
        similarity = safe_divide(jnp.sum(inside * maxima), jnp.sum(inside))
        return -jnp.log(jnp.where(similarity > 0, similarity, 1.0))


def _inside(mask: Mask | None, features: Float[Array, "b h w c"], activations: Activations) -> Float[Array, "1 p"]:
    if mask is None:
        return jnp.ones((1, features.shape[1] * features.shape[2]), jnp.float32)
    return jnp.where(mask_at(mask, features, activations) >= 0.5, 1.0, 0.0).reshape(1, -1)
