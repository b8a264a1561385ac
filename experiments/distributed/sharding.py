"""Where arrays live: one mesh with a data and an fsdp axis, one rule for parameters, one for batches."""

import dataclasses
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from likeness.experiments.distributed.cores import asked_for
from likeness.research.errors import UserError
from likeness.research.types import PyTree


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mesh:
    """Devices in two axes: the batch is split over both, large parameters over ``fsdp``."""

    data: int | None = None
    """Devices along the data axis; None takes all that fsdp leaves."""
    fsdp: int = 1
    """Devices that share one copy of the large parameters."""
    shard_above: int = 1 << 20
    """Parameters with fewer elements than this stay whole on every device."""

    def __post_init__(self) -> None:
        if self.fsdp < 1 or (self.data is not None and self.data < 1) or self.shard_above < 1:
            raise ValueError(
                f"Mesh has data {self.data}, fsdp {self.fsdp} and shard_above {self.shard_above}: each must be 1 or more"
            )

    def build(self, batch: PyTree = None, statistics: int = 0) -> jax.sharding.Mesh:
        """Arranges all devices; where cores of a CPU stand for devices, as many as divide the batch evenly.

        Of a network with many batch statistics one device computes alone: devices would wait for each other at each of them,
        and XLA divides the work of one among all cores.

        Args:
            batch: arrays, or their shapes, whose leading axes are divided.
            statistics: how many arrays the whole batch is averaged in, in a step.

        Raises:
            UserError: when the axes do not multiply to the number of devices.
        """
        devices = jax.devices()
        stand_in = devices[0].platform == "cpu" and asked_for() > 1 and jax.process_count() == 1
        if self.data is None and stand_in:
            shares = _shares(len(devices), self.fsdp, jax.tree.leaves(batch)) if statistics <= _MOST_STATISTICS else self.fsdp
            devices = devices[:shares]
        data = self.data or len(devices) // self.fsdp
        if data * self.fsdp != len(devices):
            raise UserError(
                f"The mesh wants data={data} times fsdp={self.fsdp} devices and there are {len(devices)}: change "
                "--mesh.data and --mesh.fsdp so that their product is the number of devices."
            )
        axes = (AxisType.Auto, AxisType.Auto)
        return jax.make_mesh((data, self.fsdp), ("data", "fsdp"), axis_types=axes, devices=devices)

    def state_shardings(self, mesh: jax.sharding.Mesh, shapes: PyTree) -> PyTree:
        """Splits each large array's largest divisible axis over ``fsdp`` and keeps the others whole."""

        def place(leaf: jax.ShapeDtypeStruct) -> NamedSharding:
            if self.fsdp > 1 and np.prod(leaf.shape, dtype=np.int64) >= self.shard_above:
                for axis in np.argsort(leaf.shape)[::-1]:
                    if leaf.shape[axis] % self.fsdp == 0:
                        return NamedSharding(mesh, PartitionSpec(*[None] * int(axis), "fsdp"))
            return replicated(mesh)

        return jax.tree.map(place, shapes)


_MOST_STATISTICS = 32
"""Conv-4 has 8, a detector of drawn shapes 28, IResNet-18 and MobileFaceNet more; measured by ``likeness benchmark training
--threads 1 2``."""

_LEAST = 1 << 13
"""Numbers in a device's share of a batch, below which the devices wait for each other longer than they compute."""


def _shares(devices: int, fsdp: int, batch: list[Any]) -> int:
    """The most of the devices that hold equal shares of some size: a multiple of fsdp, or all where there is none."""
    worthwhile = max((int(np.prod(leaf.shape)) for leaf in batch), default=0) // _LEAST
    most = min(devices, max(worthwhile, fsdp))
    equal = (number for number in range(most, 0, -1) if not any(leaf.shape[0] % number for leaf in batch))
    return next((number for number in equal if number % fsdp == 0), devices)


def replicated(mesh: jax.sharding.Mesh) -> NamedSharding:
    """The whole array on every device."""
    return NamedSharding(mesh, PartitionSpec())


def over_batch(mesh: jax.sharding.Mesh) -> NamedSharding:
    """The leading axis split over all devices."""
    return NamedSharding(mesh, PartitionSpec(("data", "fsdp")))


def compiler_options(mesh: jax.sharding.Mesh) -> dict[str, int] | None:
    """What programs of this mesh are compiled with.

    XLA ends the process where one device of a CPU waits for another for more than 40 seconds, which a machine that is busy with
    other work, or an evaluation on the first device, can bring about.
    """
    if mesh.size == 1 or mesh.devices.flat[0].platform != "cpu":
        return None
    return dict.fromkeys(("xla_cpu_collective_timeout_seconds", "xla_cpu_collective_call_terminate_timeout_seconds"), 3600)


def check_batch(mesh: jax.sharding.Mesh, batch: PyTree) -> None:
    """Refuses a batch, or this process's share of one, that does not divide over the devices, naming the leaf."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(batch):
        rows = leaf.shape[0] * jax.process_count()
        if rows % mesh.size:
            raise UserError(
                f"The batch's {jax.tree_util.keystr(path)} has {rows} rows, which {mesh.size} devices cannot share "
                "evenly: choose a batch size that the number of devices divides."
            )
