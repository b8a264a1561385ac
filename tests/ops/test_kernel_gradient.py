"""The gradient by a kernel in blocks against its definition in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.ops import kernel_gradient
from likeness.research.ops.convolution import convolve
from likeness.research.ops.kernel_gradient import blocks_pay, kernel_gradient_by_blocks


def defined(x, gradient, side, stride, padding):
    """By a loop over the window, float64."""
    rows, columns = gradient.shape[1:3]
    padded = np.pad(x, ((0, 0), (padding, padding + stride), (padding, padding + stride), (0, 0)))
    result = np.zeros((side, side, x.shape[-1], gradient.shape[-1]))
    for u in range(side):
        for v in range(side):
            window = padded[:, u : u + stride * (rows - 1) + 1 : stride, v : v + stride * (columns - 1) + 1 : stride]
            result[u, v] = np.einsum("bhwc,bhwd->cd", window, gradient)
    return result


def drawn(b, h, w, c, d, side, stride, padding):
    rng = np.random.default_rng(h * 31 + w)
    rows, columns = ((length + 2 * padding - side) // stride + 1 for length in (h, w))
    return rng.normal(size=(b, h, w, c)), rng.normal(size=(b, rows, columns, d))


@pytest.mark.parametrize("pixels", [1, 30, 10_000], ids=["by rows", "by images", "at once"])
@pytest.mark.parametrize(
    ("h", "w", "side", "stride", "padding"),
    [(6, 5, 3, 1, 1), (9, 8, 3, 2, 1), (8, 8, 3, 2, 1), (7, 9, 2, 3, 0), (9, 9, 5, 1, 0)],
)
def test_it_is_the_definition_however_it_is_divided(monkeypatch, pixels, h, w, side, stride, padding):
    monkeypatch.setattr(kernel_gradient, "PIXELS", pixels)
    x, gradient = drawn(4, h, w, 3, 2, side, stride, padding)
    found = jax.jit(lambda x, g: kernel_gradient_by_blocks(x, g, side, stride, padding))(
        x.astype(np.float32), gradient.astype(np.float32)
    )
    np.testing.assert_allclose(found, defined(x, gradient, side, stride, padding), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("side, stride, padding", [(3, 1, 1), (3, 2, 1)])
def test_a_convolution_of_many_pixels_has_it(side, stride, padding):
    x, gradient = drawn(3, 112, 112, 2, 3, side, stride, padding)
    assert blocks_pay(gradient.shape)
    kernel = jnp.ones((side, side, 2, 3))

    def by_kernel(x, gradient):
        return jax.vjp(lambda kernel: convolve(x, kernel, stride, padding), kernel)[1](gradient)[0]

    arguments = (jnp.asarray(array, jnp.float32) for array in (x, gradient))
    compiled = jax.jit(by_kernel).lower(*arguments)
    assert "stablehlo.while" in compiled.as_text()
    expected = defined(x, gradient, side, stride, padding)
    found = compiled.compile()(*(jnp.asarray(array, jnp.float32) for array in (x, gradient)))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_what_cannot_be_divided_well_is_not_divided():
    assert [kernel_gradient._share(*sizes) for sizes in ((64, 8), (112, 14), (61, 32), (113, 14), (8, 0), (6, 50))] == [
        8,
        14,
        61,
        113,
        1,
        6,
    ]


def test_lanes_of_a_sweep_are_each_their_own():
    x, gradient = drawn(4, 48, 48, 2, 3, 3, 1, 1)
    lanes = [jnp.asarray(np.stack([array, array[::-1]]), jnp.float32) for array in (x, gradient)]
    together = jax.jit(jax.vmap(lambda x, g: kernel_gradient_by_blocks(x, g, 3, 1, 1)))(*lanes)
    for lane, found in enumerate(together):
        expected = defined(np.asarray(lanes[0][lane], np.float64), np.asarray(lanes[1][lane], np.float64), 3, 1, 1)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
