"""Distance of covariances, against NumPy in float64."""

import numpy as np
import pytest
from float64 import MAPS, as_arrays, check, maps, smooth_mask

from research.losses import Covariance

OTHER_SIZE = {"relu1_1": (5, 7, 3), "relu2_1": (2, 3, 2)}


def centered(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.cov(x.reshape(-1, x.shape[2]).T, aweights=(mask**2).reshape(-1), ddof=0)


@pytest.mark.parametrize("normalizer", ["relative", "mean"])
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "region"])
def test_value_and_gradient_equal_the_oracle(normalizer: str, masked: bool):
    def oracle(x, y, m, n):
        a, b = centered(x, m), centered(y, n)
        return ((a - b) ** 2).sum() / ((b**2).sum() if normalizer == "relative" else a.size)

    masks = {"mask": smooth_mask(3), "reference_mask": smooth_mask(4)} if masked else {}
    loss = Covariance(layers=tuple(MAPS), normalizer=normalizer)
    check(loss, oracle, maps(0, pictures=2), maps(1, maps=OTHER_SIZE), **masks)


def test_a_shift_of_the_features_changes_nothing():
    loss, x = Covariance(layers=tuple(MAPS)), maps(0)
    target = loss.target(as_arrays(maps(1)))
    moved = {layer: a + np.float32(0.5) for layer, a in x.items()}
    assert loss(as_arrays(moved), target) == pytest.approx(float(loss(as_arrays(x), target)), rel=1e-5)
