"""Groups of embeddings that may hold the nearest, by one matrix product for each block of a gallery.

To choose the ten least of many thousand numbers takes longer than to compute them. So rows are put into groups of eight, of
which only the least is kept by a comparison element by element, and only the nearest groups are chosen and looked at row by
row. The n nearest rows lie in the n nearest groups.
"""

import functools
import math
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from likeness.research.distances import SHORT
from likeness.research.types import AnyArray, Array, Bool, Float, Int

GROUP = 8
"""Rows of which only the least distance is kept."""
LARGEST, LEAST = 65536, 8192
"""Rows of a block: powers of two. A gallery is cut into the largest that it fills; what is left of it is filled up."""
FEWEST = 1024
"""Rows that a block has room for, however few it holds: a small gallery that grows keeps its programs."""

Store: TypeAlias = Literal["float32", "bfloat16", "int8"]
"""What the device keeps of each number of an embedding."""
STORES: tuple[Store, ...] = ("float32", "bfloat16", "int8")

Order: TypeAlias = Literal["euclidean", "directional"]
"""Whose Euclidean distances order the rows: the embeddings', or their directions'."""

_WIDE = 16
_MANY = 16

Nearest: TypeAlias = tuple[Float[AnyArray, "q n"], Int[AnyArray, "q n"]]
"""What was found so far, rising: values, and rows; −1 where there is none."""


class Rows(NamedTuple):
    """What the device keeps of a block, eight arrays of each: the i-th holds the i-th row of every group. A pytree."""

    vectors: tuple[Float[Array, "stride d"], ...]
    norms: tuple[Float[Array, "stride"], ...]
    """Squared, of what is stored; infinite for rows that are nobody's."""
    scales: tuple[Float[Array, "stride"], ...] = ()
    """What each row's whole numbers are multiplied by; none where they are not whole numbers."""


class RowBlock(NamedTuple):
    """Rows of a gallery: row ``start + j + i · stride`` is the i-th of group j, with ``stride`` groups of eight."""

    start: int
    stride: int
    rows: Rows
    error: float = 0.0
    """No row is farther than this from what is stored of it."""


def blocks_of(
    vectors: Float[np.ndarray, "n d"],
    shift: np.ndarray | float,
    store: Store = "float32",
    mesh: Mesh | None = None,
    order: Order = "euclidean",
) -> Iterator[RowBlock]:
    """A gallery in blocks on the device, one after another.

    An int8 row is ``s · q`` with ``s = max|y| / 127`` and whole numbers q, so that no number is off by more than s / 2.

    Args:
        vectors: all embeddings.
        shift: subtracted from each, (d,) or a number.
        store: what is kept of each number.
        mesh: devices that share each block's groups; None for one device.
        order: that of the embeddings, or that of their directions.
    """
    shares = 1 if mesh is None else mesh.size
    place = None if mesh is None else NamedSharding(mesh, PartitionSpec(mesh.axis_names))
    start = 0
    while start < len(vectors):
        left = len(vectors) - start
        filled = 1 << (left.bit_length() - 1)
        size = min(LARGEST, filled) if filled >= LEAST else max(GROUP, FEWEST, 1 << (left - 1).bit_length())
        stride = math.ceil(size / GROUP / shares) * shares
        size = stride * GROUP
        taken = placed(vectors[start : start + size], shift, order)
        kept, scales, back = _stored(taken, store)
        error = float(np.linalg.norm(taken.astype(np.float64) - back, axis=1).max()) if store != "float32" else 0.0
        missing = size - len(taken)
        norms = np.pad((back * back).sum(axis=1), (0, missing), constant_values=np.inf)
        kept = np.pad(kept, ((0, missing), (0, 0)))
        tables = [kept, norms] if scales is None else [kept, norms, np.pad(scales, (0, missing))]
        parts = [slice(at, at + stride) for at in range(0, size, stride)]
        on_device = [tuple(jax.device_put(rows[part], place) for part in parts) for rows in tables]
        # The error's own rounding is on the safe side.
        yield RowBlock(start, stride, Rows(*on_device), error * (1 + 1e-6))
        start += size


def placed(
    vectors: Float[np.ndarray, "n d"], shift: np.ndarray | float, order: Order = "euclidean"
) -> Float[np.ndarray, "n d"]:
    """Embeddings, or their directions, less the shift: float32. What has no direction is NaN."""
    rows = np.asarray(vectors, np.float32)
    if order == "directional":
        # Divided by the largest first, so that no square overflows.
        with np.errstate(invalid="ignore", divide="ignore"):
            rows = rows / np.where(directed(rows), np.abs(rows).max(axis=1), np.nan)[:, None]
            rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return rows - np.asarray(shift, np.float32)


def directed(vectors: Float[np.ndarray, "n d"]) -> Bool[np.ndarray, "n"]:
    """Which embeddings have a direction, as :func:`~likeness.research.distances.unit` has it."""
    return np.abs(vectors).max(axis=1, initial=0.0) > SHORT


def _stored(rows: Float[np.ndarray, "n d"], store: Store) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """What is kept, the scale of each row, and the float32 numbers that both stand for."""
    if store == "float32":
        return rows, None, rows
    if store == "bfloat16":
        kept = rows.astype(jnp.bfloat16)
        return kept, None, kept.astype(np.float32)
    scales = np.abs(rows).max(axis=1) / np.float32(127)
    kept = np.rint(rows / np.where(scales > 0, scales, 1)[:, None]).clip(-127, 127).astype(np.int8)
    return kept, scales, kept.astype(np.float32) * scales[:, None]


def no_groups(queries: int, wanted: int) -> Nearest:
    """Where nothing has been looked at yet."""
    return np.full((queries, wanted), np.inf, np.float32), np.full((queries, wanted), -1, np.int32)


def nearest_groups(nearest: Nearest, queries: Float[AnyArray, "q d"], block: RowBlock, mesh: Mesh | None = None) -> Nearest:
    """The nearest groups so far and those of a block, merged: each by its least ``‖y‖² − 2 x·y``, and by its first row.

    A query's own norm changes no order.

    Args:
        nearest: so far.
        queries: less the shift.
        block: what to look at.
        mesh: the one that the block was made with.
    """
    arguments = (nearest, queries, block.rows, np.int32(block.start))
    return _nearest_groups(*arguments) if mesh is None else _of_all_devices(mesh, *arguments)


def rows_of_groups(first: Int[np.ndarray, "q n"], layout: Sequence[tuple[int, int]], rows: int) -> Int[np.ndarray, "q m"]:
    """The rows of groups.

    Args:
        first: each group's first row; −1 for none.
        layout: start and stride of each of the gallery's blocks.
        rows: how many the gallery has.

    Returns:
        Eight rows for each group; −1 for none.
    """
    starts, strides = (np.array(each) for each in zip(*layout, strict=True))
    stride = strides[np.searchsorted(starts, np.maximum(first, 0), side="right") - 1]
    members = first[..., None] + stride[..., None] * np.arange(GROUP)
    members = np.where((first[..., None] >= 0) & (members < rows), members, -1)
    return members.reshape(len(first), -1)


@jax.jit
def _nearest_groups(nearest: Nearest, queries: Array, rows: Rows, start: Array) -> Nearest:
    return _merged(nearest, *_groups_of(queries, rows, start, nearest[0].shape[1]))


@functools.partial(jax.jit, static_argnums=0)
def _of_all_devices(mesh: Mesh, nearest: Nearest, queries: Array, rows: Rows, start: Array) -> Nearest:
    """As :func:`_nearest_groups`, with each device's groups looked at where they are."""
    axes = mesh.axis_names
    whole, share = PartitionSpec(), PartitionSpec(axes)

    def own(queries: Array, rows: Rows, start: Array) -> Nearest:
        first = start + lax.axis_index(axes) * len(rows.norms[0])
        found = _groups_of(queries, rows, first.astype(jnp.int32), nearest[0].shape[1])
        values, places = (lax.all_gather(each, axes, axis=1, tiled=True) for each in found)
        return values, places

    looked = jax.shard_map(own, mesh=mesh, in_specs=(whole, share, whole), out_specs=(whole, whole), check_vma=False)
    return _merged(nearest, *looked(queries, rows, start))


def _merged(nearest: Nearest, values: Float[AnyArray, "q m"], first: Int[AnyArray, "q m"]) -> Nearest:
    least, order = lax.top_k(-jnp.concatenate([nearest[0], values], axis=1), nearest[0].shape[1])
    return -least, jnp.take_along_axis(jnp.concatenate([nearest[1], first], axis=1), order, axis=1)


def _groups_of(queries: Array, rows: Rows, start: Array, wanted: int) -> Nearest:
    """Groups among which are the nearest ``wanted`` of these rows."""
    count, least = len(queries), None
    for number, (vectors, squared) in enumerate(zip(rows.vectors, rows.norms, strict=True)):
        products = _products(vectors.astype(jnp.float32), queries)
        if rows.scales:
            products = rows.scales[number][:, None] * products
        distances = squared[:, None] - 2.0 * products
        # NaN would be the least of its group.
        distances = jnp.where(jnp.isnan(distances), jnp.inf, distances)
        least = distances if least is None else jnp.minimum(least, distances)
    assert least is not None
    groups = len(least)
    # Likewise of groups: those that the nearest of sixteen are in.
    wide = math.gcd(_WIDE, groups)
    coarse = least.reshape(wide, groups // wide, count).min(axis=0).T
    _, chosen = lax.top_k(-coarse, min(wanted, groups // wide))
    chosen = (chosen[:, None, :] + (groups // wide) * jnp.arange(wide)[None, :, None]).reshape(count, -1)
    values = least[chosen, jnp.arange(count)[:, None]]
    return values, jnp.where(jnp.isfinite(values), start + chosen, -1).astype(jnp.int32)


def _products(rows: Float[Array, "n d"], queries: Float[Array, "q d"]) -> Float[Array, "n q"]:
    """``x·y`` of each row and query. With few queries XLA's product on CPUs is quicker the other way around."""
    if len(queries) < _MANY:
        return jnp.matmul(queries, rows.T, precision=lax.Precision.HIGHEST).T
    return jnp.matmul(rows, queries.T, precision=lax.Precision.HIGHEST)
