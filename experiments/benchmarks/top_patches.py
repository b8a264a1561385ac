"""What finding the top patches costs beside the bare forward pass: 10,000 pictures through Conv-4.

    python -m experiments.benchmarks.top_patches

Both read the same pictures in the same batches. The forward pass computes the embedding alone; the other keeps the nine best
patches and the statistics of each of 256 units of four layers. Rounds alternate; the median is printed.
"""

import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np

from experiments.microscopy.microscope import Microscope
from research.data import Decode, Images
from research.data.images import ArrayReader
from research.encoders import Conv4
from research.visualization import TopPatches

PICTURES, SIDE, BATCH, ROUNDS = 10_000, 28, 100, 3
LAYERS = ("relu1", "relu2", "relu3", "relu4")


def main() -> None:
    """Prints seconds and their ratio."""
    pixels = np.random.default_rng(0).integers(0, 256, (PICTURES, SIDE, SIDE, 1), np.uint8)
    images = Images(
        labels=(np.arange(PICTURES) % 10).astype(np.int32),
        people=tuple("abcdefghij"),
        shape=(SIDE, SIDE, 1),
        read=ArrayReader(pixels),
        names=[""] * PICTURES,
        fingerprint="",
    )
    encoder = Conv4()
    variables = jax.jit(encoder.init)(jax.random.key(0), jnp.zeros((1, SIDE, SIDE, 1)))
    scope = Microscope("conv4", encoder, variables, Decode(size=SIDE, channels=1))

    @jax.jit
    def forward(variables: object, pictures: jax.Array) -> jax.Array:
        return scope.activations(variables, pictures.astype(jnp.float32) / 255)["embedding"]

    def bare() -> None:
        for start in range(0, PICTURES, BATCH):
            jax.block_until_ready(forward(variables, images.read(np.arange(start, start + BATCH))))

    def seen(layers: tuple[str, ...], k: int) -> None:
        scope.look(images, layers, TopPatches(k=k), batch=BATCH)

    ways = {
        "forward": bare,
        "top 9 of relu4": lambda: seen(LAYERS[-1:], 9),
        "top 9 of four layers": lambda: seen(LAYERS, 9),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(ROUNDS + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if round_:
                taken[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    for name, seconds in medians.items():
        print(f"{name:<22} {seconds:6.2f} s   {seconds / medians['forward']:5.2f} x the forward pass")


if __name__ == "__main__":
    main()
