"""A texture: a pattern, how large and in which direction, bent or straight, in which colors and in which light."""

import dataclasses
import math
from typing import Literal, TypeAlias

import numpy as np

from likeness.research.synthetic.textures.lattice import fractal
from likeness.research.synthetic.textures.patterns import PATTERNS, Pattern
from likeness.research.types import Float

VERSION = 1
"""Of what is drawn: another version draws other images."""

Change: TypeAlias = Literal["none", "colors", "size", "direction", "grain"]
CHANGES: tuple[Change, ...] = ("none", "colors", "size", "direction", "grain")
"""What makes the textures of a family."""


@dataclasses.dataclass(frozen=True, eq=False)
class Texture:
    """A texture that can be drawn again and again: each time another piece of it, in slightly other light."""

    pattern: Pattern
    over: Pattern | None
    """A second pattern, where there is one."""
    joined: Literal["multiply", "regions", "bend"]
    """How: its values are factors; it is seen in places; it bends the first."""
    period: float
    """Of the first, in pixels."""
    ratio: float
    """Of the second's period to the first's."""
    angle: float
    """In radians."""
    turn: float
    """Of the second beside the first, in radians."""
    bend: float
    """How far the plane is bent, in periods."""
    reach: float
    """Over how many periods."""
    palette: Float[np.ndarray, "n 3"]
    """From dark to light, or in any order."""
    flat: bool
    """Whether there are only the palette's colors and none between."""
    relief: float
    """How high the paint stands."""
    grain: tuple[float, float]
    """Standard deviation of the noise that lies on it, of light and dark, and of colors."""

    @classmethod
    def draw(cls, rng: np.random.Generator, smallest: float = 3.0, largest: float = 28.0) -> "Texture":
        """A texture whose period is between two numbers of pixels."""
        kinds = [PATTERNS[index] for index in rng.integers(len(PATTERNS), size=2)]
        second = kinds[1].draw(rng) if rng.uniform() < 0.4 else None
        return cls(
            pattern=kinds[0].draw(rng),
            over=second,
            joined=("multiply", "regions", "bend")[int(rng.integers(3))],
            period=float(smallest * (largest / smallest) ** rng.uniform()),
            ratio=float(rng.choice([0.4, 0.7, 1.5, 2.5])),
            angle=float(rng.uniform(0.0, 2 * np.pi)),
            turn=float(rng.uniform(0.0, np.pi)),
            bend=float(rng.choice([0.0, 0.15, 0.5, 1.2])) * float(rng.uniform(0.5, 1.5)),
            reach=float(rng.choice([1.5, 3.0, 6.0])),
            palette=colors(rng),
            flat=bool(rng.uniform() < 0.25),
            relief=float(rng.choice([0.0, 0.0, 0.4, 0.9])),
            grain=_grain(rng) if rng.uniform() < 0.3 else (0.0, 0.0),
        )

    def changed(self, change: Change, rng: np.random.Generator) -> "Texture":
        """The same with another palette, at another size, in another direction, or grainy where it was smooth, so that it takes
        a second look to tell."""
        match change:
            case "none":
                return self
            case "colors":
                return dataclasses.replace(self, palette=colors(rng))
            case "size":
                factor = float(rng.uniform(1.5, 2.0))
                return dataclasses.replace(self, period=self.period * (factor if self.period < 9.0 else 1 / factor))
            case "direction":
                return dataclasses.replace(self, angle=self.angle + float(rng.uniform(np.pi / 6, 5 * np.pi / 6)))
            case "grain":
                return dataclasses.replace(self, grain=(0.0, 0.0) if any(self.grain) else _grain(rng))

    def __call__(self, size: int, rng: np.random.Generator, supersampled: int = 2) -> Float[np.ndarray, "size size 3"]:
        """A square of it, sRGB in [0, 1]."""
        side = size * supersampled
        axis = (np.arange(side, dtype=np.float32) + 0.5) / supersampled
        salt = int(rng.integers(2**31))
        angle = self.angle + float(rng.normal(0.0, 0.05))
        period = self.period * math.exp(rng.normal(0.0, 0.05))
        x, y = np.meshgrid(axis, axis)
        x, y = _turned((x + float(rng.uniform(0, 1000))) / period, (y + float(rng.uniform(0, 1000))) / period, angle)
        x, y = self._bent(x, y, salt)
        value = self._value(x, y, salt)
        image = self._colored(value, rng)
        if self.relief:
            down, right = np.gradient(value, 1.0 / supersampled)
            light = float(rng.uniform(0, 2 * np.pi))
            shade = self.relief * (math.cos(light) * right + math.sin(light) * down)
            image = image + np.tanh(shade)[..., None] * 0.35
        image = image.reshape(size, supersampled, size, supersampled, 3).mean(axis=(1, 3))
        light, tint = self.grain
        noise = light * rng.standard_normal((size, size, 1), np.float32) + tint * rng.standard_normal(
            (size, size, 3), np.float32
        )
        return _lit(image + noise, rng)

    def _bent(self, x: np.ndarray, y: np.ndarray, salt: int) -> tuple[np.ndarray, np.ndarray]:
        if not self.bend:
            return x, y
        dx, dy = (fractal(x / self.reach, y / self.reach, salt + k, 2, 0.5) - 0.5 for k in (11, 13))
        return x + 2 * self.bend * self.reach * dx, y + 2 * self.bend * self.reach * dy

    def _value(self, x: np.ndarray, y: np.ndarray, salt: int) -> np.ndarray:
        if self.over is None:
            return self.pattern(x, y, salt)
        across, down = _turned(x / self.ratio, y / self.ratio, self.turn)
        other = self.over(across, down, salt + 7)
        if self.joined == "bend":
            return self.pattern(x + 0.4 * other, y + 0.4 * other, salt)
        first = self.pattern(x, y, salt)
        if self.joined == "multiply":
            return first * (0.35 + 0.65 * other)
        seen = np.clip(12.0 * (fractal(x / 6.0, y / 6.0, salt + 17, 2, 0.5) - 0.5) + 0.5, 0.0, 1.0)
        return first * seen + other * (1.0 - seen)

    def _colored(self, value: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        palette = np.clip(self.palette + rng.normal(0.0, 0.025, self.palette.shape), 0.0, 1.0)
        count = len(palette)
        if self.flat:
            return palette[np.minimum((value * count).astype(int), count - 1)]
        grid = np.linspace(0.0, 1.0, count)
        return np.stack([np.interp(value, grid, palette[:, channel]) for channel in range(3)], axis=-1)


def colors(rng: np.random.Generator) -> Float[np.ndarray, "n 3"]:
    """Two to five colors: around one hue or of all hues, mostly from dark to light."""
    count = int(rng.integers(2, 6))
    light = np.sort(rng.uniform(0.05, 0.95, count)) if rng.uniform() < 0.75 else rng.uniform(0.05, 0.95, count)
    if light.max() - light.min() < 0.35:
        light = np.linspace(0.15, 0.85, count)
    tint = rng.normal(0.0, rng.choice([0.03, 0.12]), (1, 3)) + rng.normal(0.0, rng.choice([0.02, 0.15, 0.3]), (count, 3))
    return np.clip(light[:, None] + tint - tint.mean(axis=1, keepdims=True), 0.0, 1.0)


def _grain(rng: np.random.Generator) -> tuple[float, float]:
    """Of light and dark, of colors, or of both, from what is hardly seen to what covers a pattern."""
    amount, kind = float(0.02 * 8.0 ** rng.uniform()), int(rng.integers(3))
    return (0.0 if kind == 1 else amount, 0.0 if kind == 0 else amount)


def _turned(x: np.ndarray, y: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return c * x + s * y, c * y - s * x


def _lit(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """In the light of another day: brighter or darker, warmer or colder, lighter toward one side."""
    height, width, _ = image.shape
    gains = np.exp(rng.normal(0.0, 0.08) + rng.normal(0.0, 0.03, 3))
    down, right = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    slope = rng.normal(0.0, 0.08, 2)
    image = np.clip(image, 0.0, 1.0) ** np.exp(rng.normal(0.0, 0.08))
    image = image * gains * (1.0 + slope[0] * down + slope[1] * right)[..., None]
    return np.clip(image, 0.0, 1.0).astype(np.float32)
