"""Sliced Wasserstein distance against sorting in float64."""

import functools

import numpy as np
import pytest
from float64 import MAPS, check, cost, maps, smooth_mask

from likeness.research.losses import SlicedWasserstein

OTHER_SIZE = {"relu1_1": (5, 7, 3), "relu2_1": (2, 3, 2)}


def quantile(values: np.ndarray, weights: np.ndarray, at: np.ndarray) -> np.ndarray:
    order = np.argsort(values)
    values, weights = values[order], weights[order]
    middles = (np.cumsum(weights) - weights / 2) / weights.sum()
    return np.interp(at, middles, values)


def transport(values, others, weights, other_weights) -> float:
    """``Σ w (y - Q'(y))²`` with Q' the quantile of the others at y's own."""
    order = np.argsort(values)
    values, weights = values[order], weights[order]
    middles = (np.cumsum(weights) - weights / 2) / weights.sum()
    return (weights * (values - quantile(others, other_weights, middles)) ** 2).sum()


def positive(seed: int, **kwargs):
    """No two values are equal, zeros included: sorting has one answer and a derivative."""
    generator = np.random.default_rng(seed)
    return {k: x + generator.uniform(0.01, 0.1, x.shape).astype(np.float32) for k, x in maps(seed, **kwargs).items()}


MASKS = {"mask": smooth_mask(3), "reference_mask": smooth_mask(4)}


@pytest.mark.parametrize(
    ("masked", "sizes"),
    [
        ((), MAPS),
        ((), OTHER_SIZE),
        (("mask",), MAPS),
        (("reference_mask",), OTHER_SIZE),
        (("mask", "reference_mask"), MAPS),
        (("mask", "reference_mask"), OTHER_SIZE),
    ],
)
def test_value_and_gradient_equal_the_oracle(masked: tuple[str, ...], sizes: dict):
    losses = {
        each: SlicedWasserstein(layers=tuple(MAPS), projections=5, normalizer=each) for each in ("relative", "mean", "sum")
    }
    drawn = [np.asarray(losses["mean"].directions(i, sizes[layer][2]), np.float64) for i, layer in enumerate(MAPS)]

    def oracle(normalizer, x, y, m, n):
        directions = drawn[0 if x.shape[2] == 3 else 1]
        m, n = m.reshape(-1), n.reshape(-1)
        total, energy = 0.0, 0.0
        for direction in directions:
            own, other = (x @ direction).reshape(-1), (y @ direction).reshape(-1)
            total += transport(own, other, m, n)
            energy += np.average(other**2, weights=n) / len(directions)
        scale = {"relative": len(directions) * m.sum() * energy, "mean": len(directions) * m.sum(), "sum": 1.0}
        return total / scale[normalizer]

    masks = {each: MASKS[each] for each in masked}
    oracles = {loss: functools.partial(oracle, each) for each, loss in losses.items()}
    check(oracles, positive(0, images=2), positive(1, maps=sizes), **masks)


def test_directions_are_unit_vectors_and_the_layers_own():
    loss = SlicedWasserstein(layers=("a", "b"), projections=50)
    first, second = np.asarray(loss.directions(0, 7)), np.asarray(loss.directions(1, 7))
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, rtol=1e-6)
    assert np.abs(first - second).max() > 0.1
    np.testing.assert_array_equal(first, loss.directions(0, 7))
    assert np.abs(first - np.asarray(SlicedWasserstein(layers=("a",), projections=50, seed=1).directions(0, 7))).max() > 0.1


def test_sees_what_the_gram_matrix_does_not():
    """Two channels of the same moments, one of two values and one of three."""
    two = np.repeat([-1.0, 1.0], 24)
    three = np.repeat([-np.sqrt(2.0), 0.0, 0.0, np.sqrt(2.0)], 12)
    x, y = ({"relu1_1": v.reshape(1, 6, 8, 1).astype(np.float32)} for v in (two, three))
    assert cost(SlicedWasserstein(layers=("relu1_1",), projections=1), x, y) > 0.1


def test_where_a_pixel_is_does_not_matter():
    x = maps(0)["relu1_1"]
    shuffled = np.random.default_rng(0).permutation(x.reshape(24, 3)).reshape(x.shape)
    assert cost(SlicedWasserstein(layers=("relu1_1",)), {"relu1_1": shuffled}, {"relu1_1": x}) == pytest.approx(0, abs=1e-9)


def test_no_projection_is_refused():
    with pytest.raises(ValueError, match="projections=0"):
        SlicedWasserstein(layers=("relu1_1",), projections=0)
