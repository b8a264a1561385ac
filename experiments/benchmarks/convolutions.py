"""Convolutions as XLA computes them beside the other forms this project has: value and both gradients, alternating.

    python -m likeness.experiments.benchmarks.convolutions

The layers of VGG-19 at 256², those of IResNet, nn4.small2, Koch's network and Conv-4 at batch sizes that people train with, and
the first layers of two detectors.
Each line says what :func:`likeness.research.ops.convolution.convolve` chooses (``*``), which should be the smallest time, or
nearly so where another would take seconds longer to compile.
"""

import dataclasses
import os
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import tyro
from jax import lax

from likeness.experiments.host_memory import keep_freed_memory
from likeness.research.ops.convolution import (
    convolve_plainly,
    form_of_gradient_by_kernel,
    form_of_gradient_by_x,
    form_of_value,
)
from likeness.research.ops.few_channels import convolve_few_channels
from likeness.research.ops.kernel_gradient import kernel_gradient_by_blocks
from likeness.research.ops.side_by_side import lay_side_by_side
from likeness.research.ops.winograd import convolve_by_tiles, convolve_turned_by_tiles, kernel_gradient_by_tiles
from likeness.research.types import Array


class Layer(NamedTuple):
    """A convolution: what it is given and makes."""

    batch: int
    height: int
    channels: int
    features: int
    side: int = 3
    stride: int = 1
    padding: int = 1


LAYERS = {
    "VGG-19": [Layer(1, 256, 64, 64), Layer(1, 128, 128, 128), Layer(1, 64, 256, 256), Layer(1, 32, 512, 512)],
    "IResNet": [Layer(8, 112, 64, 64), Layer(8, 56, 64, 128), Layer(8, 28, 128, 128), Layer(8, 112, 64, 64, stride=2)],
    "IResNet, larger batches": [Layer(32, 28, 128, 128), Layer(32, 14, 256, 256), Layer(32, 7, 512, 512)],
    "nn4.small2": [Layer(16, 96, 3, 64, 7, 2, 3), Layer(16, 24, 64, 192), Layer(16, 12, 32, 64, 5, 1, 2)],
    "Koch": [Layer(16, 105, 1, 64, 10, 1, 0)],
    "YuNet, FastestDet": [Layer(1, 640, 3, 16, stride=2), Layer(1, 352, 3, 24, stride=2)],
    "Conv-4": [Layer(160, 28, 1, 64), Layer(64, 48, 3, 32), Layer(64, 24, 32, 32), Layer(64, 64, 3, 64), Layer(64, 32, 64, 64)],
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Benchmark:
    """What to measure."""

    threads: int = 1
    """Processor cores."""
    rounds: int = 7
    """Timed calls of each."""


Candidate: TypeAlias = tuple[str, Callable[[Array, Array], Array]]


def forms(layer: Layer) -> dict[str, tuple[list[Candidate], str]]:
    """For the value and both gradients: the forms there are, XLA's first, and which is chosen."""
    stride, padding = layer.stride, layer.padding
    same = layer.side == 3 and stride == 1 and padding == 1
    x_shape = (layer.batch, layer.height, layer.height, layer.channels)
    kernel_shape = (layer.side, layer.side, layer.channels, layer.features)
    x, kernel = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in (x_shape, kernel_shape))
    out = jax.eval_shape(lambda x, kernel: convolve_plainly(x, kernel, stride, padding), x, kernel).shape

    def value(x: Array, kernel: Array) -> Array:
        return convolve_plainly(x, kernel, stride, padding)

    def by_x(gradient: Array, kernel: Array) -> Array:
        return jax.linear_transpose(lambda x: convolve_plainly(x, kernel, stride, padding), x)(gradient)[0]

    def by_kernel(x: Array, gradient: Array) -> Array:
        return jax.linear_transpose(lambda kernel: convolve_plainly(x, kernel, stride, padding), kernel)(gradient)[0]

    def beside(x: Array, kernel: Array) -> Array:
        return lay_side_by_side(lambda x: value(x, kernel), x, padding)

    def turned_beside(gradient: Array, kernel: Array) -> Array:
        return beside(gradient, lax.optimization_barrier(jnp.flip(kernel, (0, 1)).swapaxes(2, 3)))

    def by_blocks(x: Array, gradient: Array) -> Array:
        return kernel_gradient_by_blocks(x, gradient, layer.side, stride, padding)

    chosen_value = form_of_value(x_shape, kernel_shape, stride, padding)
    by_x_chosen = form_of_gradient_by_x(out, kernel_shape, stride, padding)
    by_kernel_chosen = form_of_gradient_by_kernel(x_shape, kernel_shape, out, stride, padding)
    few: list[Candidate] = []
    if chosen_value == "term by term":
        few = [("term by term", lambda x, kernel: convolve_few_channels(x, kernel, stride, padding))]
    tiles: list[list[Candidate]] = (
        [
            [("tiles", convolve_by_tiles), ("side by side", beside)],
            [("tiles", convolve_turned_by_tiles), ("side by side", turned_beside)],
            [("tiles", kernel_gradient_by_tiles)],
        ]
        if same
        else [[], [], []]
    )
    return {
        "value": ([("xla", value), *few, *tiles[0]], chosen_value),
        # The turned form is what XLA's own comes to, outside of loops.
        "by the input": ([("xla", by_x), *tiles[1]], "xla" if by_x_chosen == "turned" else by_x_chosen),
        "by the kernel": ([("xla", by_kernel), ("blocks", by_blocks), *tiles[2]], by_kernel_chosen),
    }


def times(forms: list[Candidate], first: Array, second: Array, rounds: int, clock: Callable[[], float]) -> dict[str, float]:
    """Milliseconds of each, medians, alternating."""
    programs = {name: jax.jit(form).lower(first, second).compile() for name, form in forms}
    taken: dict[str, list[float]] = {name: [] for name in programs}
    for round_ in range(rounds + 1):
        for name, program in programs.items():
            began = clock()
            jax.block_until_ready(program(first, second))
            if round_:
                taken[name].append(1e3 * (clock() - began))
    return {name: statistics.median(each) for name, each in taken.items()}


def main() -> None:
    """Measures and prints."""
    asked = tyro.cli(Benchmark, description=__doc__)
    os.sched_setaffinity(0, set(range(asked.threads)))
    keep_freed_memory()
    clock = time.process_time if asked.threads == 1 else time.perf_counter
    kind = "processor" if asked.threads == 1 else "wall"
    print(f"{jax.devices()[0].device_kind}, {asked.threads} threads; milliseconds of {kind} time, * is chosen")
    for network, layers in LAYERS.items():
        print(network)
        for layer in layers:
            keys = jax.random.split(jax.random.key(layer.height), 3)
            x = jax.random.normal(keys[0], (layer.batch, layer.height, layer.height, layer.channels))
            kernel = jax.random.normal(keys[1], (layer.side, layer.side, layer.channels, layer.features))
            gradient = jax.random.normal(keys[2], convolve_plainly(x, kernel, layer.stride, layer.padding).shape)
            arguments = {"value": (x, kernel), "by the input": (gradient, kernel), "by the kernel": (x, gradient)}
            print(
                f"  {layer.batch} × {layer.height} × {layer.height}, {layer.channels} → {layer.features}, "
                f"{layer.side}×{layer.side} every {layer.stride}"
            )
            for what, (candidates, chosen) in forms(layer).items():
                found = times(candidates, *arguments[what], asked.rounds, clock)
                cells = (f"{name} {found[name]:7.1f}{'*' if name == chosen else ' '}" for name, _ in candidates)
                print(f"    {what:<14} {'   '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
