"""A harbor at sunset in dots of pure pigment that only the eye mixes."""

import dataclasses

import numpy as np

from likeness.research.checks import check_finite_positive
from likeness.research.synthetic.styles.brush import PaintCanvas
from likeness.research.synthetic.styles.noise import Noise, smoothstep
from likeness.research.synthetic.styles.palettes import palette, ramp, varied
from likeness.research.synthetic.styles.protocol import begin, proportions
from likeness.research.synthetic.styles.scene import Look, PaintLayer, back_to_front
from likeness.research.types import Float, PRNGKey

_PIGMENTS = palette(
    *("fff7dc", "fff09a", "ffd84a", "ffb52e", "ff8a2a", "f2602e", "e0405a", "f08aa0", "f9c6c0"),
    *("c66ab4", "8a5ab8", "5a4ab0", "33409c", "2f62c0", "4a94d8", "8cc6e6", "c8e4ec", "6fc8b4"),
    *("35a088", "2c7a4a", "5fa03c", "a8c84a", "dbe07a", "1f2a5c", "2a1f4a", "7a3a30", "b0603a"),
)
_CANVAS = palette("ede0c7")
_SKY = palette("fff3b8", "ffe08a", "ffc46a", "f9a66e", "eb9a94", "c79ac0", "8fa6d6", "6f9cd6", "5a86c8")
_SUN = palette("fff7cc")
_MOUNTAINS = palette("b894c7", "7a6bb8")
_SEA = palette("ffe9a0", "ffc066", "e08a80", "9a80b8", "5c82c4", "3f74b4", "2f5f9c")
_SAILS = palette("ffdb85", "f58c4d", "ffedbf", "e05c4d")
_HULL = palette("2e265c")
_SHORE = palette("3a2a6a", "6a4a90", "a05a70", "d08050", "f0b060", "ffe08a")
_BARK = palette("2a1f4a", "5a3a6a", "a05a50", "f0a050")
_CROWN = palette("241f52", "2a3a6a", "23604f", "3f8a44", "8fb43f", "e0d060", "ffb84a")

_BOATS = np.array([[0.42, 0.60, 0.09], [0.54, 0.655, 0.17], [0.80, 0.62, 0.11], [0.93, 0.70, 0.24]])
"""x and y as shares of the width and height, size."""
_CLUMPS = np.array(
    [
        [0.05, 0.17, 0.17, 0.11],
        [0.20, 0.10, 0.17, 0.10],
        [0.30, 0.20, 0.13, 0.075],
        [0.14, 0.27, 0.12, 0.06],
        [0.38, 0.11, 0.10, 0.06],
        [0.02, 0.34, 0.10, 0.05],
    ]
)
"""Of the pine's crown: x, y, half width, half height."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pointillism:
    """Sails before a low sun, seen from under a pine, in divided color.

    The image has a smooth color everywhere; each dot is one of 27 pigments, drawn with probability proportional to
    ``exp(-d² / purity)`` of its distance ``d`` from that color, so a patch of dots averages about to it.
    """

    dot: float = 1.0
    """Size of the dots; 1 is a diameter of 1.7 % of the shorter side for the largest."""
    purity: float = 0.03
    """0.01 keeps to the nearest pigment, 0.1 scatters complementary ones everywhere."""

    def __post_init__(self) -> None:
        check_finite_positive("Pointillism", "dot", self.dot)
        check_finite_positive("Pointillism", "purity", self.purity)

    def __call__(self, size: tuple[int, int], key: PRNGKey) -> Float[np.ndarray, "h w 3"]:
        """Paints an image of ``size`` (height, width); see :class:`~likeness.research.synthetic.styles.Style`."""
        layout, texture = begin(size, key)
        harbor = _Harbor.draw(layout, *proportions(size))
        canvas = PaintCanvas.prime(np.broadcast_to(_CANVAS, (*size, 3)), texture)
        layers = []
        for width, cover, scatter in ((0.0084, 2.2, 0.8), (0.0062, 1.7, 1.2), (0.0046, 0.5, 2.2)):
            width *= self.dot
            layer = PaintLayer(length=1.25 * width, width=width, cover=cover, dryness=0.1, wander=0.25)
            dots, depth = layer(harbor, size, layout)
            color = varied(self._divided(dots.color, scatter, layout), layout, 0.07, 0.0)
            layers.append((dataclasses.replace(dots, color=color, streak=np.minimum(1.12 * color, 1.0)), depth))
        canvas.paint(back_to_front(layers))
        return canvas.lit(0.25)

    def _divided(self, color: np.ndarray, scatter: float, rng: np.random.Generator) -> np.ndarray:
        distance = ((color[:, None] - _PIGMENTS) ** 2) @ np.array([0.9, 1.3, 0.8])
        # The largest of log-probabilities plus Gumbel noise is a draw from them.
        return _PIGMENTS[np.argmax(rng.gumbel(size=distance.shape) - distance / (self.purity * scatter), 1)]


@dataclasses.dataclass(frozen=True)
class _Harbor:
    width: float
    height: float
    sun: Float[np.ndarray, "2"]
    boats: Float[np.ndarray, "4 3"]
    clumps: Float[np.ndarray, "6 4"]
    mottle: Noise
    ridge: Noise

    @classmethod
    def draw(cls, rng: np.random.Generator, width: float, height: float) -> "_Harbor":
        sun = np.array([0.62 * width, 0.36 * height]) + rng.normal(0.0, 0.02, 2)
        boats = _BOATS * [width, height, 1.0] + rng.normal(0.0, 0.02, (4, 1)) * [1.0, 0.0, 0.0]
        clumps = _CLUMPS * [0.6 + 0.4 * width, height, 1.0, 1.0]
        clumps[:, :2] += rng.normal(0.0, 0.012, (6, 2))
        return cls(width, height, sun, boats, clumps, Noise.draw(rng, 3), Noise.draw(rng, 4, 0.45))

    @property
    def horizon(self) -> float:
        return 0.56 * self.height

    def __call__(self, x: np.ndarray, y: np.ndarray) -> Look:
        look = self._sky(x, y)
        for paint in (self._sea, self._boats, self._shore, self._pine):
            look = paint(x, y, look)
        return look

    def _sky(self, x: np.ndarray, y: np.ndarray) -> Look:
        ox, oy = x - self.sun[0], y - self.sun[1]
        r = np.hypot(ox, oy)
        halo = 0.05 * np.sin(2.0 * np.pi * r / 0.085) * np.exp(-r / 0.5)
        cloud = self.mottle(2.2 * x, 9.0 * y)
        tone = r / (0.62 * max(self.width, self.height)) + halo + 0.07 * cloud + 0.12 * (self.horizon - y)
        color = ramp(tone, _SKY)
        color += smoothstep(0.082, 0.066, r)[:, None] * (_SUN - color)
        look = Look(color, np.arctan2(ox, -oy), np.ones_like(x), np.zeros(x.shape, int))
        for number, (height, hue) in enumerate(zip((0.085, 0.045), _MOUNTAINS, strict=True)):
            rise = 0.75 + 0.5 * self.ridge(1.6 * x + 7.0 * number, np.zeros_like(x) + 5.0 * number)
            top = self.horizon - height * rise * smoothstep(-0.1, 0.35, np.abs(ox + 0.1 * number) / self.width)
            light = 0.14 * np.exp(-r / 0.3)[:, None] * [1.0, 0.5, -0.2] + 0.05 * cloud[:, None]
            look = look.covered((y > top) & (y < self.horizon), hue + light, 0.3, 1)
        return look

    def _sea(self, x: np.ndarray, y: np.ndarray, look: Look) -> Look:
        ox, down = x - self.sun[0], np.maximum(y - self.horizon, 0.0) / (self.height - self.horizon)
        # Ripples look finer toward the horizon.
        ripple = y / (0.6 + down)
        path = np.exp(-((ox / (0.05 + 0.22 * down)) ** 2)) * (0.75 + 0.45 * self.mottle(3.0 * x, 38.0 * ripple))
        tone = 0.30 + 0.45 * down + 0.14 * self.mottle(3.5 * x + 3.0, 30.0 * ripple) - 0.75 * path + 0.25 * np.abs(ox)
        return look.covered(y >= self.horizon, ramp(tone, _SEA), 0.0, 1)

    def _boats(self, x: np.ndarray, y: np.ndarray, look: Look) -> Look:
        for number, (cx, cy, scale) in enumerate(self.boats):
            # Right and up from where the mast meets the water, in units of the mast.
            u, v = (x - cx) / scale, (cy - y) / scale
            sail = _SAILS[number]
            mirror = (v < -0.08) & (v > -0.75) & (np.abs(u + 0.05 * np.sin(40.0 * v)) < 0.22 * (1.0 + v))
            hull = (np.abs(v + 0.01) < 0.07) & (np.abs(u - 0.02) < 0.36 + 0.9 * v)
            main = (v > 0.09) & (u > 0.02) & (u < 0.40 * np.maximum(1.05 - v, 0.0) ** 0.75 + 0.02)
            jib = (v > 0.09) & (u < -0.02) & (u > -0.30 * np.maximum(0.92 - v, 0.0) ** 0.85 - 0.02)
            look = look.covered(mirror, 0.75 * sail + 0.1, 0.0, 2 + number)
            look = look.covered(hull, _HULL, 0.0, 2 + number)
            look = look.covered(main & (v < 1.05), sail, 1.4, 2 + number)
            look = look.covered(jib & (v < 0.92), np.minimum(1.1 * sail, 1.0) * [0.86, 0.80, 0.95], 1.4, 2 + number)
        return look

    def _shore(self, x: np.ndarray, y: np.ndarray, look: Look) -> Look:
        bank = self.height * (0.90 - 0.10 * smoothstep(0.55 * self.width, 0.0, x))
        bank += 0.012 * self.ridge(3.0 * x, np.zeros_like(x) + 2.0)
        rim = smoothstep(0.03, 0.0, y - bank)
        tone = 0.28 + 0.20 * self.mottle(5.0 * x + 9.0, 9.0 * y) + 0.5 * rim + 0.15 * x / self.width
        return look.covered(y > bank, ramp(tone, _SHORE), 0.15, 8)

    def _pine(self, x: np.ndarray, y: np.ndarray, look: Look) -> Look:
        t = np.clip((y / self.height - 0.18) / 0.85, 0.0, 1.0)
        off = (x - 0.17 * self.width - 0.035 * np.sin(5.0 * t) - 0.05 * t * (t - 1.0)) / (0.011 + 0.020 * t**2)
        trunk = (np.abs(off) < 1.0) & (y > 0.20 * self.height) & (y < 0.97 * self.height)
        bark = ramp(0.35 + 0.4 * off + 0.1 * self.mottle(9.0 * x, 30.0 * y), _BARK)
        look = look.covered(trunk, bark, 1.5, 9)
        for number, (cx, cy, half_width, half_height) in enumerate(self.clumps):
            u, v = (x - cx) / half_width, (y - cy) / half_height
            edge = u * u + v * v * np.where(v > 0.0, 2.0, 1.0) + 0.16 * self.mottle(9.0 * x + number, 9.0 * y)
            tone = 0.40 + 0.21 * u - 0.34 * v + 0.15 * self.mottle(12.0 * x, 12.0 * y + number)
            look = look.covered(edge < 1.0, ramp(tone, _CROWN), 0.4 + u, 10 + number)
        return look
