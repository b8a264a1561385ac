import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.optimizers import Adam, Sgd
from experiments.schedules import Constant


@pytest.mark.parametrize(
    "optimizer", [Sgd(schedule=Constant(rate=0.3), box=(0.0, 1.0)), Adam(schedule=Constant(rate=0.2), box=(0.0, 1.0))]
)
def test_a_box_keeps_parameters_inside_and_finds_the_best_of_them(optimizer):
    """The minimum of |x - t|² in the box is t clipped to it."""
    target = jnp.array([-0.5, 0.25, 0.75, 3.0])
    rule = optimizer.transformation(200)
    params = jnp.full(4, 0.5)
    state = rule.init(params)
    for _ in range(200):
        gradient = jax.grad(lambda x: 0.5 * jnp.sum((x - target) ** 2))(params)
        updates, state = rule.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        assert float(params.min()) >= -1e-7
        assert float(params.max()) <= 1 + 1e-7
    np.testing.assert_allclose(params, jnp.clip(target, 0.0, 1.0), atol=2e-2)


def test_a_box_the_wrong_way_round_is_refused():
    with pytest.raises(ValueError, match=r"Adam.box is \(1.0, 0.0\)"):
        Adam(box=(1.0, 0.0))
