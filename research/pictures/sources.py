"""Where single pictures come from: a file, the two photographs of scikit-learn, a procedural painting."""

import abc
import dataclasses
from pathlib import Path
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from research.data.styles import Style
from research.pictures.reading import read_picture
from research.pictures.resize import fit, resize
from research.types import Float

Pixels = Float[np.ndarray, "h w 3"]


class PictureSource(abc.ABC):
    """A picture that can be had at any size. A base class, for the command line reaches no fields through a protocol."""

    @property
    @abc.abstractmethod
    def title(self) -> str:
        """What to call it."""

    @abc.abstractmethod
    def open(self, size: int) -> Pixels:
        """RGB in [0, 1], with ``size`` pixels along its longer side.

        Raises:
            UserError: when it cannot be read.
        """


@dataclasses.dataclass(frozen=True, kw_only=True)
class PictureFile(PictureSource):
    """A picture file: JPEG, PNG, TIFF, WebP, AVIF or BMP, turned upright and converted to sRGB."""

    path: str
    """Where it is."""

    @property
    def title(self) -> str:
        """The file's name without ending."""
        return Path(self.path).stem

    def open(self, size: int) -> Pixels:
        """RGB in [0, 1], with ``size`` pixels along its longer side."""
        return _at(read_picture(self.path).pixels, size)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Photograph(PictureSource):
    """One of the two photographs, 640 × 427, that come with scikit-learn."""

    name: Literal["china", "flower"] = "china"
    """china: a pagoda of the Summer Palace, by danielbuechele; flower: a dahlia, by vultilion. Both CC BY 2.0."""

    @property
    def title(self) -> str:
        """Its name."""
        return self.name

    def open(self, size: int) -> Pixels:
        """RGB in [0, 1], with ``size`` pixels along its longer side."""
        from sklearn.datasets import load_sample_image  # scikit-learn takes a second to import

        return _at(load_sample_image(f"{self.name}.jpg").astype(np.float32) / 255.0, size)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Painting(PictureSource):
    """A procedural painting, three to two."""

    style: Style
    """How it is painted."""
    seed: int = 0
    """Another seed, another painting."""

    @property
    def title(self) -> str:
        """The style's name."""
        return type(self.style).__name__

    def open(self, size: int) -> Pixels:
        """RGB in [0, 1], with ``size`` pixels along its longer side."""
        return np.asarray(self.style((round(size * 2 / 3), size), jax.random.key(self.seed)))


def _at(pixels: Float[np.ndarray, "H W 3"], size: int) -> Pixels:
    height, width = fit((pixels.shape[0], pixels.shape[1]), size)
    return np.clip(np.asarray(resize(jnp.asarray(pixels), (height, width))), 0.0, 1.0)
