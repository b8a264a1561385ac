"""The convolution and its gradients against XLA's own and against Flax's layer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import lax

from likeness.research.ops.convolution import Convolution, convolve, convolve_plainly

SHAPES = [
    # h, w, side, stride, padding, c, d
    (7, 9, 1, 1, 0, 3, 4),
    (7, 9, 1, 2, 0, 5, 2),
    (8, 7, 1, 3, 0, 3, 3),
    (7, 9, 3, 1, 1, 3, 4),
    (7, 9, 3, 2, 1, 3, 4),
    (8, 8, 3, 2, 1, 3, 4),
    (9, 10, 5, 1, 0, 2, 3),
    (11, 12, 7, 2, 3, 3, 2),
    (6, 6, 3, 3, 0, 2, 2),
    (5, 5, 1, 1, 1, 2, 2),
    (5, 6, 2, 1, 0, 2, 3),
]


@pytest.mark.parametrize("shape", SHAPES)
def test_value_and_both_gradients_are_xlas(shape):
    h, w, side, stride, padding, c, d = shape
    rng = np.random.default_rng(sum(shape))
    x, kernel = (jnp.asarray(rng.normal(size=size), jnp.float32) for size in ((2, h, w, c), (side, side, c, d)))
    shape_out = jax.eval_shape(lambda: convolve_plainly(x, kernel, stride, padding)).shape
    weights = rng.normal(size=shape_out).astype(np.float32)

    def everything(form):
        value, back = jax.vjp(lambda x, kernel: form(x, kernel, stride, padding), x, kernel)
        return value, *back(weights)

    ours, theirs = jax.jit(lambda: (everything(convolve), everything(convolve_plainly)))()
    for mine, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-5, atol=1e-5 * float(np.abs(expected).max()))


def test_the_gradient_inside_a_loop_is_that_outside():
    x, kernel = jax.random.normal(jax.random.key(0), (1, 6, 5, 3)), jax.random.normal(jax.random.key(1), (3, 3, 3, 3))
    step = jax.jit(lambda x: x - 0.01 * jax.grad(lambda x: jnp.sum(jnp.square(convolve(x, kernel, 1, 1))))(x))
    expected = step(step(step(x)))
    looped = jax.jit(lambda x: lax.fori_loop(0, 3, lambda _, x: step(x), x))(x)
    np.testing.assert_allclose(looped, expected, rtol=1e-5, atol=1e-5)


def test_an_accelerator_gets_xlas_own_value_and_gradients():
    """Of each form that a CPU computes otherwise: products, tiles, blocks."""

    def program(form, x, kernel, stride, padding):
        def everything(x, kernel):
            value, back = jax.vjp(lambda x, kernel: form(x, kernel, stride, padding), x, kernel)
            return value, *back(value)

        shapes = (jax.ShapeDtypeStruct(size, jnp.float32) for size in (x, kernel))
        return jax.jit(everything).trace(*shapes).lower(lowering_platforms=("cuda",)).as_text()

    for x, kernel, stride, padding in (
        ((4, 56, 56, 64), (1, 1, 64, 64), 2, 0),
        ((8, 56, 56, 256), (3, 3, 256, 256), 1, 1),
        ((8, 56, 56, 3), (3, 3, 3, 8), 2, 1),
    ):
        ours, theirs = (program(form, x, kernel, stride, padding) for form in (convolve, convolve_plainly))
        for operation in ("stablehlo.convolution", "stablehlo.dot_general", "stablehlo.while", "stablehlo.reverse"):
            assert ours.count(operation) == theirs.count(operation), operation


@pytest.mark.parametrize("fields", [{}, {"use_bias": False}, {"stride": 2}], ids=str)
def test_the_module_has_flax_parameters_and_results(fields):
    x = jax.random.normal(jax.random.key(0), (2, 5, 6, 3))
    ours = Convolution(features=7, padding=1, **fields)
    theirs = nn.Conv(7, (3, 3), fields.get("stride", 1), padding=1, use_bias=fields.get("use_bias", True))
    variables, expected = jax.jit(theirs.init)(jax.random.key(1), x), jax.jit(ours.init)(jax.random.key(1), x)
    jax.tree.map(np.testing.assert_array_equal, variables, expected)
    np.testing.assert_allclose(jax.jit(ours.apply)(variables, x), jax.jit(theirs.apply)(variables, x), rtol=1e-5, atol=1e-6)
    half = Convolution(features=7, padding=1, dtype="bfloat16", **fields)
    assert jax.eval_shape(half.apply, variables, x).dtype == jnp.bfloat16


@pytest.mark.parametrize("stride", [1, 2])
def test_channels_in_reverse_order_meet_a_kernel_turned_round(stride):
    x = jax.random.normal(jax.random.key(0), (2, 5, 6, 3))
    layers = [Convolution(features=4, padding=1, stride=stride, input_order=order) for order in ("as given", "reversed")]
    variables = jax.jit(layers[0].init)(jax.random.key(1), x)
    jax.tree.map(np.testing.assert_array_equal, variables, jax.jit(layers[1].init)(jax.random.key(1), x))
    forward, back = jax.jit(layers[0].apply)(variables, x), jax.jit(layers[1].apply)(variables, x[..., ::-1])
    np.testing.assert_allclose(forward, back, rtol=1e-5, atol=1e-6)
