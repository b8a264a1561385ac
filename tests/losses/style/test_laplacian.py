"""The Laplacian loss against a filter from SciPy, in float64."""

import functools

import numpy as np
import pytest
import scipy.ndimage
from float64 import check, cost, refuse

from likeness.research.losses import Laplacian

FILTER = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]])


def image(seed: int, images: int = 1) -> dict[str, np.ndarray]:
    return {"input": np.random.default_rng(seed).random((images, 9, 8, 3)).astype(np.float32)}


def pool(x: np.ndarray) -> np.ndarray:
    return x[:8].reshape(4, 2, 4, 2, *x.shape[2:]).mean(axis=(1, 3))


def edges(x: np.ndarray) -> np.ndarray:
    return sum(scipy.ndimage.correlate(pool(x)[..., k], FILTER)[1:-1, 1:-1] for k in range(3))


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "region"])
def test_value_and_gradient_equal_the_oracle(masked: bool):
    def oracle(normalizer, x, y, m, n):
        weights, known = pool(m)[1:-1, 1:-1], pool(n)[1:-1, 1:-1]
        scale = {"relative": (known * edges(y) ** 2).sum(), "sum": 1.0, "mean": known.sum()}[normalizer]
        return (weights * (edges(x) - edges(y)) ** 2).sum() / scale

    generator = np.random.default_rng(5)
    draw = lambda: generator.uniform(0.05, 1, (9, 8)).astype(np.float32)  # noqa: E731
    masks = {"mask": draw(), "reference_mask": draw()} if masked else {}
    losses = {each: Laplacian(pooling=2, normalizer=each) for each in ("relative", "sum", "mean")}
    check({loss: functools.partial(oracle, each) for each, loss in losses.items()}, image(0, 2), image(1), **masks)


def test_a_ramp_of_brightness_has_no_edges():
    ramp = np.linspace(0, 1, 12, dtype=np.float32)[None, :, None, None] * np.ones((1, 12, 12, 3), np.float32)
    loss = Laplacian(pooling=4, normalizer="sum")
    flat = {"input": np.full((1, 12, 12, 3), 0.5, np.float32)}
    assert cost(loss, {"input": ramp}, flat) == pytest.approx(0, abs=1e-10)


def test_images_too_small_are_refused():
    with pytest.raises(ValueError, match="the image is 9×8, but three squares a side, 12 pixels, are needed"):
        refuse(Laplacian(pooling=4), image(0), image(1))
    with pytest.raises(ValueError, match="pooling=0"):
        Laplacian(pooling=0)
