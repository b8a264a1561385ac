"""The numerical contract as one matrix: precision × odd batch × loss. Value, gradients and diagnostics are finite.

What is returned where there is nothing to compare is said beside it; the docstrings say the rest.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.losses import (
    AdaFace,
    AddonsSemiHard,
    AnchorSemiHard,
    ArcFace,
    BandSemiHard,
    BatchHard,
    CenterLoss,
    Circle,
    Contrastive,
    CosFace,
    Cosine,
    CrossBatchMemory,
    CurricularFace,
    DistanceWeighted,
    Dot,
    EasyPositive,
    ElasticFace,
    Euclidean,
    FaceNetSemiHard,
    MagFace,
    MarginLoss,
    MarginSoftmax,
    MultiSimilarity,
    MultiSimilarityMiner,
    NTXent,
    Padded,
    Prototypical,
    ProxyAnchor,
    Siamese,
    SubcenterArcFace,
    SupCon,
    Triplet,
    TripletPairs,
    UniFace,
    advance,
    initial_state,
)

B, D = 6, 5
DTYPES = (jnp.float32, jnp.bfloat16, jnp.float16)
_X = np.random.default_rng(0).normal(size=(B, D))
_IDENTITIES = np.array([0, 0, 1, 1, 2, 2])
BATCHES = {
    "equal rows": (np.ones((B, D)), _IDENTITIES, B),
    "zero vectors": (np.zeros((B, D)), _IDENTITIES, B),
    "one zero vector": (_X * (np.arange(B) != 3)[:, None], _IDENTITIES, B),
    "one identity": (_X, np.zeros(B, int), B),
    "all singletons": (_X, np.arange(B), B),
    "one positive": (_X, np.array([0, 0, 1, 2, 3, 4]), B),
    "far and near": (_X * np.array([0.03, 0.1, 1.0, 3.0, 10.0, 30.0])[:, None], _IDENTITIES, B),
    "padding": (np.where((np.arange(B) < 4)[:, None], _X, np.nan), _IDENTITIES, 4),
    "padding alone": (np.full((B, D), np.nan), _IDENTITIES, 0),
}
"""Embeddings, labels, and how many rows are valid. Of shorter embeddings than these the gradient of an angle, scaled by 256, is
beyond what float16 can hold, whoever computes it."""

PAIRS = [
    Triplet(),
    Triplet(distance=Euclidean(), penalty="softplus", reduction="mean"),
    *(Triplet(rule=rule) for rule in (BatchHard(), FaceNetSemiHard(), AddonsSemiHard(), BandSemiHard(), AnchorSemiHard())),
    Triplet(rule=EasyPositive()),
    Triplet(rule=DistanceWeighted(dimension=D)),
    Contrastive(),
    Contrastive(distance=Cosine(), miner=TripletPairs(rule=BatchHard())),
    SupCon(),
    SupCon(distance=Euclidean()),
    NTXent(),
    MultiSimilarity(miner=MultiSimilarityMiner()),
    Circle(),
    MarginLoss(miner=TripletPairs(rule=DistanceWeighted(dimension=D, distance=Euclidean()))),
    CrossBatchMemory(loss=SupCon(), size=8),
]
HEADS = [
    MarginSoftmax(classes=B, m1=1.2),
    ArcFace(classes=B, gradient="straight_through"),
    CosFace(classes=B),
    AdaFace(classes=B),
    MagFace(classes=B),
    CurricularFace(classes=B),
    ElasticFace(classes=B, assigned="by_distance"),
    SubcenterArcFace(classes=B),
    UniFace(classes=B),
    ProxyAnchor(classes=B),
    CenterLoss(classes=B, loss=CosFace(classes=B)),
]
OTHERS = [Siamese(), Siamese(feature="chi_square"), Prototypical(), Triplet(distance=Dot(), rule=BatchHard())]


def name(loss) -> str:
    return str(loss).replace("=", " ")[:70]


def program(loss):
    """Value, gradients and diagnostics of all batches of a dtype, and of one image, in one program."""
    params, state = loss.init(jax.random.key(0), D), initial_state(loss, D)

    def one(x, labels, valid):
        def value(params, x):
            value, after, diagnostics = advance(loss, params, state, x, given, jax.random.key(1))
            return value, (after, diagnostics)

        given = labels if isinstance(loss, Prototypical) else Padded(labels, valid)
        (value_, (after, diagnostics)), gradients = jax.value_and_grad(value, argnums=(0, 1), has_aux=True)(params, x)
        return value_, gradients, after, diagnostics

    return jax.jit(lambda batches, x: (jax.vmap(one)(*batches), one(x, jnp.zeros(1, int), jnp.ones(1, bool))))


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("loss", [*PAIRS, *HEADS, *OTHERS], ids=name)
def test_every_loss_is_finite_in_every_precision_on_every_odd_batch(loss, dtype):
    names = [each for each in BATCHES if not (isinstance(loss, Prototypical) and "padding" in each)]
    x, labels, counts = (np.stack([BATCHES[each][i] for each in names]) for i in range(3))
    batches = jnp.asarray(x, dtype), jnp.asarray(labels), jnp.asarray(np.arange(B) < counts[:, None])
    found, alone = program(loss)(batches, jnp.asarray(_X[:1], dtype))
    for leaf in jax.tree.leaves(alone):
        assert np.isfinite(np.asarray(leaf, np.float32)).all(), "one image"
    for i, each in enumerate(names):
        for leaf in jax.tree.leaves(found):
            assert np.isfinite(np.asarray(leaf[i], np.float32)).all(), each
    value, (_, slope), *_ = found
    assert value.dtype == jnp.float32
    assert slope.dtype == dtype
    values = dict(zip(names, map(float, value), strict=True))
    slopes = dict(zip(names, np.abs(np.asarray(slope, np.float32)).max((1, 2)), strict=True))
    if not isinstance(loss, Prototypical):
        assert slopes["padding alone"] == 0
    if isinstance(loss, (Triplet, SupCon, NTXent, Circle, Contrastive, CrossBatchMemory)):
        assert float(alone[0]) == 0
        assert values["padding alone"] == 0
    if isinstance(loss, (Triplet, SupCon, NTXent, Circle, CrossBatchMemory)):
        assert values["all singletons"] == 0
        assert slopes["all singletons"] == 0
    if isinstance(loss, (Triplet, NTXent, Circle)):
        assert values["one identity"] == 0
