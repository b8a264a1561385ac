"""The histogram loss against an exact match in float64."""

import functools

import jax
import numpy as np
import pytest
from float64 import check, cost, maps, smooth_mask, value_and_gradient

from likeness.research.losses import Histogram

LAYER = {"relu1_1": (4, 4, 2)}


def distinct(seed: int, **kwargs):
    generator = np.random.default_rng(seed)
    return {k: x + generator.uniform(0.01, 0.1, x.shape).astype(np.float32) for k, x in maps(seed, **kwargs).items()}


def test_value_and_gradient_equal_the_oracle():
    """Of equal sizes: the sorted values of each channel are compared one by one."""

    def oracle(normalizer, x, y, m, n):
        pairs = [(np.sort(x[..., k], axis=None), np.sort(y[..., k], axis=None)) for k in range(x.shape[2])]
        distance = sum(((a - b) ** 2).sum() for a, b in pairs)
        return distance / {"relative": (y**2).sum(), "mean": y.size, "sum": 1.0}[normalizer]

    losses = {each: Histogram(layers=tuple(LAYER), normalizer=each) for each in ("relative", "mean", "sum")}
    oracles = {loss: functools.partial(oracle, each) for each, loss in losses.items()}
    check(oracles, distinct(0, maps=LAYER), distinct(1, maps=LAYER))


def test_the_match_has_the_references_histogram():
    """A step of -∇J of the formula ‖O - R(O)‖², which is 2 (O - R), by half lands on R(O), whose histogram is the target's."""
    x, y = distinct(0, maps=LAYER), distinct(1, maps=LAYER)
    loss = Histogram(layers=tuple(LAYER), normalizer="sum")
    _, gradient = value_and_gradient(loss)(x, y, None, None)
    matched = x["relu1_1"] - 0.5 * np.asarray(gradient["relu1_1"])
    np.testing.assert_allclose(np.sort(matched, axis=None), np.sort(y["relu1_1"], axis=None), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("columns", "rows"), [(2, 3), (3, 2), (3, 1)])
def test_a_region_of_hard_edges_is_the_region_cut_out(columns: int, rows: int):
    """Also where the image has fewer places in it than the reference, or more, whose outermost quantiles lie farther out."""
    x, y = distinct(0, maps=LAYER), distinct(1, maps=LAYER)
    left, top = np.zeros((2, 4, 4), np.float32)
    left[:, :columns], top[:rows] = 1, 1
    loss = Histogram(layers=tuple(LAYER))
    cut = cost(loss, {k: a[:, :, :columns] for k, a in x.items()}, {k: a[:, :rows] for k, a in y.items()})
    assert cost(loss, x, y, left, top) == pytest.approx(cut, rel=1e-6)


def test_a_reference_of_which_nothing_is_in_the_region_is_black():
    x, y = distinct(0, maps=LAYER), distinct(1, maps=LAYER)
    found = cost(Histogram(layers=tuple(LAYER), normalizer="mean"), x, y, np.ones((4, 4)), np.zeros((4, 4)))
    assert found == pytest.approx(np.mean(np.float64(x["relu1_1"]) ** 2), rel=1e-6)


def test_soft_masks_are_those_of_the_sliced_distance():
    loss, x, y = Histogram(layers=tuple(LAYER), normalizer="mean"), distinct(0, maps=LAYER), distinct(1, maps=LAYER)
    mask = smooth_mask(2, (4, 4))
    target = jax.jit(loss.target)(y, mask)
    positions = np.asarray(target["relu1_1"]["positions"])
    assert (np.diff(positions) > 0).all()
    assert 0 < positions.min() < positions.max() < 1
    assert cost(loss, x, y, mask, mask) > 0
