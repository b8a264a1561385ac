"""``likeness show CONFIG``: what would be trained, how large it is and what a step costs, without training."""

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import flax.linen as nn
import jax
import numpy as np
import tyro
from rich import box
from rich.console import Console
from rich.table import Table

from likeness.experiments.commands.choose import parse
from likeness.experiments.config import to_json
from likeness.experiments.distributed.sharding import Mesh
from likeness.experiments.run import Run
from likeness.experiments.scaling.accelerators import as_on_accelerators
from likeness.experiments.scaling.collectives import collectives
from likeness.experiments.shipped import docstring
from likeness.experiments.style.frozen import FrozenEncoder
from likeness.experiments.training.program import Program, build
from likeness.research.errors import UserError
from likeness.research.geometry import NetworkGeometry, receptive_fields
from likeness.research.types import PyTree


@dataclasses.dataclass(frozen=True)
class Options:
    """Print a config resolved, its size and cost, without training."""

    compile: bool = True
    """Compile a step for its FLOPs and peak memory."""
    mesh: Annotated[str | None, tyro.conf.arg(metavar="data=D,fsdp=F")] = None
    """Show the step of this mesh, with what its devices send each other. They need not be there: the program is compiled for so
    many devices of the CPU, whose memory and collectives are those of a device of another kind but for what XLA does there.
    Convolutions are counted as accelerators compute them, not by the tiles that save a CPU arithmetic."""


def main(arguments: list[str]) -> int:
    name, options, run = parse("show", Options, arguments)
    if options.mesh is not None:
        mesh = _mesh(options.mesh, run.mesh)
        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_num_cpu_devices", (mesh.data or 1) * mesh.fsdp)
        run = dataclasses.replace(run, mesh=mesh)
    console = Console(highlight=False, soft_wrap=True)
    console.print(docstring(name), markup=False)
    console.print(json.dumps(to_json(run), indent=2), markup=False)
    data = run.experiment.open()
    stream = run.experiment.stream(data, run.seed)
    batch = next(stream)
    program = build(run, run.experiment.constants(data), batch, None if options.mesh is None else as_on_accelerators)
    console.print(_parameters(program.state.params))
    for line in precision(run, program):
        console.print(line, markup=False)
    encoder = getattr(run.experiment, "encoder", None)
    encoder = encoder.encoder if isinstance(encoder, FrozenEncoder) else encoder
    if isinstance(encoder, nn.Module) and isinstance(encoder, NetworkGeometry) and encoder.geometry:
        console.print(fields(encoder, _image(batch)))
    if options.compile:
        console.print("compiling a step …")
        with jax.default_matmul_precision(run.matmul_precision):
            constants, abstract = jax.tree.map(
                lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), (program.constants, batch)
            )
            compiled = program.step.lower(program.state, constants, abstract, jax.random.key(0)).compile()  # pyright: ignore
        for line in [*step_cost(compiled, program.mesh.size), *_sent(compiled.as_text(), program.mesh.size)]:
            console.print(line)
    return 0


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


def _image(batch: PyTree) -> tuple[int, ...] | None:
    """The shape of one image of a batch; None where a batch has none, as when one image is painted."""
    return next((leaf.shape[1:] for leaf in jax.tree.leaves(batch) if np.ndim(leaf) > 2), None)


def _mesh(asked: str, mesh: Mesh) -> Mesh:
    """The mesh of ``data=4,fsdp=2``; an axis that is not named has one device."""
    axes = re.fullmatch(r"(data|fsdp)=(\d+)(?:,(data|fsdp)=(\d+))?", asked)
    named = [] if axes is None else [part for part in axes.groups() if part is not None]
    sizes = {name: int(size) for name, size in zip(named[::2], named[1::2], strict=True)}
    if not sizes or min(sizes.values()) < 1 or (axes and axes.group(1) == axes.group(3)):
        raise UserError(
            f"--mesh is {asked!r}: give the devices along each axis, such as data=4,fsdp=2. The axes are data and fsdp, each "
            "once and with 1 device or more."
        )
    return dataclasses.replace(mesh, data=sizes.get("data", 1), fsdp=sizes.get("fsdp", 1))


def _sent(program: str, devices: int) -> list[str]:
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


def _parameters(params: PyTree) -> Table:
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
