"""From the color space that an image's ICC profile describes to sRGB.

Specification ICC.1:2022. Profiles that are a matrix and three curves, or one curve for gray, are most of those that images
have; they are computed here, in floating point, since Pillow gives Little CMS 8 bits only, and Little CMS interpolates in
them. Profiles that are tables, those of CMYK among them, go through Little CMS.
"""

import io
import struct

import numpy as np
from PIL import Image, ImageCms

from likeness.research.types import Float

# Of sRGB, adapted to D50 by Bradford's method.
_SRGB_TO_XYZ = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
_SPACES = {b"GRAY": "L", b"RGB ": "RGB", b"CMYK": "CMYK"}
_NAMES = {"L": "gray"}
_GRAY = (b"kTRC",)
_MATRIX = (b"rTRC", b"gTRC", b"bTRC", b"rXYZ", b"gXYZ", b"bXYZ")


class UnusableProfile(ValueError):
    """A profile that does not fit its image or cannot be read."""


def convert(values: Float[np.ndarray, "h w c"], icc: bytes) -> Float[np.ndarray, "h w c"] | None:
    """Gray or RGB in [0, 1] as sRGB, clipped to its gamut; None where the profile is a table.

    ``XYZ = M · curve(values)`` in light, then the inverse of the same for sRGB. Values of a profile that is sRGB up to
    the differences between its makers' own are returned as they are.

    Raises:
        UnusableProfile: the profile is for another mode, or damaged.
    """
    gray = values.shape[-1] == 1
    _check_space(icc, "L" if gray else "RGB")
    try:
        tags = _tags(icc)
        if b"A2B0" in tags or not set(_GRAY if gray else _MATRIX) <= tags.keys():
            return None
        curves = [tags[name] for name in (_GRAY if gray else _MATRIX[:3])]
        colorants = None if gray else np.stack([_fixed(tags[name][8:20]) for name in _MATRIX[3:]], 1)
        if _is_srgb(curves, colorants):
            return values
        light = np.concatenate([_linearized(values[..., c : c + 1], curve) for c, curve in enumerate(curves)], -1)
        if colorants is not None:
            light = light @ np.linalg.solve(_SRGB_TO_XYZ, colorants).T.astype(np.float32)
        return _encode(light)
    # numpy raises ValueError for bytes that are no whole number of entries, and for a matrix it cannot invert.
    except (struct.error, IndexError, ValueError) as error:
        raise UnusableProfile("it is damaged") from error


def convert_table(image: Image.Image, icc: bytes) -> Image.Image:
    """An image of mode L, RGB or CMYK as RGB of sRGB; relative colorimetric, black to black.

    Raises:
        UnusableProfile: the profile is for another mode, or damaged.
    """
    _check_space(icc, image.mode)
    try:
        converted = ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(io.BytesIO(icc)),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    # On hostile input Little CMS raises more than its own error.
    except Exception as error:
        raise UnusableProfile("it is damaged") from error
    assert converted is not None
    return converted


def _check_space(icc: bytes, mode: str) -> None:
    if len(icc) < 132 or icc[36:40] != b"acsp":
        raise UnusableProfile("it is damaged")
    space = _SPACES.get(icc[16:20])
    if space != mode:
        told = space or icc[16:20].decode("ascii", "replace").strip()
        raise UnusableProfile(f"it is for {_NAMES.get(told, told)} and the image is {_NAMES.get(mode, mode)}")


def _is_srgb(curves: list[bytes], colorants: np.ndarray | None) -> bool:
    ramp = np.linspace(0.0, 1.0, 64, dtype=np.float32)
    near = all(np.abs(_encode(_linearized(ramp, curve)) - ramp).max() < 0.5 / 255.0 for curve in curves)
    return near and (colorants is None or bool(np.abs(colorants - _SRGB_TO_XYZ).max() < 1e-3))


def _tags(icc: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", icc, 128)
    tags = {}
    for number in range(min(count, 200)):
        name, offset, size = struct.unpack_from(">4sII", icc, 132 + 12 * number)
        tags[name] = icc[offset : offset + size]
    return tags


def _fixed(data: bytes) -> np.ndarray:
    """s15Fixed16 numbers."""
    return np.frombuffer(data, ">i4") / 65536.0


def _linearized(values: np.ndarray, curve: bytes) -> np.ndarray:
    """Light of one channel's values."""
    if curve[:4] == b"curv":
        (count,) = struct.unpack_from(">I", curve, 8)
        if count == 0:
            return values
        table = np.frombuffer(curve[12 : 12 + 2 * count], ">u2")
        if len(table) < count:
            raise IndexError
        if count == 1:
            return values ** np.float32(table[0] / 256.0)
        return np.interp(values, np.linspace(0.0, 1.0, count), table / 65535.0).astype(np.float32)
    if curve[:4] == b"para":
        (kind,) = struct.unpack_from(">H", curve, 8)
        g, a, b, c, d, e, f = _parameters(kind, _fixed(curve[12 : 12 + 4 * (1, 3, 4, 5, 7)[kind]]).tolist())
        power = np.maximum(a * values + b, 0.0) ** g + e
        return np.clip(np.where(values >= d, power, c * values + f), 0.0, 1.0).astype(np.float32)
    raise IndexError


def _parameters(kind: int, given: list[float]) -> list[float]:
    """Of every kind of parametric curve, as those of the last: ``(a x + b)^g + e`` from ``d`` on, ``c x + f`` before."""
    if kind == 0:
        return [*given, 1.0, 0.0, 0.0, -1.0, 0.0, 0.0]
    if kind in (1, 2):
        g, a, b, *c = given
        offset = c[0] if c else 0.0
        return [g, a, b, 0.0, -b / a, offset, offset]
    if kind == 3:
        return [*given, 0.0, 0.0]
    return given


def _encode(light: np.ndarray) -> np.ndarray:
    """sRGB values of light (IEC 61966-2-1)."""
    light = np.clip(light, 0.0, 1.0)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1.0 / 2.4) - 0.055).astype(np.float32)
