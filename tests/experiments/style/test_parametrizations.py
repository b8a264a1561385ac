"""What an image is made of makes the image again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.experiments.optim.optimizers import Adam, Sgd
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.style.parametrizations import LaplacianPyramid, PixelParametrization, decompose, details


def image(height: int, width: int, seed: int = 0):
    return jnp.asarray(np.random.default_rng(seed).uniform(0, 1, (1, height, width, 3)), jnp.float32)


@pytest.mark.parametrize("size", [(64, 48), (51, 64), (17, 3), (1, 9), (2, 2)])
@pytest.mark.parametrize("parametrization", [PixelParametrization(), LaplacianPyramid(levels=1), LaplacianPyramid(levels=5)])
def test_the_parameters_of_an_image_make_it_again(parametrization, size: tuple[int, int]):
    x = image(*size)
    np.testing.assert_allclose(parametrization.image(parametrization.parameters(x)), x, atol=1e-6)


def test_levels_halve_until_a_side_is_one_pixel():
    found = LaplacianPyramid(levels=8).parameters(image(51, 64))
    assert list(found) == [f"level{k}" for k in range(6)]
    assert [level.shape[1:3] for level in found.values()] == [(51, 64), (25, 32), (12, 16), (6, 8), (3, 4), (1, 2)]
    assert len(LaplacianPyramid(levels=2).parameters(image(51, 64))) == 3


def test_means_of_four_pixels_and_the_bilinear_way_back():
    x = np.asarray(image(8, 6), np.float64)
    fine, coarse = decompose(jnp.asarray(x, jnp.float32), 1)
    means = x.reshape(1, 4, 2, 3, 2, 3).mean((2, 4))
    np.testing.assert_allclose(coarse, means, atol=1e-6)
    # A pixel lies a quarter of a cell from the nearest center, three quarters from the next.
    padded = np.pad(means, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    rows = np.stack([0.25 * padded[:, :-2] + 0.75 * padded[:, 1:-1], 0.75 * padded[:, 1:-1] + 0.25 * padded[:, 2:]], 2)
    rows = rows.reshape(1, 8, 5, 3)
    back = np.stack([0.25 * rows[:, :, :-2] + 0.75 * rows[:, :, 1:-1], 0.75 * rows[:, :, 1:-1] + 0.25 * rows[:, :, 2:]], 3)
    np.testing.assert_allclose(fine, x - back.reshape(x.shape), atol=1e-6)
    np.testing.assert_array_equal(details(jnp.asarray(x, jnp.float32)), fine)


def test_one_color_has_no_details():
    levels = decompose(jnp.full((1, 13, 10, 3), 0.3), 3)
    assert all(np.abs(level).max() < 1e-6 for level in levels[:-1])
    np.testing.assert_allclose(levels[-1], 0.3, rtol=1e-6)


def test_the_gradient_of_a_level_is_that_of_the_image_along_it():
    """By finite differences: the image is linear, so they are exact."""
    parametrization, weights = LaplacianPyramid(levels=3), image(12, 10, seed=1)
    value = lambda parameters: jnp.sum(weights * parametrization.image(parameters))  # noqa: E731
    parameters = parametrization.parameters(image(12, 10))
    gradient = jax.grad(value)(parameters)
    for name, level in parameters.items():
        direction = jnp.asarray(np.random.default_rng(2).normal(size=level.shape), jnp.float32)
        moved = {**parameters, name: level + direction}
        expected = float(value(moved)) - float(value(parameters))
        assert float(jnp.sum(gradient[name] * direction)) == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.slow
def test_by_the_pyramid_adam_moves_large_parts_at_once():
    """After one step towards a darker left half, pixels have moved alike everywhere; by the pyramid the whole half has moved by
    a step of each level, and the other half less."""
    target = jnp.concatenate([jnp.zeros((1, 32, 16, 3)), jnp.ones((1, 32, 16, 3))], axis=2)
    moved = {}
    for parametrization in (PixelParametrization(), LaplacianPyramid(levels=5)):
        rule = Adam(schedule=Constant(peak_lr=0.01)).transformation(1)
        start = parametrization.parameters(jnp.full((1, 32, 32, 3), 0.5))
        cost = lambda p, by=parametrization: jnp.sum(jnp.square(by.image(p) - target))  # noqa: E731
        updates, _ = rule.update(jax.grad(cost)(start), rule.init(start), start)
        moved[type(parametrization)] = np.asarray(parametrization.image(updates))[0, :, :, 0]
    np.testing.assert_allclose(moved[PixelParametrization][:, :16], -0.01, rtol=1e-3)
    assert moved[LaplacianPyramid][:, :8].mean() < -0.03


def test_a_step_of_gradient_descent_in_the_pyramid_goes_down():
    parametrization, target = LaplacianPyramid(levels=4), image(24, 20, seed=3)
    rule = Sgd(schedule=Constant(peak_lr=1e-4), momentum=0).transformation(1)
    cost = lambda p: jnp.sum(jnp.square(parametrization.image(p) - target))  # noqa: E731
    start = parametrization.parameters(image(24, 20))
    updates, _ = rule.update(jax.grad(cost)(start), rule.init(start), start)
    assert cost(jax.tree.map(jnp.add, start, updates)) < cost(start)


def test_no_level_is_refused():
    with pytest.raises(ValueError, match="levels=0"):
        LaplacianPyramid(levels=0)


@pytest.mark.slow
def test_of_an_image_that_goes_on_at_its_other_side_every_level_does():
    wrapped = LaplacianPyramid(levels=3).wrapped()
    x = image(32, 48)
    levels, moved = wrapped.parameters(x), wrapped.parameters(jnp.roll(x, (8, 16), (1, 2)))
    for k, (name, level) in enumerate(levels.items()):
        np.testing.assert_allclose(moved[name], jnp.roll(level, (8 >> k, 16 >> k), (1, 2)), atol=1e-6)
    np.testing.assert_allclose(wrapped.image(moved), jnp.roll(x, (8, 16), (1, 2)), atol=1e-6)
    plain = LaplacianPyramid(levels=3).parameters(jnp.roll(x, (8, 16), (1, 2)))
    assert np.abs(plain["level0"] - jnp.roll(levels["level0"], (8, 16), (1, 2))).max() > 1e-3
