"""Wasserstein-2 between Gaussians, against SciPy's matrix square root in float64."""

import functools

import numpy as np
import pytest
import scipy.linalg
from float64 import MAPS, check, cost, maps, smooth_mask, value_and_gradient

from likeness.research.losses import Wasserstein

OTHER_SIZE = {"relu1_1": (5, 7, 3), "relu2_1": (4, 3, 2)}
EPS = 0.01


def gaussian(x: np.ndarray, mask: np.ndarray):
    weights = (mask**2).reshape(-1)
    rows = x.reshape(-1, x.shape[2])
    return np.average(rows, axis=0, weights=weights), np.cov(rows.T, aweights=weights, ddof=0) + EPS * np.eye(x.shape[2])


def distance(mean, spread, other_mean, other_spread) -> float:
    """Dowson and Landau: tr (Σ Σ')^½, the product not symmetric, is the trace of the symmetric one's root."""
    cross = np.trace(np.real(scipy.linalg.sqrtm(spread @ other_spread)))
    return ((mean - other_mean) ** 2).sum() + np.trace(spread) + np.trace(other_spread) - 2 * cross


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "region"])
def test_value_and_gradient_equal_the_oracle(masked: bool):
    def oracle(normalizer, x, y, m, n):
        mean, spread = gaussian(y, n)
        scale = {"relative": (mean**2).sum() + np.trace(spread), "crowson": len(mean), "none": 1.0}[normalizer]
        return distance(*gaussian(x, m), mean, spread) / scale

    masks = {"mask": smooth_mask(3), "reference_mask": smooth_mask(4)} if masked else {}
    losses = {
        each: Wasserstein(layers=tuple(MAPS), normalizer=each, eps=EPS, iterations=16)
        for each in ("relative", "crowson", "none")
    }
    check(
        {loss: functools.partial(oracle, each) for each, loss in losses.items()},
        maps(0, images=2),
        maps(1, maps=OTHER_SIZE),
        **masks,
    )


def test_a_shift_costs_its_square_and_the_same_image_nothing():
    loss = Wasserstein(layers=("relu1_1",), normalizer="none", eps=EPS, iterations=16)
    x = maps(0)
    assert cost(loss, x, x) == pytest.approx(0, abs=1e-5)
    moved = {layer: a + np.float32(0.5) for layer, a in x.items()}
    assert cost(loss, moved, x) == pytest.approx(3 * 0.5**2, rel=1e-4)


def test_more_channels_than_places_stay_finite():
    """Deep layers of small images have singular covariances; ε is what holds them."""
    wide = {"relu5_1": (2, 2, 16)}
    loss = Wasserstein(layers=("relu5_1",))
    value, gradient = value_and_gradient(loss)(maps(0, maps=wide), maps(1, maps=wide), None, None)
    assert value > 0
    assert np.isfinite(gradient["relu5_1"]).all()


def test_fields_are_checked():
    with pytest.raises(ValueError, match="eps must be a finite number above 0"):
        Wasserstein(layers=("relu1_1",), eps=0.0)
    with pytest.raises(ValueError, match="iterations=0"):
        Wasserstein(layers=("relu1_1",), iterations=0)
