"""The gradient of a convolution by its input, in steps and in one loop: JAX's own form beside ours, alternating in one process.

    python -m likeness.experiments.benchmarks.loops

Three 3×3 convolutions of 32, 32 and 64 channels on one image of 128 pixels; ten steps of gradient descent by its pixels,
as ten calls of a jitted step and as one jitted ``fori_loop``.
"""

import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from likeness.research.ops.convolution import convolve
from likeness.research.types import Array

STEPS, ROUNDS = 10, 3
WIDTHS = (3, 32, 32, 64)


def own(x: Array, kernel: Array) -> Array:
    """JAX's own convolution and gradient."""
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def ours(x: Array, kernel: Array) -> Array:
    """This project's."""
    return convolve(x, kernel, 1, 1)


def programs(convolve: Callable[[Array, Array], Array]) -> dict[str, Callable[[Array, list[Array]], Array]]:
    """The steps, one by one and in a loop."""

    def cost(x: Array, kernels: list[Array]) -> Array:
        for kernel in kernels:
            x = jax.nn.relu(convolve(x, kernel))
        return jnp.mean(jnp.square(x))

    step = jax.jit(lambda x, kernels: x - 0.1 * jax.grad(cost)(x, kernels))

    def steps(x: Array, kernels: list[Array]) -> Array:
        for _ in range(STEPS):
            x = step(x, kernels)
        return x

    loop = jax.jit(lambda x, kernels: lax.fori_loop(0, STEPS, lambda _, x: step(x, kernels), x))
    return {"steps": steps, "loop": loop}


def main() -> None:
    """Prints seconds and their ratio to the fastest."""
    keys = jax.random.split(jax.random.key(0), len(WIDTHS))
    kernels = [
        0.1 * jax.random.normal(key, (3, 3, before, after))
        for key, before, after in zip(keys[1:], WIDTHS[:-1], WIDTHS[1:], strict=True)
    ]
    image = jax.random.uniform(keys[0], (1, 128, 128, 3))
    found = {(name, way): run for name, form in (("jax", own), ("ours", ours)) for way, run in programs(form).items()}
    seconds: dict[tuple[str, str], list[float]] = {key: [] for key in found}
    for run in found.values():
        jax.block_until_ready(run(image, kernels))
    for _ in range(ROUNDS):
        for key, run in found.items():
            began = time.perf_counter()
            jax.block_until_ready(run(image, kernels))
            seconds[key].append(time.perf_counter() - began)
    medians = {key: statistics.median(taken) for key, taken in seconds.items()}
    print(f"{jax.devices()[0].device_kind}, {STEPS} steps, median of {ROUNDS} rounds")
    for (name, way), median in medians.items():
        print(f"{name:>5} in {way:<6} {1e3 * median:8.1f} ms   {median / min(medians.values()):6.2f} x the fastest")


if __name__ == "__main__":
    main()
