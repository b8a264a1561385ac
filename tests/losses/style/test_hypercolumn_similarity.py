"""The self-similarity of hypercolumns against its definition in float64."""

import jax
import numpy as np
import pytest
from float64 import check_joined, cost, maps, refuse, smooth_mask
from joined import LAYERS, columns, cosine, generic, places

from likeness.research.losses import HypercolumnSimilarity


def shares(rows: np.ndarray) -> np.ndarray:
    distance = cosine(rows, rows)
    np.fill_diagonal(distance, 0)
    return distance / distance.sum(0, keepdims=True)


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "region"])
@pytest.mark.parametrize("samples", [1024, 20])
def test_value_and_gradient_equal_the_oracle(masked: bool, samples: int):
    loss = HypercolumnSimilarity(layers=tuple(LAYERS), samples=samples)
    mask = smooth_mask(3) if masked else None
    chosen = places(samples, mask, seed=4)

    def oracle(x, y):
        return np.abs(shares(columns(x, chosen)) - shares(columns(y, chosen))).sum() / len(chosen)

    check_joined(loss, oracle, generic(0, images=2), generic(1), mask=mask, key=jax.random.key(4), tolerance=3e-5)


def test_colors_may_change_but_not_likeness():
    """Turning every feature by the same rotation costs nothing."""
    x = generic(0)["relu1_1"]
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    loss = HypercolumnSimilarity(layers=("relu1_1",))
    assert cost(loss, {"relu1_1": (x @ turn).astype(np.float32)}, {"relu1_1": x}) == pytest.approx(0, abs=1e-4)
    assert cost(loss, {"relu1_1": x[:, ::-1]}, {"relu1_1": x}) > 0.05


def test_images_of_different_sizes_are_refused():
    loss = HypercolumnSimilarity(layers=("relu1_1",))
    with pytest.raises(ValueError, match=r"the image is 6×4 and the reference is 4×6, but the same places"):
        refuse(loss, maps(0), maps(0, maps={"relu1_1": (4, 6, 3)}))


def test_a_region_of_no_place_costs_nothing():
    loss = HypercolumnSimilarity(layers=tuple(LAYERS))
    assert cost(loss, generic(0), generic(1), np.zeros((12, 8), np.float32)) == 0
