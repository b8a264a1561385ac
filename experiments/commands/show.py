"""``likeness show CONFIG``: what would be trained, how large it is and what a step costs, without training."""

import dataclasses
import json
from typing import Any

import jax
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from experiments.commands.choose import parse
from experiments.config import docstring, to_json
from experiments.program import build
from research.types import PyTree


@dataclasses.dataclass(frozen=True)
class Options:
    compile: bool = True
    """Compile a step for its FLOPs and peak memory."""


def main(arguments: list[str]) -> int:
    name, options, run = parse("show", Options, arguments)
    console = Console(highlight=False, soft_wrap=True)
    console.print(docstring(name), markup=False)
    console.print(json.dumps(to_json(run), indent=2), markup=False)
    data = run.experiment.open()
    stream = run.experiment.stream(data, run.seed)
    batch = next(stream)
    program = build(run, run.experiment.fixed(data), batch)
    console.print(_parameters(program.state.params))
    if options.compile:
        console.print("compiling a step …")
        with jax.default_matmul_precision(run.matmul_precision):
            fixed, abstract = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), (program.fixed, batch))
            compiled = program.step.lower(program.state, fixed, abstract, jax.random.key(0)).compile()  # pyright: ignore
        for line in step_cost(compiled):
            console.print(line)
    return 0


def step_cost(compiled: Any) -> list[str]:
    """What the compiler says a step costs on one device."""
    cost, memory = compiled.cost_analysis() or {}, compiled.memory_analysis()
    lines = []
    if "flops" in cost:
        lines.append(f"step: {cost['flops'] / 1e9:.3g} GFLOP")
    if memory is not None:
        held = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
        peak = held + memory.temp_size_in_bytes
        lines.append(
            f"peak memory of a step: {peak / 2**20:.1f} MiB, of which state and batch {held / 2**20:.1f} MiB and "
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
