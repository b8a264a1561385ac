"""Where hypercolumns are read, and what is read there."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from float64 import maps, refuse
from scipy.ndimage import map_coordinates

from likeness.research.losses import HypercolumnMoments, RelaxedEMD
from likeness.research.losses.style.hypercolumns import draw_places, read_bilinearly, read_grid

LAYERS = {"input": (12, 8, 3), "relu1_1": (6, 4, 3), "relu2_1": (3, 4, 2)}


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (1, 7), (8, 8)])
def test_points_between_centers_are_mixtures_of_both(shape: tuple[int, int]):
    features = np.random.default_rng(0).normal(size=(2, *shape, 4)).astype(np.float32)
    rows, across = np.random.default_rng(1).uniform(0, 1, (2, 50)).astype(np.float32)
    found = np.asarray(read_bilinearly(jnp.asarray(features), jnp.asarray(rows), jnp.asarray(across)))
    at = [np.clip(rows * shape[0] - 0.5, 0, shape[0] - 1), np.clip(across * shape[1] - 0.5, 0, shape[1] - 1)]
    for image in range(2):
        for channel in range(4):
            expected = map_coordinates(features[image, :, :, channel], at, order=1, mode="nearest")
            np.testing.assert_allclose(found[image, :, channel], expected, atol=2e-6)


@pytest.mark.parametrize("size", [(3, 2), (12, 8), (24, 5), (1, 1)])
def test_a_grid_is_read_at_its_centers(size: tuple[int, int]):
    features = np.random.default_rng(0).normal(size=(2, 12, 8, 3)).astype(np.float32)
    rows, across = ((np.arange(side) + 0.5) / side for side in size)
    rows, across = (axis.reshape(-1).astype(np.float32) for axis in np.meshgrid(rows, across, indexing="ij"))
    expected = read_bilinearly(jnp.asarray(features), jnp.asarray(rows), jnp.asarray(across)).reshape(2, *size, 3)
    np.testing.assert_allclose(read_grid(jnp.asarray(features), size), expected, atol=2e-6)


def test_what_rises_evenly_is_read_exactly_in_every_layer():
    """A layer of half the size, each of whose cells is the mean of its pixels, says the same of a slope: nothing is shifted."""
    slope = np.broadcast_to(np.arange(16.0)[:, None, None], (16, 8, 1))[None].astype(np.float32)
    halved = slope.reshape(1, 8, 2, 4, 2, 1).mean((2, 4))
    loss = RelaxedEMD(layers=("fine", "coarse"))
    columns, _ = loss.columns({"fine": jnp.asarray(slope), "coarse": jnp.asarray(halved)}, None, jax.random.key(0), 999)
    assert columns.shape == (1, 128, 2)
    inner = (columns[0, :, 0] >= 1) & (columns[0, :, 0] <= 14)
    np.testing.assert_allclose(columns[0, inner, 0], columns[0, inner, 1], atol=1e-6)


@pytest.mark.parametrize(("count", "size"), [(10, (6, 4)), (24, (6, 4)), (1000, (300, 200)), (1, (3, 3))])
def test_places_are_distinct_and_spread_evenly(count: int, size: tuple[int, int]):
    places = np.asarray(draw_places(jax.random.key(0), jnp.ones(size), count))
    parts = size[0] * size[1] / count
    assert np.all((places + 1 > np.arange(count) * parts) & (places <= (np.arange(count) + 1) * parts))
    assert len(set(places.tolist())) == count


def test_places_are_drawn_as_often_as_the_mask_weighs():
    share = jnp.asarray(np.repeat([[0.0, 1.0, 3.0, 0.0]], 10, axis=0))
    places = np.concatenate([draw_places(jax.random.key(seed), share, 20) for seed in range(50)])
    counts = np.bincount(places % 4, minlength=4)
    assert counts[0] == counts[3] == 0
    assert counts[2] == pytest.approx(750, abs=40)


@pytest.mark.slow
def test_another_key_draws_other_places_and_no_key_the_same():
    loss = RelaxedEMD(layers=tuple(LAYERS), samples=9)
    x, y = (jax.tree.map(jnp.asarray, maps(seed, maps=LAYERS)) for seed in (0, 1))
    target = loss.target(y)
    assert loss(x, target) == loss(x, target) == loss(x, target, key=jax.random.key(0))
    assert loss(x, target) != loss(x, target, key=jax.random.key(1))


def test_two_losses_of_one_key_look_at_the_same_places():
    x = jax.tree.map(jnp.asarray, maps(0, maps=LAYERS))
    of = lambda owner: owner(layers=tuple(LAYERS), samples=9).columns(x, None, jax.random.key(3), 9)[0]  # noqa: E731
    np.testing.assert_array_equal(of(RelaxedEMD), of(HypercolumnMoments))


def test_factors_are_those_of_the_weights():
    x = jax.tree.map(jnp.asarray, maps(0, maps=LAYERS))
    plain = RelaxedEMD(layers=("relu1_1", "relu2_1"))
    scaled = RelaxedEMD(layers=("relu1_1", "relu2_1"), weights=(2.0, 0.5))
    read = [loss.columns(x, None, jax.random.key(0), 24)[0] for loss in (plain, scaled)]
    np.testing.assert_array_equal(read[1], read[0] * jnp.asarray([2.0, 2.0, 2.0, 0.5, 0.5]))


def test_a_target_of_another_encoder_is_refused():
    loss = RelaxedEMD(layers=("relu1_1",))
    with pytest.raises(ValueError, match="RelaxedEMD: at 'relu1_1' the target is"):
        refuse(loss, maps(0), maps(0, maps={"relu1_1": (6, 4, 5)}))
    with pytest.raises(ValueError, match="samples=1"):
        RelaxedEMD(layers=("relu1_1",), samples=1)
    with pytest.raises(ValueError, match="reference_samples=1"):
        RelaxedEMD(layers=("relu1_1",), reference_samples=1)
