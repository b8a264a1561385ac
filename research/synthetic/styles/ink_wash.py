"""Mountains in mist and a pine: washes of ink on paper, and strokes of a dry brush."""

import dataclasses

import numpy as np
from scipy import ndimage

from likeness.research.synthetic.styles.brush import PaintCanvas
from likeness.research.synthetic.styles.ink_brush import birds, pine
from likeness.research.synthetic.styles.noise import Noise, axes, enlarge, smoothstep
from likeness.research.synthetic.styles.palettes import palette
from likeness.research.synthetic.styles.protocol import begin, proportions
from likeness.research.types import Float, PRNGKey

_PAPER = palette("f4eddf")
_BLACK_INK = palette("1b1d25")
_BLUE_INK = palette("3d526b")
_VERMILION = np.array([0.80, 0.20, 0.14])
"""What a full wash of it lets through."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class InkWash:
    """Ranges of mountains one behind the other, a red sun, a pine and birds.

    Ink absorbs: the paper's color is multiplied by ``exp(-density · absorbance)``. Each range is dark along its ridge,
    where the wash has run and dried, and dissolves downward; nearer ranges are darker and blacker.
    """

    ranges: int = 6
    """Of mountains."""

    def __post_init__(self) -> None:
        if not 2 <= self.ranges <= 20:
            raise ValueError(f"InkWash(ranges={self.ranges}): give 2 to 20 ranges of mountains.")

    def __call__(self, size: tuple[int, int], key: PRNGKey) -> Float[np.ndarray, "h w 3"]:
        """Paints an image of ``size`` (height, width); see :class:`~likeness.research.synthetic.styles.Style`."""
        layout, texture = begin(size, key)
        width, height = proportions(size)
        x, y = axes(size)
        paper, cloud = Noise.draw(layout, 3, 0.6), Noise.draw(layout, 4)
        grain = paper.grid(90.0 * x, 90.0 * y)
        density, blue = self._mountains(layout, size)
        density *= np.maximum(1.0 + 0.10 * grain + 0.12 * cloud.grid(4.0 * x, 4.0 * y), 0.0)
        r = np.hypot(x - 0.70 * width, (y - 0.20 * height)[:, None]) + 0.0042 * cloud.grid(9.0 * x, 9.0 * y) - 0.078
        sun = 0.80 + 0.12 * cloud.grid(14.0 * x, 14.0 * y) + 0.35 * np.exp(-((r / 0.006) ** 2))
        sun *= smoothstep(0.003, -0.003, r) * np.exp(-1.2 * density)

        noise = texture.standard_normal(size)
        fibers = ndimage.gaussian_filter(noise, (0.5, 3.5)) + ndimage.gaussian_filter(noise[::-1], (3.5, 0.5))
        tooth = (1.0 + 0.018 * grain + 0.02 * cloud.grid(2.0 * x, 2.0 * y)) * (1.0 + 0.028 * fibers)
        blue = np.clip(blue, 0.0, 1.0)[..., None]
        absorbance = np.log(_BLACK_INK) * (1.0 - blue) + np.log(_BLUE_INK) * blue
        image = _PAPER * tooth[..., None] * np.exp(0.62 * density[..., None] * absorbance + sun[..., None] * np.log(_VERMILION))
        canvas = PaintCanvas.prime(np.clip(image, 0.0, 1.0), texture)
        canvas.paint(pine(width, height, min(size), layout))
        canvas.paint(birds(width, height, min(size), layout))
        return canvas.lit(0.0)

    def _mountains(self, rng: np.random.Generator, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Density of the ink, and how much of it is blue."""
        width, height = proportions(size)
        x, y = axes(size)
        density, blue = np.zeros(size), np.zeros(size)
        for number in range(self.ranges):
            near = number / (self.ranges - 1)
            ridge, texture, fold = Noise.draw(rng, 6, 0.48), Noise.draw(rng, 3), Noise.draw(rng, 2)
            rise = height * (0.20 - 0.05 * near)
            summit = 0.30 + 0.45 * (number % 2) + 0.08 * rng.standard_normal()
            softness = 0.05 * rng.uniform()
            top = height * (0.26 + 0.62 * near) + 0.02
            top -= rise * np.abs(ridge(1.1 * x * (1.0 + 0.5 * near) + 3.0 * number, np.zeros_like(x)))
            top -= 1.3 * rise * np.exp(-(((x / width - summit) / 0.20) ** 2))
            rows = slice(max(int((top.min() - 0.05) * min(size)), 0), size[0])
            depth = y[rows, None] - top + 0.004 * (0.4 + near) * texture.grid(60.0 * x, 60.0 * y[rows])
            if depth.size == 0:
                continue
            below = np.maximum(depth, 0.0)
            inside = smoothstep(-0.001, 0.0125 - 0.010 * near, depth)
            fade = np.exp(-below / (0.11 - 0.06 * near + softness))
            facets, folds = self._folds(fold, x, y[rows], top, depth, number, min(size))
            hatching = smoothstep(0.1, 1.4, folds + 0.8 * facets) * np.exp(-below / 0.16) * near**0.6
            rim = np.exp(-(((depth - 0.004) / 0.0045) ** 2)) * (0.3 + near)
            ink = 0.70 * fade * (1.0 + 0.25 * facets) + 0.55 * hatching + 0.35 * rim
            cover = inside * np.minimum(1.6 * fade, 1.0)
            density[rows] *= 1.0 - 0.75 * cover
            density[rows] += np.maximum((0.16 + 1.25 * near**1.6) * inside * ink, 0.0)
            blue[rows] += inside * fade * (1.0 - near) - cover * blue[rows]
        return density, blue

    @staticmethod
    def _folds(
        fold: Noise, x: np.ndarray, y: np.ndarray, top: np.ndarray, depth: np.ndarray, number: int, unit: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Broad and fine folds that run down the slope; too smooth to need every pixel."""
        step = max(unit // 256, 1)
        coarse, slope = depth[::step, ::step], (np.gradient(top, 1.0 / unit) if len(x) > 1 else np.zeros_like(x))[::step]
        broad = fold(7.0 * (x[::step] - 0.35 * slope * coarse) + 9.0, 5.0 * coarse + 3.0 * number)
        fine = fold(26.0 * x[::step] + 14.0 * coarse, 7.0 * y[::step, None] + 30.0 + 0.0 * coarse)
        return enlarge(broad, depth.shape), enlarge(fine, depth.shape)
