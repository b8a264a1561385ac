"""Self-similarity against its definition in float64."""

import numpy as np
import pytest
from float64 import MAPS, check, cost, maps, refuse, smooth_mask

from likeness.research.losses import SelfSimilarity


def shares(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    rows = x.reshape(-1, x.shape[2])
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    distance = 1 - rows @ rows.T
    np.fill_diagonal(distance, 0)
    return distance / (weights[:, None] * distance).sum(0, keepdims=True)


def generic(seed: int, **kwargs):
    """No feature is zero."""
    generator = np.random.default_rng(seed)
    return {k: x + generator.uniform(0.1, 0.5, x.shape).astype(np.float32) for k, x in maps(seed, **kwargs).items()}


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "region"])
@pytest.mark.parametrize("samples", [1024, 10])
def test_value_and_gradient_equal_the_oracle(masked: bool, samples: int):
    loss = SelfSimilarity(layers=tuple(MAPS), samples=samples)

    def oracle(x, y, m, n):
        chosen = np.asarray(loss.places(0 if x.shape[2] == 3 else 1, m.size))
        m, n = m.reshape(-1)[chosen], n.reshape(-1)[chosen]
        x, y = (a.reshape(-1, a.shape[2])[chosen][None] for a in (x, y))
        return (m[:, None] * m * np.abs(shares(x, m) - shares(y, n))).sum() / m.sum()

    masks = {"mask": smooth_mask(3), "reference_mask": smooth_mask(4)} if masked else {}
    check({loss: oracle}, generic(0, images=2), generic(1), **masks)


@pytest.mark.parametrize(("samples", "count"), [(10, 24), (7, 7), (12, 1000), (5, 3), (1024, 300_000)])
def test_places_are_distinct_and_spread_evenly(samples: int, count: int):
    places = np.asarray(SelfSimilarity(layers=("a",), samples=samples).places(0, count))
    assert len(places) == min(samples, count) == len(set(places.tolist()))
    assert places.min() >= 0
    assert places.max() < count
    assert np.diff(places).min() > 0
    assert np.diff(places).max() < 2 * count / len(places) + 1


def test_colors_may_change_but_not_likeness():
    """Turning every feature by the same rotation, and scaling each as one likes, costs nothing."""
    x = generic(0)["relu1_1"]
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    scale = np.random.default_rng(2).uniform(0.5, 2, (1, 6, 4, 1))
    loss = SelfSimilarity(layers=("relu1_1",))
    assert cost(loss, {"relu1_1": (x @ turn * scale).astype(np.float32)}, {"relu1_1": x}) == pytest.approx(0, abs=1e-4)
    assert cost(loss, {"relu1_1": x[:, ::-1]}, {"relu1_1": x}) > 0.05


def test_images_of_different_sizes_are_refused():
    """Also where the same number of places is drawn from both."""
    loss = SelfSimilarity(layers=("relu1_1",), samples=10)
    with pytest.raises(ValueError, match=r"the image is 6×4 and the reference is 4×6, but the same places"):
        refuse(loss, maps(0), maps(0, maps={"relu1_1": (4, 6, 3)}))
    with pytest.raises(ValueError, match="samples=1"):
        SelfSimilarity(layers=("relu1_1",), samples=1)
