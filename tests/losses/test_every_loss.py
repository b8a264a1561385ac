"""What every loss owes: a sentence for shapes that it does not define, 0 for an empty batch, and a derivative in both modes."""

import dataclasses
import math
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.losses import (
    MRF,
    AdaFace,
    AddonsSemiHard,
    ArcFace,
    BatchAll,
    BatchHard,
    CenterLoss,
    Circle,
    Content,
    Contextual,
    Contrastive,
    CosFace,
    Cosine,
    Covariance,
    CrossBatchMemory,
    CrossEntropy,
    CurricularFace,
    Dot,
    ElasticFace,
    Euclidean,
    FaceNetSemiHard,
    Gram,
    Histogram,
    HypercolumnMoments,
    HypercolumnSimilarity,
    Identity,
    Laplacian,
    MagFace,
    MarginLoss,
    MarginSoftmax,
    MeanStd,
    MultiSimilarity,
    MultiSimilarityMiner,
    NearestNeighbors,
    NeuralNeighbors,
    NTXent,
    PaletteEMD,
    Prototypical,
    ProxyAnchor,
    RelaxedEMD,
    SelfSimilarity,
    Siamese,
    SlicedWasserstein,
    SquaredEuclidean,
    SubcenterArcFace,
    SupCon,
    TotalVariation,
    Triplet,
    TripletPairs,
    UniFace,
    Wasserstein,
    distance_of,
)
from likeness.research.losses.metric.pairs import positives_and_negatives, same_person, weighted_pairs

NAMES = ("relu3_1",)
TRIPLETS = [Triplet(margin=0.5, rule=rule) for rule in (BatchAll(), BatchHard(), FaceNetSemiHard(), AddonsSemiHard())]
ON_EMBEDDINGS = [
    *TRIPLETS,
    Triplet(margin=0.5, distance=Euclidean(), penalty="softplus", reduction="mean"),
    Contrastive(),
    Contrastive(pairs="consecutive"),
    Contrastive(distance=Cosine()),
    Triplet(margin=0.5, distance=Dot()),
    Siamese(),
    Siamese(pairs="consecutive"),
    Prototypical(),
    MarginSoftmax(classes=4, scale=4.0),
    *(head(classes=4, scale=4.0) for head in (ArcFace, CosFace, SubcenterArcFace, AdaFace, CurricularFace, UniFace)),
    MagFace(classes=4, scale=4.0, shortest=0.5, longest=4.0),
    ElasticFace(classes=4, scale=4.0, on="cosine"),
    ProxyAnchor(classes=4, alpha=4.0),
    SupCon(),
    NTXent(distance=Euclidean()),
    MultiSimilarity(beta=4.0, miner=MultiSimilarityMiner(epsilon=1.0)),
    Circle(gamma=4.0),
    MarginLoss(beta=2.0),
    CrossBatchMemory(loss=Contrastive(miner=TripletPairs(rule=BatchHard())), size=8),
    CenterLoss(classes=4, loss=CosFace(classes=4, scale=4.0)),
]
ON_ACTIVATIONS = [
    Content(layers=NAMES),
    Gram(layers=NAMES),
    MeanStd(layers=NAMES),
    Covariance(layers=NAMES),
    Wasserstein(layers=NAMES, eps=0.01, iterations=2),
    SlicedWasserstein(layers=NAMES, projections=2),
    Histogram(layers=NAMES),
    MRF(layers=NAMES),
    Contextual(layers=NAMES),
    SelfSimilarity(layers=NAMES),
    RelaxedEMD(layers=NAMES),
    PaletteEMD(),
    HypercolumnMoments(layers=NAMES),
    HypercolumnSimilarity(layers=NAMES),
    NearestNeighbors(layers=NAMES),
    NeuralNeighbors(layers=NAMES, stride=2),
    Laplacian(pooling=1),
    TotalVariation(),
    Identity(),
]
REVERSE_ONLY = (Gram, Covariance, HypercolumnMoments, Wasserstein, Siamese)
"""Losses whose derivative is written down for reverse mode."""

LABELS = np.array([0, 0, 1, 1, 2, 2, 3, 3])
X = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
ALIKE = LABELS[:, None] == LABELS

WRONG_LABELS = {
    "a column": LABELS[:, None],
    "one-hot rows": np.eye(8, dtype=int)[LABELS],
    "one-hot rows of four classes": np.eye(4, dtype=int)[LABELS],
    "boolean one-hot rows of four classes": np.eye(4, dtype=bool)[LABELS],
    "one too few": LABELS[:7],
    "only one": LABELS[:1],
    "of another batch": np.concatenate([LABELS, LABELS]),
    "floats": LABELS.astype(np.float32),
    "booleans": LABELS > 1,
    "a scalar": np.array(3),
    "a mask of another batch": ALIKE[:6, :6],
    "a mask of integers": ALIKE.astype(np.int32),
    "names": np.array(list("aabbccdd")),
}
WRONG_EMBEDDINGS = {"a vector": X[:, 0], "maps": X[:, :, None], "complex": X.astype(np.complex64)}


def name(loss) -> str:
    return str(loss)[:60]


def of_embeddings(loss, x, labels):
    params = loss.init(jax.random.key(0), 3)
    return loss.value_and_diagnostics(params, x, labels, jax.random.key(1))


@pytest.mark.parametrize("loss", ON_EMBEDDINGS, ids=name)
def test_labels_and_embeddings_of_another_shape_or_dtype_are_refused(loss):
    """With NumPy's arrays, and under ``jit``, where shapes and dtypes are known too."""
    owner = type(loss).__name__
    for labels in WRONG_LABELS.values():
        with pytest.raises(ValueError, match=rf"^{owner}.*(labels|same-person mask)"):
            jax.eval_shape(lambda x, labels=labels: of_embeddings(loss, x, labels), X)
        if labels.dtype.kind != "U":
            with pytest.raises(ValueError, match=rf"^{owner}.*(labels|same-person mask)"):
                jax.eval_shape(lambda x, y: of_embeddings(loss, x, y), X, labels)
    for x in WRONG_EMBEDDINGS.values():
        with pytest.raises(ValueError, match=rf"^{owner}: embeddings must be numbers of shape \(b, d\)"):
            jax.eval_shape(lambda x: of_embeddings(loss, x, LABELS), x)


def test_what_the_labels_should_be_is_said():
    with pytest.raises(ValueError, match=r"Triplet: labels must be integers of shape \(4,\), or a .*int32 of shape \(3,\)"):
        Triplet()(jnp.ones((4, 3)), jnp.ones((3,), int))
    with pytest.raises(ValueError, match=r"become labels by `argmax\(axis=1\)`"):
        Triplet()(jnp.asarray(X), np.eye(8, dtype=int)[LABELS])


@pytest.mark.parametrize("ask", [same_person, positives_and_negatives, lambda given: weighted_pairs("all", given)])
def test_the_masks_of_a_batch_are_refused_by_themselves(ask):
    for given in (LABELS[:, None], LABELS / 2, LABELS > 1, np.eye(8, dtype=int), ALIKE[:6], np.array(3)):
        with pytest.raises(ValueError, match="labels must be integers"):
            ask(given)


@pytest.mark.parametrize("loss", ON_EMBEDDINGS, ids=name)
def test_labels_that_would_be_merged_in_32_bits_are_refused(loss):
    with pytest.raises(ValueError, match=r"run from 0 to 12884901888.*2³² apart become one.*numpy\.unique"):
        jax.eval_shape(lambda x: of_embeddings(loss, x, LABELS << 32), X)


def test_classes_beyond_what_small_labels_can_count_are_others():
    """Numbered in 8 bits, the 256th class would be the first one."""
    for dtype in (np.uint8, np.int8):
        labels = np.array([0, 1, 2, 3], dtype)
        loss, logits = CrossEntropy(), jnp.asarray(np.random.default_rng(1).normal(size=(4, 300)), jnp.float32)
        costs = jax.jit(loss)
        np.testing.assert_array_equal(costs(logits, labels), costs(logits, labels.astype(np.int32)))
        margin = jax.jit(MarginSoftmax(classes=300, scale=4.0))
        params = {"centers": np.random.default_rng(2).normal(size=(300, 3)).astype(np.float32)}
        assert margin(params, X[:4], labels) == margin(params, X[:4], labels.astype(np.int32))


def test_cross_entropy_refuses_what_broadcasts():
    loss, logits = CrossEntropy(), jnp.asarray(np.random.default_rng(1).normal(size=(8, 4)), jnp.float32)
    for labels in WRONG_LABELS.values():
        with pytest.raises(ValueError, match="^CrossEntropy: labels must be integers of shape"):
            loss(logits, labels)
    with pytest.raises(ValueError, match="2³² apart"):
        loss(logits, LABELS + 2**32)
    for wrong in (logits[0], logits[None]):
        with pytest.raises(ValueError, match=r"^CrossEntropy: logits must be numbers of shape \(b, K\)"):
            loss(wrong, LABELS)


def test_weights_of_another_encoder_or_loss_are_refused():
    """One weight would weigh every dimension, and a class without a center would be nobody."""
    for size in (1, 2, 4):
        with pytest.raises(ValueError, match=r"Siamese: weights must be numbers of shape \(3,\)"):
            Siamese().value_and_diagnostics(Siamese().init(jax.random.key(0), size), jnp.asarray(X), LABELS)
        with pytest.raises(ValueError, match="last axis of both must be of one size"):
            Siamese().logit(Siamese().init(jax.random.key(0), size), X, X)
    loss = MarginSoftmax(classes=4)
    for centers in (np.ones((3, 3)), np.ones((5, 3)), np.ones((4, 2)), np.ones((4, 1))):
        with pytest.raises(ValueError, match=r"MarginSoftmax: centers must be numbers of shape \(4, 3\)"):
            loss.value_and_diagnostics({"centers": centers}, jnp.asarray(X), LABELS)


@pytest.mark.parametrize("loss", ON_EMBEDDINGS, ids=name)
def test_an_empty_batch_costs_nothing(loss):
    def value(x):
        found, diagnostics = of_embeddings(loss, x, jnp.zeros((0,), int))
        return found, diagnostics

    (found, diagnostics), gradient = jax.jit(jax.value_and_grad(value, has_aux=True))(jnp.zeros((0, 3)))
    assert found == 0
    assert gradient.shape == (0, 3)
    assert all(np.isfinite(number) for number in diagnostics.values())


def activations(seed: int, count: int) -> dict[str, jax.Array]:
    generator = np.random.default_rng(seed)
    shapes = {"input": (6, 6, 3), "relu3_1": (6, 6, 3), "embedding": (5,)}
    return {layer: jnp.asarray(generator.normal(size=(count, *shape)), jnp.float32) for layer, shape in shapes.items()}


@pytest.mark.parametrize("loss", ON_ACTIVATIONS, ids=name)
def test_no_image_costs_nothing(loss):
    cost = lambda x, y: loss(x, loss.target(y))  # noqa: E731
    value, gradient = jax.jit(jax.value_and_grad(cost))(activations(1, 0), activations(0, 1))
    assert value == 0
    assert {layer: len(part) for layer, part in gradient.items()} == {"input": 0, "relu3_1": 0, "embedding": 0}


def both_modes(loss, value, x, *, reverse_only: bool) -> None:
    """The derivative along a direction is the gradient's product with it; where it cannot be had, the docstring says so."""
    direction = jax.tree.map(lambda leaf: jnp.asarray(np.random.default_rng(5).normal(size=leaf.shape), jnp.float32), x)
    if reverse_only:
        assert "Reverse mode only" in " ".join(type(loss).__doc__.split())
        with pytest.raises(TypeError, match=r"can't apply forward-mode .*\(jvp\)"):
            jax.jvp(value, (x,), (direction,))
        return
    along, gradient = jax.jit(lambda x, v: (jax.jvp(value, (x,), (v,))[1], jax.grad(value)(x)))(x, direction)
    products = jax.tree.map(lambda a, b: jnp.sum(a * b), gradient, direction)
    assert along == pytest.approx(float(sum(jax.tree.leaves(products))), rel=1e-4, abs=1e-5)
    assert along != 0


@pytest.mark.parametrize("loss", ON_EMBEDDINGS, ids=name)
def test_forward_and_reverse_mode_agree_on_embeddings(loss):
    reverse_only = isinstance(loss, REVERSE_ONLY) and loss.pairs == "all"
    both_modes(loss, lambda x: of_embeddings(loss, x, jnp.asarray(LABELS))[0], jnp.asarray(X), reverse_only=reverse_only)


@pytest.mark.parametrize("loss", ON_ACTIVATIONS, ids=name)
def test_forward_and_reverse_mode_agree_on_activations(loss):
    reference = activations(0, 1)
    both_modes(loss, lambda x: loss(x, loss.target(reference)), activations(1, 2), reverse_only=isinstance(loss, REVERSE_ONLY))


def test_the_curvature_of_the_soft_plus_is_that_of_finite_differences():
    """Forward over reverse: the derivative of the gradient along a direction."""
    gradient = jax.jit(jax.grad(lambda x: Triplet(penalty="softplus", reduction="mean")(x, jnp.asarray(LABELS))))
    direction = jnp.asarray(np.random.default_rng(6).normal(size=X.shape), jnp.float32)
    _, curvature = jax.jvp(gradient, (jnp.asarray(X),), (direction,))
    difference = (gradient(X + 1e-2 * direction) - gradient(X - 1e-2 * direction)) / 2e-2
    np.testing.assert_allclose(curvature, difference, rtol=0.02, atol=0.02)


def test_the_defaults_are_those_of_the_papers():
    by = Triplet()
    assert (by.margin, by.penalty, by.distance, by.reduction) == (0.2, "hinge", SquaredEuclidean(), "sum")
    assert Triplet().rule == BatchAll()
    assert (Contrastive().margin, Contrastive().pairs) == (1.0, "all")
    assert (Siamese().feature, Siamese().pairs, Siamese().initial_scale, Siamese().initial_bias) == (
        "absolute",
        "all",
        1.0,
        0.0,
    )
    assert Prototypical().temperature == 1.0
    arc = MarginSoftmax(classes=2)
    assert (arc.scale, arc.m1, arc.m2, arc.m3, arc.gradient, arc.rate, arc.shards) == (64.0, 1.0, 0.5, 0.0, "exact", 1.0, 1)
    assert CrossEntropy().smoothing == 0.0
    assert FaceNetSemiHard().choice == "random"
    assert (MeanStd(layers=NAMES).eps, Contextual(layers=NAMES).eps, Contextual(layers=NAMES).bandwidth) == (1e-5, 1e-5, 0.5)
    assert (MRF(layers=NAMES).patch, Laplacian().pooling, SlicedWasserstein(layers=NAMES).projections) == (3, 4, 64)
    assert (SelfSimilarity(layers=NAMES).samples, SlicedWasserstein(layers=NAMES).seed, SelfSimilarity(layers=NAMES).seed) == (
        1024,
        0,
        0,
    )


@pytest.mark.parametrize(("field", "least"), [("margin", True), ("temperature", False)])
def test_the_least_that_a_field_may_be(field: str, least: bool):
    """A margin of 0 is a margin; a temperature of 0 divides by it."""
    owner = {"margin": Triplet, "temperature": Prototypical}[field]
    assert getattr(owner(**{field: 1e-6}), field) == 1e-6
    for wrong in (float("inf"), float("nan"), -1e-6):
        with pytest.raises(ValueError, match=rf"{owner.__name__}\({field}=.*must be a finite number"):
            owner(**{field: wrong})
    if least:
        assert owner(**{field: 0.0}).margin == 0
    else:
        with pytest.raises(ValueError, match="above 0"):
            owner(**{field: 0.0})
    broken = owner()
    object.__setattr__(broken, field, "0.2")
    with pytest.raises(ValueError, match=rf"{owner.__name__}\({field}='0\.2'\): {field} must be a finite number"):
        broken.__post_init__()


@pytest.mark.parametrize(
    ("owner", "field", "least"),
    [
        (MRF, "patch", 1),
        (MRF, "chunk", 1),
        (Contextual, "chunk", 1),
        (Wasserstein, "iterations", 1),
        (SelfSimilarity, "samples", 2),
        (SlicedWasserstein, "projections", 1),
        (Laplacian, "pooling", 1),
    ],
)
def test_numbers_of_things_are_whole(owner, field: str, least: int):
    assert getattr(owner(layers=NAMES, **{field: least}), field) == least
    for wrong in (least - 1, least + 0.5, "3", True):
        broken = owner(layers=NAMES)
        object.__setattr__(broken, field, wrong)
        with pytest.raises(ValueError, match=rf"{field}={wrong!r}\): {field} must be at least {least}, a whole number"):
            broken.__post_init__()


@pytest.mark.parametrize("loss", {type(loss): loss for loss in [*ON_EMBEDDINGS, *ON_ACTIVATIONS]}.values(), ids=name)
def test_every_choice_and_every_number_of_a_loss_is_checked(loss):
    """A word that is none of the choices and a number that is none or has the wrong sign are refused by the field's name."""
    owner, hints = type(loss).__name__, typing.get_type_hints(type(loss))

    def refused(field, wrong, said):
        broken = dataclasses.replace(loss)
        object.__setattr__(broken, field, wrong)
        with pytest.raises(ValueError, match=said):
            broken.__post_init__()

    for field in (each.name for each in dataclasses.fields(loss)):
        if typing.get_origin(hints[field]) is typing.Literal:
            refused(field, "nothing", rf"^{owner}\({field}='nothing'\): {field} must be one of")
        elif hints[field] is float:
            # A bias may be negative.
            for wrong in (math.nan, math.inf, -math.inf, *([] if field == "initial_bias" else [-1.0])):
                refused(field, wrong, rf"^{owner}\({field}={wrong}\)")


@pytest.mark.parametrize("loss", ON_EMBEDDINGS, ids=repr)
def test_a_loss_is_searched_by_the_distance_that_it_compares_by(loss):
    rng = np.random.default_rng(6)
    first, second = rng.normal(size=(2, 200, 4)) * rng.uniform(0.1, 10, (2, 200, 1))
    params = loss.init(jax.random.key(0), 4)
    distances = loss.compare(params, first, second)
    by = distance_of(loss, params)
    np.testing.assert_array_equal(by(first, second), distances)
    equal = np.array_equal(np.argsort(distances), np.argsort(np.linalg.norm(first - second, axis=1)))
    assert by.euclidean == equal


def test_nothing_is_known_of_a_comparison_that_a_subclass_redefines():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Sum(Triplet):
        def compare(self, params, first, second):
            return jnp.sum(first - second, axis=-1)

    by = distance_of(Sum(), {})
    assert (by.euclidean, by.lowest) == (False, -math.inf)
    assert by(jnp.ones(2), jnp.zeros(2)) == 2
