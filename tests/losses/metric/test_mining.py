"""What the selection rules promise beyond their sets: uniform draws, and the first of equals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.losses.metric.mining import BatchHard, MarginViolating, farthest, first, nearest, uniformly

NONE = [False] * 5
MASK = np.array([[False, True, True, False, True], NONE, [True] * 5, NONE, NONE])


def test_draws_are_uniform_over_the_candidates():
    keys = jax.random.split(jax.random.key(0), 4000)
    counts = np.asarray(jnp.sum(jax.jit(jax.vmap(lambda key: uniformly(jnp.asarray(MASK), key)))(keys), axis=0))
    expected = 4000 * np.asarray(MASK) / np.maximum(np.asarray(MASK).sum(1, keepdims=True), 1)
    # Five standard deviations of a binomial count.
    assert (np.abs(counts - expected) <= 5 * np.sqrt(np.maximum(expected, 0))).all()


def test_a_draw_that_rounds_up_to_the_count_is_the_last_candidate(monkeypatch):
    monkeypatch.setattr(jax.random, "uniform", lambda key, shape: jnp.ones(shape))
    found = np.asarray(uniformly(jnp.asarray(MASK), jax.random.key(0)))
    for row, drawn in zip(np.asarray(MASK), found, strict=True):
        assert np.flatnonzero(drawn).tolist() == np.flatnonzero(row)[-1:].tolist()


def test_draws_depend_on_the_key_alone():
    draw = jax.jit(uniformly)
    assert (draw(jnp.asarray(MASK), jax.random.key(1)) == draw(jnp.asarray(MASK), jax.random.key(1))).all()
    drawn = {np.asarray(draw(jnp.asarray(MASK), jax.random.key(seed))).tobytes() for seed in range(20)}
    assert len(drawn) > 5


def test_a_draw_without_a_key_says_what_to_pass():
    with pytest.raises(ValueError, match="pass key="):
        uniformly(jnp.asarray(MASK), None)


def test_equal_distances_take_the_lowest_index():
    ties, mask = jnp.ones((5, 5)), jnp.asarray(MASK)
    lowest = [[False, True, False, False, False], NONE, [True, False, False, False, False], NONE, NONE]
    assert first(mask).tolist() == nearest(ties, mask).tolist() == farthest(ties, mask).tolist() == lowest


def test_margin_violating_rule_takes_hard_negatives_too():
    distances = jnp.array([[0.0, 0.5, 0.4, 0.6, 0.8]] * 5)
    negative = jnp.array([[False, False, True, True, True]] * 5)
    drawn = np.zeros(5, bool)
    for seed in range(20):
        chosen = MarginViolating().negatives(jnp.full((5, 1), 0.5), distances, negative, 0.2, jax.random.key(seed))
        drawn |= np.asarray(chosen).any(0)
    assert drawn.tolist() == [False, False, True, True, False]


def test_rules_are_values():
    assert BatchHard() == BatchHard()
    assert hash(BatchHard()) == hash(BatchHard())
