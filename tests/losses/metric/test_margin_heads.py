"""The heads on class centers beside an oracle in NumPy's float64: value, gradients, and what is carried from batch to batch."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from float64 import assert_close, differences

from likeness.research.losses import (
    AdaFace,
    ArcFace,
    CarriesState,
    CosFace,
    CurricularFace,
    ElasticFace,
    MagFace,
    MarginSoftmax,
    Padded,
    SubcenterArcFace,
    UniFace,
    advance,
    initial_state,
    moved_cosine,
)

CLASSES, DIMENSION, S = 5, 4, 8.0
LABELS = np.array([0, 1, 1, 2, 4, 3])
KEY = jax.random.key(3)


def batch(scale: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of different lengths, one of them all but opposite to its center, and centers."""
    generator = np.random.default_rng(seed)
    centers = generator.normal(size=(CLASSES, DIMENSION)).astype(np.float32)
    x = generator.normal(size=(len(LABELS), DIMENSION)) * generator.uniform(0.5, 2, (len(LABELS), 1))
    x[1] = 0.05 * x[1] - centers[1]
    x[3] += centers[2]
    return (scale * x).astype(np.float32), centers


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def turned(cosine, m):
    """cos(θ + m), a straight line beyond π, 1 below 0."""
    angle = np.arccos(cosine) + m
    return np.where(angle < np.pi, np.cos(np.maximum(angle, 0)), cosine - np.cos(np.pi - m) - 1)


def softmax(cosines, target, labels=LABELS):
    logits = S * cosines.copy()
    logits[np.arange(len(labels)), labels] = S * target
    largest = logits.max(1)
    return (np.log(np.exp(logits - largest[:, None]).sum(1)) + largest - S * target).mean()


def own(cosines):
    return cosines[np.arange(len(LABELS)), LABELS]


def arcface(x, w):
    cosines = unit(x) @ unit(w).T
    return softmax(cosines, turned(own(cosines), 0.5))


def cosface(x, w):
    cosines = unit(x) @ unit(w).T
    return softmax(cosines, own(cosines) - 0.35)


def subcenter(x, w):
    cosines = (unit(x) @ unit(w).T).reshape(len(x), CLASSES, 2).max(2)
    return softmax(cosines, turned(own(cosines), 0.5))


def adaface(x, w, lengths=None):
    """Of a first batch; ``lengths`` are held fixed."""
    lengths = np.clip(np.linalg.norm(x, axis=1) if lengths is None else lengths, 1e-3, 100)
    mean, deviation = 0.9 * 20 + 0.1 * lengths.mean(), 0.9 * 100 + 0.1 * lengths.std(ddof=1)
    quality = np.clip((lengths - mean) / (deviation + 1e-3) * 5.0, -1, 1)
    cosines = unit(x) @ unit(w).T
    return softmax(cosines, turned(own(cosines), -0.4 * quality) - 0.4 * quality - 0.4)


def magface(x, w):
    lengths = np.clip(np.linalg.norm(x, axis=1), 10, 110)
    cosines = unit(x) @ unit(w).T
    margin = 0.45 + 0.35 * (lengths - 10) / 100
    return softmax(cosines, turned(own(cosines), margin)) + 35 * (1 / lengths + lengths / 110**2).mean()


def curricular(x, w, t=None):
    cosines = unit(x) @ unit(w).T
    t = 0.5 * own(cosines).mean() if t is None else t
    target = turned(own(cosines), 0.5)
    return softmax(np.where(cosines > target[:, None], cosines * (t + cosines), cosines), target)


def uniface(x, w, bias=3.912023005428146):
    cosines = S * unit(x) @ unit(w).T
    others = np.log1p(np.exp(cosines - bias))
    others[np.arange(len(x)), LABELS] = 0
    return (np.log1p(np.exp(bias - own(cosines) + S * 0.4)) + 0.5 * others.sum(1)).mean()


def elastic(x, w, margins, on):
    cosines = unit(x) @ unit(w).T
    return softmax(cosines, turned(own(cosines), margins) if on == "angle" else own(cosines) - margins)


DRAWN = np.asarray(jax.random.normal(jax.random.fold_in(KEY, 1), LABELS.shape), np.float64)
FIELDS = {"classes": CLASSES, "scale": S}
CASES = [
    (ArcFace(**FIELDS), arcface, 1.0),
    (CosFace(**FIELDS), cosface, 1.0),
    (SubcenterArcFace(**FIELDS, subcenters=2), subcenter, 1.0),
    (AdaFace(**FIELDS, momentum=0.9, concentration=5.0), adaface, 12.0),
    (MagFace(**FIELDS), magface, 20.0),
    (CurricularFace(**FIELDS, momentum=0.5), curricular, 1.0),
    (UniFace(**FIELDS, weight=0.5), uniface, 1.0),
    (ElasticFace(**FIELDS, deviation=0.1), lambda x, w: elastic(x, w, 0.5 + 0.1 * DRAWN, "angle"), 1.0),
    (
        ElasticFace(**FIELDS, on="cosine", margin=0.35, deviation=0.1),
        lambda x, w: elastic(x, w, 0.35 + 0.1 * DRAWN, "cosine"),
        1.0,
    ),
]


def found(loss, params, x, labels=LABELS, state=None):
    """Value, gradients by weights and embeddings, state and diagnostics."""

    def value(params, x):
        value, after, diagnostics = advance(loss, params, state, x, labels, KEY)
        return value, (after, diagnostics)

    state = initial_state(loss, DIMENSION) if state is None else state
    (value_, (after, diagnostics)), gradients = jax.jit(jax.value_and_grad(value, argnums=(0, 1), has_aux=True))(
        params, jnp.asarray(x)
    )
    return value_, gradients, after, diagnostics


def params_of(loss, centers):
    return {**loss.init(jax.random.key(0), DIMENSION), "centers": jnp.asarray(centers)}


@pytest.mark.parametrize(("loss", "oracle", "scale"), CASES, ids=lambda case: type(case).__name__)
def test_value_and_gradient_equal_the_oracle(loss, oracle, scale: float):
    """To 1e-5 of float64, the gradients by embeddings and centers by central differences."""
    x, centers = batch(scale)
    if loss.centers_per_class == 2:
        centers = np.concatenate([centers, batch(seed=1)[1]]).reshape(2, CLASSES, -1).transpose(1, 0, 2).reshape(-1, DIMENSION)
    x64, c64 = x.astype(np.float64), centers.astype(np.float64)
    value, (to_params, to_x), *_ = found(loss, params_of(loss, centers), x)
    assert value == pytest.approx(oracle(x64, c64), rel=1e-5)
    assert value.dtype == jnp.float32
    # What no gradient goes through is held where it is.
    cosines = unit(x64) @ unit(c64).T
    held = {
        AdaFace: lambda x, w: adaface(x, w, np.linalg.norm(x64, axis=1)),
        CurricularFace: lambda x, w: curricular(x, w, 0.5 * own(cosines).mean()),
    }.get(type(loss), oracle)
    assert_close(to_x, differences(lambda x: held(x, c64), x64), 1e-5, "embeddings")
    assert_close(to_params["centers"], differences(lambda w: held(x64, w), c64), 1e-5, "centers")
    if isinstance(loss, UniFace):
        slope = (uniface(x64, c64, math.log(50) + 1e-5) - uniface(x64, c64, math.log(50) - 1e-5)) / 2e-5
        assert to_params["bias"] == pytest.approx(slope, rel=1e-4)


@pytest.mark.parametrize(("loss", "oracle", "scale"), CASES, ids=lambda case: type(case).__name__)
def test_rows_that_fill_up_take_no_part(loss, oracle, scale: float):
    """Value, gradient, state and diagnostics are those of the batch without them. Margins are drawn for each row."""
    del oracle
    x = batch(scale)[0]
    params = loss.init(jax.random.key(0), DIMENSION)
    rows = np.concatenate([x, [[np.nan] * DIMENSION, [300.0] * DIMENSION]]).astype(np.float32)
    whole = found(loss, params, x)
    padded = found(loss, params, rows, Padded(np.append(LABELS, [-5, 2]), np.arange(8) < 6))
    if isinstance(loss, ElasticFace):
        assert np.isfinite(padded[0]) and not np.asarray(padded[1][1][6:]).any()
        return
    assert not np.asarray(padded[1][1][6:]).any()
    padded = padded[0], (padded[1][0], padded[1][1][:6]), *padded[2:]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), whole, padded)


@pytest.mark.slow
def test_arcface_and_cosface_are_corners_of_the_combined_margin():
    x, centers = batch()
    params = {"centers": jnp.asarray(centers)}
    for one, other in (
        (ArcFace(**FIELDS, margin=0.3), MarginSoftmax(**FIELDS, m2=0.3)),
        (CosFace(**FIELDS, margin=0.2), MarginSoftmax(**FIELDS, m2=0.0, m3=0.2)),
        (ArcFace(**FIELDS, gradient="straight_through"), MarginSoftmax(**FIELDS, gradient="straight_through")),
        (SubcenterArcFace(**FIELDS, subcenters=1), ArcFace(**FIELDS)),
        (ElasticFace(**FIELDS, deviation=0.0), ArcFace(**FIELDS)),
    ):
        first, second = found(one, params, x)[:2], found(other, params, x)[:2]
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7), first, second)


@pytest.mark.slow
def test_the_margin_moves_the_cosine_by_any_angle_and_stays_finite():
    """At 0 and π exactly, by negative margins, and by the margin itself."""
    cosine = jnp.asarray(np.cos(np.linspace(0, np.pi, 201)), jnp.float32).at[0].set(1.0).at[-1].set(-1.0)
    for m in (-0.8, -0.4, 0.0, 0.4, 3.1):
        value, slopes = jax.vmap(jax.value_and_grad(moved_cosine, argnums=(0, 1)), (0, None))(cosine, jnp.float32(m))
        expected = turned(np.asarray(cosine, np.float64), m)
        np.testing.assert_allclose(value, expected, atol=1e-5)
        assert all(np.isfinite(slope).all() for slope in slopes)
        inside = slice(5, -5)
        step = (turned(np.asarray(cosine, np.float64), m + 1e-6) - turned(np.asarray(cosine, np.float64), m - 1e-6)) / 2e-6
        np.testing.assert_allclose(slopes[1][inside], step[inside], atol=1e-3)


def test_adaface_follows_the_lengths_with_its_averages():
    """Two batches; a batch of one image has no deviation and keeps the last, where the authors' becomes NaN."""
    loss = AdaFace(classes=CLASSES, momentum=0.9)
    x = batch(12.0)[0]
    params, state = loss.init(jax.random.key(0), DIMENSION), loss.init_state(DIMENSION)
    lengths = np.linalg.norm(x.astype(np.float64), axis=1)
    mean, deviation = 20.0, 100.0
    for _ in range(2):
        value, _, state, watched = found(loss, params, x, state=state)
        mean, deviation = 0.9 * mean + 0.1 * lengths.mean(), 0.9 * deviation + 0.1 * lengths.std(ddof=1)
        assert (state["mean"], state["deviation"]) == pytest.approx((mean, deviation), rel=1e-5)
        assert watched["mean_length"] == state["mean"]
    value, _, after, _ = found(loss, params, x[:1], LABELS[:1], state)
    assert np.isfinite(value)
    assert after["deviation"] == state["deviation"]
    assert after["mean"] == pytest.approx(0.9 * mean + 0.1 * lengths[0], rel=1e-5)


def test_a_head_that_carries_a_state_says_so():
    assert [isinstance(case[0], CarriesState) for case in CASES] == [False, False, False, True, False, True, *[False] * 3]
    with pytest.raises(ValueError, match=r"momentum is a share"):
        AdaFace(classes=2, momentum=1.0)
    with pytest.raises(ValueError, match="Give shortest below longest"):
        MagFace(classes=2, shortest=120.0)
    with pytest.raises(ValueError, match=r"ElasticFace\(\) draws margins at random and got no key"):
        ElasticFace(classes=CLASSES)({"centers": jnp.ones((CLASSES, 2))}, jnp.ones((1, 2)), jnp.array([0]))


def test_the_largest_margins_go_to_the_farthest_from_their_center():
    """ElasticFace+: by rank, which the authors' code would give out in another order."""
    x, centers = batch()
    loss = ElasticFace(**FIELDS, deviation=0.1, assigned="by_distance")
    value = found(loss, params_of(loss, centers), x)[0]
    x64, c64 = x.astype(np.float64), centers.astype(np.float64)
    rank = np.argsort(np.argsort(-own(unit(x64) @ unit(c64).T)))
    margins = np.sort(0.5 + 0.1 * DRAWN)
    assert value == pytest.approx(elastic(x64, c64, margins[rank], "angle"), rel=1e-5)
    permuted = margins[np.argsort(-own(unit(x64) @ unit(c64).T))]
    assert abs(elastic(x64, c64, permuted, "angle") - float(value)) > 1e-3


@pytest.mark.parametrize(
    "loss", [SubcenterArcFace(classes=46, scale=2.0, subcenters=2, rate=0.4, shards=4), UniFace(classes=46, rate=0.4)]
)
def test_sampled_centers_hold_all_those_of_the_batch(loss):
    params = loss.init(jax.random.key(0), DIMENSION)
    x = np.random.default_rng(0).normal(size=(3, DIMENSION)).astype(np.float32)
    labels = np.array([3, 17, 45])
    _, (to_params, _), *_ = found(loss, params, x, labels)
    drawn = np.abs(np.asarray(to_params["centers"])).max(1).reshape(loss.rows, -1).max(1) > 0
    assert drawn[labels].all()
    assert not drawn[46:].any()
    assert drawn.sum() <= math.ceil(0.4 * loss.rows / loss.shards) * loss.shards
