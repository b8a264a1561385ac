"""The places of a data set that excite each unit of a layer most, found in one pass."""

import dataclasses
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from research.types import Array, Float, Int, PRNGKey

__all__ = ["Patches", "TopPatches", "spatial_maximum"]


class Patches(NamedTuple):
    """What was found for each unit, the first first; picture −1 where there were fewer than k."""

    priority: Float[Array, "units k"]
    """What the places are sorted by."""
    value: Float[Array, "units k"]
    """The activation there."""
    picture: Int[Array, "units k"]
    """The number of the picture."""
    place: Int[Array, "units k axes"]
    """Where in the layer's map: row and column."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TopPatches:
    """Keeps, of a stream of activations, the k places of each unit that come first.

    A unit is a channel of a layer, at any place of its map. Memory is O(units · k), however long the stream. Places of equal
    activation come in the order of the pictures, then of rows, then of columns, so the result is that of sorting everything and
    does not depend on how the stream is cut into batches. Under ``jit`` a batch may be split over devices.

    Zeiler and Fergus, Visualizing and understanding convolutional networks, ECCV 2014: the nine pictures in which a unit's
    maximum is largest.
    """

    k: int = 9
    """How many to keep."""
    order: Literal["top", "bottom", "random"] = "top"
    """The largest activations, the smallest, or drawn among those above 0: the largest alone make a unit look as if it
    meant one thing only."""
    once: bool = True
    """At most one place of each picture: that of the picture's maximum (minimum for ``bottom``)."""

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"TopPatches.k is {self.k}: give 1 or more")

    def init(self, units: int, axes: int = 2) -> Patches:
        """Nothing found yet, of a layer whose maps have so many axes."""
        shape = (units, self.k)
        return Patches(
            priority=jnp.full(shape, -jnp.inf),
            value=jnp.zeros(shape),
            picture=jnp.full(shape, -1, jnp.int32),
            place=jnp.zeros((*shape, axes), jnp.int32),
        )

    def __call__(
        self, found: Patches, activations: Float[Array, "b *space units"], pictures: Int[Array, "b"], key: PRNGKey
    ) -> Patches:
        """Takes in a batch.

        Args:
            found: what was found before.
            activations: of a layer, whose maps may have one axis, two or three.
            pictures: their numbers, increasing from call to call; one below 0 is padding and is left out.
            key: of the draw, the same in every call; read for ``random`` only.
        """
        batch, *space, units = activations.shape
        values = activations.reshape(batch, -1, units)
        if self.once:
            extremes = spatial_maximum(-activations if self.order == "bottom" else activations)
            found_values = (-extremes if self.order == "bottom" else extremes).T
            numbers = pictures
        else:
            found_values = values.astype(jnp.float32).reshape(-1, units).T
            numbers = jnp.repeat(pictures, values.shape[1])
        # NaN would be the largest of all.
        sound = (numbers >= 0) & ~jnp.isnan(found_values)
        priority = jnp.where(sound, self._priority(found_values, numbers, key), -jnp.inf)
        priority, kept = lax.top_k(priority, min(self.k, priority.shape[1]))
        if self.once:
            # Where the maximum is, is looked up for those that are kept: to ask for all would cost more than the rest.
            maps = values[kept, :, jnp.arange(units)[:, None]]
            place = (jnp.argmin if self.order == "bottom" else jnp.argmax)(maps, axis=-1)
        else:
            place = kept % values.shape[1]
        new = Patches(
            priority=priority,
            value=jnp.take_along_axis(found_values, kept, axis=1),
            picture=jnp.where(jnp.isneginf(priority), -1, numbers[kept]),
            place=jnp.stack(jnp.unravel_index(place, space), axis=-1).astype(jnp.int32),
        )
        # What was found before comes first, so that of equals the earlier one stays.
        both = Patches(*(jnp.concatenate(pair, axis=1) for pair in zip(found, new, strict=True)))
        _, kept = lax.top_k(both.priority, self.k)
        return Patches(*(jnp.take_along_axis(part, jnp.expand_dims(kept, range(2, part.ndim)), axis=1) for part in both))

    def _priority(self, values: Float[Array, "units n"], pictures: Int[Array, "n"], key: PRNGKey) -> Float[Array, "units n"]:
        if self.order != "random":
            return -values if self.order == "bottom" else values
        # A number of the place itself, so that batches of another size draw the same.
        first = jnp.concatenate([jnp.ones(1, bool), pictures[1:] != pictures[:-1]])
        order = jnp.arange(len(pictures))
        places = order - lax.cummax(jnp.where(first, order, 0))

        def draw(unit: Array, picture: Array, place: Array) -> Array:
            mixed = jax.random.fold_in(jax.random.fold_in(jax.random.fold_in(key, unit), picture), place)
            return jax.random.uniform(mixed)

        units = jnp.broadcast_to(jnp.arange(len(values))[:, None], values.shape)
        drawn = jnp.vectorize(draw)(units, jnp.broadcast_to(pictures, values.shape), jnp.broadcast_to(places, values.shape))
        return jnp.where(values > 0, drawn, -jnp.inf)


def spatial_maximum(activations: Float[Array, "b *space units"]) -> Float[Array, "b units"]:
    """Each unit's maximum over the picture, in float32."""
    flat = activations.reshape(len(activations), -1, activations.shape[-1])
    return jnp.max(flat, axis=1).astype(jnp.float32)
