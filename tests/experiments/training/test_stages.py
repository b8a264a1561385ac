"""Stages of a run, on a toy whose second stage has twice the columns."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy import toy_run
from widened import Widened, staged

from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.run import Checkpoints
from likeness.experiments.training.stages import going_on, stage_of, stages
from likeness.experiments.training.step import initial_state, promoted, train_step
from likeness.research.errors import UserError


def test_steps_are_shared_evenly_and_each_stage_knows_all_of_them():
    plan = stages(staged(steps=7))
    assert [stage.end for stage in plan] == [2, 5, 7]
    assert [stage.run.experiment.width for stage in plan] == [1, 2, 4]
    assert {stage.run.steps for stage in plan} == {7}
    (only,) = stages(toy_run(steps=5))
    assert (only.end, only.run) == (5, toy_run(steps=5))


@pytest.mark.parametrize(
    ("steps", "parts", "ends"),
    [
        (3000, (2, 1, 1), [1500, 2250, 3000]),
        (7, (1, 1, 1), [2, 5, 7]),
        (10, (0.25, 0.75, 4), [1, 2, 10]),
        (3, (100, 1, 1), [1, 2, 3]),
        (3, (1, 1, 100), [1, 2, 3]),
        (4, (100, 1, 1), [2, 3, 4]),
    ],
)
def test_steps_are_divided_by_parts_and_each_stage_has_one(steps, parts, ends):
    run = staged(steps=steps)
    run = dataclasses.replace(run, experiment=dataclasses.replace(run.experiment, parts=parts))
    assert [stage.end for stage in stages(run)] == ends


@pytest.mark.parametrize("parts", [(1, 1), (1, 1, 0), (1, 1, float("inf")), (1, -1, 1)])
def test_parts_that_are_none_are_refused(parts):
    run = staged(steps=7)
    with pytest.raises(ValueError, match=r"of 3 stages: it must have a finite number above 0 for each"):
        stages(dataclasses.replace(run, experiment=dataclasses.replace(run.experiment, parts=parts)))


def test_a_checkpoint_where_two_stages_meet_is_of_the_first():
    plan = stages(staged(steps=6))
    assert [stage.end for stage in plan] == [2, 4, 6]
    assert [stage_of(plan, step) for step in (None, 0, 1, 2, 3, 4, 5, 6)] == [0, 0, 0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("steps", "ends", "step", "found"),
    [
        (12, [2, 4, 6], 6, [2, 4, 12]),
        (12, [2, 4, 6], 4, [2, 4, 12]),
        (12, [2, 4, 6], 3, [2, 8, 12]),
        (12, [2, 4, 6], 1, [4, 8, 12]),
        (6, [4, 8, 12], 4, [4, 4, 6]),
        (6, [4, 8, 12], 3, [3, 4, 6]),
        (7, [2, 4, 7], 5, [2, 4, 7]),
        (6, [], 5, [2, 4, 6]),
    ],
)
def test_with_other_steps_those_stages_that_were_done_stay_so(steps, ends, step, found):
    plan = going_on(stages(staged(steps=steps)), ends, step)
    assert [stage.end for stage in plan] == found
    assert [stage.number for stage in plan] == [1, 2, 3]


def test_what_cannot_be_staged_is_refused():
    with pytest.raises(UserError, match="2 steps cannot have 3 stages"):
        stages(staged(steps=2))
    assert [stage.end for stage in stages(staged(steps=3))] == [1, 2, 3]


@pytest.mark.parametrize("widths", [(2, 4), (1, 2, 4)])
def test_no_metric_decides_over_stages_that_do_not_compare(widths):
    evaluated = {"evaluate_every": 1, "checkpoints": Checkpoints(best_metric="toy/score")}
    with pytest.raises(UserError, match="values of different stages do not compare"):
        stages(toy_run(experiment=Widened(widths=widths), **evaluated))
    (only,) = stages(toy_run(experiment=Widened(), **evaluated))
    assert only.run.checkpoints.best_metric == "toy/score"


@pytest.mark.slow
def test_the_next_stage_begins_where_the_last_has_ended():
    """Parameters, their mean and the optimizer's moments in the new shapes; the counts and the model's state as they are."""
    run = staged(steps=6, optimizer=Adam(schedule=Constant(peak_lr=0.1)), ema_decay=0.9)
    first, second, _ = (stage.run for stage in stages(run))
    rule, constants, batch = run.optimizer.transformation(6), {"number": jnp.float32(7)}, {"number": jnp.ones(8)}
    state = initial_state(first.experiment, rule, averaged=True, key=jax.random.key(0), constants=constants, batch=batch)
    for _ in range(2):
        state, _ = train_step(first.experiment, rule, run.optimizer.recovers, 0.9, state, constants, batch, jax.random.key(0))
    after = promoted(second, state, constants)
    assert int(after.step) == 2 and int(after.model_state["steps"]) == 2

    def twice(tree):
        return jax.tree.map(lambda leaf: np.repeat(leaf, 2, axis=-1) if np.ndim(leaf) else np.asarray(leaf), tree)

    for part in ("params", "average", "optimizer"):
        jax.tree.map(np.testing.assert_array_equal, getattr(after, part), twice(getattr(state, part)))
    # Two donated arguments must not be one buffer.
    assert not {leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves(after.params)} & {
        leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves(after.average)
    }
