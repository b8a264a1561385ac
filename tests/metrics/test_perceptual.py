import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.metrics.perceptual import perceptual_distance

RNG = np.random.default_rng(0)
SHAPES = {"relu1_2": (2, 6, 5, 4), "relu2_2": (2, 3, 2, 7)}
OURS = {name: RNG.normal(size=shape).clip(0).astype(np.float32) for name, shape in SHAPES.items()}
THEIRS = {name: RNG.normal(size=shape).clip(0).astype(np.float32) for name, shape in SHAPES.items()}
WEIGHTS = {name: RNG.uniform(size=shape[-1]).astype(np.float32) for name, shape in SHAPES.items()}


def oracle(ours, theirs, weights):
    """Image by image and place by place, in float64."""
    total = np.zeros(2)
    for layer, weight in weights.items():
        b, h, w, _ = ours[layer].shape
        for i in range(b):
            for y in range(h):
                for x in range(w):
                    f, g = (each[layer][i, y, x].astype(np.float64) for each in (ours, theirs))
                    f, g = f / (np.sqrt((f**2).sum()) + 1e-10), g / (np.sqrt((g**2).sum()) + 1e-10)
                    total[i] += (weight.astype(np.float64) * (f - g) ** 2).sum() / (h * w)
    return total


def test_it_is_the_publications():
    expected = oracle(OURS, THEIRS, WEIGHTS)
    np.testing.assert_allclose(jax.jit(perceptual_distance)(OURS, THEIRS, WEIGHTS), expected, rtol=1e-5)


def test_an_image_is_no_distance_from_itself_and_brightness_of_features_does_not_count():
    same = jax.jit(perceptual_distance)(OURS, OURS, WEIGHTS)
    np.testing.assert_array_equal(same, 0.0)
    brighter = {name: 3.0 * value for name, value in THEIRS.items()}
    np.testing.assert_allclose(jax.jit(perceptual_distance)(OURS, brighter, WEIGHTS), oracle(OURS, THEIRS, WEIGHTS), rtol=1e-5)


def test_silent_places_are_finite():
    silent = {name: np.zeros_like(value) for name, value in OURS.items()}
    np.testing.assert_array_equal(jax.jit(perceptual_distance)(silent, silent, WEIGHTS), 0.0)


def test_the_publications_epsilon_fades_what_is_all_but_silent():
    """It is added to the length of the features, so it shows where that is as small."""
    faint = {name: (1e-10 * value).astype(np.float32) for name, value in OURS.items()}
    expected = oracle(faint, THEIRS, WEIGHTS)
    np.testing.assert_allclose(jax.jit(perceptual_distance)(faint, THEIRS, WEIGHTS), expected, rtol=1e-4)
    assert np.abs(expected - oracle(OURS, THEIRS, WEIGHTS)).min() > 1e-2


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="There is no layer 'relu9_1' among relu1_2, relu2_2"):
        jax.jit(perceptual_distance)(OURS, THEIRS, {"relu9_1": jnp.ones(3)})
    with pytest.raises(ValueError, match=r"its weights are \(3,\)"):
        jax.jit(perceptual_distance)(OURS, THEIRS, {"relu1_2": jnp.ones(3)})
