"""Run in a process of its own: margin softmax with its centers split over eight devices, alone and in a training step.

Prints one JSON object: for each case the largest differences to one device, and what the compiled program holds.
"""

import dataclasses
import json
import math
import re
import tempfile
from pathlib import Path

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from likeness.experiments.distributed.sharding import Mesh
from likeness.experiments.recognition import Recognition
from likeness.experiments.run import Run
from likeness.experiments.training.program import build
from likeness.research.data import Arrays, CountSplit, Shuffled
from likeness.research.encoders import Conv4
from likeness.research.losses import MarginSoftmax

BATCH, DIMENSION, CLASSES = 64, 24, 4090
LOSS = MarginSoftmax(classes=CLASSES, shards=8)
MESHES = {"2x4": (2, 4), "1x8": (1, 8)}


def largest(text: str) -> int:
    """Elements of the largest array that any one device's program names."""
    return max(math.prod(map(int, shape.split(","))) for shape in re.findall(r"\b[a-z]+\d*\[([\d,]+)\]", text))


def logits(text: str) -> int:
    """Elements of the largest matrix of as many rows as the batch or a part of it, and at least two columns an image."""
    shapes = [tuple(map(int, shape.split(","))) for shape in re.findall(r"\b[a-z]+\d*\[([\d,]+)\]", text)]
    return max((a * b for a, b in (shape for shape in shapes if len(shape) == 2) if a <= BATCH and b > BATCH), default=0)


def differences(one, other) -> float:
    """The largest of all leaves."""
    return max(jax.tree.leaves(jax.tree.map(lambda a, b: float(np.max(np.abs(np.asarray(a) - np.asarray(b)))), one, other)))


def alone(loss: MarginSoftmax, shape: tuple[int, int]) -> dict[str, float]:
    """The loss, with centers over ``fsdp`` and the batch over both axes, as the trainer places them."""
    mesh = jax.make_mesh(shape, ("data", "fsdp"), axis_types=(AxisType.Auto, AxisType.Auto))
    everywhere, rows, batch = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), ("fsdp",), (("data", "fsdp"),)))
    x = jax.random.normal(jax.random.key(1), (BATCH, DIMENSION))
    labels = jax.random.randint(jax.random.key(2), (BATCH,), 0, CLASSES)
    arguments = (loss.init(jax.random.key(0), DIMENSION), x, labels, jax.random.key(3))
    places = ({"centers": rows}, batch, batch, everywhere)
    compute = jax.value_and_grad(loss, argnums=(0, 1))
    split = jax.jit(compute, in_shardings=places, out_shardings=(everywhere, places[:2]))
    placed = jax.device_put(arguments, places)
    text = split.lower(*placed).compile().as_text()
    value, gradients = jax.jit(compute)(*arguments)
    found, slopes = split(*placed)
    return {
        "value": abs(float(found - value)) / float(value),
        "gradient": differences(gradients, slopes),
        "logits": logits(text),
        "largest": largest(text),
    }


def in_training(folder: str) -> dict[str, float]:
    """Two steps of the trainer's own program with centers over four devices, against centers whole on all eight."""
    people = np.arange(CLASSES + 2) % CLASSES
    images = np.random.default_rng(0).integers(0, 255, (len(people), 16, 16, 1), np.uint8)
    np.savez(Path(folder) / "people.npz", images=images, labels=people)
    experiment = Recognition(
        data=Arrays(path=str(Path(folder) / "people.npz")),
        split=CountSplit(validation=0, test=0),
        batches=Shuffled(BATCH),
        encoder=Conv4(width=4, dimension=DIMENSION),
        loss=dataclasses.replace(LOSS, rate=0.5),
    )
    data = experiment.open()
    batch = next(experiment.stream(data, 0))
    batch = {name: leaf.astype(np.int32) if name == "rows" else leaf for name, leaf in batch.items()}
    found = []
    for fsdp in (1, 4):
        program = build(Run(experiment=experiment, steps=2, mesh=Mesh(fsdp=fsdp, shard_above=50_000)), {}, batch)
        placed, key = program.put(batch), program.key(0)
        state = program.init(key, {}, placed)
        text = program.step.lower(state, {}, placed, key).compile().as_text()
        losses = []
        for _ in range(2):
            state, report = program.step(state, {}, placed, key)
            losses.append(float(report.metrics["loss"]))
        centers = state.params["loss"]["centers"]
        found.append((losses, np.asarray(centers), logits(text), centers.addressable_shards[0].data.shape[0]))
    (whole, whole_centers, _, _), (split, split_centers, held, rows) = found
    return {
        "value": max(abs(a - b) / a for a, b in zip(whole, split, strict=True)),
        "centers": float(np.abs(whole_centers - split_centers).max()),
        "logits": held,
        "rows": rows,
    }


def main() -> None:
    """Compare and print."""
    report: dict = {"devices": jax.device_count(), "whole": BATCH * LOSS.classes}
    for rate in (1.0, 0.25):
        for name, shape in MESHES.items():
            report[f"{rate} {name}"] = alone(dataclasses.replace(LOSS, rate=rate), shape)
    with tempfile.TemporaryDirectory() as folder:
        report["training"] = in_training(folder)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
