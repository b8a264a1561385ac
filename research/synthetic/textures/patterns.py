"""What a texture is made of: functions of the plane whose period is 1."""

import dataclasses
import math
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np

from likeness.research.synthetic.textures.lattice import cells, fractal, hashed, noise, uniform
from likeness.research.types import Float

Plane: TypeAlias = Float[np.ndarray, "*shape"]


@runtime_checkable
class Pattern(Protocol):
    """A function of the plane, of about unit period, with values in [0, 1]."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Pattern":
        """One of the kind."""
        ...

    def __call__(self, x: Plane, y: Plane, salt: int) -> Plane:
        """Its values; another salt is another piece of the same pattern."""
        ...


def _step(values: Plane, sharpness: float) -> Plane:
    """From -1…1 to 0…1: soft, or nearly black and white."""
    return np.clip(0.5 + 0.5 * np.tanh(sharpness * values) / math.tanh(sharpness), 0.0, 1.0)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """Evenly on a logarithmic scale."""
    return float(low * (high / low) ** rng.uniform())


def _even(rng: np.random.Generator, low: float, high: float) -> float:
    # NumPy's own numbers would make float64 of all that they are multiplied with.
    return float(rng.uniform(low, high))


def _one_of(rng: np.random.Generator, *values: float) -> float:
    return float(rng.choice(values))


@dataclasses.dataclass(frozen=True)
class Stripes:
    """Bands."""

    sharpness: float
    share: float
    uneven: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Stripes":
        """One of the kind."""
        return cls(_between(rng, 0.5, 12.0), _even(rng, -0.6, 0.6), _one_of(rng, 0.0, 0.0, 0.6))

    def __call__(self, x: Plane, y: Plane, salt: int) -> Plane:
        """A wave along x."""
        x = x + self.uneven * noise(x, 0 * y, salt)
        return _step(np.sin(2 * np.pi * x) - self.share, self.sharpness)


@dataclasses.dataclass(frozen=True)
class Crossed:
    """Two sets of bands, woven, multiplied, or one over the other."""

    sharpness: float
    ratio: float
    slant: float
    how: int

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Crossed":
        """One of the kind."""
        return cls(
            _between(rng, 0.7, 10.0), _one_of(rng, 1.0, 1.0, 0.5, 2.0), _one_of(rng, 0.0, 0.0, 0.6), int(rng.integers(4))
        )

    def __call__(self, x: Plane, y: Plane, salt: int) -> Plane:
        """Both at once."""
        across = self.ratio * (y + self.slant * x)
        a, b = np.sin(2 * np.pi * x), np.sin(2 * np.pi * across)
        if self.how == 0:
            return _step(a * b, self.sharpness)
        if self.how == 1:
            return _step(np.maximum(a, b) - 0.3, self.sharpness)
        if self.how == 2:
            return _step(0.5 * (a + b), self.sharpness)
        over = (np.floor(x) + np.floor(across)) % 2
        thread = np.abs(np.where(over > 0, np.sin(np.pi * x), np.sin(np.pi * across)))
        return thread * (0.55 + 0.45 * over)


@dataclasses.dataclass(frozen=True)
class Bricks:
    """Rows of blocks with joints between them, each of its own tone."""

    length: float
    joint: float
    shift: float
    tone: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Bricks":
        """One of the kind."""
        return cls(_between(rng, 1.0, 4.0), _even(rng, 0.04, 0.2), _one_of(rng, 0.0, 0.5, 0.33), _even(rng, 0.0, 1.0))

    def __call__(self, x: Plane, y: Plane, salt: int) -> Plane:
        """The tone of a block, 0 in the joints."""
        row = np.floor(y)
        along = x / self.length + self.shift * row
        column = np.floor(along)
        inside = np.minimum(np.minimum(along - column, column + 1 - along) * self.length, np.minimum(y - row, row + 1 - y))
        value = 1.0 - self.tone * uniform(hashed(column, row, salt))
        return value * np.clip((inside - self.joint / 2) / 0.06 + 0.5, 0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class Cellular:
    """Cells of scattered points: flat tiles, borders only, pebbles, or dots of many sizes."""

    jitter: float
    kind: int
    width: float
    stretch: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Cellular":
        """One of the kind."""
        stretch = _one_of(rng, 1.0, 1.0, _between(rng, 2.0, 7.0))
        return cls(_one_of(rng, 0.0, 0.5, 1.0, 1.0), int(rng.integers(5)), _between(rng, 0.04, 0.3), stretch)

    def __call__(self, x: Plane, y: Plane, salt: int) -> Plane:
        """By the distances from the two nearest points."""
        found = cells(x / self.stretch, y, salt, self.jitter)
        tone = uniform(found.word, 2)
        border = np.clip((found.second - found.nearest) / self.width, 0.0, 1.0)
        if self.kind == 0:
            return tone
        if self.kind == 1:
            return border
        if self.kind == 2:
            return tone * border
        if self.kind == 3:
            return np.clip(1.3 - 1.5 * found.nearest, 0.0, 1.0)
        radius = 0.15 + self.width + 0.2 * self.jitter * (uniform(found.word, 3) - 0.5)
        return np.clip((radius - found.nearest) / 0.08 + 0.5, 0.0, 1.0) * (0.5 + 0.5 * tone)


@dataclasses.dataclass(frozen=True)
class Clouds:
    """Noise of several octaves: soft, in spots, in ridges, or as veins of marble; stretched, it is hair or brushed paint."""

    octaves: int
    gain: float
    kind: int
    sharpness: float
    stretch: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Clouds":
        """One of the kind."""
        stretch = _one_of(rng, 1.0, _between(rng, 2.0, 12.0), _between(rng, 2.0, 12.0))
        return cls(int(rng.integers(1, 5)), _even(rng, 0.4, 0.8), int(rng.integers(4)), _between(rng, 1.0, 10.0), stretch)

    def __call__(self, x: Plane, y: Plane, salt: int) -> Plane:
        """The noise, shaped."""
        value = fractal(x / self.stretch, y, salt, self.octaves, self.gain)
        if self.kind == 1:
            return _step(3.0 * (value - 0.5), self.sharpness)
        if self.kind == 2:
            return 1.0 - np.clip(6.0 / self.sharpness**0.5 * np.abs(value - 0.5), 0.0, 1.0)
        if self.kind == 3:
            return 0.5 + 0.5 * np.sin(2 * np.pi * (x + 3.0 * value))
        return np.clip(2.0 * (value - 0.25), 0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class Dabs:
    """Short strokes laid over one another, each of one tone, with the streaks of its bristles."""

    length: float
    layers: int
    bristles: float
    tone: float
    wander: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Dabs":
        """One of the kind."""
        return cls(
            _between(rng, 1.2, 6.0), int(rng.integers(2, 5)), _even(rng, 0.0, 0.5), _even(rng, 0.3, 1.0), _even(rng, 0.0, 0.5)
        )

    def __call__(self, x: Plane, y: Plane, salt: int) -> Plane:
        """The tone of the uppermost stroke."""
        value = uniform(hashed(np.floor(x / 8), np.floor(y / 8), salt)) * 0.2 + 0.3
        for layer in range(self.layers):
            turned = y + self.wander * np.sin(x / self.length + 2.1 * layer)
            found = cells(x / self.length + 0.37 * layer, turned + 0.61 * layer, salt + 977 * layer, 0.8)
            own = uniform(found.word, 2)
            streak = 1.0 - self.bristles * noise(x / self.length, 5.0 * turned, salt + layer)
            shape = np.clip((0.42 - found.nearest) / 0.08 + 0.5, 0.0, 1.0)
            value = value * (1.0 - shape) + shape * (0.5 + self.tone * (own - 0.5)) * streak
        return np.clip(value, 0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class Scales:
    """Discs that overlap like roof tiles, with rings in them."""

    rings: float
    sharpness: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Scales":
        """One of the kind."""
        return cls(_one_of(rng, 0.5, 1.0, 2.0, 3.0), _between(rng, 0.7, 8.0))

    def __call__(self, x: Plane, y: Plane, salt: int) -> Plane:
        """By the distance from the middle of the disc on top."""
        value, rows = np.zeros_like(x), np.floor(2.0 * y)
        for j in (-1, 0, 1, 2):
            row = rows + j
            shift = 0.5 * (row % 2)
            dx = x - shift - np.floor(x - shift) - 0.5
            distance = np.hypot(dx, y - 0.5 * row)
            ring = _step(np.sin(2 * np.pi * self.rings * distance / 0.56), self.sharpness)
            value = np.where(distance < 0.56, ring, value)
        return value


@dataclasses.dataclass(frozen=True)
class Rings:
    """Rings, spirals or stars around scattered centers."""

    period: float
    arms: int
    jitter: float
    sharpness: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Rings":
        """One of the kind."""
        return cls(_between(rng, 0.12, 0.5), int(rng.integers(-3, 4)), _even(rng, 0.0, 1.0), _between(rng, 0.5, 8.0))

    def __call__(self, x: Plane, y: Plane, salt: int) -> Plane:
        """A wave along the radius and around it."""
        row = np.floor(y)
        column = np.floor(x)
        bits = hashed(column, row, salt)
        dx = x - column - 0.5 - 0.5 * self.jitter * (uniform(bits) - 0.5)
        dy = y - row - 0.5 - 0.5 * self.jitter * (uniform(bits, 1) - 0.5)
        radius, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
        wave = np.sin(2 * np.pi * radius / self.period + self.arms * angle + 6.28 * uniform(bits, 2))
        return np.where(radius < 0.5, _step(wave, self.sharpness), uniform(bits, 3))


PATTERNS: tuple[type[Pattern], ...] = (Stripes, Crossed, Bricks, Cellular, Cellular, Clouds, Clouds, Dabs, Dabs, Scales, Rings)
"""The kinds, those that come in more forms more often."""
