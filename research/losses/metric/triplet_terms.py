"""The sum of the selected triplets' terms and its derivative, without ever holding a (b, b, b) array.

Given the selected triplets, the hinge ``Σ [d_ap - d_an + α]₊`` is linear in the distances: its derivative by
``d_ij`` is the number of active triplets in which j is i's positive, minus the number in which j is i's
negative. So one pass over the positives (the first of every anchor, then the second of every anchor, ...)
that keeps one (b, b) matrix of weights yields the value and the exact derivative together: O(b² K) work for
at most K positives an anchor and O(b²) memory, for any distribution of images over people. K is found at run
time, so a new distribution does not compile again. Soft-plus terms weigh ``sigmoid(d_ap - d_an + α)`` in
place of 1.
"""

import functools
from typing import Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

from likeness.research.losses.metric.mining import SelectionRule
from likeness.research.types import Array, Bool, Float, PRNGKey, Scalar

Penalty: TypeAlias = Literal["hinge", "softplus"]


class Terms(NamedTuple):
    """What the selected triplets add up to; float32 scalars."""

    total: Float[Array, ""]
    """Sum of the penalties."""
    selected: Float[Array, ""]
    """Number of selected triplets."""
    active: Float[Array, ""]
    """Number of selected triplets whose penalty is above 0."""


class _Pass(NamedTuple):
    previous: Array
    total: Array
    selected: Array
    active: Array
    weights: Array


def triplet_terms(
    rule: SelectionRule,
    penalty: Penalty,
    margin: Scalar | float,
    distances: Float[Array, "n m"],
    positive: Bool[Array, "n m"],
    negative: Bool[Array, "n m"],
    key: PRNGKey | None,
) -> Terms:
    """Sum and counts of the triplets that a rule selects.

    Differentiable in the distances, the selection held fixed.

    Args:
        rule: which triplets.
        penalty: ``[x]₊`` or ``log(1 + exp x)`` of ``x = d_ap - d_an + margin``.
        margin: α, held fixed in derivatives.
        distances: row a holds the distances of anchor a.
        positive: positives of each anchor.
        negative: negatives of each anchor.
        key: for the rules that draw at random; the k-th positives' draw depends on the key, k and nothing
            else.

    Returns:
        The total, the number of selected and of active triplets.
    """
    return _terms(rule, penalty, margin, distances, positive, negative, key)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _terms(rule, penalty, margin, distances, positive, negative, key) -> Terms:
    return _reduce(_run(rule, penalty, margin, distances, positive, negative, key))


# The margin is an array like the others, so that it may differ between runs that are trained as one program.
@_terms.defjvp
def _terms_derivative(rule, penalty, at, along) -> tuple[Terms, Terms]:
    done = _run(rule, penalty, *at)
    none = jnp.zeros((), jnp.float32)
    return _reduce(done), Terms(jnp.sum(done.weights * along[1]), none, none)


def _reduce(done: _Pass) -> Terms:
    return Terms(jnp.sum(done.total), jnp.sum(done.selected), jnp.sum(done.active))


def _run(rule, penalty, margin, distances, positive, negative, key) -> _Pass:
    zeros = jnp.zeros(len(distances), jnp.float32)
    nothing = _Pass(zeros - 1.0, zeros, zeros, zeros, jnp.zeros_like(distances))
    if not distances.size:
        return nothing
    positive = rule.positives(distances, positive)
    columns = jnp.arange(distances.shape[1], dtype=jnp.float32)
    # Columns as floats: exact below 2^24, and float reductions are the ones that XLA vectorizes on a CPU.
    places = jnp.where(positive, columns, jnp.inf)
    rounds = jnp.max(jnp.sum(positive, axis=1, dtype=jnp.int32), initial=0)

    def add_next_positive(k: Array, so_far: _Pass) -> _Pass:
        place = jnp.min(jnp.where(places > so_far.previous[:, None], places, jnp.inf), axis=1)
        at = columns == place[:, None]
        d_ap = jnp.sum(jnp.where(at, distances, 0.0), axis=1, keepdims=True)
        anchors = (place < jnp.inf)[:, None]
        round_key = None if key is None else jax.random.fold_in(key, k)
        chosen = rule.negatives(d_ap, distances, negative & anchors, margin, round_key)
        violation = jnp.where(chosen, d_ap + margin - distances, -jnp.inf)
        if penalty == "hinge":
            terms = jnp.maximum(violation, 0.0)
            slopes = jnp.where(violation > 0, 1.0, 0.0)
            active = jnp.sum(slopes, axis=1)
        else:
            terms = jax.nn.softplus(violation)
            slopes = jax.nn.sigmoid(violation)
            active = jnp.sum(jnp.where(chosen, 1.0, 0.0), axis=1)
        to_positive = jnp.sum(slopes, axis=1, keepdims=True)
        return _Pass(
            previous=place,
            total=so_far.total + jnp.sum(terms, axis=1),
            selected=so_far.selected + jnp.sum(jnp.where(chosen, 1.0, 0.0), axis=1),
            active=so_far.active + active,
            weights=so_far.weights + (jnp.where(at, to_positive, 0.0) - slopes),
        )

    return jax.lax.fori_loop(0, rounds, add_next_positive, nothing)
