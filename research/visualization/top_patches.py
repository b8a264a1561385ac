"""The places of a data set that excite each unit of a layer most, found in one pass."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from likeness.research.types import AnyArray, Array, Bool, Float, Int, PRNGKey

__all__ = ["Patches", "TopPatches", "spatial_maximum"]

_LOOKED_UP_TOGETHER = 8
_PARTS = 4


class Patches(NamedTuple):
    """What was found for each unit, the first first; image −1 where there were fewer than k."""

    priority: Float[AnyArray, "*shards units k"]
    """What the places are sorted by."""
    value: Float[AnyArray, "*shards units k"]
    """The activation there."""
    image: Int[AnyArray, "*shards units k"]
    """The number of the image."""
    place: Int[AnyArray, "*shards units k axes"]
    """Where in the layer's map: row and column."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TopPatches:
    """Keeps, of a stream of activations, the k places of each unit that come first.

    A unit is a channel of a layer, at any place of its map. Memory is O(units · k), however long the stream. Places of equal
    activation come in the order of the images, then of rows, then of columns, so the result is that of sorting everything and
    does not depend on how the stream is cut into batches. Several devices may each take in a stream of their own, without a
    word to each other, of which :meth:`merge` makes one.

    Zeiler and Fergus, Visualizing and understanding convolutional networks, ECCV 2014: the nine images in which a unit's
    maximum is largest.
    """

    k: int = 9
    """How many to keep."""
    order: Literal["top", "bottom", "random"] = "top"
    """The largest activations, the smallest, or drawn among those above 0: the largest alone make a unit look as if it
    meant one thing only."""
    once: bool = True
    """At most one place of each image: that of the image's maximum (minimum for ``bottom``)."""

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"TopPatches.k is {self.k}: give 1 or more")

    def init(self, units: int, axes: int = 2) -> Patches:
        """Nothing found yet, of a layer whose maps have so many axes."""
        shape = (units, self.k)
        return Patches(
            priority=jnp.full(shape, -jnp.inf),
            value=jnp.zeros(shape),
            image=jnp.full(shape, -1, jnp.int32),
            place=jnp.zeros((*shape, axes), jnp.int32),
        )

    def __call__(
        self, found: Patches, activations: Float[Array, "b *space units"], images: Int[Array, "b"], key: PRNGKey
    ) -> Patches:
        """Takes in a batch.

        Args:
            found: what was found before.
            activations: of a layer, whose maps may have one axis, two or three.
            images: their numbers, increasing from call to call; one below 0 is padding and is left out.
            key: of the draw, the same in every call; read for ``random`` only.
        """
        batch, *space, units = activations.shape
        values = activations.reshape(batch, -1, units)
        if self.once:
            extremes = spatial_maximum(-activations if self.order == "bottom" else activations)
            found_values = (-extremes if self.order == "bottom" else extremes).T
            numbers = images
        else:
            found_values = values.astype(jnp.float32).reshape(-1, units).T
            numbers = jnp.repeat(images, values.shape[1])
        # NaN would be the largest of all.
        sound = (numbers >= 0) & ~jnp.isnan(found_values)
        priority = jnp.where(sound, self._priority(found_values, numbers, key), -jnp.inf)
        priority, kept = lax.top_k(priority, min(self.k, priority.shape[1]))
        new = Patches(
            priority=priority,
            value=jnp.take_along_axis(found_values, kept, axis=1),
            image=jnp.where(jnp.isneginf(priority), -1, numbers[kept]),
            place=_unraveled(jnp.zeros_like(kept) if self.once else kept % values.shape[1], space),
        )
        # What was found before comes first, so that of equals the earlier one stays.
        both = Patches(*(jnp.concatenate(pair, axis=1) for pair in zip(found, new, strict=True)))
        priority, chosen = lax.top_k(both.priority, self.k)
        best = Patches(*(jnp.take_along_axis(part, jnp.expand_dims(chosen, range(2, part.ndim)), axis=1) for part in both))
        if not self.once:
            return best
        # Where the maximum is, is looked up for those alone that have come in: to ask for all would cost more than the rest.
        entered = (chosen >= self.k) & ~jnp.isneginf(priority)
        rows = jnp.take_along_axis(kept, jnp.clip(chosen - self.k, 0, kept.shape[1] - 1), axis=1)
        places = _unraveled(_look_up(values, rows, entered, jnp.argmin if self.order == "bottom" else jnp.argmax), space)
        return best._replace(place=jnp.where(entered[..., None], places, best.place))

    def merge(self, found: Patches) -> Patches:
        """One of several, found in streams that have no image in common, as if they had been one stream.

        Args:
            found: stacked along a leading axis.
        """
        streams, units = found.priority.shape[:2]
        apart = [np.moveaxis(np.asarray(part), 0, 1) for part in found]
        together = Patches(*(part.reshape(units, streams * self.k, *part.shape[3:]) for part in apart))
        places = np.moveaxis(np.asarray(together.place), -1, 0)
        order = np.lexsort((*places[::-1], together.image, -together.priority), axis=-1)[:, : self.k]
        return Patches(
            *(np.take_along_axis(part, np.expand_dims(order, tuple(range(2, part.ndim))), axis=1) for part in together)
        )

    def _priority(self, values: Float[Array, "units n"], images: Int[Array, "n"], key: PRNGKey) -> Float[Array, "units n"]:
        if self.order != "random":
            return -values if self.order == "bottom" else values
        # A number of the place itself, so that batches of another size draw the same.
        first = jnp.concatenate([jnp.ones(1, bool), images[1:] != images[:-1]])
        order = jnp.arange(len(images))
        places = order - lax.cummax(jnp.where(first, order, 0))

        def draw(unit: Array, image: Array, place: Array) -> Array:
            mixed = jax.random.fold_in(jax.random.fold_in(jax.random.fold_in(key, unit), image), place)
            return jax.random.uniform(mixed)

        units = jnp.broadcast_to(jnp.arange(len(values))[:, None], values.shape)
        drawn = jnp.vectorize(draw)(units, jnp.broadcast_to(images, values.shape), jnp.broadcast_to(places, values.shape))
        return jnp.where(values > 0, drawn, -jnp.inf)


def spatial_maximum(activations: Float[Array, "b *space units"]) -> Float[Array, "b units"]:
    """Each unit's maximum over the image, in float32; NaN where there is one.

    XLA:CPU does not fuse ``jnp.max`` with the ReLU before it, and writes the map for it. Four quarters of the map are compared
    first, which it does fuse, many units at once (``python -m likeness.experiments.benchmarks.top_patches``).
    """
    flat = activations.reshape(len(activations), -1, activations.shape[-1])
    places = flat.shape[1]
    part = -(-places // _PARTS)
    # The last begins earlier where they do not divide: what is compared twice has the same maximum.
    starts = sorted({min(start, places - part) for start in range(0, places, part)})
    quarters = functools.reduce(jnp.maximum, [flat[:, start : start + part] for start in starts]).astype(jnp.float32)
    return lax.reduce(quarters, np.float32(-np.inf), _larger, (1,))


def _larger(one: Array, other: Array) -> Array:
    return lax.select((one > other) | (one != one), one, other)


def _unraveled(place: Int[Array, "units k"], space: Sequence[int]) -> Int[Array, "units k axes"]:
    return jnp.stack(jnp.unravel_index(place, tuple(space)), axis=-1).astype(jnp.int32)


def _look_up(
    values: Float[Array, "b places units"],
    rows: Int[Array, "units k"],
    asked: Bool[Array, "units k"],
    where: Callable[..., Array],
) -> Int[Array, "units k"]:
    """The place of each unit's extreme in each of its rows of the batch, for those asked; 0 for the others."""
    k, total = rows.shape[1], rows.size
    size = min(_LOOKED_UP_TOGETHER, total)
    waiting = jnp.flatnonzero(asked, size=-(-total // size) * size, fill_value=total)
    count = jnp.sum(asked)

    def look(state: tuple[Array, Array]) -> tuple[Array, Array]:
        done, places = state
        some = lax.dynamic_slice_in_dim(waiting, done, size)
        at = jnp.minimum(some, total - 1)
        maps = values[rows.reshape(-1)[at], :, at // k]
        return done + size, places.at[some].set(where(maps, axis=-1).astype(jnp.int32), mode="drop")

    _, places = lax.while_loop(lambda state: state[0] < count, look, (jnp.zeros((), count.dtype), jnp.zeros(total, jnp.int32)))
    return places.reshape(rows.shape)
