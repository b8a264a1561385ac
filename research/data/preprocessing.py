"""How an image file becomes what a network takes: a part of the model, the same in training, evaluation and use."""

import dataclasses
import functools
import io
import math
import os
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float, Float32, Shaped, UInt8
from PIL import Image

from likeness.research.data.decode import BadImage, Decode, File, open_image
from likeness.research.data.paths import printable

__all__ = ["Preprocessing", "from_levels", "sides", "to_unit"]

Fit = Literal["crop", "stretch", "exact"]
Resample = Literal["box", "bilinear", "lanczos", "area"]
Tones = Literal["all", "two"]
Polarity = Literal["as_is", "inverted"]
Frame = Literal["whole", "dark"]
_Box = tuple[float, float, float, float]
_LEAST_FRAME = 2 / 7
_FRAME_MARGIN = 0.08
_RESAMPLING = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """Makes of an image file the uint8 array (height, width, channels) that a network learns from and is asked about.

    The file is decoded as :class:`~likeness.research.data.Decode` says; then it is framed, its tones are cut, its polarity is
    changed, and it is brought to ``size``. From there to the network's float32 in [0, 1] is :func:`to_unit`. A mirror image
    that is looked at too when a model is used is the encoder's affair (:class:`~likeness.research.encoders.FlipEmbedding`).

    Raises:
        ValueError: a field is illegal.

    Example:
        >>> preprocessing = Preprocessing(size=(32, 24), channels=1)
        >>> preprocessing.shape
        (32, 24, 1)
    """

    size: tuple[int, int]
    """Height and width of the result, in pixels."""
    channels: Literal[1, 3] = 3
    """1 for gray, 3 for RGB."""
    fit: Fit = "crop"
    """How an image of another size comes to ``size``: ``crop`` keeps the largest part of its proportions around the center,
    ``stretch`` distorts, ``exact`` refuses it."""
    file_size: tuple[int, int] | None = None
    """With ``exact``, the height and width that a file has to have; None: those of ``size``."""
    resample: Resample = "bilinear"
    """The filter, antialiased. ``box`` is the mean of the pixels whose center lies in its reach, ``area`` the exact mean over
    what a pixel of the result covers, parts of pixels too."""
    tones: Tones = "all"
    """``two`` cuts every value at the middle, to 0 or 255, before it is resized: for drawings of one bit."""
    polarity: Polarity = "as_is"
    """``inverted`` turns each value v into 255 − v: dark ink on paper becomes light on black."""
    frame: Frame = "whole"
    """What of the file is looked at. ``dark`` is the square whose center is that of the box around all pixels below the middle,
    for drawings: its side is the box's longer one, at least 2/7 of the file's shorter side, and 8 % more at each end. Where it
    leaves the file there is paper. A file without a dark pixel is looked at as a whole."""
    max_megapixels: float = 50.0
    """An image with more pixels is refused, by its header, before a pixel is decoded."""
    min_side: int = 8
    """An image with a shorter side is refused, unless ``exact`` says the size."""

    def __post_init__(self) -> None:
        for field, sides in (("size", self.size), ("file_size", self.file_size or (1, 1))):
            if len(sides) != 2 or min(sides) < 1:
                raise ValueError(f"Preprocessing.{field} is {sides}: give the height and the width, each 1 or more.")
        for field, choices in (
            ("channels", (1, 3)),
            ("fit", get_args(Fit)),
            ("resample", get_args(Resample)),
            ("tones", get_args(Tones)),
            ("polarity", get_args(Polarity)),
            ("frame", get_args(Frame)),
        ):
            if getattr(self, field) not in choices:
                raise ValueError(
                    f"Preprocessing.{field} is {getattr(self, field)!r}: choose of {', '.join(map(str, choices))}."
                )
        if self.file_size is not None and self.fit != "exact":
            raise ValueError(f'Preprocessing.file_size is for fit="exact", and fit is {self.fit!r}.')
        self._decode  # noqa: B018 - its limits are checked now and not at the first file

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the result: height, width, channels."""
        return (*self.size, self.channels)

    @property
    def doing(self) -> str:
        """What is done with a file, for people who wait for many."""
        return "reading images"

    @property
    def keeps(self) -> bool:
        """Whether an image that is a result already, saved without loss and read again, comes back as it is."""
        same = self.tones == "all" and self.polarity == "as_is" and self.frame == "whole"
        return same and self.file_size in (None, self.size)

    def __call__(self, path: str | os.PathLike) -> UInt8[np.ndarray, "h w c"]:
        """Reads the file at ``path``.

        Raises:
            BadImage: it cannot be read, or ``exact`` asks for another size.
        """
        with open_image(path) as file:
            return self.from_file(file, printable(path))

    def from_bytes(self, data: bytes, name: str) -> UInt8[np.ndarray, "h w c"]:
        """Reads an encoded image held in memory; ``name`` is for the error."""
        return self.from_file(io.BytesIO(data), name)

    def from_file(self, file: File, name: str) -> UInt8[np.ndarray, "h w c"]:
        """Reads an open file; ``name`` is for the error."""
        # JPEG decodes at 1/2, 1/4 or 1/8 for free; twice the longer side, however it is turned, leaves the filter its work.
        reduced = self.fit != "exact" and self.resample != "area" and self.tones == "all" and self.frame == "whole"
        least = 2 * max(self.size) if reduced else 0
        with self._decode.image(file, name, least) as image:
            self._check_size(image.size, name)
            pixels = self._fitted(self._toned(self._framed(image)))
        return pixels[:, :, None] if pixels.ndim == 2 else pixels

    def verify(self, path: str | os.PathLike) -> None:
        """Checks what the header of a file tells, without decoding it."""
        self._decode.verify(path)

    @property
    def _decode(self) -> Decode:
        least = 1 if self.fit == "exact" else self.min_side
        return Decode(channels=self.channels, max_megapixels=self.max_megapixels, min_side=least)

    def _check_size(self, found: tuple[int, int], name: str) -> None:
        height, width = self.file_size or self.size
        if self.fit == "exact" and found != (width, height):
            raise BadImage(
                name,
                f"it is {found[0]} x {found[1]} pixels, and only files of {width} x {height} are taken: the model has learned "
                "from images made at that size",
                "Give one of that size, made as they were, or train a model on files of your own (recognition/folder).",
            )

    def _framed(self, image: Image.Image) -> Image.Image:
        if self.frame == "whole":
            return image
        dark = np.asarray(image.convert("L")) < 128
        rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
        if not len(rows):
            return image
        top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        longer = max(bottom - top, right - left, _LEAST_FRAME * min(image.size))
        side = math.ceil(longer * (1 + 2 * _FRAME_MARGIN))
        framed = Image.new(image.mode, (side, side), "white")
        framed.paste(image, (side // 2 - (left + right) // 2, side // 2 - (top + bottom) // 2))
        return framed

    def _toned(self, image: Image.Image) -> Image.Image:
        if self.tones == "all" and self.polarity == "as_is":
            return image
        levels = np.asarray(image)
        if self.tones == "two":
            levels = np.where(levels > 127, np.uint8(255), np.uint8(0))
        # Pillow's own functions build a table for each image.
        return Image.fromarray(255 - levels if self.polarity == "inverted" else levels)

    def _fitted(self, image: Image.Image) -> UInt8[np.ndarray, "..."]:
        height, width = self.size
        box = self._box(*image.size)
        if self.resample == "area":
            return _averaged(np.asarray(image), box, self.size)
        if image.size == (width, height) and box == (0, 0, width, height):
            return np.array(image, np.uint8)
        return np.array(image.resize((width, height), _RESAMPLING[self.resample], box=box), np.uint8)

    def _box(self, wide: int, high: int) -> _Box:
        """What of an image is kept: left, top, right, bottom."""
        if self.fit != "crop":
            return 0.0, 0.0, float(wide), float(high)
        height, width = self.size
        narrow = wide * height <= high * width
        kept = (float(wide), wide * height / width) if narrow else (high * width / height, float(high))
        left, top = (wide - kept[0]) / 2, (high - kept[1]) / 2
        return left, top, left + kept[0], top + kept[1]


def _averaged(pixels: UInt8[np.ndarray, "..."], box: _Box, size: tuple[int, int]) -> UInt8[np.ndarray, "..."]:
    left, top, right, bottom = box
    down = _area_weights(top, bottom, pixels.shape[0], size[0])
    across = _area_weights(left, right, pixels.shape[1], size[1])
    # Of 0 and 255 it is exact that they are 0 and 1.
    values = pixels.astype(np.float32) / np.float32(255.0)
    planes = values[None] if values.ndim == 2 else np.moveaxis(values, -1, 0)
    means = np.stack([np.round(255.0 * (down @ plane @ across.T)) for plane in planes], axis=-1)
    return means.astype(np.uint8)


# Drawings of one size are many, and these would be half of the work for each.
@functools.lru_cache(maxsize=16)
def _area_weights(start: float, stop: float, side: int, count: int) -> Float32[np.ndarray, "count side"]:
    """Row i holds the share of each of ``side`` pixels in the i-th of ``count`` equal stretches from ``start`` to ``stop``."""
    edges = np.linspace(start, stop, count + 1)
    pixels = np.arange(side)
    overlap = np.minimum.outer(edges[1:], pixels + 1) - np.maximum.outer(edges[:-1], pixels)
    weights = (np.clip(overlap, 0, None) * (count / (stop - start))).astype(np.float32)
    weights.setflags(write=False)
    return weights


def sides(size: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width, of those or of the side of a square."""
    return (size, size) if isinstance(size, int) else size


def to_unit(values: Shaped[Any, "*shape"]) -> Float[Any, "*shape"]:
    """What a network takes of an array: float32, integers v as v divided by the largest integer of their kind.

    The quotient of 8 and 16 bits is correctly rounded everywhere, so that it is the same to the bit in training and in
    evaluation, in NumPy and in a program of XLA on any device. Floating-point values, which lie in [0, 1], keep their value.

    Args:
        values: an array of NumPy or JAX: uint8, uint16, uint32 or floating point.

    Raises:
        ValueError: integers with a sign, of 64 bits, or truth values, which have no agreed range.

    Example:
        >>> to_unit(np.array([0, 255], np.uint8)).tolist()
        [0.0, 1.0]
    """
    kind = np.dtype(values.dtype)
    if not np.issubdtype(kind, np.integer) and kind != np.bool_:
        return values.astype(np.float32)
    if kind not in (np.uint8, np.uint16, np.uint32):
        raise ValueError(
            f"An image of {kind} has no agreed range: give unsigned integers of 8, 16 or 32 bits, or values in [0, 1]."
        )
    return from_levels(values.astype(np.float32), int(np.iinfo(kind).max))


def from_levels(values: Float[Any, "*shape"], largest: int = 255) -> Float[Any, "*shape"]:
    """Float32 values between 0 and ``largest`` = 2ⁿ − 1, divided by it: correctly rounded for whole numbers of n ≤ 16 bits.

    Compilers turn a division by a constant into one multiplication, and miss the quotient by an ulp. Here 1/``largest`` is the
    power of two below it, by which a product is exact, and a small rest, whose rounding is lost in the sum.
    """
    power = 2.0 ** -largest.bit_length()
    return values * np.float32(power) + values * np.float32(1 / largest - power)
