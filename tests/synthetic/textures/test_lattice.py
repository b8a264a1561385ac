import numpy as np
import pytest
from scipy import spatial

from likeness.research.synthetic.textures.lattice import cells, fractal, hashed, noise, uniform

POINTS = np.random.default_rng(0).uniform(-20, 20, (2, 500)).astype(np.float32)


def test_numbers_of_lattice_points_are_even_and_independent():
    column, row = np.meshgrid(np.arange(-100, 100), np.arange(-100, 100))
    numbers = np.stack([uniform(hashed(column, row, 5), which).ravel() for which in range(4)])
    np.testing.assert_allclose(numbers.mean(1), 0.5, atol=0.01)
    np.testing.assert_allclose(numbers.var(1), 1 / 12, atol=0.003)
    np.testing.assert_allclose(np.corrcoef(numbers), np.eye(4), atol=0.03)
    beside = uniform(hashed(column, row, 5)), uniform(hashed(column + 1, row, 5)), uniform(hashed(column, row, 6))
    np.testing.assert_allclose(np.corrcoef([each.ravel() for each in beside]), np.eye(3), atol=0.03)


def test_noise_has_the_values_of_the_lattice_and_is_smooth_between():
    grid = np.arange(-5, 5, dtype=np.float32)
    np.testing.assert_allclose(noise(grid, 2 + 0 * grid, 3), uniform(hashed(grid, 2 + 0 * grid, 3)), atol=1e-6)
    fine = noise(np.linspace(0, 8, 4001, dtype=np.float32), np.full(4001, 0.3, np.float32), 3)
    assert np.abs(np.diff(fine)).max() < 2.0 * 8 / 4000
    assert 0 <= fractal(*POINTS, 1, 4, 0.5).min() <= fractal(*POINTS, 1, 4, 0.5).max() <= 1


@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_cells_are_those_of_the_nearest_points(jitter):
    """All points of the lattice around, and SciPy's search among them."""
    column, row = np.meshgrid(np.arange(-24, 25), np.arange(-24, 25))
    bits = hashed(column, row, 7)
    x = column + 0.5 * (row % 2) + 0.5 + jitter * (uniform(bits) - 0.5)
    y = row + 0.5 + jitter * (uniform(bits, 1) - 0.5)
    distances, which = spatial.cKDTree(np.stack([x.ravel(), y.ravel()], axis=1)).query(POINTS.T, k=2)
    found = cells(*POINTS, 7, jitter)
    # A point further away than the neighboring lattice cells can be missed; a second nearest sometimes is.
    np.testing.assert_allclose(found.nearest, distances[:, 0], atol=1e-4)
    assert np.mean(np.abs(found.second - distances[:, 1]) < 1e-4) > 0.97
    apart = distances[:, 1] - distances[:, 0] > 1e-3
    assert np.array_equal(found.word[apart], bits.ravel()[which[apart, 0]])
