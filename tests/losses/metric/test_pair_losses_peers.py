"""Losses of pairs, proxies, sub-centers and miners beside pytorch-metric-learning: same value, same gradient, and where not.

Where that library or optax answers otherwise, the test says so.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from likeness.research.losses import (
    Circle,
    CrossBatchMemory,
    EasyPositive,
    MarginLoss,
    MultiSimilarity,
    MultiSimilarityMiner,
    NTXent,
    ProxyAnchor,
    SubcenterArcFace,
    SupCon,
    Triplet,
    TripletPairs,
)

pytestmark = pytest.mark.peers

LABELS = np.array([0, 1, 0, 2, 1, 0, 3, 4, 4, 1, 0, 4])
X = np.random.default_rng(0).normal(size=(12, 6)).astype(np.float32)


def theirs(criterion, x=X, labels=LABELS, miner=None):
    torch = pytest.importorskip("torch")
    rows, people = torch.tensor(x, requires_grad=True), torch.tensor(labels)
    value = criterion(rows, people, miner(rows, people)) if miner else criterion(rows, people)
    value.backward()
    return value.item(), rows.grad.numpy()


def ours(loss, x=X, labels=LABELS, params=None):
    params = loss.init(jax.random.key(0), x.shape[1]) if params is None else params
    compute = jax.value_and_grad(lambda x: loss.value_and_diagnostics(params, x, jnp.asarray(labels))[0])
    return jax.jit(compute)(jnp.asarray(x))


def alike(found, expected, rtol: float = 1e-5):
    assert found[0] == pytest.approx(expected[0], rel=rtol)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-4, atol=1e-5 * max(1.0, np.abs(expected[1]).max()))


@pytest.fixture
def library():
    pytest.importorskip("torch")
    return pytest.importorskip("pytorch_metric_learning")


def test_losses_of_pairs(library):
    from pytorch_metric_learning import losses, miners

    alike(ours(SupCon(temperature=0.2)), theirs(losses.SupConLoss(temperature=0.2)))
    alike(ours(NTXent(temperature=0.2)), theirs(losses.NTXentLoss(temperature=0.2)))
    alike(ours(MultiSimilarity()), theirs(losses.MultiSimilarityLoss(alpha=2, beta=50, base=0.5)))
    mined = MultiSimilarity(miner=MultiSimilarityMiner(epsilon=0.1))
    alike(ours(mined), theirs(losses.MultiSimilarityLoss(), miner=miners.MultiSimilarityMiner(epsilon=0.1)))
    alike(ours(Circle(margin=0.4, gamma=16.0)), theirs(losses.CircleLoss(m=0.4, gamma=16)))


def test_easy_positive_triplets(library):
    from pytorch_metric_learning import distances, losses, miners, reducers

    squared = distances.LpDistance(normalize_embeddings=False, power=2)
    criterion = losses.TripletMarginLoss(margin=0.3, distance=squared, reducer=reducers.AvgNonZeroReducer())
    for ours_kind, theirs_kind in (("semi_hard", "semihard"), ("hardest", "hard")):
        miner = miners.BatchEasyHardMiner(pos_strategy="easy", neg_strategy=theirs_kind, distance=squared)
        loss = Triplet(margin=0.3, reduction="mean_active", rule=EasyPositive(negatives_kind=ours_kind))
        alike(ours(loss), theirs(criterion, miner=miner))


def test_the_margin_loss_of_one_positive_and_one_negative_an_anchor(library):
    """There each pair is in one triplet, and counting pairs is counting triplets."""
    from pytorch_metric_learning import distances, losses, miners

    plain = distances.LpDistance(normalize_embeddings=False)
    miner = miners.BatchEasyHardMiner(pos_strategy="easy", neg_strategy="hard", distance=plain)
    loss = MarginLoss(beta=2.0, boundary="fixed", miner=TripletPairs(rule=EasyPositive(negatives_kind="hardest")))
    alike(ours(loss), theirs(losses.MarginLoss(margin=0.2, beta=2.0, distance=plain), miner=miner))


def test_proxies_and_subcenters(library):
    torch = pytest.importorskip("torch")
    from pytorch_metric_learning import losses

    centers = np.random.default_rng(1).normal(size=(15, 6)).astype(np.float32)
    proxies = losses.ProxyAnchorLoss(5, 6, margin=0.1, alpha=8)
    proxies.proxies.data = torch.tensor(centers[:5])
    alike(ours(ProxyAnchor(classes=5, alpha=8.0), params={"centers": jnp.asarray(centers[:5])}), theirs(proxies))
    arc = losses.SubCenterArcFaceLoss(num_classes=5, embedding_size=6, margin=28.6478897565, scale=8, sub_centers=3)
    arc.W.data = torch.tensor(centers.T.copy())
    alike(ours(SubcenterArcFace(classes=5, scale=8.0), params={"centers": jnp.asarray(centers)}), theirs(arc), 2e-5)


def test_a_memory_of_earlier_batches(library):
    """Its memory holds the batch itself; so ours is as much smaller, and our gradient by references is left out."""
    torch = pytest.importorskip("torch")
    from pytorch_metric_learning import losses

    batches = np.random.default_rng(2).normal(size=(4, 6, 5)).astype(np.float32)
    labels = np.random.default_rng(3).integers(0, 3, (4, 6)).astype(np.int32)
    criterion = losses.CrossBatchMemory(losses.SupConLoss(temperature=0.3), embedding_size=5, memory_size=18)
    loss = CrossBatchMemory(loss=SupCon(temperature=0.3), size=12, own_batch="detached")
    state = loss.init_state(5)
    for x, people in zip(batches, labels, strict=True):
        rows = torch.tensor(x, requires_grad=True)
        expected = criterion(rows, torch.tensor(people, dtype=torch.int64))
        expected.backward()

        def value(x, state=state, people=people):
            value, after, _ = loss.value_state_and_diagnostics({}, state, x, people)
            return value, after

        (found, state), slope = jax.value_and_grad(value, has_aux=True)(jnp.asarray(x))
        alike((found, slope), (expected.item(), rows.grad.numpy()))


def test_where_the_others_answer_otherwise(library):
    """One person: SupCon's formula has a value, which it is not given there. Nobody twice: optax's NT-Xent is NaN."""
    from pytorch_metric_learning import losses

    one = np.zeros(12, int)
    assert theirs(losses.SupConLoss(), labels=one)[0] == 0
    assert ours(SupCon(), labels=one)[0] > 1
    singletons = np.arange(12)
    assert np.isnan(optax.losses.ntxent(jnp.asarray(X), jnp.asarray(singletons)))
    assert ours(NTXent(), labels=singletons)[0] == 0
    # And the triplet loss of optax, which takes no absolute values, of the norm of degree 1.
    a, p, n = (jnp.asarray(X[i : i + 4]) for i in (0, 4, 8))
    expected = jnp.maximum(jnp.sum(jnp.abs(a - p), 1) - jnp.sum(jnp.abs(a - n), 1) + 1.0, 0.0)
    assert not np.allclose(optax.losses.triplet_margin_loss(a, p, n, norm_degree=1), expected, rtol=0.1)


@pytest.mark.slow
def test_optax_agrees_where_every_image_has_one_positive():
    labels = np.repeat(np.arange(6), 2)
    value, slope = jax.value_and_grad(lambda x: optax.losses.ntxent(x, jnp.asarray(labels), temperature=0.2))(jnp.asarray(X))
    found = ours(NTXent(temperature=0.2), labels=labels)
    alike(found, (float(value), np.asarray(slope)))
