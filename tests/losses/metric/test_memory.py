"""Losses that carry a state: cross-batch memory and center loss, beside loops over batches in NumPy's float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pairs64
import pytest
from float64 import assert_close, differences

from likeness.research.errors import UserError
from likeness.research.losses import (
    CarriesState,
    CenterLoss,
    Contrastive,
    CosFace,
    CrossBatchMemory,
    CurricularFace,
    Euclidean,
    MultiSimilarityMiner,
    Padded,
    SupCon,
    Triplet,
    advance,
    distance_of,
    initial_state,
)

BATCHES, B, SIZE = 5, 4, 10
X = np.random.default_rng(0).normal(size=(BATCHES, B, 3)).astype(np.float32)
LABELS = np.random.default_rng(1).integers(0, 4, (BATCHES, B)).astype(np.int32)


def steps(loss, valid=None):
    """Value, gradient by embeddings, and state, of each batch."""

    def step(state, x, labels):
        def value(x):
            value, state_, diagnostics = advance(loss, params, state, x, labels, jax.random.key(0))
            return value, (state_, diagnostics)

        (value_, (state, diagnostics)), slope = jax.value_and_grad(value, has_aux=True)(x)
        return state, value_, slope, diagnostics

    params = loss.init(jax.random.key(2), 3)
    state, run = initial_state(loss, 3), jax.jit(step)
    for i, (x, labels) in enumerate(zip(X, LABELS, strict=True)):
        given = labels if valid is None else Padded(labels, valid[i])
        state, value, slope, diagnostics = run(state, x, given)
        yield value, slope, state, diagnostics


ORACLES = {
    Contrastive(distance=Euclidean()): lambda x, y, p, n: pairs64.contrastive(pairs64.euclidean_distances(x, y), p, n, 1.0),
    SupCon(): lambda x, y, p, n: pairs64.supcon(pairs64.cosine_distances(x, y), p, n, 0.1),
    Triplet(): lambda x, y, p, n: pairs64.triplets(pairs64.squared_distances(x, y), p, n, 0.2),
}


@pytest.mark.parametrize("own", ["differentiated", "detached"])
@pytest.mark.parametrize("loss", ORACLES, ids=lambda loss: type(loss).__name__)
def test_a_batch_is_compared_with_itself_and_the_ten_before(loss, own: str):
    """Five batches of four, a memory of ten: the oldest two of the third before are forgotten."""
    past, whom = np.zeros((0, 3)), np.zeros(0, int)
    for (value, slope, _, found), x, labels in zip(
        steps(CrossBatchMemory(loss=loss, size=SIZE, own_batch=own)), X.astype(np.float64), LABELS, strict=True
    ):
        same = labels[:, None] == np.concatenate([labels, whom])[None]
        another = ~np.eye(B, len(same[0]), dtype=bool)

        def oracle(z, past=past, same=same, another=another, x=x):
            references = np.concatenate([z if own == "differentiated" else x, past])
            return ORACLES[loss](z, references, same & another, ~same & another)

        assert value == pytest.approx(float(oracle(x)), rel=1e-5, abs=1e-6)
        expected = differences(oracle, x)
        if np.abs(expected).max() > 0:
            assert_close(slope, expected, 1e-5)
        assert found["remembered"] == len(past)
        past, whom = np.concatenate([past, x])[-SIZE:], np.concatenate([whom, labels])[-SIZE:]


def test_padding_is_remembered_by_nobody_and_a_late_start_waits():
    valid = np.arange(B) < np.array([4, 2, 3, 1, 4])[:, None]
    remembered = [found["remembered"] for *_, found in steps(CrossBatchMemory(loss=SupCon(), size=SIZE), valid)]
    assert remembered == [0, 4, 6, 7, 4]
    late = [found["remembered"] for *_, found in steps(CrossBatchMemory(loss=SupCon(), size=SIZE, start=3))]
    assert late == [0, 0, 0, 10, 10]


def test_a_memory_goes_with_a_miner_and_compares_as_its_loss():
    loss = CrossBatchMemory(loss=SupCon(miner=MultiSimilarityMiner(), distance=Euclidean()), size=SIZE)
    assert all(np.isfinite(value) for value, *_ in steps(loss))
    assert distance_of(loss, {}) == Euclidean()
    assert isinstance(loss, CarriesState) and not isinstance(SupCon(), CarriesState)
    with pytest.raises(ValueError, match="no room for a batch of 4 images: give size=4 or more"):
        CrossBatchMemory(loss=SupCon(), size=3).value_and_diagnostics({}, X[0], LABELS[0])
    with pytest.raises(ValueError, match="CrossBatchMemory classifies.*same-person mask"):
        CrossBatchMemory(loss=SupCon()).value_and_diagnostics({}, X[0], LABELS[0][:, None] == LABELS[0])


@pytest.mark.slow
def test_centers_follow_the_embeddings_by_their_own_rule():
    """Value, gradient and centers of five batches; the gradient goes through the embeddings alone."""
    other = CosFace(classes=4, scale=4.0)
    loss = CenterLoss(classes=4, loss=other, weight=0.6, step=0.5)
    params, means = loss.init(jax.random.key(2), 3), np.zeros((4, 3))
    for (value, slope, state, found), x, labels in zip(steps(loss), X.astype(np.float64), LABELS, strict=True):
        base, to_x = jax.value_and_grad(lambda x, labels=labels: other(params, x, labels))(jnp.asarray(x, jnp.float32))
        away = x - means[labels]
        assert value == pytest.approx(float(base) + 0.3 * (away**2).sum(1).mean(), rel=1e-5)
        assert_close(slope, np.asarray(to_x, np.float64) + 0.6 * away / B, 1e-5)
        assert found["center_distance"] == pytest.approx((away**2).sum(1).mean(), rel=1e-5)
        for j in range(4):
            mine = x[labels == j]
            means[j] -= 0.5 * (means[j] - mine).sum(0) / (1 + len(mine))
        np.testing.assert_allclose(state["class_means"], means, atol=1e-6)


@pytest.mark.slow
def test_a_center_loss_carries_the_state_of_the_other():
    loss = CenterLoss(classes=4, loss=CurricularFace(classes=4))
    seen = [float(state["loss"]["t"]) for _, _, state, _ in steps(loss)]
    alone = [float(state["t"]) for _, _, state, _ in steps(loss.loss)]
    assert seen == pytest.approx(alone)
    with pytest.raises(UserError, match="has 4 centers and the training part has 5 people.*classes 5"):
        loss.check_identities(5, "5 people")
    assert np.isnan(loss.value_and_diagnostics(loss.init(jax.random.key(0), 3), X[0], np.array([0, 1, 2, 4]))[0])
