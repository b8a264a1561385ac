import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.optimize

from likeness.experiments.optim.lbfgs import Lbfgs, _cubic_minimum, _Point


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


@pytest.mark.parametrize(
    "fields",
    [
        {"memory": 0},
        {"evaluations": 0},
        *({name: wrong} for name in ("rate", "first_change") for wrong in (0.0, -1.0, np.inf, np.nan)),
    ],
)
def test_illegal_fields_are_refused(fields):
    with pytest.raises(ValueError, match="Lbfgs has"):
        Lbfgs(**fields)


def cubic(a, b):
    """The coefficients, highest first, of the cubic with these steps, values and slopes."""
    rows = [[t**3, t**2, t, 1.0] for t in (a[0], b[0])] + [[3 * t**2, 2 * t, 1.0, 0.0] for t in (a[0], b[0])]
    return np.linalg.solve(rows, [a[1], b[1], a[2], b[2]])


def cubic_minimum(a, b):
    """Where that cubic is flat and bends upwards, or NaN."""
    slope = np.polyder(cubic(a, b))
    flat = [root.real for root in np.roots(slope) if abs(root.imag) < 1e-12 and np.polyval(np.polyder(slope), root.real) > 0]
    return flat[0] if flat else np.nan


def test_the_minimum_of_a_cubic_is_where_it_is_flat_and_bends_upwards():
    rng = np.random.default_rng(0)
    found, expected = [], []
    for _ in range(200):
        low, high = (np.float32([step, *rng.normal(size=2)]) for step in rng.uniform(0, 3, 2))
        if abs(low[0] - high[0]) > 0.3:
            found.append(float(_cubic_minimum(_Point(*low), _Point(*high))))
            expected.append(cubic_minimum(np.float64(low), np.float64(high)))
    assert 5 < np.isnan(expected).sum() < len(expected) - 100
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3)


def textbook(cost, gradient, x, memory, evaluations, first_change=0.02, most=100):
    """Every point at which the method of the docstring evaluates, in float64 and with loops for its loops."""
    pairs, points = [], []

    def evaluate(point):
        points.append(point)
        with np.errstate(over="ignore", invalid="ignore"):
            return cost(point), gradient(point)

    value, slopes = evaluate(x)
    while len(points) < most:
        direction = -slopes * first_change / np.abs(slopes).max()
        if pairs:
            inverse = np.eye(len(x)) * (pairs[-1][0] @ pairs[-1][1]) / (pairs[-1][1] @ pairs[-1][1])
            for s, y in pairs[-memory:]:
                left = np.eye(len(x)) - np.outer(s, y) / (s @ y)
                inverse = left @ inverse @ left.T + np.outer(s, s) / (s @ y)
            direction = -inverse @ slopes if slopes @ inverse @ slopes > 0 else direction
        descent = slopes @ direction
        low, high, step = (0.0, value, descent), None, 1.0
        for evaluation in range(1, 1000):
            there, there_slopes = evaluate(x + step * direction)
            slope = there_slopes @ direction
            enough = there <= value + 1e-4 * step * descent
            close = abs(there - value) <= 1e-6 * abs(value)
            if ((enough or close) and abs(slope) <= 0.9 * abs(descent)) or (evaluation >= evaluations and there <= value):
                break
            if enough and there <= low[1] and slope < 0:
                low = (step, there, slope)
            else:
                high = (step, there, slope)
            if evaluation >= evaluations:
                step = low[0]
            elif high is None:
                step = 4 * step
            else:
                width = high[0] - low[0]
                least = cubic_minimum(low, high) if np.isfinite(high[1:]).all() else np.nan
                inside = np.clip(least, *sorted((low[0] + 0.1 * width, high[0] - 0.1 * width)))
                step = inside if np.isfinite(least) else low[0] + 0.5 * width
        new = x + step * direction
        s, y = new - x, there_slopes - slopes
        if not s.any():
            pairs = []
        elif s @ y > 1e-10 * (y @ y):
            pairs.append((s, y))
        x, value, slopes = new, there, there_slopes
    return np.array(points[:most])


def evaluated(cost, start, optimizer, steps):
    """Every point at which ours evaluates."""
    rule = optimizer.transformation(steps)
    step = jax.jit(lambda x, state: rule.update(*((vg := jax.value_and_grad(cost)(x))[1], state, x), value=vg[0]))
    x, state, points = jnp.asarray(start, jnp.float32), rule.init(jnp.asarray(start, jnp.float32)), []
    for _ in range(steps):
        points.append(np.asarray(x))
        updates, state = step(x, state)
        x = optax.apply_updates(x, updates)
    return np.array(points)


SCALES = np.array([1.0, 30.0, 1000.0])
COSTS = {
    "wavy": (
        lambda m: lambda x: m.sum(m.cosh(x) + 0.3 * m.sin(5.0 * x)),
        lambda x: np.sinh(x) + 1.5 * np.cos(5.0 * x),
        (-3.0, 0.5, 4.0),
    ),
    "banana": (
        lambda m: lambda x: m.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2),
        scipy.optimize.rosen_der,
        (-1.2, 1.0, -0.5),
    ),
    "steep": (lambda m: lambda x: 0.5 * m.sum(m.asarray(SCALES) * x**2), lambda x: SCALES * x, (1.0, 1.0, 1.0)),
    "bounded": (
        lambda m: lambda x: m.where(m.max(m.abs(x)) < 5.0, m.sum(x**2), m.inf),
        lambda x: 2 * x,
        (1.0, -2.0, 0.5),
    ),
}
"""By name: the cost for NumPy or JAX, its gradient, and where to begin."""


@pytest.mark.parametrize(
    ("name", "memory", "evaluations", "first_change", "points"),
    [
        ("wavy", 3, 20, 1e-5, 36),
        ("wavy", 1, 20, 1.0, 36),
        ("wavy", 2, 3, 0.02, 25),
        ("wavy", 5, 2, 3.0, 20),
        ("banana", 2, 3, 0.02, 16),
        ("banana", 3, 20, 64.0, 18),
        ("banana", 5, 1, 3.0, 18),
        ("steep", 3, 20, 1e-5, 12),
        ("steep", 2, 3, 0.02, 14),
        ("bounded", 3, 20, 64.0, 7),
        ("bounded", 3, 3, 64.0, 6),
    ],
)
def test_every_point_is_the_textbook_s(name, memory, evaluations, first_change, points):
    """For as many points as float32 follows float64: later the two differ as two runs of either would, begun a little apart."""
    cost, gradient, start = COSTS[name]
    expected = textbook(cost(np), gradient, np.array(start), memory, evaluations, first_change, points)
    rule = Lbfgs(memory=memory, evaluations=evaluations, first_change=first_change)
    found = evaluated(cost(jnp), start, rule, points)
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3 * np.abs(expected).max(1).min())


def test_where_nothing_slopes_nothing_moves():
    found = evaluated(lambda x: jnp.sum(x) * 0.0, (1.0, 2.0), Lbfgs(), 5)
    np.testing.assert_array_equal(found, np.tile([1.0, 2.0], (5, 1)))


def test_a_pair_of_no_curvature_is_not_remembered():
    """Along a straight slope the gradient never changes: each direction is the first one's, and steps get longer."""
    found = evaluated(lambda x: jnp.sum(x * jnp.array([1.0, -2.0])), (0.0, 0.0), Lbfgs(first_change=0.5, evaluations=3), 6)
    np.testing.assert_allclose(found[:, 0], -0.5 * found[:, 1], rtol=1e-6)
    assert (np.diff(found[:, 1]) > 0).all()


def test_the_fixed_search_takes_its_share_of_every_step():
    """On a quadratic of one number the quasi-Newton step leads to 0, so half of it halves what is left."""
    found = evaluated(lambda x: 3.0 * jnp.sum(x**2), (1.0,), Lbfgs(search="fixed", first_change=0.5, rate=0.5), 6)
    np.testing.assert_allclose(found[:, 0], [1.0, 0.75, 0.375, 0.1875, 0.09375, 0.046875], rtol=1e-5)


def test_a_run_recovers_while_its_search_goes_on():
    rule = Lbfgs(evaluations=3)
    state = rule.transformation(1).init(jnp.zeros(2))
    counted = [bool(rule.recovers(state._replace(evaluations=jnp.int32(n)))) for n in range(6)]
    assert counted == [False, False, True, True, False, False]


def test_the_next_stage_knows_nothing_of_the_curvature_of_the_last():
    rule = Lbfgs(memory=2)
    _, _, state = minimize(rosenbrock, jnp.array([-1.2, 1.0]), rule, 9)
    carried = rule.carry(9, state, jnp.ones(6), lambda leaf: leaf)
    jax.tree.map(np.testing.assert_array_equal, carried, rule.transformation(9).init(jnp.ones(6)))


def searching(value=10.0, slope=-2.0, *, evaluations=1, low=None, high=None):
    """A search from this value along this slope."""
    start = _Point(*map(jnp.float32, (0.0, value, slope)))
    bracket = {"low": start if low is None else _Point(*map(jnp.float32, low))}
    bracket["high"] = _Point(*map(jnp.float32, (np.inf, 0.0, 0.0) if high is None else high))
    state = Lbfgs().transformation(1).init(jnp.zeros(2))
    return state._replace(start=start, evaluations=jnp.int32(evaluations), **bracket)


@pytest.mark.parametrize(
    ("step", "value", "slope", "accepted"),
    [
        # Low enough and flat enough: f ≤ 1 − 1e-4 · a · 20, |f'| ≤ 0.9 · 20.
        (1.0, 0.99799, -17.9, True),
        (1.0, 0.99801, -17.9, False),
        (3.0, 0.99399, 0.1, True),
        (3.0, 0.99401, 0.1, False),
        (1.0, 0.5, -18.1, False),
        (1.0, 0.5, 17.9, True),
        (1.0, 0.5, 18.1, False),
    ],
)
def test_a_point_is_accepted_where_it_meets_both_wolfe_conditions(step, value, slope, accepted):
    point = _Point(*map(jnp.float32, (step, value, slope)))
    assert bool(Lbfgs()._accepts(searching(1.0, -20.0), point)) == accepted


@pytest.mark.parametrize(("change", "slope", "accepted"), [(0.9e-6, 1e-5, True), (1.2e-6, 1e-5, False), (0.9e-6, 2e-5, False)])
def test_a_cost_that_float32_cannot_tell_apart_is_accepted_by_its_slope(change, slope, accepted):
    point = _Point(*map(jnp.float32, (1.0, 10.0 * (1 + change), slope)))
    assert bool(Lbfgs()._accepts(searching(10.0, -2e-5), point)) == accepted


@pytest.mark.parametrize(
    ("evaluations", "value", "accepted"), [(2, 10.0, False), (3, 10.0, True), (4, 9.0, True), (4, 10.1, False)]
)
def test_a_search_that_has_had_its_evaluations_takes_what_is_no_worse(evaluations, value, accepted):
    point = _Point(*map(jnp.float32, (1.0, value, -2.0)))
    state = searching(evaluations=evaluations)
    assert bool(Lbfgs(evaluations=3)._accepts(state, point)) == accepted


@pytest.mark.parametrize(
    ("value", "slope", "farther"),
    [
        (9.9997, -1.0, True),
        # Not low enough by 1e-4 of the slope, going up, no lower than the lowest so far.
        (9.9999, -1.0, False),
        (9.0, 1.0, False),
        (9.0, 0.0, False),
    ],
)
def test_the_bracket_moves_on_to_a_point_that_is_low_and_still_goes_down(value, slope, farther):
    point = _Point(*map(jnp.float32, (1.0, value, slope)))
    narrowed = Lbfgs()._narrowed(searching(), point)
    assert (narrowed.low, narrowed.high)[not farther] == point
    assert int(narrowed.evaluations) == 2
    if farther:
        assert (float(narrowed.step), float(narrowed.high.step)) == (4.0, np.inf)
    else:
        assert 0.1 - 1e-6 <= float(narrowed.step) <= 0.9


@pytest.mark.parametrize(
    ("low", "high", "step"),
    [
        # A parabola with its minimum in the middle, and others whose minima are too near an end or beyond it.
        ((1.0, 9.0, -2.0), (3.0, 9.0, 2.0), 2.0),
        ((1.0, 9.0, -0.1), (3.0, 12.9, 4.0), 1.2),
        ((1.0, 9.0, -4.0), (3.0, 5.1, 0.1), 2.8),
        # No cubic fits what is not finite.
        ((1.0, 9.0, -2.0), (3.0, np.inf, np.nan), 2.0),
    ],
)
def test_the_next_point_is_the_minimum_of_the_cubic_a_tenth_inside_the_bracket(low, high, step):
    state = searching(low=low, high=high)
    narrowed = Lbfgs()._narrowed(state, _Point(*map(jnp.float32, high)))
    assert narrowed.low == state.low
    assert float(narrowed.step) == pytest.approx(step, rel=2e-2)


def test_a_search_that_found_nothing_goes_back_to_the_lowest_point():
    low = (0.5, 9.5, -1.0)
    for evaluations, back in ((1, False), (2, False), (3, True)):
        state = searching(low=low, high=(3.0, 12.0, 5.0), evaluations=evaluations)
        narrowed = Lbfgs(evaluations=3)._narrowed(state, _Point(*map(jnp.float32, (2.0, 11.0, 4.0))))
        assert (float(narrowed.step) == 0.5) == back
