"""Tiles laid along the lines of a design: a centroidal Voronoi tessellation in which every cell is measured along its line.

Hausner, "Simulating decorative mosaics", 2001.
"""

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from scipy.spatial import KDTree

from likeness.research.types import Float, Int

Directions: TypeAlias = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Points to the angle of the design's lines there, in radians."""

_CANDIDATES = 7
_SAMPLES = 6
"""On the side of a tile, while it looks for its place."""


@dataclasses.dataclass(frozen=True)
class Tiling:
    """Tiles and the directions they lie in; a tile's cell is what is nearer to it than to others in its own p-norm."""

    x: Float[np.ndarray, "n"]
    y: Float[np.ndarray, "n"]
    angle: Float[np.ndarray, "n"]
    norm: float
    """2 makes tiles round, large values square."""

    def cells(self, x: Float[np.ndarray, "w"], y: Float[np.ndarray, "h"], stride: int = 1) -> "Cells":
        """The tile at each point of a grid; ``stride`` points of the grid share their candidates."""
        columns, rows = (np.minimum(np.arange(0, len(v), stride) + stride // 2, len(v) - 1) for v in (x, y))
        points = np.stack(np.meshgrid(x[columns], y[rows]), -1)
        candidates = KDTree(np.stack([self.x, self.y], 1)).query(points, min(_CANDIDATES, len(self.x)))[1]
        candidates = candidates.repeat(stride, 0)[: len(y)].repeat(stride, 1)[:, : len(x)]
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        tile = candidates[..., 0]
        u, v = np.zeros(tile.shape), np.zeros(tile.shape)
        first, second = np.full(tile.shape, np.inf), np.full(tile.shape, np.inf)
        for k in range(candidates.shape[-1]):
            other = candidates[..., k]
            dx, dy = x - self.x[other], y[:, None] - self.y[other]
            along, across = cos[other] * dx + sin[other] * dy, cos[other] * dy - sin[other] * dx
            distance = (np.abs(along) ** self.norm + np.abs(across) ** self.norm) ** (1.0 / self.norm)
            nearer = distance < first
            second = np.where(nearer, first, np.minimum(second, distance))
            first = np.where(nearer, distance, first)
            tile, u, v = np.where(nearer, other, tile), np.where(nearer, along, u), np.where(nearer, across, v)
        return Cells(tile, u, v, first, 0.5 * (second - first))


@dataclasses.dataclass(frozen=True)
class Cells:
    """What tile a point belongs to, and where in it."""

    tile: Int[np.ndarray, "h w"]
    u: Float[np.ndarray, "h w"]
    """From the tile's middle, along its direction."""
    v: Float[np.ndarray, "h w"]
    distance: Float[np.ndarray, "h w"]
    """From the tile's middle, in its norm."""
    margin: Float[np.ndarray, "h w"]
    """About the distance to the nearest other tile's cell."""


def lay(
    width: float, height: float, side: float, norm: float, directions: Directions, rng: np.random.Generator, rounds: int = 10
) -> Tiling:
    """Fills an area and a margin with tiles of about one size, by Lloyd's algorithm from a jittered grid."""
    columns, rows = (round((length + 2.0 * side) / side) for length in (width, height))
    cell = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1).reshape(-1, 2)
    x, y = ((cell + rng.uniform(0.0, 1.0, cell.shape) - 1.0) * side).T
    grid_x = np.linspace(-side, width + side, _SAMPLES * columns)
    grid_y = np.linspace(-side, height + side, _SAMPLES * rows)
    for _ in range(rounds):
        tile = Tiling(x, y, directions(x, y), norm).cells(grid_x, grid_y).tile.ravel()
        count = np.bincount(tile, minlength=len(x))
        middle_x = np.bincount(tile, np.tile(grid_x, len(grid_y)), len(x)) / np.maximum(count, 1)
        middle_y = np.bincount(tile, np.repeat(grid_y, len(grid_x)), len(x)) / np.maximum(count, 1)
        x, y = np.where(count > 0, middle_x, x), np.where(count > 0, middle_y, y)
    return Tiling(x, y, directions(x, y), norm)
