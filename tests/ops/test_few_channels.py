"""A convolution of few channels, term by term, against XLA's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.ops.convolution import convolve, convolve_plainly
from likeness.research.ops.few_channels import convolve_few_channels, few_channels_pay

SHAPES = [
    # h, w, side, stride, padding, c, d
    (8, 10, 3, 2, 1, 3, 4),
    (9, 7, 3, 2, 1, 3, 5),
    (6, 5, 3, 1, 1, 1, 3),
    (7, 9, 3, 3, 0, 2, 2),
    (6, 6, 2, 2, 0, 3, 2),
    (5, 5, 5, 1, 2, 1, 2),
]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_value_is_xlas(shape):
    h, w, side, stride, padding, c, d = shape
    rng = np.random.default_rng(sum(shape))
    x, kernel = (rng.normal(size=size).astype(np.float32) for size in ((2, h, w, c), (side, side, c, d)))
    ours, theirs = jax.jit(
        lambda x, kernel: [form(x, kernel, stride, padding) for form in (convolve_few_channels, convolve_plainly)]
    )(x, kernel)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("kernel", "pays"),
    [
        ((3, 3, 3, 16), True),
        ((3, 3, 3, 24), True),
        ((3, 3, 1, 32), True),
        ((3, 3, 3, 64), False),
        ((7, 7, 3, 16), False),
        ((3, 3, 16, 16), False),
        ((1, 1, 3, 16), False),
    ],
)
def test_it_is_for_the_first_layers_of_small_networks(kernel, pays):
    assert few_channels_pay(kernel) == pays


def test_convolve_takes_it_where_it_pays():
    x, kernel = jnp.ones((1, 8, 8, 3)), jnp.ones((3, 3, 3, 4))
    program = jax.jit(lambda x, kernel: convolve(x, kernel, 2, 1)).lower(x, kernel).as_text()
    assert ("stablehlo.convolution" in program) == (jax.default_backend() != "cpu")
