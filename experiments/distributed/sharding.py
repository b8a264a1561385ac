"""Where arrays live: one mesh with a data and an fsdp axis, one rule for parameters, one for batches."""

import dataclasses

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

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

    def build(self) -> jax.sharding.Mesh:
        """Arranges all devices.

        Raises:
            UserError: when the axes do not multiply to the number of devices.
        """
        devices = jax.devices()
        data = self.data or len(devices) // self.fsdp
        if data * self.fsdp != len(devices):
            raise UserError(
                f"The mesh wants data={data} times fsdp={self.fsdp} devices and there are {len(devices)}: change "
                "--mesh.data and --mesh.fsdp so that their product is the number of devices."
            )
        return jax.make_mesh((data, self.fsdp), ("data", "fsdp"), axis_types=(AxisType.Auto, AxisType.Auto))

    def state_shardings(self, mesh: jax.sharding.Mesh, shapes: PyTree) -> PyTree:
        """Splits each large array's largest divisible axis over ``fsdp`` and keeps the others whole."""

        def place(leaf: jax.ShapeDtypeStruct) -> NamedSharding:
            if self.fsdp > 1 and np.prod(leaf.shape, dtype=np.int64) >= self.shard_above:
                for axis in np.argsort(leaf.shape)[::-1]:
                    if leaf.shape[axis] % self.fsdp == 0:
                        return NamedSharding(mesh, PartitionSpec(*[None] * int(axis), "fsdp"))
            return replicated(mesh)

        return jax.tree.map(place, shapes)


def replicated(mesh: jax.sharding.Mesh) -> NamedSharding:
    """The whole array on every device."""
    return NamedSharding(mesh, PartitionSpec())


def over_batch(mesh: jax.sharding.Mesh) -> NamedSharding:
    """The leading axis split over all devices."""
    return NamedSharding(mesh, PartitionSpec(("data", "fsdp")))


def check_batch(mesh: jax.sharding.Mesh, batch: PyTree) -> None:
    """Refuses a batch, or this process's share of one, that does not divide over the devices, naming the leaf."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(batch):
        rows = leaf.shape[0] * jax.process_count()
        if rows % mesh.size:
            raise UserError(
                f"The batch's {jax.tree_util.keystr(path)} has {rows} rows, which {mesh.size} devices cannot share "
                "evenly: choose a batch size that the number of devices divides."
            )
