"""Groups of embeddings that may hold the nearest, by one matrix product for each block of a gallery.

To choose the ten least of many thousand numbers takes longer than to compute them. So rows are put into groups of eight, of
which only the least is kept by a comparison element by element, and only the nearest groups are chosen and looked at row by
row. The n nearest rows lie in the n nearest groups.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from likeness.research.types import AnyArray, Array, Float, Int

GROUP = 8
"""Rows of which only the least distance is kept."""
LARGEST, LEAST = 65536, 8192
"""Rows of a block: powers of two. A gallery is cut into the largest that it fills; what is left of it is filled up."""

_WIDE = 16
_MANY = 16

Nearest: TypeAlias = tuple[Float[AnyArray, "q n"], Int[AnyArray, "q n"]]
"""What was found so far, rising: values, and rows; −1 where there is none."""


class RowBlock(NamedTuple):
    """Rows of a gallery: row ``start + j + i · stride`` is the i-th of group j, with ``stride`` groups of eight."""

    start: int
    stride: int
    vectors: tuple[Float[Array, "stride d"], ...]
    norms: tuple[Float[Array, "stride"], ...]
    """Squared; infinite for rows that are nobody's."""


def blocks_of(vectors: Float[np.ndarray, "n d"], shift: np.ndarray | float) -> tuple[RowBlock, ...]:
    """A gallery in blocks on the device.

    Args:
        vectors: all embeddings.
        shift: subtracted from each, (d,) or a number.
    """
    blocks: list[RowBlock] = []
    start = 0
    while start < len(vectors):
        left = len(vectors) - start
        filled = 1 << (left.bit_length() - 1)
        size = min(LARGEST, filled) if filled >= LEAST else max(GROUP, 1 << (left - 1).bit_length())
        taken = vectors[start : start + size] - shift
        norms = np.pad((taken * taken).sum(axis=1), (0, size - len(taken)), constant_values=np.inf)
        taken = np.pad(taken, ((0, size - len(taken)), (0, 0)))
        parts = [slice(at, at + size // GROUP) for at in range(0, size, size // GROUP)]
        on_device = (tuple(jnp.asarray(rows[part]) for part in parts) for rows in (taken, norms))
        blocks.append(RowBlock(start, size // GROUP, *on_device))
        start += size
    return tuple(blocks)


def no_groups(queries: int, wanted: int) -> Nearest:
    """Where nothing has been looked at yet."""
    return np.full((queries, wanted), np.inf, np.float32), np.full((queries, wanted), -1, np.int32)


def nearest_groups(nearest: Nearest, queries: Float[AnyArray, "q d"], block: RowBlock) -> Nearest:
    """The nearest groups so far and those of a block, merged: each by its least ``‖y‖² − 2 x·y``, and by its first row.

    A query's own norm changes no order.

    Args:
        nearest: so far.
        queries: less the shift.
        block: what to look at.
    """
    return _nearest_groups(nearest, queries, block.vectors, block.norms, np.int32(block.start))


def rows_of_groups(first: Int[np.ndarray, "q n"], blocks: Sequence[RowBlock], rows: int) -> Int[np.ndarray, "q m"]:
    """The rows of groups.

    Args:
        first: each group's first row; −1 for none.
        blocks: the gallery's.
        rows: how many the gallery has.

    Returns:
        Eight rows for each group; −1 for none.
    """
    starts = np.array([block.start for block in blocks])
    strides = np.array([block.stride for block in blocks])
    stride = strides[np.searchsorted(starts, np.maximum(first, 0), side="right") - 1]
    members = first[..., None] + stride[..., None] * np.arange(GROUP)
    members = np.where((first[..., None] >= 0) & (members < rows), members, -1)
    return members.reshape(len(first), -1)


@jax.jit
def _nearest_groups(
    nearest: Nearest, queries: Array, vectors: tuple[Array, ...], norms: tuple[Array, ...], start: Array
) -> Nearest:
    count, wanted = nearest[0].shape
    least = None
    for rows, squared in zip(vectors, norms, strict=True):
        distances = squared[:, None] - 2.0 * _products(rows, queries)
        # NaN would be the least of its group.
        distances = jnp.where(jnp.isnan(distances), jnp.inf, distances)
        least = distances if least is None else jnp.minimum(least, distances)
    assert least is not None
    groups = len(least)
    # Likewise of groups: those that the nearest of sixteen are in.
    wide = min(_WIDE, groups)
    coarse = least.reshape(wide, groups // wide, count).min(axis=0).T
    _, chosen = lax.top_k(-coarse, min(wanted, groups // wide))
    chosen = (chosen[:, None, :] + (groups // wide) * jnp.arange(wide)[None, :, None]).reshape(count, -1)
    values = least[chosen, jnp.arange(count)[:, None]]
    first = jnp.where(jnp.isfinite(values), start + chosen, -1).astype(jnp.int32)
    values, order = lax.top_k(jnp.concatenate([-nearest[0], -values], axis=1), wanted)
    return -values, jnp.take_along_axis(jnp.concatenate([nearest[1], first], axis=1), order, axis=1)


def _products(rows: Float[Array, "n d"], queries: Float[Array, "q d"]) -> Float[Array, "n q"]:
    """``x·y`` of each row and query. With few queries XLA's product on CPUs is quicker the other way around."""
    if len(queries) < _MANY:
        return jnp.matmul(queries, rows.T, precision=lax.Precision.HIGHEST).T
    return jnp.matmul(rows, queries.T, precision=lax.Precision.HIGHEST)
