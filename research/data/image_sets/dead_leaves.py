"""Images with the statistics of photographs and nothing in them: shapes that cover one another."""

import dataclasses
import hashlib

import numpy as np
from PIL import Image, ImageDraw

from likeness.research.data.image_sets.image_set import ImageSet, Remembered
from likeness.research.types import Float, UInt8

_VERSION = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeadLeaves:
    """Polygons and ellipses of all sizes thrown on top of one another, shaded, over a wash of noise.

    Radii r have the density r⁻³ between two bounds: then the image looks the same at every scale, with the spectrum, the
    edges and the occlusions of photographs, which is what a style network must see in training beside faces and paintings.

    Lee, Mumford and Huang, "Occlusion models for natural images", IJCV 2001; as training data: Baradad et al., "Learning to
    see by looking at noise", NeurIPS 2021.
    """

    count: int = 30
    """How many images."""
    size: int = 320
    """Pixels on a side. Edges are jagged: crop and shrink."""
    leaves: int = 250
    """Shapes in an image."""
    seed: int = 0
    """Which images. Another seed has none in common."""

    def __post_init__(self) -> None:
        if self.count < 1 or not 16 <= self.size <= 2048 or self.leaves < 1 or self.seed < 0:
            raise ValueError(
                f"DeadLeaves has count {self.count}, size {self.size}, leaves {self.leaves} and seed {self.seed}: give counts "
                "of 1 or more, a size from 16 to 2048 pixels and a seed of 0 or more."
            )

    def open(self) -> ImageSet:
        """The table; nothing is drawn yet."""
        return ImageSet(
            names=tuple(f"dead leaves {index}" for index in range(self.count)),
            read=Remembered(self._draw),
            fingerprint=hashlib.sha256(f"{_VERSION} {self!r}".encode()).hexdigest(),
            synthetic=True,
        )

    def _draw(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        rng = np.random.default_rng((self.seed, index))
        side = self.size
        palette = _palette(rng)
        image = Image.fromarray(_wash(rng, palette, side))
        # What is thrown last lies on top; a texture that all leaves are cut from gives each its own shading.
        for _ in range(self.leaves):
            radius = side * _radius(rng)
            center = rng.uniform(-0.1, 1.1, 2) * side
            width = int(2 * radius) + 1
            mask = Image.new("L", (width, width))
            ImageDraw.Draw(mask).polygon([tuple(point) for point in _outline(rng, radius)], fill=255)
            left, top = (int(edge) for edge in center - radius)
            image.paste(_leaf(rng, palette, width), (left, top), mask)
        return np.asarray(image)


def _palette(rng: np.random.Generator) -> Float[np.ndarray, "n 3"]:
    """A few colors between a dark and a light one, around one tint: most of what photographs show is grayish."""
    count = int(rng.integers(4, 9))
    light = rng.uniform(0.05, 0.95, (count, 1))
    tint = rng.normal(0.0, 0.06, (1, 3)) + rng.normal(0.0, 1.0, (count, 3)) * rng.uniform(0.01, 0.14, (count, 1))
    return np.clip(light + tint - tint.mean(axis=1, keepdims=True), 0.0, 1.0)


def _radius(rng: np.random.Generator, low: float = 0.025, high: float = 0.45) -> float:
    """A share of the side, of density r⁻³ between the bounds: by the inverse of its distribution function."""
    return float((low**-2 - rng.uniform() * (low**-2 - high**-2)) ** -0.5)


def _outline(rng: np.random.Generator, radius: float) -> Float[np.ndarray, "n 2"]:
    """A polygon of a few corners, or an ellipse, turned at random, within the square of side 2 r."""
    corners = int(rng.choice([3, 4, 4, 5, 24, 24]))
    angles = 2 * np.pi * (np.arange(corners) + (rng.uniform(0.0, 0.6, corners) if corners < 24 else 0.0)) / corners
    points = np.stack([np.cos(angles), rng.uniform(0.3, 1.0) * np.sin(angles)])
    turn = rng.uniform(0.0, np.pi)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return radius * (1.0 + (rotation @ points).T)


def _leaf(rng: np.random.Generator, palette: np.ndarray, side: int) -> Image.Image:
    """A square of one color that is lighter on one side, sometimes striped or grainy."""
    x, y = np.meshgrid(np.linspace(-1.0, 1.0, side), np.linspace(-1.0, 1.0, side))
    turn = rng.uniform(0.0, 2 * np.pi)
    along = x * np.cos(turn) + y * np.sin(turn)
    value = 1.0 + rng.uniform(0.0, 0.35) * along
    kind = rng.uniform()
    if kind < 0.2:
        value += rng.uniform(0.05, 0.25) * np.sign(np.sin(rng.uniform(4.0, 30.0) * along))
    elif kind < 0.45:
        value += rng.normal(0.0, rng.uniform(0.02, 0.12), value.shape)
    color = palette[rng.integers(len(palette))]
    return Image.fromarray(np.round(255.0 * np.clip(value[..., None] * color, 0.0, 1.0)).astype(np.uint8))


def _wash(rng: np.random.Generator, palette: np.ndarray, side: int) -> UInt8[np.ndarray, "h w 3"]:
    """Noise of a few octaves between two colors, for what no leaf covers."""
    total = np.zeros((side, side), np.float32)
    for octave in range(5):
        cells = rng.normal(size=(2 + 2**octave, 2 + 2**octave)).astype(np.float32)
        total += 0.5**octave * np.asarray(Image.fromarray(cells).resize((side, side), Image.Resampling.BICUBIC))
    share = 1.0 / (1.0 + np.exp(-1.5 * total))[..., None]
    first, second = palette[rng.choice(len(palette), 2, replace=False)]
    return np.round(255.0 * (share * first + (1.0 - share) * second)).astype(np.uint8)
