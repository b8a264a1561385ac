"""A mosaic of glass: tiles that follow the lines of suns and of the bands that flow around them."""

import dataclasses

import numpy as np
from scipy import ndimage

from likeness.research.checks import check_finite_positive
from likeness.research.synthetic.styles.noise import Noise, axes, smoothstep
from likeness.research.synthetic.styles.palettes import palette, varied
from likeness.research.synthetic.styles.protocol import begin, proportions
from likeness.research.synthetic.styles.tiles import Cells, lay
from likeness.research.types import Float, PRNGKey

_MORTAR = palette("5c544d")
_BANDS = palette(
    *("0f2f5c", "14507f", "1a7896", "d9ead0", "2fa3a3", "14507f", "c8642e", "f4e3b2", "7cc7b4", "1a7896"),
)
_GOLD = palette("e8b04a")
_SUNS = (
    # eye, ring, petals, between them, three rings
    palette("ffe9a8", "8f1f24", "f7bd48", "b8321f", "fff2d0", "7a1f2c", "e8b04a"),
    palette("f6e2a0", "1a4f7a", "f4cf62", "2f8a94", "f8efd8", "14406c", "d9a040"),
    palette("fff0c0", "7a2430", "ee8a40", "8a2234", "f4dfa8", "1a5a78", "e0b050"),
)
_PETALS = (12, 9, 8)
_LIGHT = np.array([-0.48, -0.60, 0.64])


@dataclasses.dataclass(frozen=True, kw_only=True)
class VoronoiMosaic:
    """Three suns in a stream, in tiles of glass on mortar.

    Tiles are the cells of a centroidal Voronoi tessellation, each measured along the design's lines
    (:mod:`~likeness.research.synthetic.styles.tiles`). The stream's bands are the levels of the stream function of an ideal
    flow around cylinders. Every tile has a color, a tilt and a cloud of its own, and a beveled edge.
    """

    tile: float = 0.0215
    """Side of a tile in units of the image's shorter side."""
    grout: float = 0.1
    """Width of the mortar between tiles as a share of the tile."""
    norm: float = 5.0
    """p of the tiles' p-norm: 2 is the usual Voronoi diagram, larger is squarer."""

    def __post_init__(self) -> None:
        check_finite_positive("VoronoiMosaic", "tile", self.tile)
        check_finite_positive("VoronoiMosaic", "grout", self.grout)
        if not 0.005 <= self.tile <= 0.25:
            raise ValueError(f"VoronoiMosaic(tile={self.tile}) is a share of the shorter side: give 0.005 to 0.25.")
        if not 1.0 <= self.norm <= 32.0:
            raise ValueError(f"VoronoiMosaic(norm={self.norm}) is the p of a p-norm: give 1.0 to 32.0.")

    def __call__(self, size: tuple[int, int], key: PRNGKey) -> Float[np.ndarray, "h w 3"]:
        """Paints an image of ``size`` (height, width); see :class:`~likeness.research.synthetic.styles.Style`."""
        layout, texture = begin(size, key)
        unit = min(size)
        design = _Design.draw(layout, *proportions(size))
        tiling = lay(*proportions(size), self.tile, self.norm, design.directions, layout)
        color = varied(design.colors(tiling.x, tiling.y), layout, 0.13, 0.028)
        tilt = layout.normal(0.0, 0.16, (2, len(color)))
        phase = layout.uniform(0.0, 60.0, (2, len(color)))
        rough, cloud = Noise.draw(layout, 2), Noise.draw(layout, 2)
        speck = ndimage.gaussian_filter(texture.standard_normal(size), 0.7)[..., None]

        x, y = axes(size)
        cells = tiling.cells(x, y, stride=3)
        half = 0.5 * self.tile
        # Cut edges are not straight, and a tile does not grow into a hole beside it.
        edge = np.minimum(cells.margin, 1.12 * half - cells.distance) + 0.05 * self.tile * rough.grid(55.0 * x, 55.0 * y)
        edge -= self.grout * half
        cover = np.clip(edge * unit + 0.5, 0.0, 1.0)
        shade, gloss = _light(edge, half, tilt, cells, rough.grid(20.0 * x, 20.0 * y), unit)
        u = 1.1 * cells.u / half + phase[0, cells.tile]
        v = 4.2 * cells.v / half + phase[1, cells.tile]
        glass = color[cells.tile] * (shade * (1.0 + 0.09 * cloud(u, v)))[..., None] + gloss[..., None]
        mortar = _MORTAR * (1.0 + 0.12 * speck + 0.1 * rough.grid(30.0 * x, 30.0 * y)[..., None])
        # Tiles keep light from the mortar.
        mortar = mortar * (1.05 - 0.45 * ndimage.gaussian_filter(cover, 0.003 * unit))[..., None]
        return np.clip(mortar + cover[..., None] * (glass - mortar), 0.0, 1.0).astype(np.float32)


def _light(
    edge: np.ndarray, half: float, tilt: np.ndarray, cells: Cells, rough: np.ndarray, unit: int
) -> tuple[np.ndarray, np.ndarray]:
    """What the light from the upper left makes of beveled, tilted tiles: diffuse and mirrored."""
    dome = 1.0 - (1.0 - smoothstep(0.0, 0.36 * half, edge)) ** 2
    relief = ndimage.gaussian_filter(half * (0.34 * dome + 0.05 * rough), 0.0012 * unit)
    dy, dx = np.gradient(relief, 1.0 / unit)
    dx, dy = dx + tilt[0, cells.tile], dy + tilt[1, cells.tile]
    normal = np.stack([-dx, -dy, np.ones_like(dx)]) / np.sqrt(1.0 + dx * dx + dy * dy)
    light = _LIGHT / np.linalg.norm(_LIGHT)
    halfway = light + np.array([0.0, 0.0, 1.0])
    halfway /= np.linalg.norm(halfway)
    diffuse, mirrored = np.tensordot(light, normal, 1), np.tensordot(halfway, normal, 1)
    return 0.46 + 0.74 * diffuse, 0.3 * np.maximum(mirrored, 0.0) ** 60


@dataclasses.dataclass(frozen=True)
class _Design:
    width: float
    height: float
    suns: Float[np.ndarray, "3 3"]
    """x, y, radius."""
    warp: Noise

    @classmethod
    def draw(cls, rng: np.random.Generator, width: float, height: float) -> "_Design":
        suns = np.array(
            [
                [0.34 * width, 0.47 * height, 0.31],
                [0.80 * width, 0.29 * height, 0.18],
                [0.77 * width, 0.79 * height, 0.13],
            ]
        )
        suns[:, :2] += rng.normal(0.0, 0.015, (3, 2))
        return cls(width, height, suns, Noise.draw(rng, 2))

    def _stream(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        level = y + 0.05 * self.warp(1.5 * x, 1.5 * y) + 0.05 * np.sin(3.1 * x)
        for cx, cy, radius in self.suns:
            square = ((x - cx) ** 2 + (y - cy) ** 2) / radius**2
            level = level - 0.96 * (y - cy) / np.maximum(square, 1.0)
        return level

    def directions(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        h = 1e-3
        dx, dy = self._stream(x + h, y) - self._stream(x - h, y), self._stream(x, y + h) - self._stream(x, y - h)
        angle = np.arctan2(-dx, dy)
        for cx, cy, radius in self.suns:
            inside = np.hypot(x - cx, y - cy) < radius
            angle = np.where(inside, np.arctan2(y - cy, x - cx) + 0.5 * np.pi, angle)
        return angle

    def colors(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        level = self._stream(x, y) / 0.105
        band, part = np.floor(level).astype(int), (level % 1.0)[:, None]
        color = _BANDS[band % len(_BANDS)]
        color = color + 0.25 * (part - 0.4) * (1.0 - color)
        color = np.where((part < 0.20) & (band % 3 == 0)[:, None], _GOLD, color)
        for number, (cx, cy, radius) in enumerate(self.suns):
            ox, oy = x - cx, y - cy
            q = np.hypot(ox, oy) / radius
            twist = 3.0 * q if number == 0 else 0.0
            petal = 0.5 + 0.5 * np.cos(_PETALS[number] * np.arctan2(oy, ox) + twist) > (q - 0.22) / 0.54
            part = np.select([q < 0.12, q < 0.22, q < 0.76, q < 0.84, q < 0.92], [0, 1, np.where(petal, 2, 3), 4, 5], 6)
            color = np.where((q < 1.0)[:, None], _SUNS[number][part], color)
        return np.clip(color, 0.0, 1.0)
