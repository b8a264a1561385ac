"""Smooth random fields on images of any size: the same field, only sampled more finely."""

import dataclasses

import numpy as np
from scipy import ndimage

from likeness.research.types import Float

_SIDE = 64
"""Lattice points on a side before the field repeats."""


@dataclasses.dataclass(frozen=True)
class Noise:
    """Sum of cubic B-splines with random heights; twice continuously differentiable, about zero mean and unit deviation.

    Octave ``o`` has ``2^o`` as many lattice points per length and ``gain^o`` the height.
    """

    lattice: Float[np.ndarray, "64 64"]
    octaves: int
    gain: float

    @classmethod
    def draw(cls, rng: np.random.Generator, octaves: int = 1, gain: float = 0.5) -> "Noise":
        """A field from the generator's next numbers."""
        # The root of the mean square of a cubic B-spline's weights, in two dimensions, is 0.48.
        deviation = 0.48 * np.sqrt(sum(gain ** (2 * octave) for octave in range(octaves)))
        return cls(rng.standard_normal((_SIDE, _SIDE)) / deviation, octaves, gain)

    def __call__(self, x: Float[np.ndarray, "*shape"], y: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """The field at points, in units of the first octave's lattice."""
        total = np.zeros(np.shape(x))
        for height, scale, shift in self._octaves():
            where = np.stack([y * scale + shift, x * scale + 0.7 * shift])
            total += height * ndimage.map_coordinates(self.lattice, where, order=3, mode="grid-wrap", prefilter=False)
        return total

    def grid(self, x: Float[np.ndarray, "w"], y: Float[np.ndarray, "h"]) -> Float[np.ndarray, "h w"]:
        """The field on the grid of two axes: equal to ``self(*np.meshgrid(x, y))`` and much faster."""
        total = np.zeros((len(y), len(x)))
        for height, scale, shift in self._octaves():
            rows, columns = _spline(y * scale + shift), _spline(x * scale + 0.7 * shift)
            total += height * (rows @ self.lattice @ columns.T)
        return total

    def _octaves(self) -> list[tuple[float, int, float]]:
        return [(self.gain**octave, 2**octave, 17.31 * octave) for octave in range(self.octaves)]


def _spline(position: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n 64"]:
    """What each lattice point contributes at each position."""
    distance = np.abs((position[:, None] - np.arange(_SIDE) + _SIDE / 2) % _SIDE - _SIDE / 2)
    near = 2.0 / 3.0 - distance**2 * (1.0 - 0.5 * distance)
    return np.where(distance < 1.0, near, np.maximum(2.0 - distance, 0.0) ** 3 / 6.0)


def axes(size: tuple[int, int]) -> tuple[Float[np.ndarray, "w"], Float[np.ndarray, "h"]]:
    """Pixel centers of the columns and of the rows, in units of the shorter side."""
    return (np.arange(size[1]) + 0.5) / min(size), (np.arange(size[0]) + 0.5) / min(size)


def smoothstep(low: float, high: float, x: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """0 at ``low`` and before, 1 at ``high`` and beyond, a cubic between; ``low`` may be the larger."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def enlarge(field: Float[np.ndarray, "h w"], size: tuple[int, int]) -> Float[np.ndarray, "H W"]:
    """Bilinear interpolation to a larger grid over the same area."""
    if field.shape == size:
        return field
    factors = (size[0] / field.shape[0], size[1] / field.shape[1])
    return np.asarray(ndimage.zoom(field, factors, order=1, grid_mode=True, mode="nearest"))
