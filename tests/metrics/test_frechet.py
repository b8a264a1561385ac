"""The Fréchet distance against SciPy's matrix square root, and ArtFID."""

import math

import numpy as np
import pytest
import scipy.linalg

from likeness.research.metrics.frechet import art_fid, frechet_distance


def features(count: int, size: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(count, size)) @ generator.normal(size=(size, size)) + generator.normal(size=size)


def expected(first: np.ndarray, second: np.ndarray) -> float:
    """As FID is written: the root of a product that is not symmetric, of which the real part is taken."""
    a, b = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    root = np.real(scipy.linalg.sqrtm(a @ b))
    return float(((first.mean(0) - second.mean(0)) ** 2).sum() + np.trace(a + b - 2 * root))


@pytest.mark.parametrize(("counts", "size"), [((40, 50), 6), ((100, 30), 12)])
def test_equals_scipy(counts: tuple[int, int], size: int) -> None:
    first, second = (features(count, size, seed) for seed, count in enumerate(counts))
    assert frechet_distance(first, second) == pytest.approx(expected(first, second), rel=1e-8)
    assert frechet_distance(second, first) == pytest.approx(frechet_distance(first, second), rel=1e-8)


def test_a_shift_costs_its_square_and_the_same_set_nothing() -> None:
    first = features(30, 5, 0)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-8)
    assert frechet_distance(first, first + 0.5) == pytest.approx(5 * 0.25, rel=1e-8)


def test_fewer_images_than_features_are_no_obstacle() -> None:
    """Singular covariances: SciPy's root is inexact there; of two points on a line and the same doubled it is known."""
    first = np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    assert frechet_distance(first, 2 * first) == pytest.approx(2.0)
    assert frechet_distance(first, first[:, ::-1]) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("first", "second"),
    [(np.ones((1, 3)), np.ones((4, 3))), (np.ones((4, 3)), np.ones((4, 2))), (np.full((2, 2), np.nan), np.ones((2, 2)))],
)
def test_what_is_no_set_of_features_is_refused(first: np.ndarray, second: np.ndarray) -> None:
    with pytest.raises(ValueError, match="frechet_distance: "):
        frechet_distance(first, second)


def test_art_fid() -> None:
    assert art_fid(0.0, 0.0) == 1.0
    assert art_fid(0.5, 10.0) == pytest.approx(16.5)
    for distance in (-0.1, math.inf, math.nan):
        with pytest.raises(ValueError, match="art_fid: style_distance is"):
            art_fid(0.5, distance)
