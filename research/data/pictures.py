"""Where single pictures come from: a file, the two photographs of scikit-learn, a procedural painting."""

import dataclasses
from typing import Literal, Protocol, runtime_checkable

import jax
import numpy as np

from research.pictures import fit
from research.types import Float

Pixels = Float[np.ndarray, "h w 3"]


@runtime_checkable
class PictureSource(Protocol):
    """A picture that can be had at any size."""

    @property
    def title(self) -> str:
        """What to call it."""
        ...

    def open(self, size: int) -> Pixels:
        """RGB in [0, 1], with ``size`` pixels along its longer side.

        Raises:
            UserError: when it cannot be read.
        """
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Photograph:
    """One of the two photographs, 640 × 427, that come with scikit-learn."""

    name: Literal["china", "flower"] = "china"
    """china: a pagoda of the Summer Palace, by Robert Scarth; flower: a dahlia, by dan. Both CC BY."""

    @property
    def title(self) -> str:
        """Its name."""
        return self.name

    def open(self, size: int) -> Pixels:
        """RGB in [0, 1], with ``size`` pixels along its longer side."""
        from sklearn.datasets import load_sample_image  # scikit-learn takes a second to import

        return np.asarray(fit(load_sample_image(f"{self.name}.jpg").astype(np.float32) / 255.0, size))


@runtime_checkable
class Style(Protocol):
    """Paints a picture of any size (h, w) from a key. Any of :mod:`research.data.styles`."""

    def __call__(self, size: tuple[int, int], key: jax.Array) -> Pixels: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Painting:
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
