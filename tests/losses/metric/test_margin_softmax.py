"""The ArcFace family beside an oracle in NumPy's float64, and at the ends of the angle."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from float64 import assert_close, differences

from likeness.research.losses import MarginSoftmax

CLASSES, DIMENSION = 7, 5
LABELS = np.array([0, 1, 1, 2, 6, 4, 3, 5])
FAMILY = [
    MarginSoftmax(classes=CLASSES),
    MarginSoftmax(classes=CLASSES, scale=16.0, m2=0.0, m3=0.35),
    MarginSoftmax(classes=CLASSES, scale=8.0, m1=1.35, m2=0.0),
    MarginSoftmax(classes=CLASSES, scale=4.0, m1=1.1, m2=0.3, m3=0.2),
    MarginSoftmax(classes=CLASSES, scale=1.0, m2=0.0),
]


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def batch() -> tuple[np.ndarray, np.ndarray]:
    """Embeddings and centers; rows 1 and 4 are so far from their own center that a margin takes them beyond π."""
    generator = np.random.default_rng(0)
    centers = generator.normal(size=(CLASSES, DIMENSION)).astype(np.float32)
    x = generator.normal(size=(len(LABELS), DIMENSION)).astype(np.float32)
    x[[1, 4]] = 0.1 * x[[1, 4]] - 2 * centers[LABELS[[1, 4]]]
    x[2] = 0.2 * x[2] + centers[LABELS[2]]
    return x, centers


def margin(loss: MarginSoftmax, cosine: np.ndarray) -> np.ndarray:
    angle = loss.m1 * np.arccos(cosine) + loss.m2
    line = cosine - np.cos((np.pi - loss.m2) / loss.m1) - 1
    return np.where(angle < np.pi, np.cos(angle), line) - loss.m3


def oracle(loss: MarginSoftmax, x: np.ndarray, centers: np.ndarray, classes: np.ndarray, labels: np.ndarray = LABELS) -> float:
    cosines = unit(x) @ unit(centers).T
    costs = []
    for row, label in zip(cosines, labels, strict=True):
        logits = loss.scale * np.where(classes == label, margin(loss, row), row)
        largest = logits.max()
        costs.append(np.log(np.exp(logits - largest).sum()) + largest - logits[classes == label].item())
    return float(np.mean(costs))


@functools.cache
def compiled(loss: MarginSoftmax):
    return jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))


def gradients(loss: MarginSoftmax, x, centers, labels=LABELS, key=None):
    arguments = ({"centers": jnp.asarray(centers)}, jnp.asarray(x), jnp.asarray(labels), key)
    value, (to_params, to_x) = compiled(loss)(*arguments)
    return value, to_params["centers"], to_x


@pytest.mark.parametrize("loss", FAMILY, ids=str)
def test_value_and_gradient_equal_the_oracle(loss: MarginSoftmax):
    """Value to 1e-5; gradients by embeddings and centers equal finite differences to 1e-4."""
    x, centers = batch()
    value, to_centers, to_x = gradients(loss, x, centers)
    classes = np.arange(CLASSES)
    x64, centers64 = x.astype(np.float64), centers.astype(np.float64)
    assert value == pytest.approx(oracle(loss, x64, centers64, classes), rel=1e-5)
    assert value.dtype == jnp.float32
    assert_close(to_x, differences(lambda x: oracle(loss, x, centers64, classes), x64), 1e-4, "embeddings")
    assert_close(to_centers, differences(lambda c: oracle(loss, x64, c, classes), centers64), 1e-4, "centers")


def test_the_batch_has_what_the_margin_is_hard_at():
    x, centers = batch()
    angles = np.arccos((unit(x) * unit(centers)[LABELS]).sum(-1))
    assert (angles[[1, 4]] + 0.5 > math.pi).all()
    assert angles[2] < 0.5


@pytest.mark.parametrize("loss", FAMILY, ids=str)
def test_the_margin_only_ever_falls_with_the_angle(loss: MarginSoftmax):
    """Also where m1 θ + m2 passes π, and without a jump there; within rounding, ψ(θ) <= cos θ."""
    angles = np.linspace(0.0, math.pi, 4001)
    found = np.asarray(loss.margin(jnp.asarray(np.cos(angles), jnp.float32)), np.float64)
    steps = np.diff(found)
    assert steps.max() <= 3e-7
    assert steps.min() >= -2 * loss.m1 * (angles[1] - angles[0])
    assert (found <= np.cos(angles) + 3e-7).all()
    np.testing.assert_allclose(found[1:-1], margin(loss, np.cos(angles[1:-1])), atol=3e-5)


def test_the_slope_is_the_formulas_or_one():
    """At cos θ = 0.6, ArcFace's s sin(θ + m) / sin θ is 79.18; InsightFace's is s."""
    exact, straight = (MarginSoftmax(classes=CLASSES, gradient=kind) for kind in ("exact", "straight_through"))
    slopes = [64 * float(jax.jit(jax.grad(loss.margin))(jnp.float32(0.6))) for loss in (exact, straight)]
    assert slopes == pytest.approx([79.18, 64.0], abs=0.005)
    x, centers = batch()
    values = [float(gradients(loss, x, centers)[0]) for loss in (exact, straight)]
    assert values[0] == pytest.approx(values[1], rel=1e-6)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("loss", FAMILY, ids=str)
def test_degenerate_batches(loss: MarginSoftmax, dtype):
    """cos θ = ±1 and 0/0, tiny and huge lengths: value and gradients are finite."""
    center = np.zeros((CLASSES, DIMENSION), np.float32)
    center[:5] = np.eye(5)
    center[5] = -1e-30
    center[6] = 1e25
    rows = np.stack([center[0], -center[0], 0 * center[0], 1e-30 * center[0], 1e-11 * center[1], 1e30 * center[1]])
    for labels in ([0] * 6, [1] * 6, [5] * 6, [6] * 6, [0, 1, 2, 3, 4, 5]):
        value, *found = gradients(loss, jnp.asarray(rows, dtype), center, labels)
        assert math.isfinite(value) and value >= 0
        assert all(np.isfinite(np.asarray(leaf, np.float32)).all() for leaf in found)


def test_on_ones_own_center_and_opposite_the_value_is_the_formulas():
    """θ = 0 and θ = π exactly: ψ is cos m2, and the line's end -1 - cos(π - m2) - 1."""
    loss = MarginSoftmax(classes=2, scale=4.0)
    centers = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    for x, psi in (([1.0, 0.0], math.cos(0.5)), ([-1.0, 0.0], math.cos(0.5) - 2)):
        value = gradients(loss, np.array([x], np.float32), centers, [0])[0]
        assert value == pytest.approx(math.log1p(math.exp(-4 * psi)), rel=1e-6)


def test_a_small_loss_keeps_its_digits():
    """exp(-40) is no difference of two numbers near 64."""
    loss = MarginSoftmax(classes=2, m2=0.0, m3=0.375)
    value = gradients(loss, np.array([[2.0, 0.0]], np.float32), np.eye(2, dtype=np.float32), [0])[0]
    assert value == pytest.approx(math.exp(-40), rel=1e-5)


def test_without_margin_it_is_the_normalized_softmax():
    x, centers = batch()
    logits = 16.0 * jnp.asarray(unit(x) @ unit(centers).T)
    expected = jax.jit(optax.softmax_cross_entropy_with_integer_labels)(logits, jnp.asarray(LABELS)).mean()
    loss = MarginSoftmax(classes=CLASSES, scale=16.0, m2=0.0)
    arguments = ({"centers": jnp.asarray(centers)}, jnp.asarray(x), jnp.asarray(LABELS))
    value, found = jax.jit(loss.value_and_diagnostics)(*arguments)
    assert value == pytest.approx(float(expected), rel=1e-5)
    own = (unit(x) * unit(centers)[LABELS]).sum(-1)
    others = np.where(np.arange(CLASSES) == LABELS[:, None], -np.inf, unit(x) @ unit(centers).T).max(-1)
    expected = {"accuracy": (own > others).mean(), "own_cosine": own.mean(), "nearest_other_cosine": others.mean()}
    assert {name: float(entry) for name, entry in found.items()} == pytest.approx(expected, abs=1e-6)


def test_lengths_do_not_matter_and_the_distance_is_the_angles():
    x, centers = batch()
    loss = FAMILY[0]
    value = gradients(loss, x, centers)[0]
    assert gradients(loss, 3e6 * x, 1e-5 * centers)[0] == pytest.approx(float(value), rel=1e-5)
    params = jax.jit(loss.init, static_argnums=1)(jax.random.key(0), DIMENSION)
    found = jax.jit(loss.compare)(params, x[:, None], 7 * x[None])
    np.testing.assert_allclose(found, 2 - 2 * unit(x) @ unit(x).T, atol=1e-6)
    assert params["centers"].shape == (CLASSES, DIMENSION)
    assert 0.5 < np.linalg.norm(params["centers"], axis=1).mean() < 2


def test_a_bad_label_or_embedding_is_nan():
    x, centers = batch()
    for labels in (np.where(LABELS == 6, 7, LABELS), np.where(LABELS == 6, -1, LABELS)):
        assert math.isnan(gradients(FAMILY[0], x, centers, labels)[0])
        sampled = dataclasses.replace(FAMILY[0], rate=0.1)
        assert math.isnan(gradients(sampled, x[4:6], centers, labels[4:6], jax.random.key(0))[0])
    for bad in (np.nan, np.inf):
        broken = x.copy()
        broken[3, 2] = bad
        assert math.isnan(gradients(FAMILY[0], broken, centers)[0])


def test_shards_change_nothing_but_the_rows_that_fill_up():
    x, centers = batch()
    value, to_centers, to_x = gradients(FAMILY[0], x, centers)
    loss = dataclasses.replace(FAMILY[0], shards=4)
    assert jax.eval_shape(lambda: loss.init(jax.random.key(0), DIMENSION))["centers"].shape == (8, DIMENSION)
    filled = np.concatenate([centers, x[:1]])
    assert gradients(loss, x, filled)[0] == value
    np.testing.assert_array_equal(gradients(loss, x, filled)[1], np.concatenate([to_centers, 0 * x[:1]]))
    np.testing.assert_array_equal(gradients(loss, x, filled)[2], to_x)


def sampled_batch(classes: int, rows: int, images: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    labels = generator.integers(0, classes, images)
    labels[-1] = labels[0]
    shapes = ((images, DIMENSION), (rows, DIMENSION))
    x, centers = (generator.normal(size=shape).astype(np.float32) for shape in shapes)
    return x, centers, labels


@pytest.mark.parametrize("shards", [1, 4])
def test_sampled_centers_are_the_batchs_own_and_some_others(shards: int):
    """The value is the oracle's over those that have a gradient: each shard's share, among them all of the batch's people."""
    loss = MarginSoftmax(classes=46, scale=2.0, rate=0.4, shards=shards)
    x, centers, labels = sampled_batch(46, 48 if shards == 4 else 46)
    value, to_centers, _ = gradients(loss, x, centers, labels, jax.random.key(5))
    drawn = np.flatnonzero(np.abs(np.asarray(to_centers)).max(1) > 0)
    assert set(labels) <= set(drawn)
    share = math.ceil(0.4 * len(centers) / shards)
    assert (np.bincount(drawn * shards // len(centers)) == share).all()
    assert drawn.max() < 46
    assert value == pytest.approx(oracle(loss, x.astype(np.float64), centers[drawn], drawn, labels), rel=1e-5)


def test_others_are_drawn_evenly():
    loss = MarginSoftmax(classes=20, scale=2.0, rate=0.5)
    x, centers, labels = sampled_batch(20, 20)

    def drawn(key):
        slopes = jax.grad(loss)({"centers": jnp.asarray(centers)}, jnp.asarray(x), jnp.asarray(labels), key)
        return jnp.abs(slopes["centers"]).max(1) > 0

    counts = np.asarray(jax.jit(jax.vmap(drawn))(jax.random.split(jax.random.key(0), 2000))).sum(0)
    own = np.unique(labels)
    assert (counts[own] == 2000).all()
    p = (10 - len(own)) / (20 - len(own))
    np.testing.assert_allclose(np.delete(counts, own), 2000 * p, atol=5 * math.sqrt(2000 * p * (1 - p)))


def test_what_a_batch_needs_is_kept_however_small_the_rate():
    """Six images of six people among 100 at a rate of 1 %: seven centers, as one must be somebody else's."""
    loss = MarginSoftmax(classes=100, scale=2.0, rate=0.01)
    x, centers, _ = sampled_batch(100, 100, images=6)
    value, to_centers, _ = gradients(loss, x, centers, np.arange(6), jax.random.key(0))
    assert (np.abs(np.asarray(to_centers)).max(1) > 0).sum() == 7
    assert value > 0


def test_sampling_holds_less():
    """Value and gradient of 64 images among 40,000 classes hold no (b, classes) matrix at a rate of 5 %."""
    loss = MarginSoftmax(classes=40_000, rate=0.05)
    centers, x = (jax.ShapeDtypeStruct((rows, 8), jnp.float32) for rows in (40_000, 64))
    labels = jax.ShapeDtypeStruct((64,), jnp.int32)
    lowered = compiled(loss).lower({"centers": centers}, x, labels, jax.random.key(0))
    assert lowered.compile().memory_analysis().temp_size_in_bytes < 64 * 40_000 * 4


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scale": -1.0}, "scale must be"),
        ({"scale": math.inf}, "scale must be"),
        ({"m1": 0.5}, "m1 multiplies"),
        ({"m1": math.nan}, "m1 multiplies"),
        ({"m2": -0.5}, "m2 must be"),
        ({"m2": 28.6}, "radians"),
        ({"m3": -0.35}, "m3 must be"),
        ({"classes": 1}, "2 classes or more"),
        ({"rate": 0.0}, "rate is a share"),
        ({"rate": 1.5}, "rate is a share"),
        ({"shards": 0}, "1 to 9 shards"),
        ({"shards": 10}, "1 to 9 shards"),
    ],
)
def test_illegal_fields_are_refused(fields: dict, message: str):
    with pytest.raises(ValueError, match=message):
        MarginSoftmax(**({"classes": 9} | fields))


def test_a_mask_and_a_missing_key_are_refused():
    x, centers = batch()
    params = {"centers": jnp.asarray(centers)}
    with pytest.raises(ValueError, match=r"same-person mask of shape \(8, 8\)"):
        FAMILY[0].value_and_diagnostics(params, jnp.asarray(x), jnp.asarray(LABELS[:, None] == LABELS))
    with pytest.raises(ValueError, match="got no key"):
        dataclasses.replace(FAMILY[0], rate=0.1)(params, jnp.asarray(x[:2]), jnp.asarray(LABELS[:2]))
