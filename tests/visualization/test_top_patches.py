"""Top patches of a stream equal those of everything sorted at once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.visualization import TopPatches

KEY = jax.random.key(0)


def stream(top, activations, batch, numbers=None):
    numbers = np.arange(len(activations), dtype=np.int32) if numbers is None else numbers
    found = top.init(activations.shape[-1], activations.ndim - 2)
    take = jax.jit(top)
    for start in range(0, len(activations), batch):
        part = slice(start, start + batch)
        found = take(found, jnp.asarray(activations[part]), jnp.asarray(numbers[part]), KEY)
    return jax.tree.map(np.asarray, found)


def brute_force(activations, k, sign, once):
    """(value, image, place) of each unit, by sorting all; a NaN is left out."""
    found = []
    for unit in range(activations.shape[-1]):
        rows = []
        for image, one in enumerate(activations[..., unit]):
            places = [(sign * float(value), image, place) for place, value in np.ndenumerate(one) if not np.isnan(value)]
            places.sort(key=lambda row: (-row[0], row[1:]))
            rows += places[:1] if once else places
        rows.sort(key=lambda row: (-row[0], row[1:]))
        found.append(rows[:k])
    return found


@pytest.mark.parametrize("shape", [(7,), (4, 5), (2, 3, 4)], ids=["1D", "2D", "3D"])
@pytest.mark.parametrize("order", ["top", "bottom"])
@pytest.mark.parametrize("once", [True, False])
@pytest.mark.parametrize("batch", [1, 5, 23])
def test_equals_brute_force(shape, order, once, batch):
    """Values, images and places, with many equal activations, however the stream is cut."""
    activations = np.random.default_rng(0).integers(-3, 4, (23, *shape, 6)).astype(np.float32)
    found = stream(TopPatches(k=5, order=order, once=once), activations, batch)
    sign = 1 if order == "top" else -1
    for unit, rows in enumerate(brute_force(activations, 5, sign, once)):
        np.testing.assert_array_equal(found.value[unit], [sign * value for value, _, _ in rows])
        np.testing.assert_array_equal(found.image[unit], [image for _, image, _ in rows])
        np.testing.assert_array_equal(found.place[unit], [place for _, _, place in rows])


def test_fewer_than_k_padding_and_nan_leave_gaps():
    activations = np.ones((4, 2, 2, 1), np.float32)
    activations[1] = np.nan
    found = stream(TopPatches(k=5), activations, 2, np.array([0, 1, 2, -1], np.int32))
    assert found.image.tolist() == [[0, 2, -1, -1, -1]]


@pytest.mark.slow
def test_random_are_active_the_same_for_every_batch_size_and_uniform():
    activations = np.random.default_rng(1).normal(size=(400, 2, 2, 3)).astype(np.float32)
    one, other = (stream(TopPatches(k=40, order="random"), activations, batch) for batch in (16, 400))
    jax.tree.map(np.testing.assert_array_equal, one, other)
    assert (one.value > 0).all()
    # Not the largest: their mean is that of all images' maxima above 0.
    maxima = activations.max(axis=(1, 2))
    expected = np.mean(maxima[maxima > 0])
    np.testing.assert_allclose(one.value.mean(), expected, atol=0.15)


def test_k_must_be_positive():
    with pytest.raises(ValueError, match="TopPatches.k is 0"):
        TopPatches(k=0)
