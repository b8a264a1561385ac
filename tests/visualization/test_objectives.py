"""Objectives against NumPy in float64, their algebra, and their gradients against finite differences."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.visualization import Channel, Direction, Diversity, Layer, Neuron, Sum, Weighted

FEATURES = np.random.default_rng(0).normal(size=(3, 4, 5, 6))
ACTIVATIONS = {"conv": jnp.asarray(FEATURES, jnp.float32), "embedding": jnp.asarray(FEATURES[:, 0, 0], jnp.float32)}
VECTOR = tuple(np.random.default_rng(1).normal(size=6).tolist())


def directed(features, vector, power):
    along = features @ (np.asarray(vector) / np.linalg.norm(vector))
    cosine = along / np.linalg.norm(features, axis=-1)
    return (along * np.maximum(cosine, 0.1) ** power).reshape(len(features), -1).mean(1)


def diverse(features):
    maps = features.reshape(len(features), -1, features.shape[-1])
    grams = [(one.T @ one).ravel() for one in maps]
    grams = [gram / np.linalg.norm(gram) for gram in grams]
    return [-np.mean([one @ other for other in grams if other is not one]) for one in grams]


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        (Channel(layer="conv", channel=2), FEATURES[..., 2].mean((1, 2))),
        (Neuron(layer="conv", channel=1), FEATURES[:, 2, 2, 1]),
        (Neuron(layer="conv", channel=1, place=(3, 0)), FEATURES[:, 3, 0, 1]),
        (Neuron(layer="embedding", channel=4, place=()), FEATURES[:, 0, 0, 4]),
        (Layer(layer="conv"), (FEATURES**2).mean((1, 2, 3))),
        (Direction(layer="conv", vector=VECTOR), directed(FEATURES, VECTOR, 0)),
        (Direction(layer="conv", vector=VECTOR, cosine=2.0), directed(FEATURES, VECTOR, 2)),
        (Direction(layer="embedding", vector=VECTOR), directed(FEATURES[:, 0, 0], VECTOR, 0)),
        (Diversity(layer="conv"), diverse(FEATURES)),
    ],
    ids=lambda value: value.title if hasattr(value, "title") else "",
)
def test_scores_are_those_of_numpy_and_have_its_slope(objective, expected):
    scores = objective(ACTIVATIONS)
    assert scores.dtype == jnp.float32
    np.testing.assert_allclose(scores, expected, rtol=2e-5, atol=1e-6)
    layer = objective.layers[0]
    with jax.enable_x64():
        start = np.asarray(ACTIVATIONS[layer], np.float64)
        way = np.random.default_rng(2).normal(size=start.shape)
        slope = lambda x: jnp.sum(objective({layer: jnp.asarray(x)}))  # noqa: E731
        gradient = jax.grad(lambda step: slope(start + step * way))(0.0)
        # Scores are float32.
        difference = (float(slope(start + 1e-2 * way)) - float(slope(start - 1e-2 * way))) / 2e-2
    np.testing.assert_allclose(gradient, difference, rtol=5e-3, atol=2e-4)


def test_the_algebra_is_that_of_the_scores():
    a, b, c = Channel(layer="conv", channel=0), Layer(layer="conv"), Neuron(layer="embedding", channel=1, place=())
    made = 2.0 * (a - b * 0.5) + c - (-a)
    expected = 3 * a(ACTIVATIONS) - b(ACTIVATIONS) + c(ACTIVATIONS)
    np.testing.assert_allclose(made(ACTIVATIONS), expected, rtol=1e-5, atol=1e-6)
    assert made.layers == ("conv", "embedding")
    assert (a - 0.5 * b).title == "conv 0 - 0.5 conv"
    assert hash(made) == hash(dataclasses.replace(made))
    assert made == Sum(terms=made.terms)


def test_alike_images_are_not_diverse_and_one_alone_has_no_other():
    one = ACTIVATIONS["conv"][:1]
    np.testing.assert_allclose(Diversity(layer="conv")({"conv": jnp.concatenate([one, one])}), -1.0, rtol=1e-5)
    np.testing.assert_allclose(Diversity(layer="conv")({"conv": one}), 0.0, atol=1e-7)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (Channel(layer="cnv", channel=0), "no layer 'cnv'; nearest: conv"),
        (Channel(layer="conv", channel=6), "conv has 6 channels: give 0 to 5"),
        (Neuron(layer="conv", channel=0, place=(4, 0)), r"the map of conv is \(4, 5\)"),
        (Direction(layer="conv", vector=(1.0,)), "conv has 6 channels: give one each"),
    ],
)
def test_what_the_network_does_not_have_is_refused(objective, message):
    with pytest.raises(ValueError, match=message):
        objective(ACTIVATIONS)


def test_illegal_fields_are_refused():
    for made, message in (
        (lambda: Channel(layer="conv", channel=-1), "count from 0"),
        (lambda: Direction(layer="conv", vector=(0.0, 0.0)), "is 0 or not finite"),
        (lambda: Direction(layer="conv", vector=(1.0,), cosine=-1.0), "cosine is -1.0"),
        (lambda: Weighted(objective=Layer(layer="conv"), weight=float("inf")), "weight is inf"),
        (lambda: Sum(terms=()), "terms is empty"),
    ):
        with pytest.raises(ValueError, match=message):
            made()
