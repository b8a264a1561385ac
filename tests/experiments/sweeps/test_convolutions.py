"""Convolutions of several runs stay the runs' own, and their values and gradients those of vmap."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from likeness.experiments.sweeps.convolutions import one_by_one


def draw(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def network(images: Any, kernels: Any) -> Any:
    """Two convolutions, of another stride, and what has a derivative and a jit of its own between them."""
    x = lax.conv_general_dilated(images, kernels[0], (1, 1), [(1, 1)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC"))
    x = jax.jit(jax.nn.relu)(x) + jnp.maximum(x, 0.1)
    x = lax.conv_general_dilated(x, kernels[1], (2, 2), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return jnp.mean(x**2)


def step(images: Any, kernels: Any) -> Any:
    return jax.value_and_grad(network, argnums=(0, 1))(images, kernels)


def groups(function: Any, *arguments: Any) -> list[tuple[int, int]]:
    def inside(jaxpr: Any) -> Iterator[Any]:
        for equation in jaxpr.eqns:
            yield equation
            for below in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda leaf: hasattr(leaf, "eqns")):
                if hasattr(inner := getattr(below, "jaxpr", below), "eqns"):
                    yield from inside(inner)

    found = [e.params for e in inside(jax.make_jaxpr(function)(*arguments).jaxpr) if "conv_general" in e.primitive.name]
    return [(how["feature_group_count"], how["batch_group_count"]) for how in found]


KERNELS = (draw(1, 3, 3, 3, 1, 2), draw(2, 3, 3, 3, 2, 4))
IMAGES = draw(0, 3, 2, 7, 7, 1)


@pytest.mark.parametrize("axes", [(0, 0), (None, 0), (0, None)])
def test_the_values_and_gradients_are_those_of_vmap(axes: tuple[int | None, int | None]) -> None:
    images = IMAGES if axes[0] == 0 else IMAGES[0]
    kernels = KERNELS if axes[1] == 0 else tuple(kernel[0] for kernel in KERNELS)
    ours = jax.jit(jax.vmap(one_by_one(step), axes))(images, kernels)
    theirs = jax.jit(jax.vmap(step, axes))(images, kernels)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6), ours, theirs)


def test_each_row_has_convolutions_of_its_own() -> None:
    plain = groups(jax.vmap(step), IMAGES, KERNELS)
    ours = groups(jax.vmap(one_by_one(step)), IMAGES, KERNELS)
    assert any(how != (1, 1) for how in plain)
    assert set(ours) == {(1, 1)} and len(ours) == 3 * len(plain)


def test_unbatched_nothing_changes() -> None:
    """The same convolutions, and to the bit the same numbers."""
    one = (IMAGES[0], tuple(kernel[0] for kernel in KERNELS))
    jax.tree.map(np.testing.assert_array_equal, jax.jit(one_by_one(step))(*one), jax.jit(step)(*one))
