"""What programs draw, as images of anything: paintings, each by another key, and faces."""

import dataclasses
import hashlib

import jax
import numpy as np

from likeness.research.data.image_sets.image_set import ImageSet, Remembered
from likeness.research.data.synthetic_faces import Faces
from likeness.research.synthetic.styles import CurlStrokes, InkWash, Pointillism, Style, VoronoiMosaic, Woodcut
from likeness.research.types import UInt8

_VERSION = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Paintings:
    """Paintings of several styles, 3 to 2, drawn when first read and then kept."""

    styles: tuple[Style, ...] = (CurlStrokes(), VoronoiMosaic(), Pointillism(), InkWash(), Woodcut())
    """How they are painted, in turn."""
    count: int = 40
    """How many, of all styles together."""
    size: int = 384
    """Pixels of the longer side."""
    seed: int = 0
    """Which paintings. Another seed has none in common."""

    def __post_init__(self) -> None:
        if not self.styles:
            raise ValueError("Paintings.styles is empty: give at least one style.")
        if self.count < 1 or not 16 <= self.size <= 4096 or self.seed < 0:
            raise ValueError(
                f"Paintings has count {self.count}, size {self.size} and seed {self.seed}: give a count of 1 or more, a size "
                "from 16 to 4096 pixels and a seed of 0 or more."
            )

    def open(self) -> ImageSet:
        """The table; nothing is painted yet."""
        return ImageSet(
            names=tuple(f"{type(self._style(index)).__name__} {index}" for index in range(self.count)),
            read=Remembered(self._paint),
            fingerprint=hashlib.sha256(f"{_VERSION} {self!r}".encode()).hexdigest(),
            synthetic=True,
        )

    def _style(self, index: int) -> Style:
        return self.styles[index % len(self.styles)]

    def _paint(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        key = jax.random.fold_in(jax.random.key(self.seed), index)
        painted = self._style(index)((round(self.size * 2 / 3), self.size), key)
        return np.round(255.0 * np.clip(painted, 0.0, 1.0)).astype(np.uint8)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FaceImages:
    """Procedural faces, whoever they show."""

    faces: Faces = Faces(people=40, images=2, size=256, noise=1.0)
    """Which, and how large."""

    def __post_init__(self) -> None:
        if self.faces.channels != 3:
            raise ValueError("FaceImages.faces is gray: give it 3 channels.")

    def open(self) -> ImageSet:
        """The table; nothing is drawn yet."""
        images = self.faces.open()
        return ImageSet(
            names=images.names,
            read=Remembered(lambda index: images.read(np.array([index]))[0]),
            fingerprint=images.fingerprint,
            synthetic=True,
        )
