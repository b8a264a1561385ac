import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import lax

from likeness.research.ops.convolution import SameConvolution, convolve_same


def own(x, kernel):
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


@pytest.mark.parametrize("side", [1, 3, 5])
def test_value_and_both_gradients_are_those_of_jax(side):
    keys = jax.random.split(jax.random.key(side), 3)
    x, kernel = jax.random.normal(keys[0], (2, 7, 9, 3)), jax.random.normal(keys[1], (side, side, 3, 4))
    weights = jax.random.normal(keys[2], (2, 7, 9, 4))
    for convolve in (convolve_same, jax.jit(convolve_same)):
        np.testing.assert_allclose(convolve(x, kernel), own(x, kernel), rtol=1e-5, atol=1e-5)
    ours = jax.jit(jax.grad(lambda x, k: jnp.sum(weights * jnp.sin(convolve_same(x, k))), (0, 1)))(x, kernel)
    theirs = jax.jit(jax.grad(lambda x, k: jnp.sum(weights * jnp.sin(own(x, k))), (0, 1)))(x, kernel)
    for mine, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-4, atol=1e-4)


def test_the_gradient_inside_a_loop_is_that_outside():
    x, kernel = jax.random.normal(jax.random.key(0), (1, 6, 5, 3)), jax.random.normal(jax.random.key(1), (3, 3, 3, 3))
    step = jax.jit(lambda x: x - 0.01 * jax.grad(lambda x: jnp.sum(jnp.square(convolve_same(x, kernel))))(x))
    expected = step(step(step(x)))
    looped = jax.jit(lambda x: lax.fori_loop(0, 3, lambda _, x: step(x), x))(x)
    np.testing.assert_allclose(looped, expected, rtol=1e-5, atol=1e-5)


def test_the_module_has_flax_parameters_and_results():
    x = jax.random.normal(jax.random.key(0), (2, 5, 6, 3))
    ours = SameConvolution(7, nn.initializers.lecun_normal())
    theirs = nn.Conv(7, (3, 3), padding=1)
    variables = jax.jit(theirs.init)(jax.random.key(1), x)
    assert jax.tree.map(jnp.shape, jax.eval_shape(ours.init, jax.random.key(1), x)) == jax.tree.map(jnp.shape, variables)
    np.testing.assert_allclose(jax.jit(ours.apply)(variables, x), jax.jit(theirs.apply)(variables, x), rtol=1e-5, atol=1e-6)
    half = SameConvolution(7, nn.initializers.lecun_normal(), dtype="bfloat16")
    assert jax.eval_shape(half.apply, variables, x).dtype == jnp.bfloat16
