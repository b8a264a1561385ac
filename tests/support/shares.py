"""Run in a process of its own, on four CPU devices: convolutions by shares, and what a run makes of the cores.

Prints one JSON object.
"""

import json
import os

os.environ["JAX_NUM_CPU_DEVICES"] = "4"

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from likeness.experiments.distributed.sharding import Mesh, compiler_options
from likeness.research.ops.convolution import convolve, convolve_plainly

SHAPES = {
    "blocks": ((16, 32, 32, 8), (3, 3, 8, 16), 1, 1),
    "pointwise": ((8, 9, 9, 8), (1, 1, 8, 4), 2, 0),
    "strided": ((8, 17, 17, 3), (3, 3, 3, 4), 2, 1),
    "unequal shares": ((6, 9, 9, 3), (3, 3, 3, 4), 1, 1),
    "tiles": ((8, 24, 24, 192), (3, 3, 192, 192), 1, 1),
}


def differences(mesh, shape, window, stride, padding):
    """The largest between ours on the mesh and the definition on one device, and the collectives of its program."""
    generator = np.random.default_rng(0)
    x, kernel = (generator.standard_normal(of, np.float32) for of in (shape, window))
    size = tuple((side + 2 * padding - window[0]) // stride + 1 for side in shape[1:3])
    gradient = generator.standard_normal((shape[0], *size, window[3]), np.float32)

    def both(convolution, x, kernel, gradient):
        value, back = jax.vjp(lambda x, kernel: convolution(x, kernel, stride, padding), x, kernel)
        return value, *back(gradient)

    def on_mesh(x, kernel, gradient):
        with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
            return both(convolve, x, kernel, gradient)

    split = NamedSharding(mesh, PartitionSpec(("data", "fsdp")))
    whole = NamedSharding(mesh, PartitionSpec())
    places = (split if shape[0] % 4 == 0 else whole, whole)
    arguments = jax.device_put((x, kernel, gradient), (*places, places[0]))
    program = jax.jit(on_mesh, compiler_options=compiler_options(mesh)).lower(*arguments).compile()
    found = program(*arguments)
    expected = jax.jit(lambda *given: both(convolve_plainly, *given))(x, kernel, gradient)
    text = program.as_text() or ""
    return {
        "differences": [
            float(jnp.abs(np.asarray(a) - np.asarray(b)).max() / jnp.abs(b).max()) for a, b in zip(found, expected, strict=True)
        ],
        "all-gather": "all-gather" in text,
        "all-reduce": "all-reduce" in text,
    }


def main():
    """Compare and print."""
    mesh = Mesh().build({"images": np.zeros((8, 8192))})
    report: dict[str, object] = {"devices": jax.device_count()}
    report["meshes"] = {
        f"{rows}×{each}": [Mesh(fsdp=fsdp).build({"images": np.zeros((rows, each))}).size for fsdp in (1, 2)]
        for rows, each in ((16, 8192), (10, 8192), (9, 8192), (3, 8192), (16, 1024), (16, 64))
    }
    report["no batch"] = [Mesh().build().size, Mesh().build(None).size, Mesh(fsdp=2).build().size]
    batch = {"images": np.zeros((16, 8192))}
    report["statistics"] = [Mesh(fsdp=fsdp).build(batch, statistics).size for statistics in (32, 33) for fsdp in (1, 2)]
    report["asked for"] = Mesh(data=4).build(batch, 33).size
    report["convolutions"] = {name: differences(mesh, *case) for name, case in SHAPES.items()}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
