"""What a convolution of volumes costs, as XLA has it and as convolutions of slices; and its gradients.

taskset -c 0 python -m likeness.experiments.benchmarks.volumes
"""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from likeness.research.ops.spatial import convolve_volumes
from likeness.research.types import Array

REPEATS = 5


def direct(x: Array, kernel: Array) -> Array:
    """Cross-correlation by XLA's convolution of three dimensions."""
    return lax.conv_general_dilated(x, kernel, (1, 1, 1), [(1, 1)] * 3, dimension_numbers=("NDHWC", "DHWIO", "NDHWC"))


def by_slices(x: Array, kernel: Array) -> Array:
    """The same, as :func:`convolve_volumes` has it."""
    return convolve_volumes(x, kernel, 1)


def _milliseconds(function: Callable[..., Any], *arguments: Any) -> float:
    """Of the processor, the best of several times after the compilation."""
    compiled = jax.jit(function)
    jax.block_until_ready(compiled(*arguments))
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        jax.block_until_ready(compiled(*arguments))
        times.append(time.process_time() - start)
    return 1e3 * min(times)


def main() -> None:
    print(f"{'volumes':<22} {'form':<10} {'values':>8} {'by kernel':>10} {'by volumes':>11}   milliseconds of a processor")
    for shape, features in (((32, 24, 24, 24, 1), 16), ((32, 12, 12, 12, 16), 16), ((32, 6, 6, 6, 16), 16)):
        x = jax.random.normal(jax.random.key(0), shape)
        kernel = jax.random.normal(jax.random.key(1), (3, 3, 3, shape[-1], features))
        above = jnp.ones((*shape[:-1], features))
        for form in (direct, by_slices):

            def by_kernel(x: Array, kernel: Array, above: Array, form: Callable[..., Array] = form) -> Array:
                return jax.vjp(lambda kernel: form(x, kernel), kernel)[1](above)[0]

            def by_volumes(x: Array, kernel: Array, above: Array, form: Callable[..., Array] = form) -> Array:
                return jax.vjp(lambda x: form(x, kernel), x)[1](above)[0]

            values = _milliseconds(form, x, kernel)
            kernels, volumes = (_milliseconds(gradient, x, kernel, above) for gradient in (by_kernel, by_volumes))
            name = f"{'×'.join(map(str, shape))} → {features}"
            print(f"{name:<22} {form.__name__:<10} {values:8.0f} {kernels:10.0f} {volumes:11.0f}", flush=True)


if __name__ == "__main__":
    main()
