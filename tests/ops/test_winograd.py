"""Convolution by tiles against the definition in float64, and the choice between the two."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.ops import convolution
from likeness.research.ops.convolution import convolve
from likeness.research.ops.winograd import (
    convolve_by_tiles,
    convolve_turned_by_tiles,
    kernel_gradient_by_tiles,
    tiles_pay,
    tiles_pay_for_kernel,
)


def drawn(b, h, w, c, d):
    rng = np.random.default_rng(h * 31 + w)
    return rng.normal(size=(b, h, w, c)), rng.normal(size=(3, 3, c, d)), rng.normal(size=(b, h, w, d))


def defined(x, kernel, gradient):
    """Value, gradient by x and gradient by the kernel, by loops over the window, float64."""
    h, w = x.shape[1:3]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    value, by_padded, by_kernel = 0.0, np.zeros_like(padded), np.zeros_like(kernel)
    for i in range(3):
        for j in range(3):
            window = padded[:, i : i + h, j : j + w]
            value = value + window @ kernel[i, j]
            by_padded[:, i : i + h, j : j + w] += gradient @ kernel[i, j].T
            by_kernel[i, j] = np.einsum("bhwc,bhwd->cd", window, gradient)
    return value, by_padded[:, 1:-1, 1:-1], by_kernel


@pytest.mark.parametrize(
    "b, h, w, c, d",
    [
        pytest.param(1, 1, 1, 1, 1, id="one pixel"),
        pytest.param(2, 2, 3, 3, 2, id="less than a tile"),
        pytest.param(1, 4, 4, 2, 3, id="one tile"),
        pytest.param(2, 7, 6, 1, 2, id="tiles that stand over"),
        pytest.param(1, 1, 5, 3, 1, id="one row"),
    ],
)
def test_value_and_both_gradients_are_those_of_the_definition(b, h, w, c, d):
    x, kernel, gradient = drawn(b, h, w, c, d)
    value, by_x, by_kernel = defined(x, kernel, gradient)
    x, kernel, gradient = (array.astype(np.float32) for array in (x, kernel, gradient))
    np.testing.assert_allclose(convolve_by_tiles(x, kernel), value, rtol=1e-5, atol=2e-5)
    np.testing.assert_allclose(convolve_turned_by_tiles(gradient, kernel), by_x, rtol=1e-5, atol=2e-5)
    np.testing.assert_allclose(kernel_gradient_by_tiles(x, gradient), by_kernel, rtol=1e-5, atol=5e-5)


@pytest.mark.parametrize("everywhere", [False, True], ids=["the kernel's gradient", "all three"])
def test_where_tiles_pay_the_network_gets_the_same(monkeypatch, everywhere):
    monkeypatch.setattr(convolution, "tiles_pay", lambda *_: everywhere)
    monkeypatch.setattr(convolution, "tiles_pay_for_kernel", lambda *_: True)
    x, kernel, gradient = drawn(2, 9, 8, 5, 3)
    expected = defined(x, kernel, gradient)

    @jax.jit
    def everything(x, kernel, gradient):
        value, backward = jax.vjp(lambda x, kernel: convolve(x, kernel, 1, 1), x, kernel)
        return value, *backward(gradient)

    arguments = [jnp.asarray(array, jnp.float32) for array in (x, kernel, gradient)]
    assert everything.lower(*arguments).as_text().count("dot_general") == (48 if everywhere else 16)
    for mine, theirs in zip(everything(*arguments), expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=3e-6 * np.abs(theirs).max())


def test_tiles_are_for_large_layers_of_many_channels():
    assert tiles_pay((1, 64, 64, 256), (3, 3, 256, 256))
    assert not tiles_pay((1, 256, 256, 64), (3, 3, 64, 64))
    assert not tiles_pay((1, 16, 16, 256), (3, 3, 256, 256))
    assert not tiles_pay((1, 64, 64, 256), (5, 5, 256, 256))
    assert tiles_pay_for_kernel((64, 28, 28, 64), (3, 3, 64, 128))
    assert not tiles_pay_for_kernel((64, 32, 32, 64), (3, 3, 64, 64))
    assert not tiles_pay_for_kernel((8, 28, 28, 128), (3, 3, 128, 128))


def test_half_precision_and_narrow_layers_are_left_as_they_are():
    def primitives(x, kernel):
        return str(jax.make_jaxpr(lambda x, kernel: convolve(x, kernel, 1, kernel.shape[0] // 2))(x, kernel))

    wide = jnp.zeros((1, 64, 64, 256)), jnp.zeros((3, 3, 256, 256))
    assert "dot_general" in primitives(*wide)
    assert "dot_general" not in primitives(*(array.astype(jnp.bfloat16) for array in wide))
    assert "dot_general" not in primitives(jnp.zeros((1, 64, 64, 16)), jnp.zeros((3, 3, 16, 16)))
    assert "dot_general" not in primitives(jnp.zeros((1, 64, 64, 256)), jnp.zeros((5, 5, 256, 256)))


def test_an_accelerator_gets_the_convolution_as_it_is_defined():
    shapes = jax.ShapeDtypeStruct((1, 64, 64, 256), jnp.float32), jax.ShapeDtypeStruct((3, 3, 256, 256), jnp.float32)
    traced = jax.jit(lambda x, kernel: convolve(x, kernel, 1, 1)).trace(*shapes)
    assert "convolution" in traced.lower(lowering_platforms=("cuda",)).as_text()
    assert "convolution" not in traced.lower(lowering_platforms=("cpu",)).as_text()


def test_several_kernels_at_once_are_each_their_own():
    x, kernel, _ = drawn(2, 16, 16, 160, 160)
    kernels = jnp.asarray(np.stack([kernel, kernel[::-1]]), jnp.float32)
    together = jax.vmap(lambda kernel: convolve(jnp.asarray(x, jnp.float32), kernel, 1, 1))(kernels)
    for number in range(2):
        np.testing.assert_allclose(
            together[number], convolve(jnp.asarray(x, jnp.float32), kernels[number], 1, 1), rtol=1e-4, atol=1e-3
        )
