"""A sheet that flat colors are printed on: curves, areas and ribbons, antialiased, and the grain of the wood."""

import dataclasses

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.interpolate import CubicSpline

from likeness.research.synthetic.styles.noise import Noise, axes
from likeness.research.types import Float

_FINEST = 1024
"""Pillow draws to whole pixels, so the shorter side is drawn with at least this many, and three times those it gets."""


@dataclasses.dataclass(frozen=True)
class Sheet:
    """Shapes in units of the shorter side, drawn one over the other; points are (n, 2), a color is (3,)."""

    size: tuple[int, int]
    image: Image.Image

    @classmethod
    def blank(cls, size: tuple[int, int]) -> "Sheet":
        """A black sheet of ``size`` (height, width) pixels."""
        times = max(3, -(-_FINEST // min(size)))
        return cls(size, Image.new("RGB", (size[1] * times, size[0] * times)))

    @property
    def scale(self) -> int:
        return min(self.image.size)

    def wash(self, colors: Float[np.ndarray, "n 3"]) -> None:
        """Colors the whole sheet from top to bottom."""
        column = Image.fromarray(np.round(255.0 * colors).astype(np.uint8)[:, None])
        self.image.paste(column.resize(self.image.size, Image.Resampling.BILINEAR))

    def area(self, outline: np.ndarray, color: np.ndarray) -> None:
        """Fills a polygon."""
        ImageDraw.Draw(self.image).polygon([tuple(point) for point in (outline * self.scale).tolist()], fill=_bytes(color))

    def ribbon(self, points: np.ndarray, half_width: np.ndarray | float, color: np.ndarray) -> None:
        """Draws a line of varying width with round ends; a single point is a disk."""
        width = np.broadcast_to(np.asarray(half_width, float), len(points))
        if len(points) > 1:
            tangent = np.gradient(points, axis=0)
            normal = np.stack([-tangent[:, 1], tangent[:, 0]], 1) / np.maximum(np.hypot(*tangent.T), 1e-9)[:, None]
            side = normal * width[:, None]
            self.area(np.concatenate([points + side, (points - side)[::-1]]), color)
        draw = ImageDraw.Draw(self.image)
        for (x, y), r in zip(points[[0, -1]] * self.scale, width[[0, -1]] * self.scale, strict=True):
            draw.ellipse((x - r, y - r, x + r, y + r), fill=_bytes(color))

    def printed(self, layout: np.random.Generator, texture: np.random.Generator) -> Float[np.ndarray, "h w 3"]:
        """The sheet pulled from wood: grain, uneven pressure and the paper's tooth; float32 in [0, 1]."""
        planes = np.asarray(self.image.reduce(self.image.width // self.size[1]), np.float32) / 255.0
        x, y = axes(self.size)
        fiber, flow, blot = Noise.draw(layout, 3), Noise.draw(layout, 3), Noise.draw(layout, 4)
        rings = np.sin(2.0 * np.pi * (34.0 * y[:, None] + 2.2 * flow.grid(0.8 * x, 3.0 * y)))
        grain = 0.5 * rings + 0.6 * fiber.grid(6.0 * x, 160.0 * y)
        dark = 1.0 - planes.mean(2)
        pressure = 0.055 * grain * (0.35 + dark) + 0.05 * blot.grid(5.0 * x, 5.0 * y) * dark
        pressure += 0.022 * ndimage.gaussian_filter(texture.standard_normal(self.size), 0.6)
        return np.clip(planes + pressure[..., None] * (1.0 - 0.65 * planes), 0.0, 1.0).astype(np.float32)


def curve(points: Float[np.ndarray, "n 2"], count: int = 160) -> Float[np.ndarray, "m 2"]:
    """A smooth curve through points: a cubic spline over the square roots of their distances."""
    step = np.sqrt(np.hypot(*np.diff(points, axis=0).T))
    knots = np.concatenate([[0.0], np.cumsum(step)])
    return CubicSpline(knots / knots[-1], points)(np.linspace(0.0, 1.0, count))


def _bytes(color: np.ndarray) -> tuple[int, ...]:
    return tuple(np.round(255.0 * np.clip(color, 0.0, 1.0)).astype(int).tolist())
