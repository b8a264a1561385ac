import jax
import numpy as np
import pytest

from likeness.research.geometry import Assignment, BalancedSample


def assigned(foreground: int, background: int, ignored: int, seed: int = 0) -> Assignment:
    labels = np.random.default_rng(seed).permutation([1] * foreground + [0] * background + [-1] * ignored)
    nothing = np.zeros(len(labels))
    return Assignment(labels == 1, labels == -1, nothing.astype(np.int32), nothing.astype(np.float32), np.zeros(0, bool))


@pytest.mark.parametrize(
    ("foreground", "background", "ignored", "expected"),
    [
        (100, 900, 50, (32, 32)),
        (10, 900, 50, (10, 54)),
        (100, 20, 50, (32, 20)),
        (0, 900, 0, (0, 64)),
        (5, 3, 900, (5, 3)),
        (0, 0, 70, (0, 0)),
        (0, 0, 0, (0, 0)),
        (40, 0, 0, (32, 0)),
    ],
)
def test_the_sample_has_a_fixed_size_and_the_shares_that_it_should(foreground, background, ignored, expected):
    given = assigned(foreground, background, ignored)
    sample = jax.jit(BalancedSample(size=64, foreground_fraction=0.5))
    for seed in range(5):
        found = sample(jax.random.key(seed), given)
        assert found.places.shape == found.foreground.shape == found.valid.shape == (64,)
        own, rest = (np.asarray(found.places)[np.asarray(found.valid & each)] for each in (found.foreground, ~found.foreground))
        assert (len(own), len(rest)) == expected
        assert len(set(own.tolist())) == len(own) and len(set(rest.tolist())) == len(rest)
        assert given.foreground[own].all() and given.background[rest].all()
        assert not found.places[~found.valid].any() and not found.foreground[~found.valid].any()
        order = np.asarray(found.foreground).astype(int) + np.asarray(found.valid)
        assert (np.diff(order) <= 0).all()


def test_every_place_has_the_same_chance_and_another_key_draws_others():
    given = assigned(40, 60, 0)
    draw = jax.jit(jax.vmap(BalancedSample(size=20, foreground_fraction=0.5), in_axes=(0, None)))
    found = draw(jax.random.split(jax.random.key(0), 2000), given)
    times = np.bincount(np.asarray(found.places).ravel(), minlength=100)
    for of, expected in ((given.foreground, 2000 * 10 / 40), (given.background, 2000 * 10 / 60)):
        np.testing.assert_allclose(times[of], expected, atol=5 * np.sqrt(expected))


def test_what_is_not_allowed_is_not_drawn():
    given, allowed = assigned(30, 70, 0), np.arange(100) % 2 == 0
    found = BalancedSample(size=80, foreground_fraction=1.0)(jax.random.key(0), given, allowed)
    assert found.valid.sum() == 50 and (np.asarray(found.places) % 2 == 0).all()


def test_wrong_fields_and_arrays_are_refused():
    with pytest.raises(ValueError, match="size must be at least 1"):
        BalancedSample(size=0)
    for fraction in (0.0, 1.5, float("nan")):
        with pytest.raises(ValueError, match="foreground_fraction"):
            BalancedSample(foreground_fraction=fraction)
    with pytest.raises(ValueError, match="allowed must be booleans of shape"):
        BalancedSample()(jax.random.key(0), assigned(3, 3, 0), np.ones(5, bool))
