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


@pytest.mark.slow
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "region"])
def test_value_and_gradient_equal_the_oracle(masked: bool):
    def oracle(normalizer, x, y, m, n):
        mean, spread = gaussian(y, n)
        scale = {"relative": (mean**2).sum() + np.trace(spread), "crowson": len(mean), "none": 1.0}[normalizer]
        return distance(*gaussian(x, m), mean, spread) / scale

    masks = {"mask": smooth_mask(3), "reference_mask": smooth_mask(4)} if masked else {}
    losses = {
        Wasserstein(layers=tuple(MAPS), normalizer=each, eps=EPS, iterations=iterations): functools.partial(oracle, each)
        for each in ("relative", "crowson", "none")
        for iterations in (None, 16)
    }
    check(
        losses,
        maps(0, images=2),
        maps(1, maps=OTHER_SIZE),
        **masks,
    )


@pytest.mark.parametrize("iterations", [None, 16])
def test_a_shift_costs_its_square_and_the_same_image_nothing(iterations: int | None):
    loss = Wasserstein(layers=("relu1_1",), normalizer="none", eps=EPS, iterations=iterations)
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


def spectrum(channels: int, places: int, decay: float, seed: int) -> np.ndarray:
    """Features whose variances fall as a power of their number, in turned directions: as those of a deep layer do."""
    generator = np.random.default_rng(seed)
    turn = np.linalg.qr(generator.normal(size=(channels, channels)))[0]
    rows = generator.normal(size=(places, channels)) * np.arange(1, channels + 1) ** (-decay / 2)
    return (rows @ turn.T + 0.3).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize(("channels", "places", "decay"), [(24, 400, 3.0), (48, 900, 4.0), (64, 30, 1.0), (160, 60, 1.0)])
def test_the_derivative_is_float64s_where_covariances_are_nearly_singular(channels: int, places: int, decay: float):
    """Newton–Schulz iterations on Σ'^½ Σ Σ'^½, 12 of them, are far off there; fewer places than channels leave ε alone."""
    eps = 1e-4
    x, y = spectrum(channels, places, decay, 0), spectrum(channels, places, decay, 1)

    def gaussian64(rows: np.ndarray):
        rows = rows.astype(np.float64)
        return rows.mean(0), np.cov(rows.T, ddof=0) + eps * np.eye(channels)

    def root64(matrix: np.ndarray) -> np.ndarray:
        values, vectors = np.linalg.eigh(matrix)
        return (vectors * np.sqrt(values)) @ vectors.T

    (mean, spread), (other, target) = gaussian64(x), gaussian64(y)
    half = root64(target)
    transport = half @ np.linalg.inv(root64(half @ spread @ half)) @ half
    expected = 2 / places * ((mean - other) + (x - mean) @ (np.eye(channels) - transport))
    as_maps = lambda rows: {"deep": rows.reshape(1, 1, places, channels)}  # noqa: E731
    errors = {}
    for iterations in (None, 12):
        loss = Wasserstein(layers=("deep",), normalizer="none", eps=eps, iterations=iterations)
        _, gradient = value_and_gradient(loss)(as_maps(x), as_maps(y), None, None)
        errors[iterations] = np.linalg.norm(np.asarray(gradient["deep"]).reshape(places, channels) - expected)
    assert errors[None] < 1e-3 * np.linalg.norm(expected)
    assert errors[12] > 1e-2 * np.linalg.norm(expected)


def test_iterations_are_those_of_the_published_presets():
    """A root of so many Newton–Schulz iterations is too small, so the distance of an image to itself is above 0."""
    x = {"deep": spectrum(24, 400, 3.0, 0).reshape(1, 20, 20, 24)}
    exact, counted = (Wasserstein(layers=("deep",), normalizer="none", iterations=each) for each in (None, 8))
    assert abs(cost(exact, x, x)) < 1e-4
    assert cost(counted, x, x) > 1e-3
