"""Numbers that belong to the points of an endless lattice, and what is made of them: smooth noise, and cells."""

from typing import NamedTuple

import numpy as np
from jaxtyping import UInt64

from likeness.research.types import Float

_FIRST, _SECOND, _THIRD = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9)


def hashed(column: np.ndarray, row: np.ndarray, salt: int) -> UInt64[np.ndarray, "*shape"]:
    """64 bits for each lattice point, which look random and are the same whenever they are asked for."""
    word = column.astype(np.int64).astype(np.uint64) * _FIRST ^ row.astype(np.int64).astype(np.uint64) * _SECOND
    word ^= np.uint64(salt * int(_THIRD) % 2**64)
    word = (word ^ (word >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(32))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def uniform(word: UInt64[np.ndarray, "*shape"], which: int = 0) -> Float[np.ndarray, "*shape"]:
    """One of four independent numbers in [0, 1) of each word, of 16 bits."""
    return ((word >> np.uint64(16 * which)) & np.uint64(0xFFFF)).astype(np.float32) * np.float32(2.0**-16)


def noise(x: Float[np.ndarray, "*shape"], y: Float[np.ndarray, "*shape"], salt: int) -> Float[np.ndarray, "*shape"]:
    """Smooth noise in [0, 1] with a random value at each lattice point, between which it goes by quintics (Perlin 2002)."""
    column, row = np.floor(x), np.floor(y)
    u, v = x - column, y - row
    u, v = (t * t * t * (t * (6.0 * t - 15.0) + 10.0) for t in (u, v))
    a, b, c, d = (uniform(hashed(column + i, row + j, salt)) for j in (0, 1) for i in (0, 1))
    return (a * (1 - u) + b * u) * (1 - v) + (c * (1 - u) + d * u) * v


def fractal(x: np.ndarray, y: np.ndarray, salt: int, octaves: int, gain: float) -> Float[np.ndarray, "*shape"]:
    """A sum of octaves of :func:`noise`, in [0, 1]."""
    total, whole = np.zeros_like(x), 0.0
    for octave in range(octaves):
        total += gain**octave * noise(x * 2**octave, y * 2**octave, salt + 101 * octave)
        whole += gain**octave
    return total / whole


class NearestPoints(NamedTuple):
    """Of each place: the nearest of the scattered points."""

    nearest: Float[np.ndarray, "*shape"]
    """How far it is."""
    second: Float[np.ndarray, "*shape"]
    """How far the next one is."""
    word: UInt64[np.ndarray, "*shape"]
    """Random bits of the nearest."""


def cells(x: np.ndarray, y: np.ndarray, salt: int, jitter: float) -> NearestPoints:
    """The cells of points scattered around a hexagonal lattice (Worley 1996); without jitter they are hexagons."""
    row = np.floor(y)
    nearest = np.full(x.shape, np.inf, np.float32)
    second, word = nearest.copy(), np.zeros(x.shape, np.uint64)
    for j in (-1, 0, 1):
        shift = 0.5 * ((row + j) % 2)
        column = np.floor(x - shift)
        for i in (-1, 0, 1):
            bits = hashed(column + i, row + j, salt)
            dx = column + i + shift + 0.5 + jitter * (uniform(bits) - 0.5) - x
            dy = row + j + 0.5 + jitter * (uniform(bits, 1) - 0.5) - y
            distance = np.hypot(dx, dy)
            closer = distance < nearest
            second = np.where(closer, nearest, np.minimum(second, distance))
            word = np.where(closer, bits, word)
            nearest = np.where(closer, distance, nearest)
    return NearestPoints(nearest, second, word)
