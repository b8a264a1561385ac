"""Sixteen bits a channel, which Pillow reads and writes for gray only."""

import struct
import sys
import zlib
from typing import Any

import numpy as np
from PIL.ImageFile import ImageFile

from likeness.research.types import Shaped

# Pillow's decoders know each order of two bytes but keep only the one they take for the higher. Read with the orders
# exchanged, the same file gives the lower.
_NATIVE, _OTHER = ("L", "B") if sys.byteorder == "little" else ("B", "L")
_EXCHANGED = {"B": "L", "L": "B", "N": _OTHER}
_COLOR_MODES = ("RGB;16", "RGBA;16", "RGBX;16")


def claims_sixteen_bits(image: ImageFile) -> bool:
    """Whether the file has 16 bits a channel, by its header; ``image`` is opened and not loaded."""
    return image.mode.startswith("I;16") or any(";16" in str(_raw_mode(tile.args)) for tile in image.tile)


def read_sixteen_bits(image: ImageFile, again: ImageFile) -> Shaped[np.ndarray, "h w c"] | None:
    """All bits of an image that :func:`claims_sixteen_bits`.

    Args:
        image: opened and not loaded.
        again: the same file opened a second time.

    Returns:
        uint16 of 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA) channels; None for layouts of TIFF that are rare.
    """
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)[:, :, None]
    modes = {str(_raw_mode(tile.args)) for tile in image.tile}
    if modes == {"LA;16B"}:
        # The four bytes of gray and alpha, as if they were four channels.
        again._mode = "RGBA"
        _set_raw_modes(again, lambda mode: "RGBA")
        planes = np.asarray(again).astype(np.uint16)
        return planes[..., ::2] << 8 | planes[..., 1::2]
    if any(mode[:-1] not in _COLOR_MODES for mode in modes):
        return None
    _set_raw_modes(again, lambda mode: mode[:-1] + _EXCHANGED[mode[-1]])
    high, low = np.asarray(image).astype(np.uint16), np.asarray(again)
    return high << 8 | low


def encode_png(pixels: Shaped[np.ndarray, "h w c"]) -> bytes:
    """A PNG file (ISO/IEC 15948) of RGB or RGBA with 16 bits a channel, tagged as sRGB.

    Each row is filtered in the five ways the format knows, and the one whose differences are smallest in sum is kept.

    Args:
        pixels: uint16 of 3 or 4 channels.
    """
    height, width, channels = pixels.shape
    rows = pixels.astype(">u2").reshape(height, -1).view(np.uint8)
    step = 2 * channels
    stream = zlib.compressobj(6)
    data, above = [], np.zeros(rows.shape[1], np.int16)
    for row in rows.astype(np.int16):
        left, corner = (np.concatenate([np.zeros(step, np.int16), v[:-step]]) for v in (row, above))
        guess = left + above - corner
        to_left, to_above, to_corner = np.abs(guess - left), np.abs(guess - above), np.abs(guess - corner)
        paeth = np.where((to_left <= to_above) & (to_left <= to_corner), left, np.where(to_above <= to_corner, above, corner))
        filtered = np.stack([row, row - left, row - above, row - (left + above) // 2, row - paeth]).astype(np.uint8)
        kind = int(np.abs(filtered.view(np.int8).astype(np.int16)).sum(1, dtype=np.int64).argmin())
        data.append(stream.compress(bytes([kind]) + filtered[kind].tobytes()))
        above = row
    data.append(stream.flush())
    header = struct.pack(">IIBBBBB", width, height, 16, 6 if channels == 4 else 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"sRGB", b"\0"), (b"IDAT", b"".join(data)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _raw_mode(arguments: Any) -> Any:
    return arguments[0] if isinstance(arguments, tuple) else arguments


def _set_raw_modes(image: ImageFile, change: Any) -> None:
    image.tile = [
        tile._replace(args=(change(tile.args[0]), *tile.args[1:]) if isinstance(tile.args, tuple) else change(tile.args))
        for tile in image.tile
    ]
