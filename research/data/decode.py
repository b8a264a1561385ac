"""Reading one image that somebody else made: whatever may be wrong with it is an error that names it."""

import dataclasses
import io
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image, ImageOps

from likeness.research.data.image_guard import FORMATS, Excessive, check_file, unread, without_range
from likeness.research.data.paths import printable
from likeness.research.data.regular import NotAFile, open_regular
from likeness.research.errors import UserError

_ORIENTATION = 0x0112

# What beartype can tell at run time, which `IO[bytes]` is not.
File = io.BytesIO | io.BufferedReader


class BadImage(UserError):
    """An image that cannot be used: ``name`` says which, ``why`` what is wrong with it."""

    def __init__(self, name: str, why: str, remedy: str = "Replace or remove the file.") -> None:
        super().__init__(f"The image {name} cannot be used: {why}. {remedy}")
        self.name = name
        self.why = why
        self.remedy = remedy

    def __reduce__(self):
        return BadImage, (self.name, self.why, self.remedy)


class ImageHeader(NamedTuple):
    """What an image's file says of its pixels."""

    height: int
    """As they are stored."""
    width: int
    orientation: int
    """How EXIF has them turned to be upright, 1 to 8; 1: not at all."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decode:
    """Decodes one image file into uint8 (height, width, channels), of its own size.

    JPEG, PNG, TIFF, WebP, AVIF, GIF, BMP and PGM/PPM, told by content and not by name; of several frames or pages the first. An
    image is turned as its EXIF tag says, transparency is laid on white, 16 bits of gray become 8 by ``round(v / 257)`` and
    those of color by ``v // 256``, color becomes gray by ITU-R 601 luma and gray becomes color by repetition.

    Raises:
        BadImage: the file is missing, unreadable, not a regular file, not an image, cut short, larger than
            ``max_megapixels``, has a side below ``min_side``, holds numbers without an agreed range, or would take long to
            read (:mod:`likeness.research.data.image_guard`).
    """

    channels: Literal[1, 3] = 3
    """1 for gray, 3 for RGB."""
    max_megapixels: float = 50.0
    """An image with more pixels is refused, by its header, before a pixel is decoded."""
    min_side: int = 8
    """An image with a shorter side is refused."""

    def __post_init__(self) -> None:
        if not self.max_megapixels > 0:
            raise ValueError(f"Decode.max_megapixels must be positive, not {self.max_megapixels}.")
        if self.min_side < 1:
            raise ValueError(f"Decode.min_side must be at least 1, not {self.min_side}.")

    def __call__(self, path: str | os.PathLike) -> UInt8[np.ndarray, "h w c"]:
        """Decodes the file at ``path``."""
        with open_image(path) as file:
            return self.from_file(file, printable(path))

    def from_bytes(self, data: bytes, name: str) -> UInt8[np.ndarray, "h w c"]:
        """Decodes an encoded image held in memory; ``name`` is for the error."""
        return self.from_file(io.BytesIO(data), name)

    def from_file(self, file: File, name: str) -> UInt8[np.ndarray, "h w c"]:
        """Decodes an open file; ``name`` is for the error."""
        with self.image(file, name) as image:
            pixels = np.array(image, np.uint8)
        return pixels[:, :, None] if pixels.ndim == 2 else pixels

    def from_image(self, image: Image.Image, name: str = "that was given") -> UInt8[np.ndarray, "h w c"]:
        """What an image that Pillow has opened shows; ``name`` is for the error."""
        self._check_header(image, name)
        pixels = np.array(_to_mode(_upright(image), "L" if self.channels == 1 else "RGB"), np.uint8)
        return pixels[:, :, None] if pixels.ndim == 2 else pixels

    @contextmanager
    def image(self, file: File, name: str, least: int = 0) -> Iterator[Image.Image]:
        """Decodes an open file, upright and in the mode of ``channels``, at its own size; for as long as the context lasts.

        Args:
            file: the file.
            name: for the error.
            least: where decoding at a fraction of the size is cheap, both sides may be as small as this; 0 keeps the size.

        Raises:
            BadImage: the file cannot be used, or what is done to the image in the context fails.
        """
        with self._open(file, name) as image:
            if least:
                image.draft(image.mode, (least, least))
            image.load()
            yield _to_mode(_upright(image), "L" if self.channels == 1 else "RGB")

    def verify(self, path: str | os.PathLike) -> None:
        """Checks what the header tells, without decoding."""
        with open_image(path) as file, self._open(file, printable(path)):
            pass

    def header(self, path: str | os.PathLike) -> "ImageHeader":
        """Checks what the header of a file tells, and returns it."""
        with open_image(path) as file, self._open(file, printable(path)) as image:
            try:
                turn = image.getexif().get(_ORIENTATION, 1)
            # As of pixels, broken EXIF is none.
            except Exception:
                turn = 1
            width, height = image.size
            return ImageHeader(height, width, turn if isinstance(turn, int) and 1 <= turn <= 8 else 1)

    @contextmanager
    def _open(self, file: File, name: str) -> Iterator[Image.Image]:
        try:
            check_file(file)
            with Image.open(file, formats=FORMATS) as image:
                self._check_header(image, name)
                yield image
        except BadImage:
            raise
        except Excessive as error:
            raise BadImage(name, error.why, error.remedy) from error
        except Image.UnidentifiedImageError as error:
            raise BadImage(name, unread(file)) from error
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            # Pillow's own limit comes before this one's; the number is in its message only.
            pixels = re.search(r"\((\d+) pixels\)", str(error))
            raise self._too_large(name, f"{int(pixels[1]) / 1e6:.1f}" if pixels else "far too many") from error
        # On hostile input Pillow raises nearly anything: OSError, SyntaxError, struct.error, IndexError.
        except Exception as error:
            raise BadImage(name, f"it is damaged ({printable(str(error)) or type(error).__name__})") from error

    def _check_header(self, image: Image.Image, name: str) -> None:
        width, height = image.size
        if width * height > self.max_megapixels * 1e6:
            raise self._too_large(name, f"{width * height / 1e6:.1f}")
        if min(width, height) < self.min_side:
            raise BadImage(
                name,
                f"it is {width} x {height} pixels, and a side must have at least {self.min_side}",
                "Replace or remove the file, or lower `min_side`.",
            )
        if kind := without_range(image):
            raise BadImage(name, f"its pixels are {kind}", "Save it as RGB or gray of 8 or 16 bits.")

    def _too_large(self, name: str, megapixels: str) -> BadImage:
        why = f"it has {megapixels} megapixels, and at most {self.max_megapixels:g} are decoded"
        return BadImage(name, why, "Shrink or remove the file, or raise `max_megapixels`.")


def to_uint8(images: Shaped[np.ndarray, "*shape"], name: str) -> UInt8[np.ndarray, "*shape"]:
    """Images as uint8: uint8 as they are, floating-point in [0, 1] by ``round(255 x)``.

    Raises:
        UserError: another dtype, or values that are not finite or lie outside [0, 1].
    """
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise UserError(f"The images of {name} are {images.dtype}: give uint8 in 0..255 or floating-point in [0, 1].")
    if not np.isfinite(images).all():
        where = np.argwhere(~np.isfinite(images))[0].tolist()
        raise UserError(f"The images of {name} hold NaN or infinity, first at {where}: mend or leave them out.")
    if images.size and (images.min() < 0 or images.max() > 1):
        raise UserError(
            f"The images of {name} are floating-point from {images.min():g} to {images.max():g}, and [0, 1] "
            "is expected: rescale them, or give uint8 in 0..255."
        )
    return np.round(images * 255.0).astype(np.uint8)


@contextmanager
def open_image(path: str | os.PathLike) -> Iterator[io.BufferedReader]:
    """Opens an image's file for reading, see :func:`open_regular`.

    Raises:
        BadImage: it is missing, unreadable or not a regular file.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(open_regular(path))
        except NotAFile as error:
            raise BadImage(error.name, error.why, error.remedy) from error
        yield file


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    # Cameras and editors write broken EXIF often; the pixels are whole, so the image stays as it is stored.
    except Exception:
        return image


def _to_mode(image: Image.Image, mode: Literal["L", "RGB"]) -> Image.Image:
    if image.mode.startswith("I"):
        # Pillow would clip 16 bits at 255 instead of scaling them.
        wide = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        levels = ((wide + 128) // 257).astype(np.uint8)
        # A PNG may name one gray that is transparent, which only the 16 bits tell from its neighbors.
        transparent = image.info.get("transparency")
        image = Image.fromarray(levels if transparent is None else np.where(wide == transparent, np.uint8(255), levels))
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == mode else image.convert(mode)
