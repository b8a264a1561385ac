"""What is compiled quickly computes the same, and no accelerator is told to."""

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.compiled_quickly import compiled_quickly, quick_options


def softened(power, values):
    return jnp.sort(jax.nn.softmax(values**power, axis=0), axis=0)


def test_it_computes_what_jit_does():
    values = jax.random.normal(jax.random.key(0), (64, 8))
    quick = compiled_quickly(softened, static_argnums=(0,))
    for power in (1, 2):
        np.testing.assert_allclose(
            quick(power, values), jax.jit(softened, static_argnums=0)(power, values), rtol=1e-5, atol=1e-7
        )


def test_a_shape_is_traced_once():
    traced = []

    def noted(values):
        traced.append(values.shape)
        return values + 1.0

    quick = compiled_quickly(noted)
    for size in (3, 3, 4):
        quick(jnp.zeros(size))
    assert traced == [(3,), (4,)]


def test_only_a_cpu_is_asked_to_fuse_nothing():
    assert quick_options("gpu") is None
    assert quick_options("tpu") is None
    assert quick_options("cpu")["xla_backend_optimization_level"] == 0
