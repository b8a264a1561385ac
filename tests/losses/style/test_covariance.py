"""Distance of covariances, against NumPy in float64."""

import functools

import numpy as np
import pytest
from float64 import MAPS, check, cost, maps, smooth_mask

from likeness.research.losses import Covariance

OTHER_SIZE = {"relu1_1": (5, 7, 3), "relu2_1": (2, 3, 2)}


def centered(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.cov(x.reshape(-1, x.shape[2]).T, aweights=(mask**2).reshape(-1), ddof=0)


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "region"])
def test_value_and_gradient_equal_the_oracle(masked: bool):
    def oracle(normalizer, x, y, m, n):
        a, b = centered(x, m), centered(y, n)
        return ((a - b) ** 2).sum() / ((b**2).sum() if normalizer == "relative" else a.size)

    masks = {"mask": smooth_mask(3), "reference_mask": smooth_mask(4)} if masked else {}
    losses = {each: Covariance(layers=tuple(MAPS), normalizer=each) for each in ("relative", "mean")}
    oracles = {loss: functools.partial(oracle, each) for each, loss in losses.items()}
    check(oracles, maps(0, images=2), maps(1, maps=OTHER_SIZE), **masks)


def test_a_shift_of_the_features_changes_nothing():
    loss, x = Covariance(layers=tuple(MAPS)), maps(0)
    moved = {layer: a + np.float32(0.5) for layer, a in x.items()}
    assert cost(loss, moved, maps(1)) == pytest.approx(cost(loss, x, maps(1)), rel=1e-5)
