"""The Fréchet distance against SciPy's matrix square root, its limit against a line fitted by hand, and ArtFID."""

import math

import numpy as np
import pytest
import scipy.linalg

from likeness.research.metrics.frechet import art_fid, extrapolated_frechet_distance, frechet_distance


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


@pytest.mark.parametrize(("counts", "size"), [((5, 7), 6), ((7, 5), 6), ((3, 3), 40)])
def test_few_images_are_measured_by_singular_values(counts: tuple[int, int], size: int) -> None:
    """Beside the eigenvalues of the product of the covariances, which are real and not negative but for rounding."""
    first, second = (features(count, size, seed) for seed, count in enumerate(counts))
    a, b = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    values = np.sort(np.linalg.eigvals(a @ b).real)[-(min(counts) - 1) :]
    by_hand = ((first.mean(0) - second.mean(0)) ** 2).sum() + np.trace(a + b) - 2 * np.sqrt(values).sum()
    assert frechet_distance(first, second) == pytest.approx(by_hand, rel=1e-8)


def test_the_limit_is_a_line_over_one_by_n() -> None:
    first, second = features(90, 4, 0), features(90, 4, 1)
    draw, rows = np.random.default_rng(3), []
    for size in (30, 50, 70, 90):
        order = draw.permutation(90)[:size]
        rows.append((1.0, 1 / size, expected(first[order], second[order])))
    table = np.array(rows)
    by_hand = np.linalg.lstsq(table[:, :2], table[:, 2], rcond=None)[0][0]
    assert extrapolated_frechet_distance(first, second, smallest=30, points=4, seed=3) == pytest.approx(by_hand, rel=1e-8)


def test_the_limit_has_less_bias() -> None:
    """Of two sets of one distribution, whose distance is 0."""
    draw = np.random.default_rng(0)
    first, second = draw.normal(size=(2, 3000, 12))
    biased = frechet_distance(first[:200], second[:200])
    assert biased > 0.1
    assert abs(extrapolated_frechet_distance(first, second, smallest=200)) < biased / 10


@pytest.mark.parametrize(
    ("counts", "smallest", "points"), [((20, 19), 5, 3), ((20, 20), 20, 3), ((20, 20), 5, 1), ((20, 20), 1, 3)]
)
def test_too_few_images_have_no_limit(counts: tuple[int, int], smallest: int, points: int) -> None:
    first, second = (features(count, 3, 0) for count in counts)
    with pytest.raises(ValueError, match=f"extrapolated_frechet_distance: {counts[0]} and {counts[1]} rows"):
        extrapolated_frechet_distance(first, second, smallest=smallest, points=points)


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
