"""A night in motion: thick strokes of oil that follow the curl of a noise field, and vortices in it."""

import dataclasses

import numpy as np

from likeness.research.checks import check_finite_positive
from likeness.research.synthetic.styles.brush import PaintCanvas
from likeness.research.synthetic.styles.noise import Noise, smoothstep
from likeness.research.synthetic.styles.palettes import palette, ramp
from likeness.research.synthetic.styles.protocol import begin, proportions
from likeness.research.synthetic.styles.scene import Look, PaintLayer, back_to_front, underpainting
from likeness.research.types import Float, PRNGKey

_SKY = palette("0d1740", "14296b", "1c4592", "2a66b0", "4f90c4", "8fbfd0", "d3e0c6", "f3efc9")
_STAR = palette("fffbe6", "ffef9f", "fbcf4a", "f0b23a", "d9d59a", "8fbcb0", "4f8fb5", "2a66b0")
_CRESCENT = palette("ed8519")
_HILLS = (
    palette("1a3a6b", "27568c", "3b7796", "5f9a96"),
    palette("15304f", "1f4f63", "37776b", "6d9f6a", "b4bd72"),
    palette("0d1c2c", "173a3f", "2c5f46", "5d8448", "a39c4a"),
)
_TREE = palette("070d10", "0f1f1c", "1b3526", "38492a", "6b5a2c")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CurlStrokes:
    """Stars and two spirals in a night sky over hills, a cypress in front.

    The sky's strokes follow the curl ``(∂ψ/∂y, -∂ψ/∂x)`` of a stream function ``ψ = y + noise``, so they neither
    begin nor end, turned into rings around each star and into logarithmic spirals around each vortex. Three layers,
    from coarse to fine.
    """

    stars: int = 10
    """The moon included; fewer where there is no room."""
    stroke: float = 1.0
    """Size of the strokes; 1 is half a length of 6 % of the shorter side in the coarsest layer."""

    def __post_init__(self) -> None:
        check_finite_positive("CurlStrokes", "stroke", self.stroke)
        if self.stars < 1:
            raise ValueError(f"CurlStrokes(stars={self.stars}): the moon is the first star, so give 1 or more.")

    def __call__(self, size: tuple[int, int], key: PRNGKey) -> Float[np.ndarray, "h w 3"]:
        """Paints an image of ``size`` (height, width); see :class:`~likeness.research.synthetic.styles.Style`."""
        layout, texture = begin(size, key)
        night = _Night.draw(layout, *proportions(size), self.stars)
        canvas = PaintCanvas.prime(underpainting(night, size), texture)
        layers = [
            PaintLayer(
                length=length * self.stroke,
                width=width * self.stroke,
                cover=cover,
                dryness=dryness,
                value=value,
                hue=0.025,
                streak=0.26,
                wander=0.08,
            )
            for length, width, cover, dryness, value in (
                (0.060, 0.0130, 3.0, 0.10, 0.10),
                (0.046, 0.0080, 2.4, 0.40, 0.12),
                (0.034, 0.0050, 1.2, 0.60, 0.16),
            )
        ]
        canvas.paint(back_to_front([layer(night, size, layout) for layer in layers]))
        return canvas.lit(0.3)


@dataclasses.dataclass(frozen=True)
class _Night:
    width: float
    height: float
    spirals: Float[np.ndarray, "s 4"]
    """x, y, radius, sense of rotation."""
    stars: Float[np.ndarray, "t 3"]
    """x, y, radius; the first is the moon."""
    warp: Noise
    ridge: Noise
    streaks: Noise
    mottle: Noise

    @classmethod
    def draw(cls, rng: np.random.Generator, width: float, height: float, count: int) -> "_Night":
        x, y = 0.44 * width, 0.33 * height
        spirals = np.array([[x, y, 0.20, 1.0], [x + 0.33, y + 0.10 * height, 0.13, -1.0]])
        spirals[:, :2] += rng.normal(0.0, 0.02, 2)
        stars = [np.array([width - 0.19, 0.19 * height, 0.085])]
        for _ in range(600):
            if len(stars) == count:
                break
            place = rng.uniform((0.05, 0.05), (width - 0.05, 0.58 * height))
            radius = 0.018 + 0.034 * rng.uniform() ** 1.5
            free = abs(place[0] - 0.15 * width) > 0.05 + radius
            free &= all(np.hypot(*(place - s[:2])) > 0.05 + 1.5 * radius + 2.0 * s[2] for s in stars)
            free &= all(np.hypot(*(place - s[:2])) > 1.25 * s[2] + radius for s in spirals)
            if free:
                stars.append(np.array([*place, radius]))
        noises = (Noise.draw(rng, 3), Noise.draw(rng, 4, 0.45), Noise.draw(rng, 3), Noise.draw(rng, 3))
        return cls(width, height, spirals, np.array(stars), *noises)

    def __call__(self, x: np.ndarray, y: np.ndarray) -> Look:
        return self._tree(x, y, self._hills(x, y, self._sky(x, y)))

    def _sky(self, x: np.ndarray, y: np.ndarray) -> Look:
        h = 0.01
        psi = self._stream(x, y)
        dx = (self._stream(x, y + h) - self._stream(x, y - h)) / (2.0 * h)
        dy = (self._stream(x - h, y) - self._stream(x + h, y)) / (2.0 * h)
        ribbon = self.streaks(0.9 * x, 11.0 * psi)
        dawn = smoothstep(0.15 * self.height, 0.72 * self.height, y)
        tone = 0.22 + 0.13 * ribbon + 0.05 * self.mottle(4.0 * x, 4.0 * y) + 0.34 * dawn
        pitch = 0.3
        for cx, cy, radius, sense in self.spirals:
            ox, oy = x - cx, y - cy
            r = np.hypot(ox, oy) + 1e-9
            pull = 1.0 / (1.0 + (r / (1.45 * radius)) ** 6)
            dx += pull * ((-sense * oy - pitch * ox) / r - dx)
            dy += pull * ((sense * ox - pitch * oy) / r - dy)
            # Strokes run along the arms: both are logarithmic spirals of one pitch.
            phase = (1.0 + (radius > 0.15)) * (sense * np.arctan2(oy, ox) + np.log(r / radius) / pitch)
            arms = 0.45 + 0.25 * np.sin(phase + 0.8 * self.mottle(3.0 * x, 3.0 * y)) + 0.1 * ribbon
            arms += 0.35 * np.exp(-((r / (0.22 * radius)) ** 2))
            tone += (arms - tone) / (1.0 + (r / (1.2 * radius)) ** 6)
        color = ramp(tone, _SKY)
        for number, (cx, cy, radius) in enumerate(self.stars):
            ox, oy = x - cx, y - cy
            r = np.hypot(ox, oy) + 1e-9
            pull = 1.0 / (1.0 + (r / (2.3 * radius)) ** 6)
            dx, dy = dx + pull * (-oy / r - dx), dy + pull * (ox / r - dy)
            q = r / radius + 0.08 * self.streaks(5.0 * x, 5.0 * y)
            rings = q / 2.3 + 0.06 * np.sin(2.0 * np.pi * q / 0.62) * smoothstep(0.3, 0.8, q)
            color += smoothstep(2.4, 1.2, q)[:, None] * (ramp(rings, _STAR) - color)
            if number == 0:
                bite = np.hypot(ox - 0.30 * radius, oy + 0.14 * radius) / radius
                crescent = smoothstep(0.74, 0.66, q) * smoothstep(0.46, 0.54, bite)
                color += crescent[:, None] * (_CRESCENT - color)
        return Look(color, np.arctan2(dy, dx), np.ones_like(x), np.zeros(x.shape, int))

    def _stream(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return y + 0.07 * self.warp(1.7 * x, 2.4 * y)

    def _hills(self, x: np.ndarray, y: np.ndarray, look: Look) -> Look:
        across, zero = x / self.width, np.zeros_like(x)
        tops = (
            self.height * (0.74 - 0.07 * np.cos(3.0 * (across - 0.72))) - 0.028 * self.ridge(2.0 * x, zero + 3.1),
            self.height * 0.80 - 0.030 * self.ridge(1.5 * x, zero + 9.7) + 0.03 * np.cos(4.0 * across),
            self.height * 0.90 - 0.035 * self.ridge(1.2 * x, zero + 21.7) - 0.04 * (across - 0.3),
        )
        for number, (top, colors) in enumerate(zip(tops, _HILLS, strict=True)):
            below, shift = y - top, (0.0, 5.0, 9.0)[number]
            tone = 0.42 + 0.24 * self.mottle(3.0 * x + shift, 9.0 * y + shift) - 1.1 * np.clip(below, 0.0, 0.25)
            tone += 0.4 * smoothstep(0.018, 0.004, np.abs(below))
            slope = np.arctan(0.26 * self.warp(2.6 * x + shift, 3.0 * y))
            look = look.covered(below > 0.0, ramp(tone, colors), slope, 1 + number, detail=0.75)
        return look

    def _tree(self, x: np.ndarray, y: np.ndarray, look: Look) -> Look:
        foot, stem = 1.04 * self.height, 0.15 * self.width
        spires = ((0.0, 0.10, 0.085, 0.0), (0.085, 0.50, 0.050, 4.0), (-0.07, 0.62, 0.040, 2.0))
        for number, (shift, top, breadth, phase) in enumerate(spires):
            # 0 at the tip, 1 at the foot
            q = np.clip((y - top * self.height) / (foot - top * self.height), 0.0, 1.0)
            sway = 0.02 * np.sin(7.0 * q + phase) * q
            flames = 1.0 + 0.16 * np.sin(19.0 * q + 1.0 + phase) + 0.10 * np.sin(43.0 * q + phase)
            half = 1.45 * breadth * q**0.85 * (1.0 - 0.32 * q) * flames + 0.002
            off = (x - stem - shift - sway) / half
            tone = 0.34 + 0.25 * self.streaks(24.0 * (x - sway) + phase, 4.0 * y) - 0.16 * off + 0.15 * (np.abs(off) > 0.75)
            lean = 0.3 * np.cos(19.0 * q + 1.0 + phase) + 0.3 * off + 0.25 * self.warp(9.0 * x, 7.0 * y)
            where = (np.abs(off) < 1.0) & (q > 0.0)
            look = look.covered(where, ramp(tone, _TREE), np.arctan2(1.0, lean), 4 + number, detail=0.75)
        return look
