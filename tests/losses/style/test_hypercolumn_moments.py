"""The moments of hypercolumns against NumPy's."""

import jax
import numpy as np
import pytest
from float64 import check_joined, cost, smooth_mask
from joined import LAYERS, columns, generic, places

from likeness.research.losses import HypercolumnMoments


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "region"])
@pytest.mark.parametrize("samples", [1024, 20])
def test_value_and_gradient_equal_the_oracle(masked: bool, samples: int):
    loss = HypercolumnMoments(layers=tuple(LAYERS), samples=samples, reference_samples=50)
    masks = {"mask": smooth_mask(3), "reference_mask": smooth_mask(4)} if masked else {}
    own, other = places(samples, masks.get("mask"), seed=2), places(50, masks.get("reference_mask"))

    def oracle(x, y):
        x, y = columns(x, own), columns(y, other)
        means = np.abs(x.mean(0) - y.mean(0)).mean()
        return means + np.abs(np.cov(x.T, bias=True) - np.cov(y.T, bias=True)).mean()

    check_joined(loss, oracle, generic(0, images=2), generic(1), key=jax.random.key(2), **masks)


def test_it_does_not_see_where_features_are():
    loss = HypercolumnMoments(layers=("relu1_1",))
    x = generic(0)["relu1_1"]
    assert cost(loss, {"relu1_1": x[:, ::-1]}, {"relu1_1": x}) == pytest.approx(0, abs=1e-6)
    assert cost(loss, {"relu1_1": 2 * x}, {"relu1_1": x}) > 0.1


@pytest.mark.slow
def test_a_region_of_no_place_costs_nothing():
    loss, none = HypercolumnMoments(layers=tuple(LAYERS)), np.zeros((12, 8), np.float32)
    assert cost(loss, generic(0), generic(1), none) == cost(loss, generic(0), generic(1), None, none) == 0
