"""Optimal transport in one dimension: sort both samples and compare quantile by quantile."""

import abc
import dataclasses
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.checks import check_choice
from likeness.research.losses.style.layers import Layers, Mask, flatten_places, mask_at, safe_divide
from likeness.research.types import Activations, Array, Float, PyTree, Scalar

QuantileNormalizer: TypeAlias = Literal["relative", "mean", "sum"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class QuantileLayers(Layers, abc.ABC):
    """A loss that compares the sorted values of one-dimensional views of a layer.

    The i-th smallest of n values is the quantile (i - ½)/n; between two quantiles of the reference values are
    interpolated linearly and beyond the outermost they are constant, so images of any two sizes can be compared.
    A place of mask m weighs m: quantiles are shares of Σ m. A reference of which nothing is in its mask is 0 everywhere.
    """

    normalizer: QuantileNormalizer = "relative"
    """s_l in ``J_l = s_l Σ_v Σ_i m_i (y_vi - Q'_v(i))²``, over views v and places i:

    ``relative``: 1/(views · Σ m · mean square of the reference's values), dimensionless.
    ``mean``: ``1/(views · Σ m)``.
    ``sum``: 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(type(self).__name__, "normalizer", self.normalizer, QuantileNormalizer)

    @abc.abstractmethod
    def views(self, index: int, places: Float[Array, "b p c"]) -> Float[Array, "b v p"]:
        """The one-dimensional views of the layer of this index."""

    def target(self, reference: Activations, mask: Mask | None = None) -> PyTree:
        """By layer: ``values`` sorted, (b, v, p), their mean square ``energy`` (b,), and, under a mask, ``positions``."""
        kept = {}
        for index, (layer, features) in enumerate(self.read_maps(reference)):
            views = self.views(index, flatten_places(features))
            if mask is None:
                kept[layer] = {"values": jnp.sort(views, axis=-1), "energy": jnp.mean(jnp.square(views), axis=(1, 2))}
                continue
            values, weights = _sort_weighted(views, mask_at(mask, features, reference).reshape(-1))
            total = jnp.sum(weights, axis=-1, keepdims=True)
            energy = safe_divide(jnp.sum(weights * jnp.square(values), axis=-1), total[..., 0])
            # A place outside the mask stands for nothing: behind the last that does, at its value.
            inside = weights > 0
            last = jnp.max(jnp.where(inside, values, -jnp.inf), axis=-1, keepdims=True)
            values = jnp.where(inside, values, jnp.where(jnp.isfinite(last), last, 0.0))
            positions = jnp.where(inside, _positions(weights), 1.0)
            kept[layer] = {"values": values, "energy": jnp.mean(energy, axis=1), "positions": positions}
        return kept

    def __call__(self, activations: Activations, target: PyTree, mask: Mask | None = None) -> Scalar:
        """The loss of images: mean over b of ``Σ_l λ_l J_l``."""
        terms = {}
        for index, (layer, features) in enumerate(self.read_maps(activations)):
            views, kept = self.views(index, flatten_places(features)), target[layer]
            self.check_shape(layer, kept["values"].shape[:2], views.shape[:2])
            if mask is None:
                values, weights, count = jnp.sort(views, axis=-1), None, jnp.asarray(float(views.shape[2]))
            else:
                places = mask_at(mask, features, activations).reshape(-1)
                values, weights = _sort_weighted(views, places)
                count = jnp.sum(places)
            squares = jnp.square(values - jax.lax.stop_gradient(_quantiles(kept, values.shape, weights)))
            distance = jnp.sum(squares if weights is None else weights * squares, axis=(1, 2))
            if self.normalizer == "sum":
                terms[layer] = distance
                continue
            average = safe_divide(distance, count * views.shape[1])
            terms[layer] = safe_divide(average, kept["energy"]) if self.normalizer == "relative" else average
        return self.total(terms)


def _sort_weighted(views: Float[Array, "b v p"], weights: Float[Array, "p"]) -> tuple[Array, Array]:
    """Values sorted, those of weight 0 last, and the weights in their order."""
    weights = jnp.broadcast_to(weights, views.shape)
    order = jnp.argsort(jnp.where(weights > 0, views, jnp.inf), axis=-1)
    return jnp.take_along_axis(views, order, axis=-1), jnp.take_along_axis(weights, order, axis=-1)


def _positions(weights: Float[Array, "*b p"]) -> Float[Array, "*b p"]:
    """The quantile of every sorted value: the share of the weight below it and half of its own."""
    below = jnp.cumsum(weights, axis=-1)
    return safe_divide(below - 0.5 * weights, below[..., -1:])


def _quantiles(kept: dict[str, Array], shape: tuple[int, ...], weights: Array | None) -> Float[Array, "b v p"]:
    """The reference's values at the quantiles of as many sorted values."""
    values, places = kept["values"], shape[-1]
    if weights is None and "positions" not in kept:
        if places == values.shape[-1]:
            return values
        at = np.clip((np.arange(places) + 0.5) * (values.shape[-1] / places) - 0.5, 0, values.shape[-1] - 1)
        low = np.minimum(np.floor(at).astype(np.int32), max(values.shape[-1] - 2, 0))
        high = np.minimum(low + 1, values.shape[-1] - 1)
        share = (at - low).astype(np.float32)
        return values[..., low] * (1.0 - share) + values[..., high] * share
    at = _positions(weights) if weights is not None else (jnp.arange(places) + 0.5) / places
    known = kept.get("positions", (jnp.arange(values.shape[-1]) + 0.5) / values.shape[-1])
    interpolate = jax.vmap(jax.vmap(jnp.interp))
    return interpolate(*(jnp.broadcast_to(x, (*shape[:2], x.shape[-1])) for x in (at, known, values)))
