"""Breaking waves before a mountain, cut in wood and printed in a few flat blues."""

import dataclasses

import numpy as np

from likeness.research.checks import check_finite_positive
from likeness.research.synthetic.styles.palettes import palette, ramp
from likeness.research.synthetic.styles.protocol import begin, proportions
from likeness.research.synthetic.styles.sheet import Sheet, curve
from likeness.research.types import Float, PRNGKey

_INDIGO, _BLUE, _LIGHT, _PALE, _FOAM = palette("1b2a55", "2b5590", "7fabc4", "c3d9d6", "f8f2e0")
_SKY = palette("8e9a9c", "c4bda0", "e6d5a8", "f3e6c4", "f6ecd2")

# A wave that breaks to the right, in units of its height above its foot at (0, 1).
_BACK = np.array([[-0.12, 1.0], [-0.10, 0.62], [0.03, 0.32], [0.24, 0.13], [0.46, 0.085], [0.62, 0.17], [0.69, 0.40]])
_HOLLOW = np.array(
    [
        [1.15, 1.0],
        [0.86, 0.93],
        [0.58, 0.80],
        [0.42, 0.62],
        [0.37, 0.44],
        [0.42, 0.30],
        [0.52, 0.255],
        [0.60, 0.30],
        [0.69, 0.40],
    ]
)
_CUTS = (0.0, 0.07, 0.11, 0.18, 0.215, 0.29, 0.325, 0.40, 0.43, 0.505, 0.53, 0.60, 0.635, 0.70, 0.725, 0.80, 0.825, 0.90, 1.0)
_STRIPES = (
    *(_BLUE, _LIGHT, _INDIGO, _PALE, _BLUE, _FOAM, _INDIGO, _LIGHT, _BLUE),
    *(_FOAM, _INDIGO, _PALE, _BLUE, _LIGHT, _INDIGO, _PALE, _BLUE, _INDIGO),
)
_POINTS = 160


@dataclasses.dataclass(frozen=True, kw_only=True)
class Woodcut:
    """Two waves and the sea, after the manner of Japanese prints: outlines, stripes, and a sky that fades."""

    line: float = 1.0
    """Width of the outlines; 1 is about 0.6 % of the shorter side."""

    def __post_init__(self) -> None:
        check_finite_positive("Woodcut", "line", self.line)

    def __call__(self, size: tuple[int, int], key: PRNGKey) -> Float[np.ndarray, "h w 3"]:
        """Paints an image of ``size`` (height, width); see :class:`~likeness.research.synthetic.styles.Style`."""
        layout, texture = begin(size, key)
        sheet = Sheet.blank(size)
        _Print(sheet, layout, 0.0032 * self.line, *proportions(size)).draw()
        return sheet.printed(layout, texture)


@dataclasses.dataclass(frozen=True)
class _Print:
    sheet: Sheet
    rng: np.random.Generator
    line: float
    width: float
    height: float

    def draw(self) -> None:
        self._sky()
        self._mountain(0.66 * self.width, 0.70 * self.height)
        self._swells(0.71 * self.height, 0.06, 3, far=True)
        self._swells(0.80 * self.height, 0.06, 2, far=True)
        self._wave(np.array([0.99 * self.width, 0.98 * self.height]), 0.52, -1.0)
        self._wave(np.array([0.0, 1.02 * self.height]), 1.02, 1.0)
        self._swells(0.93 * self.height, 0.12, 3, far=False)

    def _outline(self, points: np.ndarray, color: np.ndarray = _INDIGO, weight: float = 1.0) -> None:
        # A knife's line swells and thins.
        self.sheet.ribbon(points, self.line * weight * (0.75 + 0.35 * np.sin(np.linspace(0.0, 9.0, len(points)))), color)

    def _sky(self) -> None:
        self.sheet.wash(ramp(np.linspace(0.0, 1.0, 512) / 0.55, _SKY))
        swell = np.sin(np.linspace(0.15, np.pi - 0.15, 200)) ** 0.4
        for _ in range(4):
            x, y = self.rng.uniform(0.25, 1.0) * self.width, self.rng.uniform(0.10, 0.40) * self.height
            length = self.rng.uniform(0.15, 0.30)
            for number in range(3):
                middle, half = x + self.rng.normal(0.0, 0.06), 0.5 * length * self.rng.uniform(0.5, 1.0)
                bar = np.stack([np.linspace(middle - half, middle + half, 200), np.full(200, y + 0.02 * number)], 1)
                self.sheet.ribbon(bar, 0.01 * swell, _SKY[-1])

    def _mountain(self, x: float, y: float) -> None:
        u = np.linspace(-1.0, 1.0, 120)
        rise = 0.16 * (1.0 - np.abs(u) ** 0.75) ** 1.15 + 0.004 * np.sin(23.0 * u)
        top = np.stack([x + 0.34 * u, y - rise], 1)
        self.sheet.area(np.concatenate([top, [[x + 0.34, y + 0.1], [x - 0.34, y + 0.1]]]), 0.75 * _BLUE + 0.25 * _INDIGO)
        snow = top[30:90]
        edge = np.linspace(snow[-1, 0], snow[0, 0], 13)
        edge = np.stack([edge, np.interp(edge, top[:, 0], top[:, 1])], 1)
        edge[1:-1, 1] += np.where(np.arange(11) % 2, 0.008, 0.044)
        self.sheet.area(np.concatenate([snow, edge]), _FOAM)
        self._outline(top)

    def _swells(self, level: float, rise: float, count: int, far: bool) -> None:
        x = np.linspace(-0.02, self.width + 0.02, 240)
        floor = np.array([[self.width + 0.02, self.height + 0.1], [-0.02, self.height + 0.1]])
        for number in range(count):
            phase, frequency = self.rng.uniform(0.0, 6.0), self.rng.uniform(3.2, 4.6)
            lift = 0.5 + 0.5 * np.sin(frequency * x + phase)
            top = np.stack([x, level + (0.03 if far else 0.05) * number - rise * lift**2], 1)
            even, odd = (_LIGHT, _BLUE) if far else (_BLUE, 0.5 * _INDIGO + 0.5 * _BLUE)
            self.sheet.area(np.concatenate([top, floor]), odd if number % 2 else even)
            self._outline(top)
            for stripe in range(1, 7):
                shift = (0.006 + 0.011 * stripe) * (0.5 + 0.8 * lift**2)
                width = 1.5 * self.line * lift**1.5 * (1.0 - 0.12 * stripe)
                self.sheet.ribbon(top + np.stack([0.0 * x, shift], 1), width, _PALE if stripe % 2 else _INDIGO)

    def _wave(self, foot: np.ndarray, scale: float, heading: float) -> None:
        def place(points: np.ndarray) -> np.ndarray:
            return foot + (points - [0.0, 1.0]) * [heading * scale, scale]

        back, hollow = (curve(self._shaken(points), _POINTS) for points in (_BACK, _HOLLOW))
        t = np.linspace(0.0, 1.0, _POINTS)[:, None]
        waver = 0.012 * np.sin(9.0 * t + self.rng.uniform(0.0, 6.0)) * (1.0 - t)

        def between(share: float) -> np.ndarray:
            return back + (hollow - back) * (share + waver * (0.0 < share < 1.0))

        for low, high, color in zip(_CUTS[:-1], _CUTS[1:], _STRIPES, strict=True):
            self.sheet.area(place(np.concatenate([between(low), between(high)[::-1]])), color)
        for cut in _CUTS:
            self._outline(place(between(cut)), weight=1.0 if cut in (0.0, 1.0) else 0.7 * scale)
        tangent = np.gradient(back, axis=0)
        tangent /= np.hypot(*tangent.T)[:, None]
        blobs, claws = self._blobs(back, tangent), self._claws(back, tangent)
        for padding, color in ((1.15 * self.line, _INDIGO), (0.0, _FOAM)):
            for middle, radius in blobs:
                self.sheet.ribbon(place(middle[None]), radius * scale + padding, color)
            for path, width in claws:
                self.sheet.ribbon(place(path), width * scale + padding, color)
        for middle, radius in blobs:
            if self.rng.uniform() < 0.45:
                arc = np.linspace(0.4, 2.2, 16) + self.rng.uniform(-0.5, 0.5)
                rim = middle + 0.55 * radius * np.stack([np.cos(arc), np.sin(arc)], 1)
                self.sheet.ribbon(place(rim), 0.35 * self.line, _LIGHT)
        for _ in range(110):
            late = self.rng.uniform() ** 0.6
            at = int(70 + 89 * late)
            drop = back[at] + _outward(tangent[at]) * abs(self.rng.normal(0.0, 0.05)) + self.rng.normal(0.0, 0.035, 2)
            drop[0] += 0.05 * late
            self.sheet.ribbon(place(drop[None]), scale * self.rng.uniform(0.002, 0.0062), _FOAM)

    def _shaken(self, points: np.ndarray) -> np.ndarray:
        shaken = points.copy()
        shaken[1:-1] += self.rng.normal(0.0, 0.01, (len(points) - 2, 2))
        return shaken

    def _blobs(self, back: np.ndarray, tangent: np.ndarray) -> list[tuple[np.ndarray, float]]:
        """The foam's body: disks along the crest, larger toward its tip."""
        blobs = []
        for at in np.repeat(np.arange(58, _POINTS, 2), 2):
            late = (at - 58) / 101
            inward = 0.006 + 0.042 * late * self.rng.uniform(-0.2, 1.0)
            middle = back[at] - _outward(tangent[at]) * inward + self.rng.normal(0.0, 0.006, 2)
            blobs.append((middle, (0.010 + 0.014 * late) * self.rng.uniform(0.7, 1.3)))
        return blobs

    def _claws(self, back: np.ndarray, tangent: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """The foam's fingers: curves that reach forward and down, three smaller ones on each."""
        claws, u = [], np.linspace(0.0, 1.0, 24)
        for at in range(74, _POINTS, 2):
            late = (at - 74) / 85
            ahead = np.arctan2(*tangent[at][::-1])
            for inward in (0.75, 0.20) if late > 0.55 else (0.75,):
                start = back[at] - _outward(tangent[at]) * (0.012 + 0.055 * late) * inward * self.rng.uniform(0.7, 1.1)
                heading = ahead + (0.95 * inward + 0.1) * (1.15 - 0.75 * late) + self.rng.normal(0.0, 0.18)
                length = (0.055 + 0.095 * late) * self.rng.uniform(0.7, 1.2) * (0.6 + 0.5 * inward)
                angle = heading + self.rng.uniform(6.0, 16.0) * (0.4 + late) * length * u**1.3
                path, size = _walk(start, angle, length), 0.45 + 0.6 * late
                claws.append((path, 0.014 * size * (1.0 - u) ** 0.7 + 0.001))
                for joint, side in ((8, 1.0), (12, -1.0), (16, 1.0)):
                    bend = angle[joint] + side * (self.rng.uniform(0.6, 1.0) + 7.0 * length * u)
                    finger = _walk(path[joint], bend, (0.42 - 0.008 * joint) * length)
                    claws.append((finger, 0.0062 * size * (1.0 - u) ** 0.7 + 0.0008))
        return claws


def _outward(tangent: np.ndarray) -> np.ndarray:
    return np.array([tangent[1], -tangent[0]])


def _walk(start: np.ndarray, angle: np.ndarray, length: float) -> np.ndarray:
    """The curve of a length that sets out from a point and turns as the angles say."""
    return start + np.cumsum(np.stack([np.cos(angle), np.sin(angle)], 1), 0) * (length / len(angle))
