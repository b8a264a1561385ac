"""Mean and standard deviation of channels, against NumPy in float64."""

import functools

import numpy as np
import pytest
from float64 import MAPS, check, maps, smooth_mask

from likeness.research.losses import MeanStd

OTHER_SIZE = {"relu1_1": (5, 7, 3), "relu2_1": (2, 3, 2)}


def mean_and_std(x: np.ndarray, mask: np.ndarray, eps: float):
    weights = (mask**2 / (mask**2).sum())[..., None]
    mean = (weights * x).sum((0, 1))
    return mean, np.sqrt((weights * (x - mean) ** 2).sum((0, 1)) + eps)


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "region"])
def test_value_and_gradient_equal_the_oracle(masked: bool):
    def oracle(normalizer, x, y, m, n):
        (a, s), (b, t) = mean_and_std(x, m, 1e-5), mean_and_std(y, n, 1e-5)
        distance = ((a - b) ** 2).sum() + ((s - t) ** 2).sum()
        return distance / ((b**2).sum() + (t**2).sum() if normalizer == "relative" else len(a))

    masks = {"mask": smooth_mask(3), "reference_mask": smooth_mask(4)} if masked else {}
    losses = {each: MeanStd(layers=tuple(MAPS), normalizer=each) for each in ("relative", "mean")}
    oracles = {loss: functools.partial(oracle, each) for each, loss in losses.items()}
    check(oracles, maps(0, images=2), maps(1, maps=OTHER_SIZE), **masks)


def test_eps_must_be_positive():
    with pytest.raises(ValueError, match="eps must be a finite number above 0"):
        MeanStd(layers=("relu1_1",), eps=0.0)
