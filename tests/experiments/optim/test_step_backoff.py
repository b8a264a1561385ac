import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from listener import Listener
from pixels import Pixels

from likeness.experiments.optim.lbfgs import Lbfgs
from likeness.experiments.optim.optimizers import Adam, Sgd
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.training.recorder import NonFinite
from likeness.experiments.training.step import initial_state, train_step
from likeness.experiments.training.trainer import train

START = jnp.array([1.0, -2.0])


def cost(x):
    """Convex, least at 0, and infinite beyond |x| = 5."""
    return jnp.sum(x**2) / jnp.where(jnp.max(jnp.abs(x)) < 5.0, 1.0, 0.0)


def points(optimizer, steps):
    rule = optimizer.transformation(steps)

    @jax.jit
    def step(params, state):
        value, gradient = jax.value_and_grad(cost)(params)
        updates, state = rule.update(gradient, state, params, value=value)
        return value, optax.apply_updates(params, updates), state, optimizer.recovers(state)

    params, state = START, rule.init(START)
    seen = []
    for _ in range(steps):
        value, after, state, recovers = step(params, state)
        seen.append((np.asarray(params), float(value), bool(recovers)))
        params = after
    return seen


def test_a_step_that_leads_too_far_is_halved_until_it_does_not():
    """The first step, 100 times the gradient (2, -4), leads to (-199, 398): halved 6 times it is inside the domain."""
    seen = points(Sgd(schedule=Constant(peak_lr=100.0), momentum=0.0, halvings=10), 40)
    values = [value for _, value, _ in seen]
    bad = [index for index, value in enumerate(values) if not np.isfinite(value)]
    assert bad[:5] == [1, 2, 3, 4, 5]
    for index in bad:
        assert seen[index][2]
    for taken in range(1, bad[-1] + 2):
        if all(index in bad for index in range(1, taken)):
            np.testing.assert_allclose(seen[taken][0], START - 100.0 * 0.5 ** (taken - 1) * 2.0 * START, rtol=1e-4)
    # A step is halved once more where it still leads away, and never made longer again: in the end it leads down.
    assert len(bad) <= 8
    assert values[-1] < 1e-6


def test_the_rule_sees_nothing_of_what_is_not_finite():
    seen = points(Adam(schedule=Constant(peak_lr=8.0), halvings=5), 60)
    assert sum(not np.isfinite(value) for _, value, _ in seen) >= 1
    assert np.isfinite(seen[-1][0]).all()
    assert seen[-1][1] < seen[0][1]


@pytest.mark.slow
def test_without_anything_to_halve_the_rule_is_the_same_to_the_bit():
    # Operation by operation: a compiler may join a product and a sum to one rounding in one program and not in another.
    with jax.disable_jit():
        plain = points(Adam(schedule=Constant(peak_lr=0.1)), 10)
        halving = points(Adam(schedule=Constant(peak_lr=0.1), halvings=3), 10)
    for (ours, _, _), (theirs, _, _) in zip(halving, plain, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("search", ["wolfe", "fixed"])
def test_lbfgs_goes_halfway_back_on_its_search_line(search):
    seen = points(Lbfgs(search=search, first_change=64.0), 40)
    bad = [index for index, (_, value, _) in enumerate(seen) if not np.isfinite(value)]
    assert bad[:4] == [1, 2, 3, 4]
    assert all(seen[index][2] for index in bad)
    assert min(value for _, value, _ in seen) < 1e-6


def test_halvings_and_accumulation_exclude_each_other():
    with pytest.raises(ValueError, match="halvings=2 and accumulate=4"):
        Adam(halvings=2, accumulate=4)


def a_run(**changes):
    optimizer = Adam(schedule=Constant(peak_lr=0.05), halvings=changes.pop("halvings", 3))
    return Run(experiment=Pixels(nan_at=5), optimizer=optimizer, ema_decay=0.9, log_every=4, **changes)


@pytest.mark.slow
@pytest.mark.end_to_end
def test_a_run_goes_on_and_says_so(tmp_path):
    listener = Listener()
    trained = train(a_run(steps=12), tmp_path / "whole", reporter=listener)
    assert listener.warned == ["step 4 is not finite: the step before it is taken back and tried again at half its length"]
    # The state of the model is that of the eleven steps that counted.
    assert float(trained.state.model_state["calls"]) == 11
    train(a_run(steps=5, checkpoints=Checkpoints(every=1)), tmp_path / "parts")
    resumed = train(a_run(steps=12, checkpoints=Checkpoints(every=1)), tmp_path / "parts")
    jax.tree.map(np.testing.assert_array_equal, resumed.state.params, trained.state.params)
    jax.tree.map(np.testing.assert_array_equal, resumed.state.average, trained.state.average)


@pytest.mark.end_to_end
def test_without_halvings_the_run_stops(tmp_path):
    with pytest.raises(NonFinite, match=r"Step 4 is not finite.*optimizer.halvings"):
        train(a_run(steps=12, halvings=0), tmp_path)


@pytest.mark.end_to_end
def test_what_comes_in_is_not_mended_and_what_never_ends_is_given_up():
    run = a_run(steps=9)
    experiment = Pixels(nan_at=1)
    constants = experiment.constants(experiment.open())
    optimizer = run.optimizer.transformation(9)
    key, batch = jax.random.key(0), {"number": np.ones(8, np.int32)}
    state = initial_state(experiment, optimizer, averaged=True, key=key, constants=constants, batch=batch)
    step = jax.jit(
        lambda state, batch: train_step(experiment, optimizer, run.optimizer.recovers, 0.9, state, constants, batch, key)
    )
    recovers = []
    for _ in range(5):
        state, report = step(state, batch)
        recovers.append(bool(report.recovers))
    assert recovers == [True, True, True, False, False]
    broken = {"number": np.ones(8, np.int32), "more": np.full(8, np.nan, np.float32)}
    fresh = initial_state(experiment, optimizer, averaged=True, key=key, constants=constants, batch=broken)
    assert not bool(step(fresh, broken)[1].recovers)
