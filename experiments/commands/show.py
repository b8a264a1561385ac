"""``likeness show CONFIG``: what would be trained, how large it is and what a step costs, without training."""

import dataclasses
import json
import re
from typing import TYPE_CHECKING, Annotated

import tyro

from likeness.experiments.commands.choose import parse
from likeness.experiments.shipped import docstring
from likeness.research.errors import UserError

if TYPE_CHECKING:
    from likeness.experiments.distributed.sharding import Mesh
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
    import jax
    from flax import linen as nn
    from rich.console import Console

    from likeness.experiments.config import to_json
    from likeness.experiments.frozen import FrozenEncoder
    from likeness.experiments.scaling.accelerators import as_on_accelerators
    from likeness.experiments.scaling.costs import fields, parameters, precision, sent, step_cost
    from likeness.experiments.training.program import build
    from likeness.research.geometry import NetworkGeometry

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
    console.print(parameters(program.state.params))
    for line in precision(run, program):
        console.print(line, markup=False)
    encoder = getattr(run.experiment, "encoder", None)
    encoder = encoder.encoder if isinstance(encoder, FrozenEncoder) else encoder
    if isinstance(encoder, nn.Module) and isinstance(encoder, NetworkGeometry) and encoder.geometry:
        console.print(fields(encoder, _image(batch)))
    if options.compile:
        console.print("compiling a step …")
        with jax.default_matmul_precision(run.matmul_precision):
            constants, abstract = jax.eval_shape(lambda *given: given, program.constants, batch)
            compiled = program.step.lower(program.state, constants, abstract, jax.random.key(0)).compile()
        text = compiled.as_text()
        for line in [*step_cost(compiled, program.mesh.size), *(sent(text, program.mesh.size) if text is not None else [])]:
            console.print(line)
    return 0


def _mesh(asked: str, mesh: "Mesh") -> "Mesh":
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


def _image(batch: "PyTree") -> tuple[int, ...] | None:
    """The shape of one image of a batch; None where a batch has none, as when one image is painted."""
    import jax
    import numpy as np

    # Boxes have as many axes as signals, and stand beside images.
    given = batch.get("images", batch) if isinstance(batch, dict) else batch
    return next((leaf.shape[1:] for leaf in jax.tree.leaves(given) if np.ndim(leaf) > 2), None)
