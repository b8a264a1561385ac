import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from likeness.experiments.scaling.accelerators import as_on_accelerators
from likeness.research.ops.convolution import convolve


def both(x, kernel):
    """A convolution's value, and its gradients within a jit, a condition and a loop."""

    def value(x, kernel):
        return jnp.sum(convolve(x, kernel, 1, 1) ** 2)

    def same(x, kernel):
        return convolve(x, kernel, 1, 1)

    gradients = jax.jit(jax.grad(value, (0, 1)))(x, kernel)
    looped = lax.fori_loop(0, 2, lambda _, at: lax.cond(at.sum() > 0, same, lambda x, k: x, at, kernel), x)
    return {"value": same(x, kernel), "gradients": gradients, "looped": looped}


def wide():
    """So many channels that a CPU computes by tiles."""
    draw = np.random.default_rng(0)
    return tuple(jnp.asarray(draw.normal(size=shape), jnp.float32) for shape in ((16, 16, 16, 256), (3, 3, 256, 256)))


def test_a_cpu_is_given_the_convolutions_of_accelerators():
    arguments = wide()
    ours, theirs = (jax.jit(function).lower(*arguments).compile() for function in (both, as_on_accelerators(both)))
    assert ours.as_text().count(" convolution(") == 0
    assert theirs.as_text().count(" convolution(") >= 4
    assert theirs.cost_analysis()["flops"] > 1.5 * ours.cost_analysis()["flops"]


def test_the_values_stay():
    arguments = wide()
    expected, found = jax.jit(both)(*arguments), jax.jit(as_on_accelerators(both))(*arguments)
    for one, other in zip(jax.tree.leaves(expected), jax.tree.leaves(found), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-3 * float(jnp.abs(one).max()))


def test_trees_are_passed_on():
    found = as_on_accelerators(lambda tree, by: {"sum": tree["a"] + by})({"a": jnp.ones(2)}, jnp.full(2, 3.0))
    assert found["sum"].tolist() == [4.0, 4.0]
