"""Update rules beside their textbook formulas in float64, and what a chain of them promises."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from likeness.experiments.optim.optimizers import AdaGrad, Adam, RmsProp, Sgd
from likeness.experiments.optim.schedules import Constant, WarmupCosine

START = {
    "dense": {"kernel": jnp.array([[1.0, -2.0], [0.5, 4.0]]), "bias": jnp.array([3.0, -1.0])},
    "norm": {"scale": jnp.array([2.0, 5.0])},
    "temperature": jnp.array(6.0),
}
GRADIENTS = [
    jax.tree.map(lambda leaf, factor=factor: factor * (1.0 + jnp.cos(3.0 * leaf)), START)
    for factor in (1.0, -0.5, 2.0, 0.25, 3.0)
]


def path(optimizer, gradients=GRADIENTS, start=START, steps=None):
    """The parameters before each step and after the last."""
    rule = optimizer.transformation(len(gradients) if steps is None else steps)
    params, state, points = start, rule.init(start), [start]
    for gradient in gradients:
        updates, state = rule.update(gradient, state, params, value=jnp.zeros(()))
        params = optax.apply_updates(params, updates)
        points.append(params)
    return points


def close(found, expected, rtol=2e-5):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-7), found, expected)


def wide(tree):
    return jax.tree.map(np.float64, tree)


def textbook(direction, rate=0.1, decay=0.0):
    """p ← p − rate (direction(g) + decay p), where decay acts on the kernel only."""
    params = wide(START)
    for t, gradient in enumerate(GRADIENTS):
        moved = jax.tree.map(lambda p, d: p - rate * d, params, direction(t, wide(gradient)))
        moved["dense"]["kernel"] = moved["dense"]["kernel"] - rate * decay * params["dense"]["kernel"]
        params = moved
    return params


def adam(b1=0.9, b2=0.999, eps=1e-8):
    m = v = jax.tree.map(np.zeros_like, wide(START))

    def direction(t, g):
        nonlocal m, v
        m = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, m, g)
        v = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g**2, v, g)
        return jax.tree.map(lambda m, v: (m / (1 - b1 ** (t + 1))) / (np.sqrt(v / (1 - b2 ** (t + 1))) + eps), m, v)

    return direction


def momentum(decay, nesterov=False):
    velocity = jax.tree.map(np.zeros_like, wide(START))

    def direction(t, g):
        nonlocal velocity
        velocity = jax.tree.map(lambda u, g: decay * u + g, velocity, g)
        return jax.tree.map(lambda u, g: decay * u + g, velocity, g) if nesterov else velocity

    return direction


def adagrad(initial):
    total = jax.tree.map(lambda leaf: np.full_like(leaf, initial), wide(START))

    def direction(t, g):
        nonlocal total
        total = jax.tree.map(lambda s, g: s + g**2, total, g)
        # optax adds 1e-7 under the root, which no gradient here feels.
        return jax.tree.map(lambda s, g: g / np.sqrt(s), total, g)

    return direction


def rmsprop(decay, eps):
    mean = jax.tree.map(np.zeros_like, wide(START))

    def direction(t, g):
        nonlocal mean
        mean = jax.tree.map(lambda v, g: decay * v + (1 - decay) * g**2, mean, g)
        return jax.tree.map(lambda v, g: g / (np.sqrt(v) + eps), mean, g)

    return direction


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize(
    ("optimizer", "direction"),
    [
        (Adam, lambda: adam()),
        (lambda **rest: Adam(b1=0.5, b2=0.9, eps=0.1, **rest), lambda: adam(0.5, 0.9, 0.1)),
        (lambda **rest: Sgd(momentum=0.0, **rest), lambda: momentum(0.0)),
        (Sgd, lambda: momentum(0.9)),
        (lambda **rest: Sgd(momentum=0.7, nesterov=True, **rest), lambda: momentum(0.7, nesterov=True)),
        (RmsProp, lambda: rmsprop(0.99, 1e-8)),
        (lambda **rest: RmsProp(decay=0.5, eps=0.1, **rest), lambda: rmsprop(0.5, 0.1)),
        (AdaGrad, lambda: adagrad(0.1)),
        (lambda **rest: AdaGrad(initial_accumulator=1.0, **rest), lambda: adagrad(1.0)),
    ],
)
def test_rules_are_the_textbook_s_with_decay_beside_them(optimizer, direction, decay):
    """The decay is decoupled: no moment sees it. Neither biases, nor the scales of norms, nor scalars decay."""
    found = path(optimizer(schedule=Constant(peak_lr=0.1), weight_decay=decay))[-1]
    close(found, textbook(direction(), decay=decay))


def test_without_a_gradient_only_the_weights_decay():
    nothing = [jax.tree.map(jnp.zeros_like, START)] * 2
    for optimizer in (Adam, Sgd, AdaGrad):
        found = path(optimizer(schedule=Constant(peak_lr=0.1), weight_decay=0.5), nothing)[-1]
        np.testing.assert_allclose(found["dense"]["kernel"], 0.95**2 * START["dense"]["kernel"], rtol=1e-6)
        for name in ("norm", "temperature"):
            jax.tree.map(np.testing.assert_array_equal, found[name], START[name])
        np.testing.assert_array_equal(found["dense"]["bias"], START["dense"]["bias"])


def norm(tree):
    return np.sqrt(sum(np.sum(np.float64(leaf) ** 2) for leaf in jax.tree.leaves(tree)))


def test_the_gradient_of_all_parameters_is_clipped_before_the_rule_sees_it():
    """By one norm over all of them; shorter ones stay. Neither the momentum nor the decay is clipped."""
    most = 2.5
    assert min(map(norm, GRADIENTS)) < most < max(map(norm, GRADIENTS))
    clipped = [jax.tree.map(lambda leaf, g=g: leaf * min(1.0, most / norm(g)), g) for g in GRADIENTS]
    for optimizer in (Sgd, AdaGrad):
        settings = {"schedule": Constant(peak_lr=0.1), "weight_decay": 0.3}
        close(path(optimizer(clip_norm=most, **settings))[-1], path(optimizer(**settings), clipped)[-1])


def test_batches_are_averaged_into_one_update():
    """Nothing moves until the last of k batches; then the rule sees their mean, clipped as one."""
    settings = {"schedule": Constant(peak_lr=0.1), "clip_norm": 1.0, "weight_decay": 0.3}
    points = path(Adam(accumulate=2, **settings), GRADIENTS[:4])
    means = [jax.tree.map(lambda a, b: (a + b) / 2, GRADIENTS[i], GRADIENTS[i + 1]) for i in (0, 2)]
    expected = path(Adam(**settings), means)
    for found, wanted in zip(points, (0, 0, 1, 1, 2), strict=True):
        close(found, expected[wanted])


@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_schedule_counts_updates_from_0_over_the_whole_run(accumulate):
    """Update t is taken at rate(t), where the run has steps // accumulate updates."""
    schedule = WarmupCosine(peak_lr=0.5, warmup_share=0.4, final=0.1)
    one = [{"x": jnp.ones(())}] * (5 * accumulate)
    points = path(Sgd(momentum=0.0, schedule=schedule, accumulate=accumulate), one, {"x": jnp.zeros(())})
    rates = [float(schedule.over(5)(t)) for t in range(5)]
    assert rates[0] == 0 and rates[2] == 0.5
    moved = -np.diff([float(point["x"]) for point in points[::accumulate]])
    np.testing.assert_allclose(moved, rates, rtol=1e-5, atol=1e-7)


def test_the_next_stage_gets_the_moments_in_its_shapes_and_the_counts_go_on():
    schedule = WarmupCosine(peak_lr=0.5, warmup_share=0.4)
    for optimizer in (Adam(schedule=schedule), Adam(schedule=schedule, halvings=2), Sgd(schedule=schedule, clip_norm=1.0)):
        rule, start = optimizer.transformation(10), {"x": jnp.array([1.0, 2.0])}
        state = rule.init(start)
        for _ in range(3):
            _, state = rule.update({"x": jnp.array([0.5, -1.0])}, state, start, value=jnp.zeros(()))
        carried = optimizer.carry(10, state, {"x": jnp.zeros(4)}, lambda leaf: jnp.repeat(leaf, 2))
        before, after = jax.tree.leaves(state), jax.tree.leaves(carried)
        assert sum(leaf.shape == (2,) for leaf in before) == sum(leaf.shape == (4,) for leaf in after) > 0
        for old, new in zip(before, after, strict=True):
            np.testing.assert_array_equal(new, jnp.repeat(old, 2) if old.shape == (2,) else old)
        assert any(leaf.shape == () and int(leaf) == 3 for leaf in after)


@pytest.mark.slow
@pytest.mark.parametrize(
    "optimizer", [Sgd(schedule=Constant(peak_lr=0.3), box=(0.0, 1.0)), Adam(schedule=Constant(peak_lr=0.2), box=(0.0, 1.0))]
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
