"""Greedy choice among boxes that overlap, in four forms that choose the same: which is quickest depends on the machine.

    While a box is left, choose the one of the highest score, and drop what overlaps it too much.

A form sees boxes as columns. Equal scores are taken in their order. The bound is a number that may be traced, so that one
program serves every threshold: what overlaps by it or more is dropped.
"""

import itertools
import math
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

from likeness.research.types import Array, Bool, Float, Int

Form: TypeAlias = Literal["picks", "rows", "tiles", "matrix"]
"""``picks``: look for the best that is left, as often as something is chosen. ``rows``: go through all in the order of scores,
each beside those after it. ``tiles``: the same, many at a time. ``matrix``: each beside each, at once."""

Share: TypeAlias = Literal["iou", "ios"]
"""What the intersection is divided by: the union, or the smaller of both."""

TILE = 256
_MOST_SLICES = 8

__all__ = ["TILE", "Columns", "Form", "Picked", "Share", "columns_of", "first", "matrix", "picks", "rows", "tiles"]


class Columns(NamedTuple):
    """Boxes as arrays of one shape each."""

    x1: Array
    y1: Array
    x2: Array
    y2: Array
    area: Array
    number: Array | None
    """Classes, where boxes of different ones do not compete."""


class Picked(NamedTuple):
    """What was chosen, in that order."""

    indices: Int[Array, "k"]
    scores: Float[Array, "k"]
    hulls: Float[Array, "m 4"]
    """The smallest box around each and what it made drop; none where they are not wanted."""
    valid: Bool[Array, "k"]


def columns_of(boxes: Float[Array, "n 4"], classes: Int[Array, "n"] | None) -> Columns:
    """The columns of boxes none of which has reversed corners."""
    x1, y1, x2, y2 = boxes.T
    # No area is below 0. Were the product itself added to another area, compilers would fuse both and round once, not twice.
    return Columns(x1, y1, x2, y2, jnp.maximum((x2 - x1) * (y2 - y1), 0.0), classes)


def picks(
    columns: Columns,
    scores: Float[Array, "n"],
    least: Float[Array, ""],
    bound: Float[Array, ""],
    count: int,
    share: Share,
    decay: Callable[[Array], Array] | None = None,
    *,
    hulls: bool = False,
) -> Picked:
    """Chooses the best that is left, again and again.

    It takes as many steps as boxes are chosen, each of O(n), and sorts nothing.

    Args:
        columns: the boxes.
        scores: -∞ where there is nothing to choose, and never NaN.
        least: what does not score more is not chosen.
        bound: what overlaps the chosen one by this or more is dropped.
        count: how many are chosen at most.
        share: how overlap is measured.
        decay: drops nothing; what a score above 0 is multiplied with instead, by the overlap with the chosen one.
        hulls: whether they are wanted.
    """
    places = jnp.arange(len(scores), dtype=jnp.int32)

    def is_there_more(state: tuple[Array, Array, Picked, Array]) -> Array:
        _, best, _, number = state
        return (number < count) & (best > least)

    def step(state: tuple[Array, Array, Picked, Array]) -> tuple[Array, Array, Picked, Array]:
        left, best, picked, number = state
        # With the maximum, two quick reductions: XLA's argmax is one slow one on a CPU.
        index = jnp.min(jnp.where(left == best, places, len(places) - 1))
        one, chosen = _at(columns, index), places == index
        if decay is None:
            gone = _too_much(one, columns, bound, share) | chosen
            hull = _hull(columns, gone & (left > -jnp.inf)) if hulls else None
            left = jnp.where(gone, -jnp.inf, left)
        else:
            overlap = _share(one, columns, share)
            weakened = _competes(one, columns) & (left > 0) & (overlap > 0)
            left = jnp.where(weakened, left * decay(jnp.where(weakened, overlap, 0.0)), left)
            hull, left = None, jnp.where(chosen, -jnp.inf, left)
        picked = Picked(
            picked.indices.at[number].set(index),
            picked.scores.at[number].set(best),
            picked.hulls if hull is None else picked.hulls.at[number].set(hull),
            picked.valid.at[number].set(best > least),
        )
        return left, jnp.max(left), picked, number + 1

    nothing = Picked(
        jnp.zeros(count, jnp.int32), jnp.zeros(count), jnp.zeros((count if hulls else 0, 4)), jnp.zeros(count, bool)
    )
    return jax.lax.while_loop(is_there_more, step, (scores, jnp.max(scores), nothing, jnp.int32(0)))[2]


def rows(columns: Columns, alive: Bool[Array, "n"], bound: Float[Array, ""], share: Share) -> Bool[Array, "n"]:
    """Which boxes remain, of boxes in the order of their scores: each that is left drops those after it.

    On a CPU this is the quickest where many remain: a step is one pass over memory that lies in the cache.
    """
    size = len(alive)
    slices = max(1, min(_MOST_SLICES, size // TILE))
    edges = [size * number // slices for number in range(slices + 1)]
    # As wide as the coordinates: a mask of bytes would have to be packed in each step.
    done, left = [], alive.astype(jnp.int32)
    # Boxes of one slice are compared with it and the later ones only, which is half of the work.
    for begin, end in itertools.pairwise(edges):
        others, places = _at(columns, slice(begin, size)), jnp.arange(begin, size, dtype=jnp.int32)

        def step(i: Array, left: Array, begin: int = begin, others: Columns = others, places: Array = places) -> Array:
            def drop(left: Array) -> Array:
                return jnp.where(_too_much(_at(columns, i), others, bound, share) & (places > i), 0, left)

            return jax.lax.cond(left[i - begin] > 0, drop, lambda left: left, left)

        left = jax.lax.fori_loop(begin, end, step, left)
        done.append(left[: end - begin])
        left = left[end - begin :]
    return jnp.concatenate(done) > 0


def matrix(columns: Columns, alive: Bool[Array, "n"], bound: Float[Array, ""], share: Share) -> Bool[Array, "n"]:
    """As :func:`rows`, from the overlap of each with each: O(n²) memory, and few steps."""
    places = jnp.arange(len(alive))
    drops = _too_much(_at(columns, jnp.s_[:, None]), columns, bound, share) & (places[:, None] < places)

    def step(state: tuple[Array, Array]) -> tuple[Array, Array]:
        return state[1], alive & ~jnp.any(drops & state[1][:, None], axis=0)

    # Who remains where i drops j if it remains itself. Only earlier boxes drop later ones: the first is settled after one step,
    # what only it drops after two, and all when nothing changes.
    return jax.lax.while_loop(lambda state: jnp.any(state[0] != state[1]), step, (jnp.zeros_like(alive), alive))[1]


def tiles(columns: Columns, alive: Bool[Array, "n"], bound: Float[Array, ""], share: Share) -> Bool[Array, "n"]:
    """As :func:`rows`, :data:`TILE` boxes at a time: first among themselves, then against all after them."""
    size = len(alive)
    count = math.ceil(size / TILE)
    padding = count * TILE - size
    padded = jax.tree.map(lambda column: jnp.pad(column, (0, padding)), columns)
    places = jnp.arange(count * TILE)

    def step(number: Array, left: Array) -> Array:
        begin = number * TILE
        tile = jax.tree.map(lambda column: jax.lax.dynamic_slice_in_dim(column, begin, TILE), padded)
        kept = matrix(tile, jax.lax.dynamic_slice_in_dim(left, begin, TILE), bound, share)
        dropped = jnp.any(_too_much(_at(tile, jnp.s_[:, None]), padded, bound, share) & kept[:, None], axis=0)
        left = left & ~(dropped & (places >= begin + TILE))
        return jax.lax.dynamic_update_slice_in_dim(left, kept, begin, axis=0)

    return jax.lax.fori_loop(0, count, step, jnp.pad(alive, (0, padding)))[:size]


def first(kept: Bool[Array, "n"], order: Int[Array, "n"], count: int) -> tuple[Int[Array, "k"], Bool[Array, "k"]]:
    """The numbers of the first so many boxes that remain, of boxes in some order, and which of the rows hold one."""
    place = jnp.where(kept, jnp.cumsum(kept) - 1, count)
    indices = jnp.zeros(count, jnp.int32).at[place].set(order.astype(jnp.int32), mode="drop")
    return indices, jnp.arange(count) < jnp.sum(kept)


def _at(columns: Columns, index: Array | slice | tuple[slice | None, ...]) -> Columns:
    return jax.tree.map(lambda column: column[index], columns)


def _share(one: Columns, other: Columns, share: Share) -> Array:
    """How much boxes overlap; NaN for two without area. Shapes broadcast."""
    wide = jnp.maximum(jnp.minimum(one.x2, other.x2) - jnp.maximum(one.x1, other.x1), 0.0)
    high = jnp.maximum(jnp.minimum(one.y2, other.y2) - jnp.maximum(one.y1, other.y1), 0.0)
    shared = wide * high
    # The sum comes first: the order decides how it is rounded.
    whole = one.area + other.area - shared if share == "iou" else jnp.minimum(one.area, other.area)
    return shared / whole


def _competes(one: Columns, other: Columns) -> Array:
    return jnp.array(True) if one.number is None else one.number == other.number  # noqa: FBT003


def _too_much(one: Columns, other: Columns, bound: Array, share: Share) -> Array:
    # NaN is not at least anything: what has no area overlaps nothing.
    return (_share(one, other, share) >= bound) & _competes(one, other)


def _hull(columns: Columns, chosen: Array) -> Array:
    """The smallest box around some."""
    low = (jnp.min(jnp.where(chosen, column, jnp.inf)) for column in (columns.x1, columns.y1))
    high = (jnp.max(jnp.where(chosen, column, -jnp.inf)) for column in (columns.x2, columns.y2))
    return jnp.stack([*low, *high])
