"""Run in a process of its own: the top patches of a stream that several devices share, beside those of one alone.

Prints one JSON object: for each order whether each part of what was found is the same, and the images found.
"""

import json

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.preprocessing import ModelInputs
from likeness.experiments.visualization.microscope import Microscope
from likeness.research.data import Images
from likeness.research.data.images import ArrayReader
from likeness.research.encoders import Vgg
from likeness.research.visualization import TopPatches
from likeness.research.visualization.top_patches import spatial_maximum

COUNT, K = 45, 4


def some_images() -> Images:
    """Each image three times, far from each other: three of each maximum are equal, and the first must win."""
    pixels = np.random.default_rng(0).integers(0, 256, (COUNT // 3, 16, 16, 3), np.uint8)
    return Images(
        labels=(np.arange(COUNT) % 3).astype(np.int32),
        people=("ann", "bob", "cyd"),
        shape=(16, 16, 3),
        read=ArrayReader(np.concatenate([pixels] * 3)),
        names=[str(number) for number in range(COUNT)],
        fingerprint="",
    )


def main() -> None:
    """Compares and prints."""
    encoder = Vgg(convolutions=(1, 1), widths=(4, 6))
    variables = jax.jit(encoder.init)(jax.random.key(0), jnp.zeros((1, 16, 16, 3)))
    scope, images = Microscope("tiny", encoder, variables, ModelInputs(shape=(16, 16, 3), preprocessing=None)), some_images()
    report: dict[str, object] = {"devices": jax.local_device_count()}
    layer = "relu2_1"
    for order, once in (("top", True), ("bottom", True), ("random", True), ("top", False)):
        top = TopPatches(k=K, order=order, once=once)
        seen = scope.look(images, (layer,), top, batch=10)[layer]
        alone, take = top.init(6), jax.jit(top)
        for start in range(0, COUNT, 5):
            rows = np.arange(start, start + 5)
            maps = scope.activations(variables, jnp.asarray(images.read(rows), jnp.float32) / 255)[layer]
            alone = take(alone, maps, jnp.asarray(rows, jnp.int32), jax.random.key(0))
        pixels = jnp.asarray(images.read(np.arange(COUNT)), jnp.float32) / 255
        largest = np.asarray(spatial_maximum(scope.activations(variables, pixels)[layer]))
        report[f"{order} {once}"] = {
            "images": bool(np.array_equal(seen.patches.image, alone.image)),
            "places": bool(np.array_equal(seen.patches.place, alone.place)),
            "values": float(np.abs(np.asarray(seen.patches.value) - np.asarray(alone.value)).max()),
            "means": float(np.abs(seen.statistics.mean - largest.mean(axis=0)).max()),
            "found": np.asarray(seen.patches.image).tolist(),
            "brute": np.argsort(-largest, axis=0, kind="stable")[:K].T.tolist(),
        }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
