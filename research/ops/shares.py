"""A batch that lies on several devices of a CPU: each computes its own share.

XLA divides a program among devices by itself, but not a loop over images, nor a convolution in a form that it does not know:
every device would fetch the whole batch and compute all of it. What is computed image by image is said to be so here.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax import lax
from jax.sharding import AxisType, PartitionSpec

from likeness.research.types import AnyArray, Array

__all__ = ["by_shares", "summed_shares"]


def by_shares(function: Callable[..., Array], batches: Sequence[AnyArray], whole: Sequence[AnyArray] = ()) -> Array:
    """``function(*batches, *whole)``, computed by each device of a CPU for its share of the images.

    So it is under ``jax.sharding.use_abstract_mesh``, over all axes of that mesh. Without one, where the shares would not be
    equal, on accelerators and inside of ``shard_map``, the function is called as it is.

    Args:
        function: maps images to images, each by itself.
        batches: arrays whose leading axis is the batch.
        whole: what every image needs.
    """
    mesh = _mesh(batches)
    if mesh is None:
        return function(*batches, *whole)
    split, everywhere = PartitionSpec(mesh.axis_names), PartitionSpec()
    places = (split,) * len(batches) + (everywhere,) * len(whole)
    return jax.shard_map(function, mesh=mesh, in_specs=places, out_specs=split, check_vma=False)(*batches, *whole)


def summed_shares(function: Callable[..., Array], batches: Sequence[AnyArray]) -> Array:
    """``function(*batches)``, a sum over images: each device of a CPU sums its share, and then all are added.

    Args:
        function: sums over images.
        batches: arrays whose leading axis is the batch.
    """
    mesh = _mesh(batches)
    if mesh is None:
        return function(*batches)

    def share(*batches: Any) -> Array:
        return lax.psum(function(*batches), mesh.axis_names)

    places = (PartitionSpec(mesh.axis_names),) * len(batches)
    return jax.shard_map(share, mesh=mesh, in_specs=places, out_specs=PartitionSpec(), check_vma=False)(*batches)


def _mesh(batches: Sequence[AnyArray]) -> Any:
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty or mesh.size == 1 or any(kind != AxisType.Auto for kind in mesh.axis_types):
        return None
    device = mesh.abstract_device
    if device is None or device.platform != "cpu" or any(batch.shape[0] % mesh.size for batch in batches):
        return None
    return mesh
