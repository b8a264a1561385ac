"""Where single images come from: a file, the two photographs of scikit-learn, a procedural painting, an empty one."""

import abc
import dataclasses
import hashlib
import math
from pathlib import Path
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.data.decode import Decode, open_image
from likeness.research.images.reading import read_image
from likeness.research.images.resize import fit, resize
from likeness.research.synthetic.styles import Style
from likeness.research.types import Float

Pixels = Float[np.ndarray, "h w 3"]


class ImageSource(abc.ABC):
    """An image that can be had at any size. A base class, for the command line reaches no fields through a protocol."""

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

    def shape(self, size: int) -> tuple[int, int]:
        """Height and width of what :meth:`open` gives at this size.

        Raises:
            UserError: when it cannot be read.
        """
        height, width, _ = self.open(size).shape
        return height, width

    def fingerprint(self) -> str:
        """SHA-256, in hex, of what identifies its content: here of a small copy's pixels.

        Raises:
            UserError: when it cannot be read.
        """
        small = np.round(255 * np.clip(self.open(64), 0, 1)).astype(np.uint8)
        return hashlib.sha256(repr(small.shape).encode() + small.tobytes()).hexdigest()


def by_config(source: ImageSource) -> str:
    """The fingerprint of an image that is the same wherever its fields are."""
    return hashlib.sha256(repr(source).encode()).hexdigest()


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageFile(ImageSource):
    """An image file: JPEG, PNG, TIFF, WebP, AVIF or BMP, turned upright and converted to sRGB."""

    path: str
    """Where it is."""

    @property
    def title(self) -> str:
        """The file's name without ending."""
        return Path(self.path).stem

    def open(self, size: int) -> Pixels:
        """RGB in [0, 1], with ``size`` pixels along its longer side."""
        return _at(read_image(self.path).pixels, size)

    def shape(self, size: int) -> tuple[int, int]:
        """Height and width at this size, by the file's header."""
        header = Decode(min_side=1, max_megapixels=math.inf).header(self.path)
        height, width = (header.height, header.width) if header.orientation < 5 else (header.width, header.height)
        return fit((height, width), size)

    def fingerprint(self) -> str:
        """Of the file's bytes."""
        with open_image(self.path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Photograph(ImageSource):
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

    def fingerprint(self) -> str:
        """Of its name."""
        return by_config(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Blank(ImageSource):
    """Nothing but a height and a width, for what is painted after no content: gray everywhere."""

    height: int
    """Its height beside its width."""
    width: int
    """Its width beside its height."""

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 1:
            raise ValueError(f"Blank is {self.width} × {self.height}: give both sides 1 pixel or more")

    @property
    def title(self) -> str:
        """Its sides."""
        return f"{self.width}x{self.height}"

    def open(self, size: int) -> Pixels:
        """Gray, with ``size`` pixels along its longer side."""
        return np.full((*fit((self.height, self.width), size), 3), 0.5, np.float32)

    def fingerprint(self) -> str:
        """Of its proportions."""
        return by_config(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Painting(ImageSource):
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

    def fingerprint(self) -> str:
        """Of its style and seed."""
        return by_config(self)


def _at(pixels: Float[np.ndarray, "H W 3"], size: int) -> Pixels:
    height, width = fit((pixels.shape[0], pixels.shape[1]), size)
    return np.clip(np.asarray(resize(jnp.asarray(pixels), (height, width))), 0.0, 1.0)
