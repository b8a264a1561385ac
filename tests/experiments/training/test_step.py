"""What a step promises, computed beside it by hand."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toy import Toy, toy_run

from likeness.experiments.experiment import LossOutput, Variables
from likeness.experiments.optim.lbfgs import Lbfgs
from likeness.experiments.optim.optimizers import AdaGrad, Adam, Sgd
from likeness.experiments.optim.schedules import Constant, ExponentialDecay, WarmupCosine
from likeness.experiments.training.program import build
from likeness.experiments.training.step import strongly_typed, watched


@functools.cache
def program(**changes):
    run = toy_run(**changes)
    experiment = run.experiment
    return build(run, experiment.constants("data"), next(experiment.stream("data", run.seed)))


def taken(steps, seed=0, **changes):
    """The states before each step and after the last, and the reports, both in NumPy."""
    made = program(seed=seed, **changes)
    stream = toy_run(**changes).experiment.stream("data", seed)
    key = made.key(seed)
    state = made.init(key, made.constants, made.put(next(stream)))
    stream.set_state({"position": 0})
    states, reports = [jax.device_get(state)], []
    for _ in range(steps):
        state, report = made.step(state, made.constants, made.put(next(stream)), key)
        states.append(jax.device_get(state))
        reports.append(jax.device_get(report))
    return states, reports


def test_each_step_draws_by_the_run_s_key_folded_with_its_number():
    states, reports = taken(4, seed=3)
    drawn = [jax.random.uniform(jax.random.fold_in(jax.random.key(3), step)) for step in range(4)]
    np.testing.assert_array_equal([report.metrics["drawn"] for report in reports], drawn)
    assert len(set(map(float, drawn))) == 4
    assert [int(state.step) for state in states] == [0, 1, 2, 3, 4]


def test_the_beginning_is_drawn_by_the_run_s_key_itself():
    (state,), _ = taken(0, seed=3)
    np.testing.assert_array_equal(state.params["weights"], jax.random.uniform(jax.random.key(3), (2, 3)))


@pytest.mark.parametrize("decay", [0.2, 0.999])
def test_the_running_mean_starts_short(decay):
    """m ← d m + (1 − d) p with d = min(decay, (1 + t)/(10 + t)): 0.1, 2/11, 3/12, …"""
    states, _ = taken(5, ema_decay=decay)
    mean = np.float64(states[0].params["weights"])
    np.testing.assert_array_equal(states[0].average["weights"], states[0].params["weights"])
    for t in range(5):
        share = min(decay, (1 + t) / (10 + t))
        mean = share * mean + (1 - share) * np.float64(states[t + 1].params["weights"])
        np.testing.assert_allclose(states[t + 1].average["weights"], mean, rtol=1e-6)
    assert np.array_equal(states[-1].best_params["weights"], states[-1].average["weights"])
    # With its last weight from the first step on, the mean would still be where it began.
    assert abs(mean.mean() - states[-1].params["weights"].mean()) < 0.5 * abs((mean - states[0].params["weights"]).mean())


def test_without_a_mean_the_parameters_are_used():
    states, _ = taken(1)
    assert states[1].average is None
    assert states[1].best_params is states[1].params


def test_a_report_is_of_the_parameters_before_the_step():
    states, reports = taken(4, seed=1)
    for before, after, report, number in zip(states, states[1:], reports, range(1000, 1004), strict=False):
        params = before.params
        np.testing.assert_allclose(
            report.metrics["loss"], number * (params["weights"].sum() + 2 * params["biases"].sum()), rtol=1e-6
        )
        np.testing.assert_allclose(report.metrics["gradient_norm"], number * np.sqrt(6 + 3 * 4), rtol=1e-6)
        assert report.metrics["fixed"] == 7.0
        np.testing.assert_allclose(after.params["biases"], params["biases"] - 0.01 * 2 * number, rtol=1e-5)
        assert not report.recovers
        assert report.finite.all()


def test_what_is_not_learned_is_carried_from_step_to_step():
    states, _ = taken(3)
    assert [int(state.model_state["steps"]) for state in states] == [0, 1, 2, 3]


def test_flags_of_finiteness_are_named_causes_first():
    (state,), _ = taken(0)
    assert watched(state, {"number": np.zeros(8, np.float32), "label": np.zeros(8, np.int32)}) == [
        "batch number",
        "parameter biases",
        "parameter weights",
        "loss",
        "gradient of biases",
        "gradient of weights",
    ]


@pytest.mark.parametrize(
    ("spoiled", "flagged"),
    [
        ("batch", ["batch number", "loss", "gradient of biases", "gradient of weights"]),
        ("biases", ["parameter biases", "loss"]),
        ("weights", ["parameter weights", "loss"]),
    ],
)
def test_each_flag_is_of_what_it_is_named_after(spoiled, flagged):
    made = program()
    key, number = made.key(0), np.full(8, np.nan if spoiled == "batch" else 1.0, np.float32)
    batch = made.put({"number": number})
    state = made.init(key, made.constants, batch)
    params = {name: leaf * (np.nan if name == spoiled else 1.0) for name, leaf in state.params.items()}
    _, report = made.step(dataclasses.replace(state, params=params), made.constants, batch, key)
    assert [name for name, finite in zip(made.watched, report.finite, strict=True) if not finite] == flagged


class Steep(Toy):
    """Its cost is infinite at the batch of number 2, whose gradient is not."""

    def cost(self, params, state, constants, batch, key):
        cost = super().cost(params, state, constants, batch, key)
        return cost._replace(value=cost.value + jnp.where(batch["number"][0] == 2, jnp.inf, 0.0))


def test_after_a_step_that_was_taken_back_the_mean_starts_anew():
    """Step 1 leads to a cost that is not finite: step 2 goes halfway back, and the mean holds nothing of where it was."""
    halved = Sgd(schedule=Constant(peak_lr=0.01), momentum=0.0, halvings=1)
    states, reports = taken(5, experiment=Steep(), optimizer=halved, ema_decay=0.9, seed=0)
    assert [bool(report.recovers) for report in reports] == [False, False, True, False, False]
    weights = [np.float64(state.params["weights"]) for state in states]
    np.testing.assert_allclose(weights[3], (weights[1] + weights[2]) / 2, rtol=1e-6)
    assert np.abs(weights[3] - weights[2]).min() > 1e-3
    np.testing.assert_array_equal(states[3].average["weights"], states[3].params["weights"])
    # What is not learned is as it was before, and goes on from there; so does the mean.
    assert [int(state.model_state["steps"]) for state in states] == [0, 1, 2, 2, 3, 4]
    share = (1 + 3) / (10 + 3)
    np.testing.assert_allclose(states[4].average["weights"], share * weights[3] + (1 - share) * weights[4], rtol=1e-6)


def test_a_step_takes_the_place_of_the_state_it_was_given():
    made = program()
    key, batch = made.key(0), made.put({"number": np.zeros(8, np.float32)})
    before = made.init(key, made.constants, batch)
    after, _ = made.step(before, made.constants, batch, key)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(before))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves((after, made.constants, batch, key)))


@dataclasses.dataclass(frozen=True)
class Forgetful(Sgd):
    """A rule of one's own whose state is a Python number at first, and after each step."""

    def rule(self):
        return optax.GradientTransformation(lambda params: 1.0, lambda updates, state, params=None: (updates, 2.0))


OPTIMIZERS = (
    Forgetful(),
    Adam(),
    Adam(schedule=WarmupCosine(warmup_share=0.4), weight_decay=0.1, clip_norm=1.0, box=(0.0, 1.0)),
    Adam(halvings=2),
    Adam(accumulate=3),
    Sgd(schedule=ExponentialDecay(every=2)),
    Sgd(momentum=0.0, schedule=Constant()),
    Sgd(nesterov=True, halvings=1, weight_decay=0.1),
    AdaGrad(),
    Lbfgs(),
    Lbfgs(search="fixed"),
)


def typed(tree):
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): (leaf.shape, leaf.dtype, leaf.weak_type)
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


class Weak(Toy):
    """Of an author who knows nothing of weak types."""

    def init(self, key, constants, batch):
        del key, constants, batch
        return Variables({"weights": jnp.full((2, 3), 1.0), "biases": jnp.full(3, 0.5)}, {"steps": 0, "scale": 1.0})

    def cost(self, params, state, constants, batch, key):
        cost = super().cost(params, state, constants, batch, key)
        return LossOutput(cost.value, {"steps": 1 + state["steps"], "scale": 2.0}, cost.metrics)


@pytest.mark.parametrize("experiment", [Toy(), Weak()], ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("decay", [None, 0.9])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_no_step_changes_a_type(optimizer, decay, experiment):
    """Of another shape, dtype or weakness of type the next state would compile the step again."""
    made = program(optimizer=optimizer, ema_decay=decay, experiment=experiment)
    batch, key = {"number": np.zeros(8, np.float32)}, jax.random.key(0)
    before = jax.eval_shape(made.init, key, made.constants, batch)
    after, _ = jax.eval_shape(made.step, before, made.constants, batch, key)
    assert typed(after) == typed(before)
    assert not any(weak for _, _, weak in typed(before).values())


def test_strong_types_keep_every_number():
    tree = {"weak": jnp.full((), jnp.inf), "python": 2.0, "key": jax.random.key(1), "half": jnp.ones(2, jnp.bfloat16)}
    strong = strongly_typed(tree)
    assert [jax.typeof(leaf).weak_type for leaf in jax.tree.leaves(strong)] == [False] * 4
    assert (float(strong["weak"]), float(strong["python"])) == (np.inf, 2.0)
    assert strong["key"] is tree["key"]
    assert strong["half"].dtype == jnp.bfloat16
