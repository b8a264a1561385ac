"""Miners and the newer selection rules beside loops over pairs."""

import jax
import jax.numpy as jnp
import numpy as np
import pairs64
import pytest

from likeness.research.losses import (
    BandSemiHard,
    BatchAll,
    BatchHard,
    Cosine,
    DistanceWeighted,
    Dot,
    EasyPositive,
    Euclidean,
    MarginLoss,
    MultiSimilarityMiner,
    SquaredEuclidean,
    SupCon,
    Triplet,
    TripletPairs,
)

LABELS = np.array([0, 0, 1, 2, 2, 2, 3, 1, 0, 2, 1, 3])
X = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)
X /= np.linalg.norm(X, axis=1, keepdims=True)
D = pairs64.squared_distances(X.astype(np.float64))
POSITIVE, NEGATIVE = pairs64.masks(LABELS)


def mined(miner, key=None):
    found = jax.jit(miner.mined)(jnp.asarray(D, jnp.float32), jnp.asarray(POSITIVE), jnp.asarray(NEGATIVE), key)
    return [np.asarray(mask) for mask in found]


def test_multi_similarity_keeps_what_is_wrong_beside_the_anchors_other_pairs():
    positive, negative = mined(MultiSimilarityMiner(epsilon=0.3))
    for i, (p, n) in enumerate(zip(POSITIVE, NEGATIVE, strict=True)):
        for j in range(12):
            assert positive[i, j] == (p[j] and D[i, j] + 0.3 > D[i, n].min())
            assert negative[i, j] == (n[j] and D[i, j] - 0.3 < D[i, p].max())
    assert 0 < positive.sum() <= POSITIVE.sum()
    assert 0 < negative.sum() < NEGATIVE.sum()


@pytest.mark.parametrize("rule", [BatchHard(), BandSemiHard(), EasyPositive(), EasyPositive(negatives_kind="hardest")], ids=str)
def test_the_pairs_of_triplets_are_those_in_any_triplet(rule):
    positive, negative = mined(TripletPairs(rule=rule, margin=0.4))
    expected = np.zeros_like(POSITIVE), np.zeros_like(NEGATIVE)
    for i in range(12):
        ps, ns = np.flatnonzero(POSITIVE[i]), np.flatnonzero(NEGATIVE[i])
        if isinstance(rule, BatchHard):
            ps = ps[[D[i, ps].argmax()]]
        elif isinstance(rule, EasyPositive):
            ps = ps[[D[i, ps].argmin()]]
        for p in ps:
            match rule:
                case BandSemiHard():
                    chosen = [n for n in ns if 0 < D[i, n] - D[i, p] <= 0.4]
                case EasyPositive(negatives_kind="semi_hard"):
                    chosen = sorted((n for n in ns if D[i, n] > D[i, p]), key=lambda n: D[i, n])[:1]
                case _:
                    chosen = [ns[D[i, ns].argmin()]]
            for n in chosen:
                expected[0][i, p] = expected[1][i, n] = True
    np.testing.assert_array_equal(positive, expected[0])
    np.testing.assert_array_equal(negative, expected[1])


def test_easy_positive_triplets_are_counted():
    value, found = Triplet(margin=0.2, rule=EasyPositive(negatives_kind="all")).value_and_diagnostics({}, X, LABELS)
    terms = [max(D[i, POSITIVE[i]].min() - D[i, k] + 0.2, 0) for i in range(12) for k in np.flatnonzero(NEGATIVE[i])]
    assert value == pytest.approx(sum(terms), rel=1e-5)
    assert found["triplets"] == NEGATIVE.sum()


@pytest.mark.parametrize("distance", [SquaredEuclidean(), Euclidean(), Cosine()], ids=str)
def test_negatives_are_drawn_against_their_density(distance):
    """4,000 draws of one anchor's negative: within five standard deviations of the formula, and none beyond 1.4."""
    rule = DistanceWeighted(dimension=5, cutoff=0.7, distance=distance)
    between = np.sqrt(D)
    given = {SquaredEuclidean(): D, Euclidean(): between, Cosine(): D / 2}[distance]
    arguments = jnp.asarray(given, jnp.float32), jnp.asarray(NEGATIVE)
    keys = jax.random.split(jax.random.key(0), 4000)
    draw = jax.jit(jax.vmap(lambda key: rule.negatives(jnp.zeros((12, 1)), *arguments, 0.2, key)))
    counts = np.asarray(draw(keys)).sum(0)
    d = np.maximum(between, 0.7)
    weights = np.where(NEGATIVE & (between < 1.4), d ** (2 - 5) * (1 - d**2 / 4) ** (-(5 - 3) / 2), 0.0)
    shares = weights / weights.sum(1, keepdims=True)
    assert (np.abs(counts - 4000 * shares) <= 5 * np.sqrt(4000 * shares * (1 - shares)) + 1e-9).all()
    assert (counts.sum(1) == 4000).all()


def test_an_anchor_without_negatives_within_reach_has_no_triplet():
    x = jnp.array([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    value, found = Triplet(rule=DistanceWeighted(dimension=2)).value_and_diagnostics(
        {}, x, jnp.array([0, 0, 1]), jax.random.key(0)
    )
    assert value == found["triplets"] == 0


def test_a_rule_and_its_loss_must_measure_alike():
    with pytest.raises(ValueError, match=r"is asked about distances by SquaredEuclidean\(\)"):
        Triplet(rule=DistanceWeighted(distance=Euclidean()))
    with pytest.raises(ValueError, match=r"is asked about distances by Euclidean\(\)"):
        MarginLoss(miner=TripletPairs(rule=DistanceWeighted()))
    with pytest.raises(ValueError, match="no Euclidean distance is known"):
        DistanceWeighted(distance=Dot())
    with pytest.raises(ValueError, match="the first must be below the second"):
        DistanceWeighted(cutoff=1.5)
    with pytest.raises(ValueError, match=r"MarginLoss\(miner=.*\) draws at random and got no key"):
        loss = MarginLoss(miner=TripletPairs(rule=DistanceWeighted(distance=Euclidean())))
        loss.value_and_diagnostics(loss.init(jax.random.key(0), 5), X, LABELS)


@pytest.mark.slow
def test_a_miner_goes_with_a_triplet_loss_and_a_pair_loss():
    """The triplet loss is made of all combinations of an anchor's mined positives and negatives."""
    miner = MultiSimilarityMiner(epsilon=0.3)
    masks = mined(miner)
    assert Triplet(miner=miner)(X, LABELS) == pytest.approx(pairs64.triplets(D, *masks, 0.2), rel=1e-5)
    loss = SupCon(miner=miner, distance=SquaredEuclidean())
    assert loss(X, LABELS) == pytest.approx(pairs64.supcon(D, *masks, 0.1), rel=1e-5)
    assert Triplet(miner=TripletPairs(rule=BatchAll()))(X, LABELS) == Triplet()(X, LABELS)
