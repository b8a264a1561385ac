"""Writing an image, whole or not at all, in the format that its name asks for."""

import io
import os
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from likeness.research.data.paths import printable
from likeness.research.errors import UserError
from likeness.research.files import write_atomically
from likeness.research.images.sixteen_bits import encode_png
from likeness.research.types import AnyArray, Float, Shaped

_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
    ".bmp": "BMP",
}
_LONGEST = {"JPEG": 65535, "WEBP": 16383}
_OPAQUE = ("JPEG", "BMP")


def write_image(
    path: str | os.PathLike,
    pixels: Float[AnyArray, "h w 3"],
    *,
    bits: int = 8,
    alpha: Float[AnyArray, "H W"] | None = None,
    quality: int = 95,
) -> None:
    """Writes an image so that a reader, or a crash, sees the old file or the new, never a part.

    The same arguments give the same bytes: nothing of the time or the machine goes into the file.

    Args:
        path: its suffix says the format: .png, .jpg, .jpeg, .tif, .tiff, .webp or .bmp.
        pixels: sRGB; clipped to [0, 1], then rounded to the nearest of 2^bits levels.
        bits: a channel: 8, or 16 in .png.
        alpha: opacity, treated likewise; in .png, .tif and .webp.
        quality: of .jpg and .webp, 1 to 100. JPEG keeps the full resolution of color, on which fine strokes depend.

    Raises:
        UserError: the suffix, or what the format cannot hold; or the file cannot be written.
        ValueError: bits or quality out of range, alpha of another size, or values that are not finite.
    """
    target = Path(path)
    if bits not in (8, 16):
        raise ValueError(f"write_image(bits={bits}): a channel has 8 or 16 bits.")
    if not 1 <= quality <= 100:
        raise ValueError(f"write_image(quality={quality}): give 1 to 100.")
    kind = _FORMATS.get(target.suffix.lower())
    name = printable(path)
    if kind is None:
        suffix = f"the suffix {printable(target.suffix)}" if target.suffix else "no suffix"
        raise UserError(f"The image {name} has {suffix}, which names no format: call it .png, .jpg, .tif, .webp or .bmp.")
    planes = [np.asarray(pixels, np.float32)]
    if alpha is not None:
        if alpha.shape != pixels.shape[:2]:
            raise ValueError(f"write_image(alpha=...) is {alpha.shape} and the image {pixels.shape[:2]}: give one size.")
        planes.append(np.asarray(alpha, np.float32)[..., None])
    _check_holds(kind, name, planes[0].shape, bits, opaque=alpha is None)
    write_atomically(target, _encoded(kind, _levels(np.concatenate(planes, -1), bits), bits, quality))


def _check_holds(kind: str, name: str, shape: tuple[int, ...], bits: int, *, opaque: bool) -> None:
    if bits == 16 and kind != "PNG":
        raise UserError(f"The image {name} was to have 16 bits a channel, which only .png files get here: call it .png.")
    if not opaque and kind in _OPAQUE:
        raise UserError(f"The image {name} has transparency, which {kind} cannot hold: call it .png, or write it without.")
    if min(shape) == 0:
        raise ValueError(f"The image for {name} is {shape[1]} x {shape[0]} pixels: there is nothing to write.")
    if max(shape) > _LONGEST.get(kind, 2**31 - 1):
        raise UserError(
            f"The image {name} is {shape[1]} x {shape[0]} pixels, and {kind} holds {_LONGEST[kind]} on a side: "
            "call it .png, or make it smaller."
        )


def _levels(values: Float[np.ndarray, "h w c"], bits: int) -> Shaped[np.ndarray, "h w c"]:
    if not np.isfinite(values).all():
        where = np.argwhere(~np.isfinite(values))[0].tolist()
        raise ValueError(f"The image holds NaN or infinity, first at (row, column, channel) {where}: it cannot be written.")
    # 65535 levels are near what float32 tells apart.
    top, exact = (255, np.float32) if bits == 8 else (65535, np.float64)
    return np.rint(np.multiply(np.clip(values, 0.0, 1.0), top, dtype=exact)).astype(np.uint8 if bits == 8 else np.uint16)


def _encoded(kind: str, levels: Shaped[np.ndarray, "h w c"], bits: int, quality: int) -> bytes:
    if bits == 16:
        return encode_png(levels)
    options: dict = {
        "PNG": {"pnginfo": _tagged_srgb()},
        "JPEG": {"quality": quality, "subsampling": 0, "optimize": True},
        "TIFF": {"compression": "tiff_lzw"},
        "WEBP": {"quality": quality, "method": 4, "exact": True},
        "BMP": {},
    }[kind]
    out = io.BytesIO()
    Image.fromarray(levels).save(out, kind, **options)
    return out.getvalue()


def _tagged_srgb() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add(b"sRGB", b"\0")
    return info
