"""What a run's network and step consist of: layers, receptive fields, dtypes, operations, memory and messages."""

from collections.abc import Iterator, Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from rich import box
from rich.table import Table

from likeness.experiments.config import to_json
from likeness.experiments.run import Run
from likeness.experiments.scaling.collectives import collectives
from likeness.experiments.training.program import Program
from likeness.research.geometry import NetworkGeometry, receptive_fields
from likeness.research.types import PyTree


def precision(run: Run, program: Program) -> list[str]:
    """What is computed and kept in which dtype, and the flags that say so."""
    kept = ("parameters", program.state.params), ("statistics", program.state.model_state)
    lines = [f"{name}: {', '.join(dtypes)}" for name, tree in kept if (dtypes := _dtypes(tree))]
    lines += [f"computed in {dtype}: --{path.replace('_', '-')} {dtype}" for path, dtype in _networks(to_json(run), "")]
    return [
        *lines,
        f"embeddings and losses: float32; float32 products: --matmul-precision {run.matmul_precision}",
    ]


def _dtypes(tree: PyTree) -> list[str]:
    return sorted({str(leaf.dtype) for leaf in jax.tree.leaves(tree)})


def _networks(config: Any, at: str) -> Iterator[tuple[str, str]]:
    """The compute dtype of each network that a config names, and where it is said."""
    if isinstance(config, Mapping):
        for name, value in config.items():
            path = f"{at}.{name}".lstrip(".")
            if name == "dtype":
                yield path, str(value)
            yield from _networks(value, path)
    elif isinstance(config, list):
        for number, value in enumerate(config):
            yield from _networks(value, f"{at}.{number}")


def fields(encoder: nn.Module, image: tuple[int, ...] | None) -> Table:
    """What the units of an encoder see: a row for every layer that has receptive fields.

    Args:
        encoder: one with a ``geometry``.
        image: the shape of what it is given, (h, w, c), for the shapes of the maps; they are left out where it is None.
    """
    assert isinstance(encoder, NetworkGeometry)
    unit = {2: "samples", 4: "voxels"}.get(len(image or ()), "px")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("layer")
    if image is not None:
        table.add_column("map", justify="right")
    table.add_column("receptive field", justify="right")
    table.add_column("stride", justify="right")
    found: Any = {}
    if image is not None:
        shape = jax.ShapeDtypeStruct((1, *image), np.float32)
        found = jax.eval_shape(lambda images: encoder.init_with_output(jax.random.key(0), images)[0], shape)
    for name, field in list(receptive_fields(encoder).items())[1:]:
        side = ["×".join(map(str, found[name].shape[1:]))] if name in found else []
        table.add_row(name, *side, f"{field.size} {unit}", f"{field.stride} {unit}")
    return table


def sent(program: str, devices: int) -> list[str]:
    """What the devices send each other, a line a kind."""
    found = collectives(program)
    if devices > 1 and not found:
        return ["the devices send each other nothing"]
    return [
        f"{kind}: {traffic.number} a step, {traffic.bytes / 2**20:.3g} MiB on each of {devices} devices"
        for kind, traffic in sorted(found.items())
    ]


def step_cost(compiled: Any, devices: int = 1) -> list[str]:
    """What the compiler says a step costs on each of so many devices."""
    each = f" on each of {devices} devices" * (devices > 1)
    cost, memory = compiled.cost_analysis() or {}, compiled.memory_analysis()
    lines = []
    if "flops" in cost:
        lines.append(f"step: {cost['flops'] / 1e9:.3g} GFLOP{each}")
    if memory is not None:
        held = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
        peak = held + memory.temp_size_in_bytes
        lines.append(
            f"peak memory of a step{each}: {peak / 2**20:.1f} MiB, of which state and batch {held / 2**20:.1f} MiB and "
            f"intermediate results {memory.temp_size_in_bytes / 2**20:.1f} MiB"
        )
    return lines


def parameters(params: PyTree) -> Table:
    """The arrays of each layer and how many numbers they hold."""
    layers: dict[str, list[Any]] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        layer = jax.tree_util.keystr(path[:-1], simple=True, separator="/") or "(top)"
        layers.setdefault(layer, []).append((jax.tree_util.keystr(path[-1:], simple=True), leaf.shape))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=True)
    total = sum(int(np.prod(shape)) for leaves in layers.values() for _, shape in leaves)
    table.add_column("layer", footer="total")
    table.add_column("arrays")
    table.add_column("parameters", justify="right", footer=f"{total:,}")
    for layer, leaves in layers.items():
        shapes = ", ".join(f"{name} {'×'.join(map(str, shape)) or '1'}" for name, shape in leaves)
        table.add_row(layer, shapes, f"{sum(int(np.prod(shape)) for _, shape in leaves):,}")
    return table
