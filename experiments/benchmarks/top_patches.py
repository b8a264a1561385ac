"""What finding the top patches costs beside the bare forward pass: 10,000 images through Conv-4.

    python -m likeness.experiments.benchmarks.top_patches [--images N] [--batch B] [--rounds R]

All read the same images in the same batches. The bare forward pass computes the embedding alone, and XLA then never writes
the maps of ReLUs; ``the maps too`` hands them out and does nothing with them. The others keep the nine best patches and the
statistics of each of 64 or of 256 units. Rounds alternate; the median is printed, beside both definitions of the forward pass.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.preprocessing import ModelInputs
from likeness.experiments.visualization.microscope import Microscope
from likeness.research.data import Images, to_unit
from likeness.research.data.images import ArrayReader
from likeness.research.encoders import Conv4
from likeness.research.visualization import TopPatches

SIDE = 28
LAYERS = ("relu1", "relu2", "relu3", "relu4")


def main() -> None:
    """Prints seconds and their ratios."""
    parser = argparse.ArgumentParser(description="What finding top patches costs beside the forward pass.")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    count, batch = asked.images // asked.batch * asked.batch, asked.batch
    pixels = np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 1), np.uint8)
    table = Images(
        labels=(np.arange(count) % 10).astype(np.int32),
        people=tuple("abcdefghij"),
        shape=(SIDE, SIDE, 1),
        read=ArrayReader(pixels),
        names=[""] * count,
        fingerprint="",
    )
    encoder = Conv4()
    variables = jax.jit(encoder.init)(jax.random.key(0), jnp.zeros((1, SIDE, SIDE, 1)))
    scope = Microscope("conv4", encoder, variables, ModelInputs(shape=(SIDE, SIDE, 1), preprocessing=None))

    @jax.jit
    def forward(variables: object, images: jax.Array) -> jax.Array:
        return scope.activations(variables, to_unit(images))["embedding"]

    @jax.jit
    def with_maps(variables: object, images: jax.Array) -> list[jax.Array]:
        activations = scope.activations(variables, to_unit(images))
        return [activations[name] for name in (*LAYERS, "embedding")]

    def bare(function: Callable[..., object]) -> None:
        for start in range(0, count, batch):
            jax.block_until_ready(function(variables, table.read(np.arange(start, start + batch))))

    def seen(layers: tuple[str, ...], k: int) -> None:
        scope.look(table, layers, TopPatches(k=k), batch=batch)

    ways = {
        "forward": lambda: bare(forward),
        "forward, the maps too": lambda: bare(with_maps),
        "top 9 of relu4": lambda: seen(LAYERS[-1:], 9),
        "top 9 of four layers": lambda: seen(LAYERS, 9),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(asked.rounds + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if round_:
                taken[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    for name, seconds in medians.items():
        ratios = [seconds / medians[base] for base in ("forward", "forward, the maps too")]
        print(f"{name:<22} {seconds:6.2f} s   {ratios[0]:5.2f} x forward   {ratios[1]:5.2f} x forward with maps")


if __name__ == "__main__":
    main()
