"""What is drawn over a wash with the tip of the brush: a pine, and birds."""

from collections.abc import Callable

import numpy as np

from likeness.research.synthetic.styles.brush import Strokes, join
from likeness.research.synthetic.styles.palettes import palette
from likeness.research.types import Float

_INK = palette("13151a")
_DILUTE = palette("f4eddf")
_BRANCHES = ((0.42, 1, 0.24), (0.55, -1, 0.15), (0.66, 1, 0.22), (0.80, -1, 0.13), (0.90, 1, 0.14), (1.0, 1, 0.05))
"""Where on the trunk, to which side, how far."""


def pine(width: float, height: float, unit: int, rng: np.random.Generator) -> Strokes:
    """A pine that leans in from the left: trunk, branches, tufts of needles with a paler tuft behind each."""
    root, tip = np.array([-0.02, 0.93 * height]), np.array([0.40 * min(width, 1.3), 0.37 * height])
    bends = np.array([[0.0, 0.0], [0.30, 0.22], [0.42, 0.62], [0.75, 0.80], [1.0, 1.0]])
    trunk = _cubic(root + (tip - root) * bends)
    wood, tufts = [_limb(trunk(np.linspace(0.0, 1.0, 22)), 0.020, 0.005, rng)], []
    for where, side, reach in _BRANCHES:
        start = trunk(np.array([where]))[0]
        droop = rng.standard_normal(2) * [0.010, 0.015]
        branch = start + np.array([[0.0, 0.0], [0.5 * side * reach, -0.03 + droop[0]], [side * reach, -0.015 + droop[1]]])
        wood.append(_limb(_cubic(branch)(np.linspace(0.0, 1.0, 8)), 0.006, 0.002, rng))
        for share in np.linspace(0.3, 1.05, 6):
            x, y = start + rng.normal(0.0, 0.008, 2)
            tufts.append(_tuft(x + side * reach * share, y - 0.03 * np.sin(np.pi * share) - 0.012, 0.046, rng))
    needles = np.concatenate(tufts)
    behind = needles + np.array([0.0, 0.006, 0.0, 0.0, 0.0, 0.0012])
    return join(
        [
            _ink(np.concatenate(wood), unit, rng, (0.0, 0.10), 0.6),
            _ink(behind, unit, rng, (0.35, 0.60), 0.6),
            _ink(needles, unit, rng, (0.0, 0.20), 0.3),
        ]
    )


def birds(width: float, height: float, unit: int, rng: np.random.Generator) -> Strokes:
    """Five, flying up to the right, two strokes each."""
    rows = []
    for number in range(5):
        x = 0.50 * width + 0.035 * number + rng.normal(0.0, 0.008)
        y = 0.17 * height - 0.014 * number + rng.normal(0.0, 0.012)
        wing = rng.uniform(0.008, 0.013)
        rows += [[x + 0.8 * side * wing, y - 0.3 * wing, -0.45 * side, 40.0, wing, 0.0016] for side in (-1, 1)]
    return _ink(np.array(rows), unit, rng, (0.05, 0.20), 0.2)


def _cubic(points: Float[np.ndarray, "n 2"]) -> Callable[[np.ndarray], np.ndarray]:
    """The cubic over [0, 1] that is nearest to the points."""
    weights = np.polyfit(np.linspace(0.0, 1.0, len(points)), points, min(3, len(points) - 1))
    return lambda t: np.vander(t, len(weights)) @ weights


def _limb(points: np.ndarray, thick: float, thin: float, rng: np.random.Generator) -> np.ndarray:
    """Overlapping strokes along a curve, ever thinner: x, y, angle, curvature, half length, half width."""
    step = np.gradient(points, axis=0)
    count = len(points)
    width = np.linspace(thick, thin, count) * rng.uniform(0.85, 1.15, count)
    angle = np.arctan2(step[:, 1], step[:, 0]) + rng.normal(0.0, 0.12, count)
    return np.stack([*points.T, angle, rng.normal(0.0, 3.0, count), 0.95 * np.hypot(*step.T), width], 1)


def _tuft(x: float, y: float, size: float, rng: np.random.Generator, count: int = 44) -> np.ndarray:
    """Needles that fan out upward, as rows like those of :func:`_limb`."""
    angle, reach = rng.uniform(-1.08 * np.pi, 0.08 * np.pi, count), size * rng.uniform(0.6, 1.0, count)
    cos, sin = np.cos(angle), 0.76 * np.sin(angle)
    bend, width = rng.normal(0.0, 4.0, count), np.full(count, 0.0016)
    return np.stack([x + 0.5 * reach * cos, y + 0.5 * reach * sin, np.arctan2(sin, cos), bend, 0.5 * reach, width], 1)


def _ink(rows: np.ndarray, unit: int, rng: np.random.Generator, dilution: tuple[float, float], dryness: float) -> Strokes:
    x, y, angle, bend, length, width = rows.T
    share = rng.uniform(*dilution, (len(rows), 1))
    color = _INK * (1.0 - share) + _DILUTE * share
    return Strokes(
        x=x * unit,
        y=y * unit,
        angle=angle,
        curvature=bend / unit,
        length=length * unit,
        width=width * unit,
        dryness=np.full(len(rows), dryness),
        color=color,
        streak=0.86 * color + 0.14 * _DILUTE,
    )
