"""Run in a process of its own: the gradient through chunks of a batch that is split over eight devices.

Prints one JSON object: for each way through the chunks the largest difference to the whole batch's gradient, and how many
arrays of images devices send each other.
"""

import json
import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from likeness.experiments.recognition.chunks import embed_in_chunks
from likeness.research.losses import BatchHard, Triplet

ROWS, SIDE, CHUNKS = 64, 12, 4


class Network(nn.Module):
    """One convolution and an embedding of 4 numbers."""

    @nn.compact
    def __call__(self, images):
        x = nn.relu(nn.Conv(6, (3, 3), strides=(2, 2))(images))
        return nn.Dense(4)(x.reshape(len(x), -1))


def main() -> None:
    """Compare and print."""
    net, loss = Network(), Triplet(rule=BatchHard(), reduction="mean")
    mesh = jax.make_mesh((2, 4), ("data", "fsdp"), axis_types=(AxisType.Auto, AxisType.Auto))
    everywhere, batch = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), (("data", "fsdp"),)))
    images = jax.random.uniform(jax.random.key(0), (ROWS, SIDE, SIDE, 1))
    labels = jnp.asarray(np.arange(ROWS) // 4)
    params = jax.jit(net.init)(jax.random.key(1), images[:1])
    whole = jax.jit(jax.grad(lambda params: loss(net.apply(params, images), labels)))(params)  # pyright: ignore
    report: dict = {"devices": jax.device_count()}
    for loop in (False, True):

        def cost(params, images, labels, loop=loop):
            return loss(embed_in_chunks(net.apply, CHUNKS, params, images, loop=loop), labels)

        split = jax.jit(jax.grad(cost), in_shardings=(everywhere, batch, batch), out_shardings=everywhere)
        placed = (jax.device_put(params, everywhere), jax.device_put(images, batch), jax.device_put(labels, batch))
        text = split.lower(*placed).compile().as_text()
        exchanged = re.findall(r"= \(?[^=]*\b(?:all-gather|all-to-all|collective-permute)\(", text)
        shapes = [shape for line in exchanged for shape in re.findall(r"\[([\d,]+)\]", line.split("=")[1])]
        found = split(*placed)
        apart = jax.tree.map(lambda a, b: float(np.abs(np.asarray(a) - np.asarray(b)).max()), whole, found)
        report["looped" if loop else "apart"] = {
            "gradient": max(jax.tree.leaves(apart)),
            "images": sum(str(SIDE) in shape.split(",")[1:3] for shape in shapes),
        }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
