"""Binary Siamese verification."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.losses import Siamese
from likeness.research.losses.metric.pair_features import pair_feature

FEATURES = ["absolute", "chi_square"]


def codes(rows: int = 8, dimension: int = 5, *, signed: bool = False) -> np.ndarray:
    x = np.random.default_rng(0).normal(size=(rows, dimension)).astype(np.float32)
    # Zeros, as ReLU leaves them, are where the χ² feature is 0/0.
    return x if signed else np.maximum(x, 0)


def oracle_feature(feature: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if feature == "absolute":
        return np.abs(x - y)
    total = np.abs(x) + np.abs(y)
    return np.divide((x - y) ** 2, total, out=np.zeros(total.shape), where=total > 0)


def oracle(loss: Siamese, weights, bias, x: np.ndarray, labels: np.ndarray) -> float:
    consecutive = [(i, i + 1) for i in range(0, len(x), 2)]
    pairs = itertools.combinations(range(len(x)), 2) if loss.pairs == "all" else consecutive
    costs = {True: [], False: []}
    for i, j in pairs:
        same = bool(labels[i] == labels[j])
        logit = (weights * oracle_feature(loss.feature, x[i], x[j])).sum() + bias
        costs[same].append(np.logaddexp(0, -logit if same else logit))
    if loss.pairs == "all":
        return float(np.mean([np.mean(kind) for kind in costs.values() if kind]))
    return float(np.mean(costs[True] + costs[False]))


def random_params(dimension: int = 5) -> dict:
    generator = np.random.default_rng(1)
    return {"weights": jnp.asarray(generator.normal(size=dimension), jnp.float32), "bias": jnp.float32(0.3)}


@pytest.mark.parametrize("feature", FEATURES)
def test_probability_is_the_logistic_of_the_weighted_features(feature: str):
    """F11: σ(Σ w_k φ_k + b) to 1e-6. F12: the χ² feature is NumPy's, 0 where both are 0. F5: swapping changes nothing."""
    x, params, loss = codes(), random_params(), Siamese(feature=feature)
    expected = (np.asarray(params["weights"]) * oracle_feature(feature, x[:, None], x[None])).sum(-1) + 0.3
    logits = loss.logit(params, x[:, None], x[None])
    np.testing.assert_allclose(jax.nn.sigmoid(logits), 1 / (1 + np.exp(-expected)), rtol=1e-6)
    distance = loss.compare(params, x[:, None], x[None])
    np.testing.assert_allclose(distance, -expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(distance, distance.T)


@pytest.mark.parametrize("pairs", ["all", "consecutive"])
@pytest.mark.parametrize("feature", FEATURES)
def test_value_and_gradient_equal_the_oracle(feature: str, pairs: str):
    """F11, F12: value to 1e-5; gradients by weights, bias and embeddings equal finite differences to 1e-4."""
    loss = Siamese(feature=feature, pairs=pairs)
    x, params, labels = codes(signed=True), random_params(), np.array([0, 0, 1, 2, 2, 2, 0, 1])
    run = jax.jit(jax.value_and_grad(lambda params, x: loss(params, x, jnp.asarray(labels)), argnums=(0, 1)))
    value, (to_params, to_x) = run(params, jnp.asarray(x))
    w, b = np.asarray(params["weights"], np.float64), 0.3
    assert value == pytest.approx(oracle(loss, w, b, x, labels), rel=1e-5)

    def numerical(function, at: np.ndarray) -> np.ndarray:
        gradient = np.zeros(at.shape)
        for index in np.ndindex(at.shape):
            step = np.zeros(at.shape)
            step[index] = 1e-6
            gradient[index] = (function(at + step) - function(at - step)) / 2e-6
        return gradient

    x64 = x.astype(np.float64)
    np.testing.assert_allclose(to_params["weights"], numerical(lambda w: oracle(loss, w, b, x64, labels), w), atol=1e-4)
    np.testing.assert_allclose(to_x, numerical(lambda x: oracle(loss, w, b, x, labels), x64), atol=1e-4)
    bias = numerical(lambda b: oracle(loss, w, b, x64, labels), np.array(b))
    assert to_params["bias"] == pytest.approx(float(bias), abs=1e-4)


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_degenerate_batches(feature: str, dtype):
    """F12: f_i + f_j = 0 gives 0 and a finite gradient; equal embeddings cost log 2, a batch without pairs costs 0."""
    loss = Siamese(feature=feature)
    params = loss.init(jax.random.key(0), 3)
    run = jax.jit(jax.value_and_grad(loss.__call__, argnums=(0, 1)))
    cases = [
        (jnp.zeros((4, 3)), [0, 0, 1, 1], math.log(2)),
        (jnp.full((4, 3), 0.5), [0, 0, 1, 1], math.log(2)),
        (jnp.zeros((4, 3)), [2, 2, 2, 2], math.log(2)),
        (jnp.zeros((4, 3)), [0, 1, 2, 3], math.log(2)),
        (jnp.array([[1e-30] * 3, [0.0] * 3, [-1e-30] * 3, [1e-38] * 3]), [0, 0, 1, 1], math.log(2)),
        (jnp.ones((1, 3)), [0], 0.0),
    ]
    for x, labels, expected in cases:
        value, gradients = run(params, x.astype(dtype), jnp.array(labels))
        assert value == pytest.approx(expected, rel=1e-6)
        assert value.dtype == jnp.float32
        assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(gradients))


@pytest.mark.parametrize("feature", FEATURES)
def test_where_both_numbers_are_0_the_feature_has_no_slope(feature: str):
    slopes = jax.jit(jax.grad(lambda x, y: jnp.sum(pair_feature(feature, x, y)), argnums=(0, 1)))(jnp.zeros(3), jnp.zeros(3))
    np.testing.assert_array_equal(slopes, np.zeros((2, 3)))


def test_mask_and_labels_agree_and_diagnostics_count():
    x, params, labels = jnp.asarray(codes()), random_params(), jnp.array([0, 0, 1, 2, 2, 2, 0, 1])
    for pairs, count in (("all", 28), ("consecutive", 4)):
        run = jax.jit(Siamese(pairs=pairs).value_and_diagnostics)
        value, found = run(params, x, labels)
        assert value == run(params, x, labels[:, None] == labels[None, :])[0]
        assert found["pairs"] == count
        assert 0 <= found["accuracy"] <= 1


def test_training_beats_a_threshold_alone():
    """F11: learned weights separate what a threshold on the plain L1 distance cannot, where most dimensions are noise."""
    generator = np.random.default_rng(0)
    labels = np.arange(64) % 16
    x = np.concatenate([3.0 * np.eye(16)[labels], generator.normal(size=(64, 32))], axis=1).astype(np.float32)
    same, different = (np.triu((labels[:, None] == labels) == kind, 1) for kind in (True, False))
    loss = Siamese()

    def ranked_right(params) -> float:
        """How often a same pair is nearer than a different one (the area under the ROC curve)."""
        d = np.asarray(loss.compare(params, x[:, None], x[None]))
        return float((d[same][:, None] < d[different][None, :]).mean())

    params = loss.init(jax.random.key(0), 48)
    gradient = jax.jit(jax.grad(loss.__call__))
    before = ranked_right(params)
    for _ in range(200):
        slopes = gradient(params, jnp.asarray(x), jnp.asarray(labels))
        params = {name: params[name] - 0.05 * slopes[name] for name in params}
    assert before < 0.9
    assert ranked_right(params) > 0.99


def test_all_pairs_need_no_array_of_differences():
    """O(b²) memory: value and gradient of 256 × 128 codes never hold the (b, b, d) differences (34 MB)."""
    loss = Siamese(feature="chi_square")
    run = jax.jit(jax.value_and_grad(loss.__call__, argnums=(0, 1)))
    shapes = ({"weights": (128,), "bias": ()}, (256, 128))
    params = jax.tree.map(
        lambda shape: jax.ShapeDtypeStruct(shape, jnp.float32), shapes[0], is_leaf=lambda node: isinstance(node, tuple)
    )
    lowered = run.lower(params, jax.ShapeDtypeStruct(shapes[1], jnp.float32), jax.ShapeDtypeStruct((256,), jnp.int32))
    assert lowered.compile().memory_analysis().temp_size_in_bytes < 12 * 256 * 256 * 4


def test_an_odd_batch_of_consecutive_pairs_is_refused():
    loss = Siamese(pairs="consecutive")
    with pytest.raises(ValueError, match="3 rows"):
        loss(loss.init(jax.random.key(0), 2), jnp.ones((3, 2)), jnp.array([0, 0, 1]))


def test_the_start_is_chosen_by_scale_and_bias():
    """A start away from the default is the same classifier with its logits stretched and shifted."""
    x = jnp.asarray(codes())
    plain, moved = Siamese(), Siamese(initial_scale=3.0, initial_bias=2.0)
    logits = [loss.logit(loss.init(jax.random.key(0), 5), x[:, None], x[None]) for loss in (plain, moved)]
    np.testing.assert_allclose(logits[1], 3 * logits[0] + 2, rtol=1e-6, atol=1e-6)
    for scale in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="initial_scale must be"):
            Siamese(initial_scale=scale)
    with pytest.raises(ValueError, match="initial_bias must be"):
        Siamese(initial_bias=math.nan)


@pytest.mark.parametrize("pairs", ["all", "consecutive"])
def test_accuracy_is_of_the_sign_of_the_logit(pairs: str):
    """Each pair weighs as in the loss, and a logit of exactly 0 says the same person."""
    x = np.array([[0.0], [0.25], [0.5], [1.0], [0.0], [2.0]], np.float32)
    labels = np.array([0, 0, 0, 1, 2, 2])
    params = {"weights": jnp.array([-1.0]), "bias": jnp.array(0.5)}
    _, found = jax.jit(Siamese(pairs=pairs).value_and_diagnostics)(params, x, labels)
    rows = [(0, 1), (2, 3), (4, 5)] if pairs == "consecutive" else [(i, j) for i in range(6) for j in range(i + 1, 6)]
    logits = {(i, j): 0.5 - abs(float(x[i, 0]) - float(x[j, 0])) for i, j in rows}
    right = {
        kind: [(logits[pair] >= 0) == kind for pair in rows if (labels[pair[0]] == labels[pair[1]]) == kind]
        for kind in (True, False)
    }
    assert 0.0 in logits.values()
    expected = np.mean([np.mean(right[True]), np.mean(right[False])]) if pairs == "all" else np.mean(right[True] + right[False])
    assert found["accuracy"] == pytest.approx(expected, rel=1e-6)
