"""Reading an image that somebody else made, with all its bits, upright and in sRGB."""

import dataclasses
import os
import warnings
from typing import Any

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

from likeness.research.data.decode import BadImage, open_image
from likeness.research.data.image_guard import FORMATS, Excessive, check_file, has_more, unread, without_range
from likeness.research.data.paths import printable
from likeness.research.images.profiles import UnusableProfile, convert, convert_table
from likeness.research.images.sixteen_bits import claims_sixteen_bits, read_sixteen_bits
from likeness.research.types import Float

_ORIENTATION = 0x0112
_GRAY = ("1", "L", "LA", "I")
_TRANSPARENT = ("LA", "PA", "RGBA", "RGBa")
_PILLOW_MEGAPIXELS = 178.0
"""Beyond this Pillow refuses by itself."""


@dataclasses.dataclass(frozen=True)
class LoadedImage:
    """An image as it is worked on, and what its file was like."""

    pixels: Float[np.ndarray, "h w 3"]
    """float32 RGB in [0, 1], sRGB values."""
    alpha: Float[np.ndarray, "h w"] | None = None
    """float32 opacity in [0, 1]; the colors are not multiplied by it. None: the file has none."""
    bits: int = 8
    """Of each channel, 8 or 16, that the pixels were made from."""
    gray: bool = False
    """The file is gray: the three channels are equal."""
    icc: bytes | None = None
    """The file's color profile, as found; the pixels are converted and do not have it any more."""
    notes: tuple[str, ...] = ()
    """Sentences about what was not taken over, for people."""


def read_image(path: str | os.PathLike, *, max_side: int = 16384, max_megapixels: float = 80.0) -> LoadedImage:
    """Reads a JPEG, PNG, TIFF, WebP, AVIF, BMP, GIF or PNM file, told by content and not by name.

    Orientation tags are applied. A color profile is converted to sRGB, relative colorimetric; without one the values are
    sRGB already, and CMYK is converted without ink in mind. 16 bits are kept in gray and RGB of PNG and TIFF. Of an
    animation or a file of pages the first is read, since it is a whole image and often the only one meant; a note says so.

    Args:
        path: the file.
        max_side: an image with a longer side is refused, by its header, before a pixel is decoded.
        max_megapixels: one with more pixels likewise. An image in work takes 12 bytes a pixel, and many times that.

    Raises:
        BadImage: the file is missing, unreadable, not an image, cut short or otherwise damaged, too large, or would take
            long to read (:mod:`likeness.research.data.image_guard`).
    """
    name = printable(path)
    with open_image(path) as file, warnings.catch_warnings():
        if os.fstat(file.fileno()).st_size == 0:
            raise BadImage(name, "the file is empty", "Give another copy of the file.")
        # What Pillow warns of (odd metadata, sizes below the limit here) is either harmless or comes up as an error.
        warnings.simplefilter("ignore")
        try:
            check_file(file)
            with Image.open(file, formats=FORMATS) as image:
                _check_size(image, name, max_side, max_megapixels)
                if kind := without_range(image):
                    raise BadImage(name, f"its pixels are {kind}", "Save it as RGB with 8 or 16 bits.")
                notes = ["It has more than one page or frame; only the first is read."] if has_more(image, file) else []
                if claims_sixteen_bits(image) and (read := _read_wide(image, file, notes)) is not None:
                    return read
                return _read_narrow(image, notes)
        except BadImage:
            raise
        except Excessive as error:
            raise BadImage(name, error.why, error.remedy) from error
        except Image.UnidentifiedImageError as error:
            raise BadImage(name, unread(file), "Convert it to PNG, say, or give another file.") from error
        except (Image.DecompressionBombError, MemoryError) as error:
            raise _too_large(name, "it has too many pixels to read", max_side, max_megapixels) from error
        # On hostile input Pillow raises nearly anything: OSError, SyntaxError, struct.error, IndexError.
        except Exception as error:
            reason = printable(str(error)) or type(error).__name__
            raise BadImage(name, f"it is damaged ({reason})", "Give another copy of the file.") from error


def _check_size(image: Image.Image, name: str, max_side: int, max_megapixels: float) -> None:
    width, height = image.size
    megapixels = width * height / 1e6
    if max(width, height) > max_side or megapixels > min(max_megapixels, _PILLOW_MEGAPIXELS):
        why = f"it is {width} x {height} pixels ({megapixels:.1f} megapixels)"
        raise _too_large(name, why, max_side, max_megapixels)


def _too_large(name: str, why: str, max_side: int, max_megapixels: float) -> BadImage:
    limits = f"{max_side} on a side and {min(max_megapixels, _PILLOW_MEGAPIXELS):g} megapixels are read"
    remedy = "Shrink it, or cut out the part that matters."
    if max_megapixels < _PILLOW_MEGAPIXELS:
        remedy += " The limits are `max_side` and `max_megapixels`."
    return BadImage(name, f"{why}, and at most {limits}", remedy)


def _read_wide(image: ImageFile, file: Any, notes: list[str]) -> LoadedImage | None:
    icc = image.info.get("icc_profile") or None
    transparent = image.info.get("transparency")
    position = file.tell()
    file.seek(0)
    with Image.open(file, formats=FORMATS) as again:
        file.seek(position)
        values = read_sixteen_bits(image, again)
    if values is None:
        notes.append("It has 16 bits in a layout of which only 8 are read.")
        return None
    values = _upright(values, _orientation(image))
    opacity = None
    if values.shape[2] in (2, 4):
        values, opacity = values[..., :-1], (values[..., -1] / np.float32(65535.0))
    elif transparent is not None:
        opacity = (values != np.asarray(transparent)).any(2).astype(np.float32)
    gray = values.shape[2] == 1
    pixels, bits = _to_srgb(values / np.float32(65535.0), 16, icc, notes)
    return LoadedImage(_rgb(pixels), opacity, bits, gray, icc, tuple(notes))


def _read_narrow(image: Image.Image, notes: list[str]) -> LoadedImage:
    icc = image.info.get("icc_profile") or None
    image.load()
    gray, bits, orientation, opacity = image.mode in _GRAY, 8, _orientation(image), None
    if image.mode in _TRANSPARENT or "transparency" in image.info:
        image = image.convert("RGBA")
        opacity = image.getchannel("A")
    if image.mode == "I":
        # Pillow brings gray of more than 8 bits to the range of 16.
        values, bits = np.clip(np.asarray(image), 0, 65535)[:, :, None] / np.float32(65535.0), 16
    elif image.mode == "CMYK":
        values = _from_cmyk(image, icc, notes)
    else:
        values = np.asarray(image.convert("L" if gray else "RGB")) / np.float32(255.0)
        values, bits = _to_srgb(values.reshape(*values.shape[:2], -1), 8, icc, notes)
    values = _upright(values, orientation)
    alpha = None if opacity is None else _upright(np.asarray(opacity) / np.float32(255.0), orientation)
    return LoadedImage(_rgb(values), alpha, bits, gray, icc, tuple(notes))


def _rgb(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.broadcast_to(values, (*values.shape[:2], 3)))


def _to_srgb(values: np.ndarray, bits: int, icc: bytes | None, notes: list[str]) -> tuple[np.ndarray, int]:
    """Gray or RGB in sRGB, and how many bits it still has."""
    if icc is None:
        return values, bits
    try:
        converted = convert(values, icc)
        if converted is not None:
            return converted, bits
        levels = np.rint(255.0 * values).astype(np.uint8)
        narrow = convert_table(Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels), icc)
        if bits == 16:
            notes.append("Its color profile is a table, through which 16 bits become 8.")
        return np.asarray(narrow) / np.float32(255.0), 8
    except UnusableProfile as error:
        notes.append(f"Its color profile is ignored: {error}.")
        return values, bits


def _from_cmyk(image: Image.Image, icc: bytes | None, notes: list[str]) -> np.ndarray:
    try:
        if icc is not None:
            return np.asarray(convert_table(image, icc)) / np.float32(255.0)
        notes.append("It is CMYK without a color profile, so its colors are approximate.")
    except UnusableProfile as error:
        notes.append(f"Its color profile is ignored, so its colors are approximate: {error}.")
    return np.asarray(image.convert("RGB")) / np.float32(255.0)


def _orientation(image: Image.Image) -> int:
    """The tag, 1 for upright; Pillow has turned a loaded TIFF, and taken its tag away."""
    try:
        return image.getexif().get(_ORIENTATION, 1)
    # Cameras and editors write broken EXIF often; the pixels are whole, so the image stays as it is stored.
    except Exception:
        return 1


def _upright(values: np.ndarray, orientation: int) -> np.ndarray:
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    return np.ascontiguousarray(values)
