"""What reading an image takes of a device's memory, found out by shapes alone, and a tile where that is too much."""

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from likeness.experiments.frozen import FrozenEncoder
from likeness.research.data.paths import printable
from likeness.research.errors import UserError
from likeness.research.images import fit
from likeness.research.types import Array, PRNGKey

if TYPE_CHECKING:
    from likeness.experiments.style.stylization import Stylization

TILE = 512
"""Side of the tiles that are taken where none are asked for, in pixels."""
_SHARE = 0.5
"""Of the free memory: a painting may take so much without a tile."""
_GRADIENTS = 2
"""Activations and their gradients."""


def needed(encoder: FrozenEncoder, height: int, width: int) -> int:
    """Bytes that the activations of an image and their gradients take, when it is read at once."""

    def read(key: PRNGKey, image: Array) -> dict[str, Array]:
        return encoder(encoder.encoder.init(key, encoder.as_trained(image)), image)

    found = jax.eval_shape(read, jax.random.key(0), jax.ShapeDtypeStruct((1, height, width, 3), jnp.float32))
    return _GRADIENTS * sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(found))


def free() -> int | None:
    """Bytes that are free on the device that has least: of an accelerator its own, of a CPU this computer's; None where nobody
    knows."""
    stats = [device.memory_stats() for device in jax.local_devices()]
    limits = [found["bytes_limit"] - found.get("bytes_in_use", 0) for found in stats if found and "bytes_limit" in found]
    if limits:
        return min(limits)
    known = [size for size in (_available(), _in_group()) if size is not None]
    return min(known, default=None)


def tiled_if_needed(experiment: "Stylization") -> "tuple[Stylization, str]":
    """The painting in tiles where it would take too much memory at once, and a sentence that says so; else ``""``.

    Where it cannot be painted in tiles it is left as it is, and the sentence says why.

    Raises:
        UserError: an image that is too narrow for the encoder.
    """
    known = free()
    if experiment.tile is not None or known is None:
        return experiment, ""
    small = experiment.content.open(64).shape
    height, width = fit((small[0], small[1]), experiment.size)
    try:
        bytes_needed = needed(experiment.encoder, height, width)
    except ValueError as error:
        raise UserError(
            f"The image {printable(experiment.content.title)} is {height}×{width} pixels (height×width) at a size of "
            f"{experiment.size}, and cannot be painted: {error}"
        ) from error
    if bytes_needed <= _SHARE * known:
        return experiment, ""
    why = f"painted at once it takes about {bytes_needed / 1e9:.1f} GB of memory, and {known / 1e9:.1f} GB are free"
    try:
        return dataclasses.replace(experiment, tile=TILE), f"{why}: it is read in tiles of {TILE} pixels, with the same result"
    except ValueError as error:
        return experiment, f"{why}; should that not be enough, give a smaller --size, for it cannot be read in tiles ({error})"


def _available() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return found[0] if found else None


def _in_group() -> int | None:
    """What a container leaves."""
    group = Path("/sys/fs/cgroup")
    try:
        limit, used = ((group / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return None
    return int(limit) - int(used) if limit.isdigit() and used.isdigit() else None
