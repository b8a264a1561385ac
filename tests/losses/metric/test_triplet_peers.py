"""The triplet loss beside pytorch-metric-learning: same value, same gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.losses import BandSemiHard, BatchAll, BatchHard, Euclidean, SquaredEuclidean, Triplet

pytestmark = pytest.mark.peers

LABELS = np.array([0, 1, 0, 2, 1, 0, 3, 4, 4, 1, 0, 4])


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("rule", [BatchAll(), BatchHard(), BandSemiHard()], ids=str)
@pytest.mark.parametrize("penalty", ["hinge", "softplus"])
def test_equals_pytorch_metric_learning(rule, squared: bool, penalty: str):
    torch = pytest.importorskip("torch")
    pytest.importorskip("pytorch_metric_learning")
    from pytorch_metric_learning import distances, losses, miners, reducers

    distance = distances.LpDistance(normalize_embeddings=False, p=2, power=2 if squared else 1)
    reducer = reducers.AvgNonZeroReducer()
    criterion = losses.TripletMarginLoss(margin=0.3, smooth_loss=penalty == "softplus", distance=distance, reducer=reducer)
    miner = {
        BatchAll(): None,
        BatchHard(): miners.BatchHardMiner(distance=distance),
        BandSemiHard(): miners.TripletMarginMiner(margin=0.3, type_of_triplets="semihard", distance=distance),
    }[rule]
    x = (0.5 * np.random.default_rng(0).normal(size=(12, 4))).astype(np.float32)
    rows, labels = torch.tensor(x, requires_grad=True), torch.tensor(LABELS)
    theirs = criterion(rows, labels, miner(rows, labels) if miner else None)
    theirs.backward()
    compared = SquaredEuclidean() if squared else Euclidean()
    ours = Triplet(margin=0.3, penalty=penalty, distance=compared, reduction="mean_active", rule=rule)
    value, gradient = jax.jit(jax.value_and_grad(ours.__call__))(jnp.asarray(x), jnp.asarray(LABELS))
    assert value == pytest.approx(theirs.item(), rel=1e-5)
    np.testing.assert_allclose(gradient, rows.grad.numpy(), rtol=1e-4, atol=1e-6)
