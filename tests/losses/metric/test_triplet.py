"""The triplet loss against a brute-force oracle in float64, for every selection rule."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.research.losses import (
    AddonsSemiHard,
    AnchorSemiHard,
    BandSemiHard,
    BatchAll,
    BatchHard,
    Euclidean,
    FaceNetSemiHard,
    MarginViolating,
    RandomTriplets,
    SquaredEuclidean,
    Triplet,
)
from likeness.research.losses.metric.pairs import positives_and_negatives

KEY_SEED = 3
RULES = [
    RandomTriplets(),
    BatchAll(),
    BatchHard(),
    FaceNetSemiHard(choice="random"),
    FaceNetSemiHard(choice="hardest"),
    AddonsSemiHard(),
    BandSemiHard(),
    AnchorSemiHard(),
    MarginViolating(),
]
LABELS = np.array([0, 1, 0, 2, 1, 0, 3, 4, 4, 1, 0, 4])


def embeddings(rows: int = 12, dimension: int = 4, seed: int = 0, scale: float = 0.5) -> np.ndarray:
    return (scale * np.random.default_rng(seed).normal(size=(rows, dimension))).astype(np.float32)


def intransitive_mask() -> np.ndarray:
    mask = np.random.default_rng(5).random((12, 12)) < 0.1
    return mask | mask.T


def same_mask(labels_or_same: np.ndarray) -> np.ndarray:
    if labels_or_same.ndim == 1:
        return labels_or_same[:, None] == labels_or_same[None, :]
    return labels_or_same | np.eye(len(labels_or_same), dtype=bool)


def oracle_distances(x: np.ndarray, squared: bool) -> np.ndarray:
    d = ((x[:, None].astype(np.float64) - x[None].astype(np.float64)) ** 2).sum(-1)
    return d if squared else np.sqrt(d)


def candidates(rule, d: np.ndarray, same: np.ndarray, margin: float) -> dict[tuple[int, int], list[int]]:
    """For each anchor and positive that the rule uses, the negatives it takes (or, if it draws one, draws from)."""
    found = {}
    for a in range(len(d)):
        positives = [p for p in range(len(d)) if same[a, p] and p != a]
        negatives = [n for n in range(len(d)) if not same[a, n]]
        if not positives or not negatives:
            continue
        if isinstance(rule, BatchHard | AnchorSemiHard):
            positives = [max(positives, key=lambda p: d[a, p])]
        for p in positives:
            gaps = {n: d[a, n] - d[a, p] for n in negatives}
            match rule:
                case RandomTriplets() | BatchAll():
                    chosen = negatives
                case BatchHard():
                    chosen = [min(gaps, key=gaps.__getitem__)]
                case FaceNetSemiHard():
                    chosen = [n for n, gap in gaps.items() if 0 < gap < margin]
                    if rule.choice == "hardest":
                        chosen = sorted(chosen, key=gaps.__getitem__)[:1]
                case AddonsSemiHard() | AnchorSemiHard():
                    beyond = sorted((n for n in negatives if gaps[n] > 0), key=gaps.__getitem__)
                    chosen = beyond[:1] or [max(gaps, key=gaps.__getitem__)]
                case BandSemiHard():
                    chosen = [n for n, gap in gaps.items() if 0 < gap <= margin]
                case MarginViolating():
                    chosen = [n for n, gap in gaps.items() if gap < margin]
            found[a, p] = chosen
    return found


@functools.cache
def _masks_of(rule, margin: float):
    """Jitted: for the k-th positive of every anchor, where it is and which negatives the rule takes."""

    def masks(d, positive, negative):
        used = rule.positives(d, positive)
        rank = jnp.cumsum(used, axis=1) * used
        found = []
        for k in range(4):
            at = rank == k + 1
            d_ap = jnp.sum(jnp.where(at, d, 0.0), axis=1, keepdims=True)
            key = jax.random.fold_in(jax.random.key(KEY_SEED), k)
            found.append((at, rule.negatives(d_ap, d, negative & at.any(axis=1, keepdims=True), margin, key)))
        return found, jnp.max(rank)

    return jax.jit(masks)


def mined(rule, x: np.ndarray, labels_or_same: np.ndarray, loss: Triplet) -> list[tuple[int, int, int]]:
    """The triplets that our rule selects, asked of the rule directly."""
    d = jnp.asarray(oracle_distances(x, loss.distance == SquaredEuclidean()), jnp.float32)
    found, most = _masks_of(rule, loss.margin)(d, *positives_and_negatives(jnp.asarray(labels_or_same)))
    assert most <= len(found)
    triplets = []
    for at, chosen in found:
        p = np.argmax(np.asarray(at), axis=1)
        triplets += [(int(a), int(p[a]), int(n)) for a, n in zip(*np.nonzero(np.asarray(chosen)), strict=True)]
    return triplets


def oracle_value(x: np.ndarray, triplets, loss: Triplet) -> float:
    d = oracle_distances(x, loss.distance == SquaredEuclidean())
    terms = np.array([d[a, p] - d[a, n] + loss.margin for a, p, n in triplets])
    terms = np.maximum(terms, 0) if loss.penalty == "hinge" else np.logaddexp(terms, 0)
    count = {"sum": 1, "mean": len(terms), "mean_active": (terms > 0).sum()}[loss.reduction]
    return terms.sum() / max(count, 1)


def finite_differences(x: np.ndarray, triplets, loss: Triplet) -> np.ndarray:
    """Central differences of the float64 oracle, the triplets held fixed."""
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[index] = 1e-6
        x64 = x.astype(np.float64)
        gradient[index] = (oracle_value(x64 + step, triplets, loss) - oracle_value(x64 - step, triplets, loss)) / 2e-6
    return gradient


def value_and_grad(loss: Triplet):
    return jax.jit(jax.value_and_grad(lambda x, y: loss(x, y, jax.random.key(KEY_SEED))))


@pytest.mark.parametrize("labels", [LABELS, intransitive_mask()], ids=["labels", "mask"])
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rules_select_what_brute_force_selects(rule, labels: np.ndarray):
    """F10: the mined triplets equal brute force; a rule that draws takes one candidate of every pair that has any."""
    loss = Triplet(margin=0.5, rule=rule)
    x = embeddings()
    expected = candidates(rule, oracle_distances(x, squared=True), same_mask(labels), loss.margin)
    found = mined(rule, x, labels, loss)
    assert len(found) == len(set(found)) > 0
    if rule.needs_key:
        assert {(a, p) for a, p, _ in found} == {pair for pair, chosen in expected.items() if chosen}
        assert len(found) == len({(a, p) for a, p, _ in found})
        assert all(n in expected[a, p] for a, p, n in found)
    else:
        assert set(found) == {(a, p, n) for (a, p), chosen in expected.items() for n in chosen}


@pytest.mark.parametrize(
    "loss",
    [Triplet(margin=0.5, rule=rule) for rule in RULES]
    + [
        Triplet(margin=0.5, penalty="softplus", distance=Euclidean(), reduction="mean", rule=rule)
        for rule in (BatchAll(), BatchHard(), FaceNetSemiHard())
    ]
    + [Triplet(margin=0.5, distance=Euclidean(), reduction="mean_active", rule=rule) for rule in (BatchAll(), BandSemiHard())],
    ids=str,
)
def test_value_and_gradient_equal_the_oracle(loss: Triplet):
    """F8: value to 1e-5, gradient equal to finite differences to 1e-4, for every rule."""
    x = embeddings(seed=1)
    triplets = mined(loss.rule, x, LABELS, loss)
    value, gradient = value_and_grad(loss)(jnp.asarray(x), jnp.asarray(LABELS))
    assert value == pytest.approx(oracle_value(x, triplets, loss), rel=1e-5)
    np.testing.assert_allclose(gradient, finite_differences(x, triplets, loss), rtol=1e-4, atol=1e-4)
    assert np.abs(gradient).max() > 1e-2


def test_hand_computed_sum():
    """F8: max(d_ap - d_an + α, 0), and J is the sum over the triplets."""
    x = jnp.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.5], [4.0, 4.0]])
    labels = jnp.array([0, 0, 1, 1])
    d = lambda i, j: oracle_distances(np.asarray(x), squared=True)[i, j]  # noqa: E731
    terms = [max(d(a, p) - d(a, n) + 0.2, 0.0) for a, p, n in [(0, 1, 2), (0, 1, 3), (1, 0, 2), (1, 0, 3)]]
    terms += [max(d(a, p) - d(a, n) + 0.2, 0.0) for a, p, n in [(2, 3, 0), (2, 3, 1), (3, 2, 0), (3, 2, 1)]]
    assert jax.jit(Triplet(margin=0.2))(x, labels) == pytest.approx(sum(terms), rel=1e-6)
    active = sum(term > 0 for term in terms)
    assert jax.jit(Triplet(margin=0.2, reduction="mean_active"))(x, labels) == pytest.approx(sum(terms) / active, rel=1e-6)


COLLAPSE_CASES = [(rule, "hinge", jnp.float32) for rule in RULES] + [
    (rule, "softplus", jnp.bfloat16) for rule in (BatchAll(), BatchHard(), RandomTriplets())
]


@pytest.mark.parametrize(("rule", "penalty", "dtype"), COLLAPSE_CASES, ids=str)
def test_degenerate_batches(rule, penalty: str, dtype):
    """F7: all embeddings equal, zero or not, cost α per triplet (not 0); no triplet costs 0; gradients are finite."""
    loss = Triplet(margin=0.2, penalty=penalty, reduction="mean", distance=Euclidean(), rule=rule)
    assert loss.collapsed_value == pytest.approx(0.2 if penalty == "hinge" else math.log(1 + math.exp(0.2)))
    # With every distance equal, no negative lies strictly inside a band.
    collapsed = 0.0 if isinstance(rule, FaceNetSemiHard | BandSemiHard) else loss.collapsed_value
    run = value_and_grad(loss)
    for constant in (0.0, 1.0):
        value, gradient = run(jnp.full((6, 3), constant, dtype), jnp.array([0, 0, 1, 1, 2, 2]))
        assert value == pytest.approx(collapsed, rel=1e-6)
        assert value.dtype == jnp.float32
        assert bool(jnp.all(jnp.isfinite(gradient)))
    for labels in ([0] * 6, range(6)):
        value, gradient = run(jnp.asarray(embeddings(6, 3), dtype), jnp.array(labels))
        assert value == 0
        assert not np.asarray(gradient).any()


@pytest.mark.parametrize("rule", [BatchAll(), BatchHard(), FaceNetSemiHard()], ids=str)
def test_one_image_costs_nothing(rule):
    value, gradient = value_and_grad(Triplet(rule=rule, distance=Euclidean()))(jnp.ones((1, 3)), jnp.array([4]))
    assert value == 0
    assert not np.asarray(gradient).any()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), which=st.sampled_from([BatchAll(), BatchHard(), BandSemiHard()]))
def test_order_of_the_batch_and_rigid_motions_do_not_matter(seed: int, which):
    generator = np.random.default_rng(seed)
    x, labels = embeddings(seed=seed), generator.permutation(LABELS)
    run = _cached(which)
    value = run(jnp.asarray(x), jnp.asarray(labels))
    order = generator.permutation(12)
    assert run(jnp.asarray(x[order]), jnp.asarray(labels[order])) == pytest.approx(float(value), rel=1e-4)
    rotation = np.linalg.qr(generator.normal(size=(4, 4)))[0]
    moved = (x @ rotation + generator.normal(size=4)).astype(np.float32)
    assert run(jnp.asarray(moved), jnp.asarray(labels)) == pytest.approx(float(value), rel=1e-4)


@functools.cache
def _cached(rule):
    return jax.jit(Triplet(margin=0.7, rule=rule))


def test_labels_and_their_mask_are_the_same_question():
    x, run = jnp.asarray(embeddings()), _cached(BatchAll())
    mask = jnp.asarray(same_mask(LABELS))
    assert run(x, jnp.asarray(LABELS)) == run(x, mask)
    assert run(x, mask) == run(x, mask & ~jnp.eye(12, dtype=bool))


def test_diagnostics_count_and_average():
    x = embeddings()
    loss = Triplet(margin=0.3)
    _, found = jax.jit(loss.value_and_diagnostics)({}, jnp.asarray(x), jnp.asarray(LABELS))
    d, same = oracle_distances(x, squared=True), same_mask(LABELS)
    triplets = [t for t in itertools.product(range(12), repeat=3) if same[t[0], t[1]] and t[0] != t[1] and not same[t[0], t[2]]]
    terms = np.array([d[a, p] - d[a, n] + 0.3 for a, p, n in triplets])
    assert found["triplets"] == len(triplets)
    assert found["active_fraction"] == pytest.approx((terms > 0).mean())
    assert found["loss_per_triplet"] == pytest.approx(np.maximum(terms, 0).mean(), rel=1e-5)
    assert found["mean_positive_distance"] == pytest.approx(d[same & ~np.eye(12, dtype=bool)].mean(), rel=1e-5)
    assert found["mean_negative_distance"] == pytest.approx(d[~same].mean(), rel=1e-5)


def test_hard_triplets_are_active_more_often_than_random_ones():
    """F10: the fraction of triplets with a non-zero loss is larger for hard than for random selection."""
    labels = np.arange(48) // 4
    x = jnp.asarray(embeddings(48, 16, scale=0.3) + np.eye(16, dtype=np.float32)[labels])
    labels = jnp.asarray(labels)
    fraction = {
        rule: jax.jit(Triplet(rule=rule).value_and_diagnostics)({}, x, labels, jax.random.key(0))[1]["active_fraction"]
        for rule in (RandomTriplets(), BatchHard())
    }
    assert fraction[BatchHard()] > 1.5 * fraction[RandomTriplets()] > 0


def test_a_diverged_encoder_is_not_hidden_by_mining():
    x = jnp.asarray(embeddings()).at[3].set(jnp.nan)
    assert jnp.isnan(_cached(BatchHard())(x, jnp.asarray(LABELS)))


def test_distance_is_squared_unless_told_otherwise():
    first, second = jnp.array([[3.0, 0.0], [0.0, 0.0]]), jnp.array([0.0, 4.0])
    assert Triplet().init(jax.random.key(0), 2) == {}
    assert Triplet().compare({}, first, second).tolist() == [25.0, 16.0]
    assert Triplet(distance=Euclidean()).compare({}, first, second).tolist() == [5.0, 4.0]


@pytest.mark.parametrize("margin", [-0.1, math.nan, math.inf])
def test_impossible_margins_are_refused(margin: float):
    with pytest.raises(ValueError, match="margin must be a finite number"):
        Triplet(margin=margin)


def test_unknown_choices_are_refused():
    # The tests' own type checker would refuse the value before __post_init__ sees it.
    for owner, field in ((Triplet, "penalty"), (Triplet, "reduction"), (FaceNetSemiHard, "choice")):
        broken = owner()
        object.__setattr__(broken, field, "relu")
        with pytest.raises(ValueError, match=f"{field} must be one of '"):
            broken.__post_init__()


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_each_reduction_divides_by_what_it_says(rule):
    """The mean is over the selected triplets, met or not; the mean over active ones leaves out those that cost nothing."""
    # Two people stand apart, so that their triplets are met.
    x = embeddings(seed=1) + 1.5 * ((LABELS == 1).astype(np.float32) - (LABELS == 4))[:, None]
    d, margin = oracle_distances(x, squared=True), 1.0
    triplets = mined(rule, x, LABELS, Triplet(margin=margin, rule=rule))
    terms = np.maximum([d[a, p] - d[a, n] + margin for a, p, n in triplets], 0)
    expected = {"sum": terms.sum(), "mean": terms.sum() / len(terms), "mean_active": terms.sum() / (terms > 0).sum()}
    if not isinstance(rule, FaceNetSemiHard | BandSemiHard | MarginViolating):
        assert (terms > 0).sum() < len(terms)
    for reduction, value in expected.items():
        found, _ = value_and_grad(Triplet(margin=margin, reduction=reduction, rule=rule))(x, LABELS)
        assert found == pytest.approx(value, rel=1e-5), reduction


def test_ties_of_whole_numbers_are_ties():
    """Each anchor has a negative exactly as far as its positive, which no band holds: exact arithmetic has 0."""
    x = np.array([[0, 0, 0], [3, 4, 0], [5, 0, 0], [0, 5, 0]], np.float32)
    x = np.concatenate([x, x + np.array([7, 1, 2], np.float32)]) + 100
    labels = jnp.arange(8) // 2
    rule = FaceNetSemiHard(choice="hardest")
    for squared, margin in ((True, 1.0), (False, 0.5)):
        loss = Triplet(margin=margin, distance=SquaredEuclidean() if squared else Euclidean(), penalty="softplus", rule=rule)
        d = oracle_distances(x, squared)
        chosen = candidates(rule, d, same_mask(np.asarray(labels)), margin)
        expected = sum(np.log1p(np.exp(d[a, p] - d[a, n] + margin)) for (a, p), found in chosen.items() for n in found)
        assert value_and_grad(loss)(x, labels)[0] == pytest.approx(expected, rel=1e-6)
    alike = jnp.tile(jnp.asarray(embeddings(1, 128)), (4, 1))
    assert value_and_grad(Triplet(penalty="softplus", rule=rule))(alike, jnp.array([0, 0, 1, 1]))[0] == 0


@pytest.mark.parametrize("rule", ["hard", None, BatchHard, 3], ids=str)
def test_what_is_no_rule_is_refused_by_name(rule):
    # The tests' own type checker would refuse the value before __post_init__ sees it.
    broken = Triplet()
    object.__setattr__(broken, "rule", rule)
    said = "is the class BatchHard: give one of its values" if rule is BatchHard else "no `needs_key` and no `positives`"
    with pytest.raises(ValueError, match=rf"Triplet\.rule .*{said}"):
        broken.__post_init__()


def test_random_rules_ask_for_a_key():
    with pytest.raises(ValueError, match="pass key="):
        Triplet(rule=RandomTriplets())(jnp.asarray(embeddings()), jnp.asarray(LABELS))


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_memory_grows_with_the_square_of_the_batch(rule):
    """No (b, b, b) array: ten (b, b) float32 matrices are enough for value and gradient together."""
    for size in (256, 1024) if rule == BatchAll() else (256,):
        shapes = (jax.ShapeDtypeStruct((size, 128), jnp.float32), jax.ShapeDtypeStruct((size,), jnp.int32))
        memory = value_and_grad(Triplet(rule=rule)).lower(*shapes).compile().memory_analysis()
        assert memory.temp_size_in_bytes < 10 * size * size * 4
        assert memory.temp_size_in_bytes < 0.35e9
