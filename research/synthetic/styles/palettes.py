"""Colors as a painter lays them out."""

import numpy as np

from likeness.research.types import Float


def palette(*codes: str) -> Float[np.ndarray, "n 3"]:
    """sRGB colors in [0, 1] from their six hexadecimal digits."""
    return np.array([[int(code[i : i + 2], 16) / 255.0 for i in (0, 2, 4)] for code in codes])


def ramp(position: Float[np.ndarray, "*shape"], stops: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "*shape 3"]:
    """Colors along a palette: 0 is its first, 1 its last, what lies beyond is the nearer of the two."""
    grid = np.linspace(0.0, 1.0, len(stops))
    return np.stack([np.interp(position, grid, stops[:, c]) for c in range(3)], -1)


def varied(color: Float[np.ndarray, "n 3"], rng: np.random.Generator, value: float, hue: float) -> Float[np.ndarray, "n 3"]:
    """The colors, each made lighter or darker by the share ``value`` and shifted by ``hue``, standard deviations."""
    lightness, shift = rng.standard_normal((len(color), 1)), rng.standard_normal((len(color), 3))
    return np.clip(color * (1.0 + value * lightness) + hue * shift, 0.0, 1.0)
