"""Which piece of a style image looks most like a place of a painting, to a layer of the encoder."""

import functools
from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.geometry.receptive_field import ReceptiveField
from likeness.research.types import AnyArray, Array, Bool, Float, Int

Metric: TypeAlias = Literal["cosine", "euclidean"]
"""``1 - (q - m)·(r - m) / (|q - m| |r - m|)`` with m the mean of the references, or ``|q - r|``. Without m the cosine
says little: what the units of a deep layer share is larger than what tells them apart."""

_BLOCK = 4096
"""Places of the style that are compared at once, so that a large one fits into memory."""


class CellGrid(NamedTuple):
    """The places of an image that are looked at: the centers of equal cells."""

    rows: int
    columns: int
    height: int
    """Of the image, in pixels."""
    width: int

    @classmethod
    def over(cls, height: int, width: int, longer: int) -> "CellGrid":
        """So many cells along the longer side, of about equal sides; at most one a pixel."""
        side = max(height, width) / min(longer, max(height, width))
        return cls(max(1, round(height / side)), max(1, round(width / side)), height, width)

    @property
    def centers(self) -> tuple[Float[np.ndarray, "rows"], Float[np.ndarray, "columns"]]:
        """y and x of the cells' centers, in pixels; the first pixel's center is at 0."""
        down, right = (
            (np.arange(n) + 0.5) * side / n - 0.5 for n, side in ((self.rows, self.height), (self.columns, self.width))
        )
        return down, right

    def units(self, field: ReceptiveField, size: tuple[int, int]) -> Int[np.ndarray, "cells"]:
        """The units of a layer whose receptive fields lie nearest around the cells' centers, row by row.

        Args:
            field: the layer's.
            size: height and width of its map.
        """
        middle = field.offset + (field.size - 1) / 2
        down, right = (
            np.clip(np.rint((places - middle) / field.stride), 0, count - 1).astype(np.int64)
            for places, count in zip(self.centers, size, strict=True)
        )
        return (down[:, None] * size[1] + right).reshape(-1)


class Partners(NamedTuple):
    """Of each cell, the unit of the styles at one layer that is most like the cell's."""

    style: Int[np.ndarray, "cells"]
    """In which style."""
    row: Int[np.ndarray, "cells"]
    """Of the unit in the style's map."""
    column: Int[np.ndarray, "cells"]
    distance: Float[np.ndarray, "cells"]


def partners(
    painted: Float[AnyArray, "h w c"],
    styles: Mapping[int, Float[AnyArray, "_h _w c"]],
    units: Int[np.ndarray, "cells"],
    metric: Metric = "cosine",
    masks: Mapping[int, Bool[np.ndarray, "_h _w"]] | None = None,
) -> Partners:
    """The most similar unit of the styles for some units of a painting, at one layer; among equals the first.

    Args:
        painted: the layer's map of the painting.
        styles: those of the styles, by number.
        units: the painting's, row by row.
        metric: how activations are compared.
        masks: where in a style's map there is something to look at; everywhere in styles that have none.
    """
    queries = jnp.asarray(painted).reshape(-1, painted.shape[-1])[units]
    best: Partners | None = None
    for number, each in styles.items():
        height, width, channels = each.shape
        mask = (masks or {}).get(number, np.ones((height, width), bool))
        index, distance = nearest(queries, jnp.asarray(each).reshape(-1, channels), jnp.asarray(mask).reshape(-1), metric)
        index, distance = np.asarray(index), np.asarray(distance)
        found = Partners(np.full(len(index), number), index // width, index % width, distance)
        if best is None:
            best = found
        else:
            nearer = found.distance < best.distance
            best = Partners(*(np.where(nearer, new, old) for new, old in zip(found, best, strict=True)))
    if best is None:
        raise ValueError("partners() is given no style: give at least one")
    return best


@functools.partial(jax.jit, static_argnames="metric")
def nearest(
    queries: Float[Array, "n c"], references: Float[Array, "m c"], there: Bool[Array, "m"], metric: Metric = "cosine"
) -> tuple[Int[Array, "n"], Float[Array, "n"]]:
    """The nearest of the references that are there, for each query: its index and its distance, exactly.

    What is the mean of the references has the cosine distance 1 from everything.
    """
    queries, references = queries.astype(jnp.float32), references.astype(jnp.float32)
    if metric == "cosine":
        mean = jnp.sum(jnp.where(there[:, None], references, 0.0), axis=0) / jnp.maximum(jnp.sum(there), 1)
        queries, references = _unit(queries - mean), _unit(references - mean)
    count, channels = references.shape
    fill = -count % _BLOCK
    blocks = jnp.pad(references, ((0, fill), (0, 0))).reshape(-1, _BLOCK, channels)
    seen = jnp.pad(there, (0, fill)).reshape(-1, _BLOCK)

    def look(block: tuple[Array, Array]) -> tuple[Array, Array]:
        each, valid = block
        products = jnp.matmul(queries, each.T, precision=jax.lax.Precision.HIGHEST)
        far = 1.0 - products if metric == "cosine" else _squares(queries)[:, None] - 2.0 * products + _squares(each)
        far = jnp.where(valid, far, jnp.inf)
        return jnp.argmin(far, axis=1), jnp.min(far, axis=1)

    index, far = jax.lax.map(look, (blocks, seen))
    block = jnp.argmin(far, axis=0)
    rows = jnp.arange(len(queries))
    least = jnp.maximum(far[block, rows], 0.0)
    return block * _BLOCK + index[block, rows], least if metric == "cosine" else jnp.sqrt(least)


def _centers(cells: int, side: int) -> np.ndarray:
    return (np.arange(cells) + 0.5) * side / cells - 0.5


def _unit(rows: Array) -> Array:
    length = jnp.sqrt(_squares(rows))[:, None]
    return rows / jnp.where(length > 0, length, 1.0)


def _squares(rows: Array) -> Array:
    return jnp.sum(jnp.square(rows), axis=-1)
