import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.optimize

from experiments.lbfgs import Lbfgs


def minimize(cost, start, optimizer, steps):
    """Values at every evaluated point, and the last point."""
    rule = optimizer.transformation(steps)

    @jax.jit
    def step(params, state):
        value, gradient = jax.value_and_grad(cost)(params)
        updates, state = rule.update(gradient, state, params, value=value)
        return optax.apply_updates(params, updates), state, value

    params, state, values = start, rule.init(start), []
    for _ in range(steps):
        params, state, value = step(params, state)
        values.append(float(value))
    return values, params, state


def rosenbrock(x):
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def test_rosenbrock_in_about_as_many_evaluations_as_scipy():
    start = jnp.array([-1.2, 1.0, -0.5, 0.8])
    values, params, _ = minimize(rosenbrock, start, Lbfgs(), 90)
    theirs = scipy.optimize.minimize(scipy.optimize.rosen, np.asarray(start), jac=scipy.optimize.rosen_der, method="L-BFGS-B")
    ours = next(i for i, value in enumerate(values) if value < 1e-8)
    assert ours <= 1.5 * theirs.nfev
    np.testing.assert_allclose(params, 1.0, atol=1e-3)


def test_quadratic_with_a_wide_spectrum():
    scales = jnp.geomspace(1.0, 1e3, 12)
    values, _, _ = minimize(lambda tree: 0.5 * jnp.sum(scales * tree["a"] ** 2), {"a": jnp.ones(12)}, Lbfgs(memory=12), 120)
    assert min(values) < 1e-6 * values[0]


def test_accepted_points_meet_the_strong_wolfe_conditions():
    def cost(x):
        return jnp.sum(jnp.cosh(x)) + 0.3 * jnp.sum(jnp.sin(5.0 * x))

    rule = Lbfgs().transformation(60)
    params = jnp.linspace(-3.0, 4.0, 6)
    state = rule.init(params)
    accepted = 0

    @jax.jit
    def step(params, state):
        value, gradient = jax.value_and_grad(cost)(params)
        updates, state = rule.update(gradient, state, params, value=value)
        return value, gradient, optax.apply_updates(params, updates), state

    for _ in range(60):
        before = state
        value, gradient, params, state = step(params, state)
        if before.evaluations > 0 and state.evaluations == 1 and before.start.slope < -1e-4:
            accepted += 1
            slope = float(gradient @ before.direction)
            assert value <= before.start.value + 1e-4 * before.step * before.start.slope + 1e-5
            assert abs(slope) <= 0.9 * abs(before.start.slope) + 1e-6
    assert accepted >= 5


def test_a_first_try_that_is_far_too_long_or_short_is_mended():
    for change in (1e-5, 300.0):
        values, params, _ = minimize(lambda x: jnp.sum((x - 3.0) ** 2), jnp.zeros(4), Lbfgs(first_change=change), 40)
        np.testing.assert_allclose(params, 3.0, atol=1e-3)
        assert min(values) < 1e-6


def test_the_first_step_changes_no_parameter_by_more_than_said():
    start = jnp.array([0.25, -2.0])
    rule = Lbfgs(first_change=0.02).transformation(1)
    gradient = jax.grad(lambda x: jnp.sum(x**2))(start)
    updates, _ = rule.update(gradient, rule.init(start), start, value=jnp.sum(start**2))
    np.testing.assert_allclose(jnp.max(jnp.abs(updates)), 0.02, rtol=1e-5)


def test_fixed_steps_agree_with_the_textbook_in_float64():
    scales = np.array([1.0, 3.0, 10.0, 30.0])
    x, gradient_of = np.ones(4), lambda x: scales * x
    pairs, trajectory = [], []
    for _ in range(8):
        g = gradient_of(x)
        if not pairs:
            direction = -g * 0.02 / np.abs(g).max()
        else:
            hessian = np.eye(4) * (pairs[-1][0] @ pairs[-1][1]) / (pairs[-1][1] @ pairs[-1][1])
            for s, y in pairs[-3:]:
                rho = 1 / (s @ y)
                left = np.eye(4) - rho * np.outer(s, y)
                hessian = left @ hessian @ left.T + rho * np.outer(s, s)
            direction = -hessian @ g
        new = x + direction
        pairs.append((new - x, gradient_of(new) - g))
        x = new
        trajectory.append(0.5 * np.sum(scales * x**2))
    values, _, _ = minimize(
        lambda x: 0.5 * jnp.sum(jnp.asarray(scales) * x**2), jnp.ones(4), Lbfgs(memory=3, search="fixed"), 9
    )
    np.testing.assert_allclose(values[1:6], trajectory[:5], rtol=1e-3)


def test_an_exhausted_search_goes_on_from_its_best_point():
    values, _, _ = minimize(rosenbrock, jnp.array([-1.2, 1.0]), Lbfgs(evaluations=3), 80)
    assert min(values) < 1e-2 * values[0]


@pytest.mark.parametrize("fields", [{"memory": 0}, {"evaluations": 0}, {"rate": 0.0}, {"first_change": -1.0}])
def test_illegal_fields_are_refused(fields):
    with pytest.raises(ValueError, match="Lbfgs has"):
        Lbfgs(**fields)
