"""A tile's cell is what lies nearest to it in its own norm, and Lloyd's algorithm makes cells alike."""

import numpy as np
import pytest

from likeness.research.synthetic.styles.tiles import Tiling, lay


def swirl(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.arctan2(y - 0.5, x - 0.5)


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("norm", [2.0, 5.0])
def test_cells_agree_with_every_tile_tried(norm: float, stride: int) -> None:
    tiling = lay(1.5, 1.0, 0.1, norm, swirl, np.random.default_rng(0), rounds=5)
    x, y = np.linspace(0.0, 1.5, 91), np.linspace(0.0, 1.0, 61)
    cells = tiling.cells(x, y, stride)
    dx, dy = x[None, :, None] - tiling.x, y[:, None, None] - tiling.y
    cos, sin = np.cos(tiling.angle), np.sin(tiling.angle)
    distance = (np.abs(cos * dx + sin * dy) ** norm + np.abs(cos * dy - sin * dx) ** norm) ** (1.0 / norm)
    first, second = np.sort(distance, 2)[..., :2].transpose(2, 0, 1)
    right = cells.tile == distance.argmin(2)
    assert right.mean() > 0.999
    np.testing.assert_allclose(cells.distance[right], first[right], rtol=1e-12)
    close = np.isclose(cells.margin, 0.5 * (second - first), rtol=1e-9, atol=1e-12)
    assert close.mean() > 0.98
    assert (cells.margin >= 0.0).all()


def test_the_place_in_a_cell_is_along_its_direction() -> None:
    tiling = Tiling(np.array([0.5]), np.array([0.5]), np.array([0.5 * np.pi]), 2.0)
    cells = tiling.cells(np.array([0.5, 0.7]), np.array([0.5, 0.9]))
    np.testing.assert_allclose(cells.u, [[0.0, 0.0], [0.4, 0.4]], atol=1e-12)
    np.testing.assert_allclose(cells.v, [[0.0, -0.2], [0.0, -0.2]], atol=1e-12)


def test_relaxed_cells_are_alike() -> None:
    def spread(rounds: int) -> float:
        tiling = lay(1.0, 1.0, 0.1, 5.0, swirl, np.random.default_rng(0), rounds=rounds)
        x = np.linspace(0.0, 1.0, 100)
        area = np.bincount(tiling.cells(x, x).tile.ravel(), minlength=len(tiling.x))
        inside = (np.abs(tiling.x - 0.5) < 0.4) & (np.abs(tiling.y - 0.5) < 0.4)
        return float(area[inside].std() / area[inside].mean())

    assert spread(10) < 0.5 * spread(0)
