"""Synthetic volumes like those of computed tomography: a body with organs, and in three of four something in it."""

import numpy as np
from jaxtyping import Float32, Int, UInt8

__all__ = ["FINDINGS", "draw_volumes"]

FINDINGS = ("nothing", "solid nodule", "hollow nodule", "vessel")
"""The classes."""

_CHUNK = 64
_ORGANS = 3


def draw_volumes(
    labels: Int[np.ndarray, "n"], rng: np.random.Generator, size: int = 24, noise: float = 0.05
) -> UInt8[np.ndarray, "n size size size 1"]:
    """Volumes of the findings asked for.

    From generators of one seed volumes of different labels differ where one of their findings is, and nowhere else.
    """
    # A few at a time stay in the processor's cache.
    parts = [_draw(labels[start : start + _CHUNK], rng, size, noise) for start in range(0, len(labels), _CHUNK)]
    return np.concatenate(parts)[..., None]


def _draw(labels: np.ndarray, rng: np.random.Generator, size: int, noise: float) -> UInt8[np.ndarray, "n s s s"]:
    n = len(labels)
    axis = ((np.arange(size) + 0.5) * (2 / size) - 1).astype(np.float32)
    place = axis[:, None, None], axis[None, :, None], axis[None, None, :]
    radii = np.stack([rng.uniform(1.1, 1.6, n), rng.uniform(0.75, 0.92, n), rng.uniform(0.75, 0.92, n)], axis=1)
    body = _ellipsoid(place, np.zeros((n, 3)), radii, size)
    gray = np.full((n, size, size, size), 0.3, np.float32)
    for _ in range(_ORGANS):
        organ = _ellipsoid(place, rng.uniform(-0.6, 0.6, (n, 3)), rng.uniform(0.15, 0.5, (n, 3)), size)
        gray += organ * _each(rng.uniform(-0.1, 0.1, n))
    gray += 0.05 * _texture(rng, n, size)
    gray += _finding(labels, rng, place, size) * _each(rng.uniform(0.25, 0.45, n))
    gray *= body
    gray += 0.08 + noise * rng.standard_normal(gray.shape, np.float32)
    return np.round(255 * np.clip(gray, 0, 1)).astype(np.uint8)


def _finding(
    labels: np.ndarray, rng: np.random.Generator, place: tuple[np.ndarray, ...], size: int
) -> Float32[np.ndarray, "n s s s"]:
    """How much of each voxel the finding fills. All that is drawn is drawn for every class."""
    n = len(labels)
    angle, away = rng.uniform(0, 2 * np.pi, n), 0.45 * np.sqrt(rng.random(n))
    center = np.stack([rng.uniform(-0.65, 0.65, n), away * np.cos(angle), away * np.sin(angle)], axis=1)
    radius = rng.uniform(0.3, 0.42, n)
    cavity = radius * rng.uniform(0.55, 0.68, n)
    thickness = rng.uniform(0.14, 0.2, n)
    along = _unit(rng.standard_normal((n, 3)))
    across = _unit(np.cross(along, rng.standard_normal((n, 3))))
    bend = rng.uniform(-0.35, 0.35, n)
    offsets = [x - _each(center[:, i]) for i, x in enumerate(place)]
    distance = np.sqrt(sum(offset**2 for offset in offsets))
    ball = _filled(_each(radius) - distance, size)
    shell = np.minimum(ball, _filled(distance - _each(cavity), size))
    length = sum(offset * _each(along[:, i]) for i, offset in enumerate(offsets))
    curve = _each(bend) * length**2
    around = [o - length * _each(along[:, i]) - curve * _each(across[:, i]) for i, o in enumerate(offsets)]
    tube = _filled(_each(thickness) - np.sqrt(sum(part**2 for part in around)), size)
    chosen = [np.zeros_like(ball), ball, shell, tube]
    return np.select([_each(labels) == label for label in range(len(FINDINGS))], chosen)


def _ellipsoid(
    place: tuple[np.ndarray, ...], center: np.ndarray, radii: np.ndarray, size: int
) -> Float32[np.ndarray, "n s s s"]:
    squares = sum(((x - _each(center[:, i])) / _each(radii[:, i])) ** 2 for i, x in enumerate(place))
    return _filled((1 - np.sqrt(squares)) * _each(radii.min(axis=1)), size)


def _filled(depth: np.ndarray, size: int) -> Float32[np.ndarray, "n s s s"]:
    """From how deep inside of a surface a voxel lies, about how much of it is inside."""
    return np.clip(0.5 + depth * (size / 2), 0, 1).astype(np.float32)


def _texture(rng: np.random.Generator, n: int, size: int) -> Float32[np.ndarray, "n s s s"]:
    """Noise of low frequency, of standard deviation about 1: random values on a grid of 7×7×7, between them linear."""
    knots = 7
    at = np.linspace(0, knots - 1, size)
    weights = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(knots))).astype(np.float32)
    texture = rng.standard_normal((n, knots, knots, knots), np.float32)
    for _ in range(3):
        # Each turn interpolates the first axis and puts it last.
        texture = np.tensordot(texture, weights, axes=(1, 1))
    return 1.8 * texture


def _each(values: np.ndarray) -> np.ndarray:
    """One number for each volume."""
    values = values.astype(np.float32) if values.dtype.kind == "f" else values
    return values[:, None, None, None]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
