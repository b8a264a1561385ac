"""3×3 convolutions as they are defined beside those by tiles: value and both gradients, alternating in one process.

    python -m likeness.experiments.benchmarks.convolutions

The layers of VGG-19 at 256² and those of IResNet-50 and Conv-4 at batch sizes that people train with. Each line says what
:func:`likeness.research.ops.winograd.tiles_pay` and ``tiles_pay_for_kernel`` choose (``*``), which should be the smaller
time.
"""

import dataclasses
import os
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import tyro
from jax import lax

from likeness.research.ops.winograd import (
    convolve_by_tiles,
    convolve_turned_by_tiles,
    kernel_gradient_by_tiles,
    tiles_pay,
    tiles_pay_for_kernel,
)
from likeness.research.types import Array

LAYERS = {
    "VGG-19": [(1, 256, 64, 64), (1, 128, 64, 128), (1, 128, 128, 128), (1, 64, 128, 256), (1, 64, 256, 256)],
    "VGG-19, deep": [(1, 32, 256, 512), (1, 32, 512, 512), (1, 16, 512, 512)],
    "IResNet-50": [(8, 56, 64, 64), (16, 28, 128, 128), (16, 14, 256, 256), (32, 7, 512, 512)],
    "Conv-4": [(32, 28, 64, 64), (32, 14, 64, 64), (32, 7, 64, 64)],
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Benchmark:
    """What to measure."""

    threads: int = 1
    """Processor cores."""
    rounds: int = 7
    """Timed calls of each."""


def defined(x: Array, kernel: Array) -> Array:
    """The convolution as XLA computes it."""
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def defined_by_input(gradient: Array, kernel: Array) -> Array:
    """Its gradient by the input."""
    turned = lax.optimization_barrier(jnp.flip(kernel, (0, 1)).swapaxes(2, 3))
    return defined(gradient, turned)


def defined_by_kernel(x: Array, gradient: Array) -> Array:
    """Its gradient by the kernel."""
    kernel = jax.ShapeDtypeStruct((3, 3, x.shape[-1], gradient.shape[-1]), jnp.float32)
    return jax.linear_transpose(lambda kernel: defined(x, kernel), kernel)(gradient)[0]


def both(
    plain: Callable[..., Array], tiled: Callable[..., Array], first: Array, second: Array, rounds: int
) -> tuple[float, float]:
    """Milliseconds of the two, medians, alternating."""
    programs = [jax.jit(one).lower(first, second).compile() for one in (plain, tiled)]
    taken: tuple[list[float], list[float]] = ([], [])
    for round_ in range(rounds + 1):
        for program, times in zip(programs, taken, strict=True):
            began = time.perf_counter()
            jax.block_until_ready(program(first, second))
            if round_:
                times.append(1e3 * (time.perf_counter() - began))
    return statistics.median(taken[0]), statistics.median(taken[1])


def main() -> None:
    """Measures and prints."""
    asked = tyro.cli(Benchmark, description=__doc__)
    os.sched_setaffinity(0, set(range(asked.threads)))
    print(f"{jax.devices()[0].device_kind}, {asked.threads} threads; milliseconds: as defined | by tiles")
    print(f"{'images':<22} {'channels':<12} {'value':>17} {'by the input':>17} {'by the kernel':>17}")
    for network, layers in LAYERS.items():
        print(network)
        for b, side, c, d in layers:
            keys = jax.random.split(jax.random.key(side), 3)
            x, kernel = jax.random.normal(keys[0], (b, side, side, c)), jax.random.normal(keys[1], (3, 3, c, d))
            gradient = jax.random.normal(keys[2], (b, side, side, d))
            cells = []
            for plain, tiled, pays, first, second in (
                (defined, convolve_by_tiles, tiles_pay(x.shape, kernel.shape), x, kernel),
                (defined_by_input, convolve_turned_by_tiles, tiles_pay(gradient.shape, (3, 3, d, c)), gradient, kernel),
                (defined_by_kernel, kernel_gradient_by_tiles, tiles_pay_for_kernel(x.shape, kernel.shape), x, gradient),
            ):
                slow, fast = both(plain, tiled, first, second, asked.rounds)
                cells.append(f"{slow:7.1f}{' ' if pays else '*'}|{fast:7.1f}{'*' if pays else ' '}")
            print(
                f"  {f'{b} × {side} × {side}':<20} {f'{c} → {d}':<12} {' '.join(f'{cell:>17}' for cell in cells)}", flush=True
            )


if __name__ == "__main__":
    main()
