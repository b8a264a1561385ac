"""Losses of pairs beside an oracle in NumPy's float64: value, gradients, masks, and the order of what they hold."""

import functools
import inspect
import math

import jax
import jax.numpy as jnp
import numpy as np
import pairs64
import pytest
from float64 import assert_close, differences

from likeness.research.losses import (
    Circle,
    Contrastive,
    Cosine,
    Euclidean,
    MarginLoss,
    MultiSimilarity,
    MultiSimilarityMiner,
    NTXent,
    Padded,
    PairMasks,
    ProxyAnchor,
    SquaredEuclidean,
    SupCon,
    Triplet,
)

LABELS = np.array([0, 0, 1, 2, 2, 2, 3, 1])
"""A single image of the fourth person."""
DISTANCES = {
    Cosine(): pairs64.cosine_distances,
    Euclidean(): pairs64.euclidean_distances,
    SquaredEuclidean(): pairs64.squared_distances,
}
X = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
CASES = [
    (SupCon(), lambda d, p, n: pairs64.supcon(d, p, n, 0.1)),
    (SupCon(temperature=0.5, distance=SquaredEuclidean()), lambda d, p, n: pairs64.supcon(d, p, n, 0.5)),
    (NTXent(temperature=0.2), lambda d, p, n: pairs64.nt_xent(d, p, n, 0.2)),
    (NTXent(distance=Euclidean()), lambda d, p, n: pairs64.nt_xent(d, p, n, 0.1)),
    (MultiSimilarity(), lambda d, p, n: pairs64.multi_similarity(d, p, n, 2.0, 50.0, 0.5)),
    (
        MultiSimilarity(alpha=1.0, beta=4.0, threshold=1.5, distance=Euclidean()),
        lambda d, p, n: pairs64.multi_similarity(d, p, n, 1.0, 4.0, 1.5),
    ),
    (MarginLoss(nu=0.3), lambda d, p, n: pairs64.margin_loss(d, p, n, 0.2, 1.2, 0.3)),
    (MarginLoss(boundary="fixed", beta=2.0, distance=Cosine()), lambda d, p, n: pairs64.margin_loss(d, p, n, 0.2, 2.0)),
]


@functools.cache
def compiled(loss):
    """Value and diagnostics, gradients by weights and embeddings."""

    def value(params, x, labels):
        return loss.value_and_diagnostics(params, x, labels, jax.random.key(0))

    return jax.jit(jax.value_and_grad(value, argnums=(0, 1), has_aux=True))


def found(loss, x, labels, params=None):
    params = loss.init(jax.random.key(1), x.shape[1]) if params is None else params
    given = jax.tree.map(jnp.asarray, labels)
    (value, diagnostics), gradients = compiled(loss)(params, jnp.asarray(x), given)
    return value, gradients, diagnostics


@pytest.mark.parametrize(("loss", "oracle"), CASES, ids=lambda case: "" if inspect.isfunction(case) else str(case)[:40])
def test_value_and_gradient_equal_the_oracle(loss, oracle):
    """To 1e-5 of float64, the gradient by central differences."""
    value, (to_params, to_x), _ = found(loss, X, LABELS)
    distances, masks = DISTANCES[loss.distance], pairs64.masks(LABELS)
    x = X.astype(np.float64)
    assert value == pytest.approx(oracle(distances(x), *masks), rel=1e-5)
    assert value.dtype == jnp.float32
    assert_close(to_x, differences(lambda x: oracle(distances(x), *masks), x), 1e-5)
    if "beta" in to_params:
        slope = pairs64.margin_loss(distances(x), *masks, 0.2, 1.2 + 1e-5, 0.3)
        slope -= pairs64.margin_loss(distances(x), *masks, 0.2, 1.2 - 1e-5, 0.3)
        assert to_params["beta"] == pytest.approx(slope / 2e-5, rel=1e-5)


@pytest.mark.parametrize(("margin", "gamma"), [(0.25, 16.0), (0.4, 80.0)])
def test_the_circle_loss_holds_its_weights_fixed(margin: float, gamma: float):
    loss = Circle(margin=margin, gamma=gamma)
    value, (_, to_x), _ = found(loss, X, LABELS)
    x, masks = X.astype(np.float64), pairs64.masks(LABELS)
    at = pairs64.cosine_distances(x)
    oracle = lambda x: pairs64.circle(pairs64.cosine_distances(x), *masks, margin, gamma, at)  # noqa: E731
    assert value == pytest.approx(oracle(x), rel=1e-5)
    assert_close(to_x, differences(oracle, x), 1e-5)


def test_proxies_meet_the_batch_as_a_whole():
    """Value and gradient by embeddings and proxies, with a class that is not in the batch and rows that fill up."""
    loss = ProxyAnchor(classes=5, alpha=8.0, shards=2)
    centers = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)
    value, (to_params, to_x), watched = found(loss, X, LABELS, {"centers": jnp.asarray(centers)})
    x, real = X.astype(np.float64), centers[:5].astype(np.float64)
    assert value == pytest.approx(pairs64.proxy_anchor(x, real, LABELS, 8.0, 0.1), rel=1e-5)
    assert_close(to_x, differences(lambda x: pairs64.proxy_anchor(x, real, LABELS, 8.0, 0.1), x), 1e-5)
    expected = differences(lambda c: pairs64.proxy_anchor(x, c, LABELS, 8.0, 0.1), real)
    assert_close(to_params["centers"], np.concatenate([expected, np.zeros((1, 4))]), 1e-5)
    cosines = 1 - pairs64.cosine_distances(x, real)
    assert watched["accuracy"] == pytest.approx((cosines.argmax(1) == LABELS).mean())
    for labels in (np.where(LABELS == 3, 5, LABELS), np.where(LABELS == 3, -1, LABELS)):
        assert math.isnan(found(loss, X, labels, {"centers": jnp.asarray(centers)})[0])


LOSSES = [case[0] for case in CASES[::2]] + [Circle(gamma=16.0), Contrastive(), Triplet(reduction="mean_active")]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: str(loss)[:40])
def test_labels_masks_and_padding_say_the_same(loss):
    """A same-person mask, two masks of pairs, and a batch filled up with rows that hold anything."""
    value, (_, to_x), _ = found(loss, X, LABELS)
    same = LABELS[:, None] == LABELS
    filled = np.concatenate([X, [[np.nan] * 4, [7.0] * 4]]).astype(np.float32)
    labels, valid = np.append(LABELS, [0, 9]), np.arange(10) < 8
    for x, given in (
        (X, same),
        (X, PairMasks(same, ~same)),
        (filled, Padded(labels, valid)),
        (filled, Padded(labels[:, None] == labels, valid)),
    ):
        again, (_, slope), _ = found(loss, x, given)
        assert again == pytest.approx(float(value), rel=1e-6)
        np.testing.assert_allclose(slope[:8], to_x, rtol=1e-4, atol=1e-6)
        assert not np.asarray(slope[8:]).any()


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: str(loss)[:40])
def test_pairs_in_neither_mask_take_no_part(loss):
    """Several labels an image: what shares one is alike; what shares none and is not excused is different."""
    several = np.random.default_rng(3).random((8, 3)) < 0.4
    share = (several[:, None] & several[None]).any(-1)
    excused = np.random.default_rng(4).random((8, 8)) < 0.3
    excused |= excused.T
    masks = share & ~np.eye(8, dtype=bool), ~share & ~excused & ~np.eye(8, dtype=bool)
    value, _, _ = found(loss, X, PairMasks(share, masks[1]))
    x = X.astype(np.float64)
    if isinstance(loss, Triplet):
        terms = [
            row[p] - row[n] + loss.margin
            for row, ps, ns in zip(pairs64.squared_distances(x), *masks, strict=True)
            for p in np.flatnonzero(ps)
            for n in np.flatnonzero(ns)
        ]
        expected = np.mean([term for term in terms if term > 0])
    elif isinstance(loss, Contrastive):
        expected = pairs64.contrastive(pairs64.euclidean_distances(x), *masks, 1.0)
    elif isinstance(loss, Circle):
        expected = pairs64.circle(pairs64.cosine_distances(x), *masks, 0.25, 16.0)
    else:
        expected = dict(CASES)[loss](DISTANCES[loss.distance](x), *masks)
    assert value == pytest.approx(float(expected), rel=1e-5)


def test_masks_of_another_shape_or_dtype_are_refused():
    same = LABELS[:, None] == LABELS
    for wrong in (PairMasks(same[:7], ~same), PairMasks(same, (~same).astype(int)), PairMasks(same[0], ~same)):
        with pytest.raises(
            ValueError, match=r"^SupCon: the (positive|negative) pairs of the same-person masks must be booleans"
        ):
            SupCon()(jnp.asarray(X), wrong)
    with pytest.raises(ValueError, match=r"^SupCon: `valid` beside the labels must be booleans of shape \(8,\)"):
        SupCon()(jnp.asarray(X), Padded(LABELS, np.ones(7, bool)))
    for given in (PairMasks(same, ~same), Padded(same, np.ones(8, bool))):
        with pytest.raises(ValueError, match=r"ProxyAnchor classifies.*same-person mask of shape \(8, 8\)"):
            found(ProxyAnchor(classes=4), X, given)
        with pytest.raises(ValueError, match=r'consecutive"\) takes labels'):
            Contrastive(pairs="consecutive")(jnp.asarray(X), given)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SupCon(temperature=0.0), "SupCon.temperature=0.0.: temperature must be a finite number above 0"),
        (lambda: MultiSimilarity(threshold=-1.0), "threshold must be"),
        (lambda: Contrastive(pairs="consecutive", miner=MultiSimilarityMiner()), "there is nothing to mine"),
        (lambda: MarginLoss()(jnp.asarray(X), LABELS), "has a weight `beta` and got none"),
    ],
)
def test_wrong_fields_are_refused(make, message: str):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("loss", [SupCon(), NTXent(), MultiSimilarity(), Circle(), MarginLoss(boundary="fixed")], ids=str)
def test_nothing_is_larger_than_the_batch_times_itself(loss):
    """Value and gradient of 256 images hold less than a dozen such matrices."""
    x, labels = jax.ShapeDtypeStruct((256, 8), jnp.float32), jax.ShapeDtypeStruct((256,), jnp.int32)
    held = compiled(loss).lower({}, x, labels).compile().memory_analysis().temp_size_in_bytes
    assert held < 12 * 256 * 256 * 4
