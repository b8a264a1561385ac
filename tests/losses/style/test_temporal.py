import jax
import numpy as np
import pytest

from likeness.research.losses import Temporal

RNG = np.random.default_rng(0)
PAINTED, EARLIER = RNG.random((2, 1, 6, 7, 3), np.float32)
TRUST = RNG.random((6, 7), np.float32)


def test_value_and_gradient_are_those_of_the_formula():
    x, w, c = (np.asarray(each, np.float64) for each in (PAINTED, EARLIER, TRUST))
    expected = (c[None, :, :, None] * (x - w) ** 2).sum() / (3 * c.sum())
    value, gradient = jax.jit(jax.value_and_grad(Temporal()))(PAINTED, EARLIER, TRUST)
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_allclose(gradient, 2 * c[None, :, :, None] * (x - w) / (3 * c.sum()), rtol=1e-5, atol=1e-9)


def test_nothing_trusted_costs_nothing():
    value, gradient = jax.value_and_grad(Temporal())(PAINTED, EARLIER, np.zeros_like(TRUST))
    assert value == 0
    assert not np.asarray(gradient).any()


@pytest.mark.parametrize("bad", [(PAINTED, EARLIER[:, :5], TRUST), (PAINTED, EARLIER, TRUST[:5]), (PAINTED[0], EARLIER, TRUST)])
def test_other_shapes_are_refused(bad):
    with pytest.raises(ValueError, match="Temporal"):
        Temporal()(*bad)


def test_what_is_not_trusted_may_be_no_number():
    earlier, trust = EARLIER.copy(), TRUST.copy()
    earlier[0, 2, 3], trust[2, 3] = np.nan, 0.0
    value, gradient = jax.value_and_grad(Temporal())(PAINTED, earlier, trust)
    assert np.isfinite(value) and np.isfinite(gradient).all()
    np.testing.assert_allclose(value, Temporal()(PAINTED, EARLIER, trust), rtol=1e-6)
