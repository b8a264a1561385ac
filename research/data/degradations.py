"""Ways in which images get worse: what a recognizer bears is measured by them."""

import dataclasses
import io
from typing import Protocol, runtime_checkable

import numpy as np
from PIL import Image, ImageFilter

from likeness.research.types import UInt8

__all__ = ["Blur", "Darkness", "Degradation", "JpegCompression", "LowResolution", "Occlusion", "PixelNoise"]


@runtime_checkable
class Degradation(Protocol):
    """Makes an image worse by a stated amount."""

    @property
    def title(self) -> str:
        """What it is and by how much, such as ``blur 2 px``."""
        ...

    def __call__(self, image: UInt8[np.ndarray, "h w c"], draw: np.random.Generator) -> UInt8[np.ndarray, "h w c"]:
        """The image made worse, of the same size; what is random of it is drawn from ``draw``."""
        ...


def _check(owner: str, field: str, value: float | int, low: float | int, high: float | int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{owner}.{field} is {value}: give a number from {low:g} to {high:g}.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LowResolution:
    """Shrinks an image, each pixel the mean of what it covers, and enlarges it bilinearly."""

    side: int
    """Pixels of the shorter side in between."""

    def __post_init__(self) -> None:
        _check("LowResolution", "side", self.side, 1, 4096)

    @property
    def title(self) -> str:
        """Its side."""
        return f"resolution {self.side} px"

    def __call__(self, image: UInt8[np.ndarray, "h w c"], draw: np.random.Generator) -> UInt8[np.ndarray, "h w c"]:
        """See :class:`Degradation`. An image that is no larger stays as it is."""
        del draw
        height, width = image.shape[:2]
        scale = self.side / min(height, width)
        if scale >= 1:
            return image
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        shrunk = _pillow(image).resize(small, Image.Resampling.BOX)
        return _array(shrunk.resize((width, height), Image.Resampling.BILINEAR), image)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Blur:
    """Gaussian blur."""

    sigma: float
    """Its standard deviation in pixels."""

    def __post_init__(self) -> None:
        _check("Blur", "sigma", self.sigma, 0, 100)

    @property
    def title(self) -> str:
        """Its deviation."""
        return f"blur {self.sigma:g} px"

    def __call__(self, image: UInt8[np.ndarray, "h w c"], draw: np.random.Generator) -> UInt8[np.ndarray, "h w c"]:
        """See :class:`Degradation`."""
        del draw
        return _array(_pillow(image).filter(ImageFilter.GaussianBlur(self.sigma)), image)


@dataclasses.dataclass(frozen=True, kw_only=True)
class JpegCompression:
    """Compresses an image as a JPEG file, and reads it again."""

    quality: int
    """libjpeg's, 1 to 95."""

    def __post_init__(self) -> None:
        _check("JpegCompression", "quality", self.quality, 1, 95)

    @property
    def title(self) -> str:
        """Its quality."""
        return f"JPEG quality {self.quality}"

    def __call__(self, image: UInt8[np.ndarray, "h w c"], draw: np.random.Generator) -> UInt8[np.ndarray, "h w c"]:
        """See :class:`Degradation`."""
        del draw
        stored = io.BytesIO()
        _pillow(image).save(stored, "JPEG", quality=self.quality)
        with Image.open(stored) as read:
            return _array(read, image)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Occlusion:
    """Covers a square at a random place in gray."""

    share: float
    """Of the image's area, 0 to 1."""

    def __post_init__(self) -> None:
        _check("Occlusion", "share", self.share, 0, 1)

    @property
    def title(self) -> str:
        """Its share."""
        return f"occlusion {100 * self.share:g} %"

    def __call__(self, image: UInt8[np.ndarray, "h w c"], draw: np.random.Generator) -> UInt8[np.ndarray, "h w c"]:
        """See :class:`Degradation`."""
        height, width = image.shape[:2]
        sides = [round(side * self.share**0.5) for side in (height, width)]
        top, left = (int(draw.integers(0, side - cover + 1)) for side, cover in zip((height, width), sides, strict=True))
        covered = image.copy()
        covered[top : top + sides[0], left : left + sides[1]] = 128
        return covered


@dataclasses.dataclass(frozen=True, kw_only=True)
class PixelNoise:
    """Adds Gaussian noise to every value."""

    sigma: float
    """Its standard deviation, of values from 0 to 255."""

    def __post_init__(self) -> None:
        _check("PixelNoise", "sigma", self.sigma, 0, 255)

    @property
    def title(self) -> str:
        """Its deviation."""
        return f"noise {self.sigma:g}"

    def __call__(self, image: UInt8[np.ndarray, "h w c"], draw: np.random.Generator) -> UInt8[np.ndarray, "h w c"]:
        """See :class:`Degradation`."""
        noisy = image + self.sigma * draw.standard_normal(image.shape)
        return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Darkness:
    """Multiplies every value, and rounds: shadows lose their tones."""

    factor: float
    """0 is black, 1 changes nothing."""

    def __post_init__(self) -> None:
        _check("Darkness", "factor", self.factor, 0, 1)

    @property
    def title(self) -> str:
        """Its factor."""
        return f"light × {self.factor:g}"

    def __call__(self, image: UInt8[np.ndarray, "h w c"], draw: np.random.Generator) -> UInt8[np.ndarray, "h w c"]:
        """See :class:`Degradation`."""
        del draw
        return np.round(self.factor * image).astype(np.uint8)


def _pillow(image: UInt8[np.ndarray, "h w c"]) -> Image.Image:
    return Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)


def _array(made: Image.Image, like: UInt8[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "h w c"]:
    return np.asarray(made, np.uint8).reshape(like.shape)
