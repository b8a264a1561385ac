"""What of an image's file is looked at before Pillow opens it, so that none takes seconds or gigabytes to refuse or to read.

Pixels are limited by who decodes. Limited here is the rest, which Pillow reads on the way: how long the file is, its metadata,
the parts that it comes in, and the layouts that Pillow decodes number by number in Python. Each format's own list of parts is
walked, which costs next to nothing; no page is counted and nothing is decoded.
"""

import os
import re
import struct

from PIL import Image, TiffImagePlugin, features

from likeness.research.data.npz import ReadFile

# Pillow knows dozens of formats, some of which run other programs; these are the ones that people's images come in.
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "PPM", *(("AVIF",) if features.check("avif") else ()))
NAMES = ("JPEG", "PNG", "TIFF", "WebP", *(("AVIF",) if features.check("avif") else ()), "BMP", "GIF", "PNM")
READABLE = f"{', '.join(NAMES[:-1])} or {NAMES[-1]}"
"""The formats in a sentence."""
SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".avif", ".bmp", ".gif", ".pbm", ".pgm", ".ppm", ".pnm")
"""What files of these formats are called, where only the name can tell."""

_MIB = 1 << 20
_LONGEST_FILE = 1024 * _MIB
_LONGEST_WHOLE = 256 * _MIB
"""Of formats that are read as a whole before the first pixel is known."""
_METADATA = 16 * _MIB
"""Profiles take up to 4 MiB, previews and depth maps of telephones some more."""
_EXIF = _MIB
"""A JPEG has one segment of 64 KiB, rarely two; Pillow joins them."""
_TIFF_METADATA = 64 * _MIB
"""Image editors keep their layers there."""
_PARTS = 1 << 16
"""Chunks of a PNG, strips of a TIFF: a strip for each of 16,384 rows in four planes."""
_JPEG_SEGMENTS = 4096
_JPEG_JUNK = 1 << 16
_JPEG_SCANS = 24
"""Encoders make about ten, optimizers up to twenty; each is a pass over all pixels, of two seconds a billion."""
_GIF_METADATA = 4 * _MIB
_GIF_BLOCKS = 1 << 18
"""Of 255 bytes as a rule."""
_SLOW_PIXELS = 2_000_000
"""Of layouts that Pillow decodes in Python, at about half a microsecond a number."""

_STARTS = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "GIF": (b"GIF87a", b"GIF89a"),
}
_JPEG_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
_SOI, _EOI, _SOS, _APP1 = 0xD8, 0xD9, 0xDA, 0xE1
# Bytes of one number of each type (TIFF 6.0, section 2, and those that came later).
_TIFF_TYPES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_TIFF_BYTES = (1, 2, 6, 7)
# Tags of a TIFF: bits of each number, what the smallest stands for, and whether numbers have a sign.
_TIFF_BITS, _TIFF_WHITE, _TIFF_SAMPLES, _SIGNED = 258, 262, 339, 2


class Excessive(ValueError):
    """A file that would take too long or too much: ``why`` continues "it cannot be used:", ``remedy`` says what to do."""

    def __init__(self, why: str, remedy: str = "Save it anew as PNG, say, without what is not pixels.") -> None:
        super().__init__(f"{why}. {remedy}")
        self.why = why
        self.remedy = remedy


def check_file(file: ReadFile) -> None:
    """Refuses a file whose parts would take long to read; one that is damaged, or no image, is left to Pillow.

    Args:
        file: opened for reading, seekable; it is left at its beginning.

    Raises:
        Excessive: it is one of those.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(64)
    try:
        _check_length(size, _LONGEST_FILE)
        if head.startswith(_STARTS["JPEG"]):
            _check_length(size, _LONGEST_WHOLE)
            file.seek(0)
            _check_jpeg(file.read())
        elif head.startswith(_STARTS["PNG"]):
            _check_png(file)
        elif head.startswith(_STARTS["TIFF"]):
            _check_tiff(file, head)
        elif head.startswith(_STARTS["GIF"]):
            _GifBlocks(file).skip_to_image()
        elif head.startswith(b"BM"):
            _check_bmp(head)
        elif head[:1] == b"P" and head[1:2].isdigit():
            _check_pnm(head)
        elif head.startswith(b"RIFF") or head[4:8] == b"ftyp":
            _check_length(size, _LONGEST_WHOLE)
    # Cut short within a list of parts: Pillow says so better.
    except (struct.error, IndexError):
        pass
    finally:
        file.seek(0)


def unread(file: ReadFile) -> str:
    """Why Pillow does not take a file for an image: it is none, or of a layout that Pillow does not know."""
    file.seek(0)
    head = file.read(64)
    for kind, starts in _STARTS.items():
        if head.startswith(starts):
            return f"it is a {kind} that is damaged or of a layout that is not read"
    if head[4:12] in (b"ftypavif", b"ftypavis"):
        return "it is an AVIF that is damaged or that this installation of Pillow cannot read"
    return f"it is not a {READABLE} image"


def has_more(image: Image.Image, file: ReadFile) -> bool:
    """Whether a file that passed :func:`check_file` holds more pages or frames than the first; they are not counted.

    Args:
        image: opened by Pillow and not loaded.
        file: what it was opened from; its position is kept.
    """
    # A JPEG of several images holds previews and depth maps behind the image itself.
    if image.format == "MPO":
        return False
    if image.format != "GIF":
        return bool(getattr(image, "is_animated", False))
    position = file.tell()
    try:
        blocks = _GifBlocks(file)
        return blocks.skip_to_image() and blocks.skip_image() and blocks.skip_to_image()
    except Excessive:
        return True
    except (struct.error, IndexError):
        return False
    finally:
        file.seek(position)


def without_range(image: Image.Image) -> str:
    """What an image's pixels are if they are numbers whose white nobody knows, or Pillow does not heed; else empty."""
    if image.mode == "I" and image.format != "PPM":
        # Pillow brings PGM of more than 8 bits to the range of 16, and has this mode for it.
        return "signed or 32-bit numbers, which have no agreed range"
    if image.mode in ("F", "LAB"):
        return f"{'floating-point numbers' if image.mode == 'F' else 'Lab colors'}, which have no agreed range"
    return _unheeded(image) if isinstance(image, TiffImagePlugin.TiffImageFile) else ""


def _unheeded(image: TiffImagePlugin.TiffImageFile) -> str:
    """What of a TIFF's numbers Pillow reads as if they were unsigned, of 16 bits and black at 0."""
    tags = image.tag_v2
    bits, signs = (_numbers(tags.get(tag, 1)) for tag in (_TIFF_BITS, _TIFF_SAMPLES))
    if _SIGNED in signs:
        return "signed numbers, which have no agreed range"
    if odd := [size for size in bits if size > 8 and size % 8]:
        return f"numbers of {odd[0]} bits, which would be read as if they had 16"
    if image.mode.startswith("I;16") and tags.get(_TIFF_WHITE, 1) == 0:
        return "16 bits of gray with 0 for white, which would be read as if 0 were black"
    return ""


def _numbers(value: object) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple) else (value,) if isinstance(value, int) else ()


def _check_length(size: int, most: int) -> None:
    if size > most:
        raise Excessive(f"the file has {size / 1e6:,.0f} MB, and at most {most / 1e6:,.0f} are read", "Shrink it.")


def _metadata(size: int, most: int) -> Excessive:
    return Excessive(f"it has {size / 1e6:,.1f} MB of metadata, and at most {most / 1e6:,.1f} are read")


def _check_jpeg(data: bytes) -> None:
    """ITU-T T.81, B.1: segments of a marker and a length, and behind a start of scan whatever is not a marker."""
    position, junk, exif, scans = 2, 0, 0, 0
    for _ in range(_JPEG_SEGMENTS):
        found = _JPEG_MARKER.search(data, position)
        if found is None:
            return
        if not scans:
            junk += found.start() - position
            if junk > _JPEG_JUNK:
                raise Excessive(f"it has {junk:,} bytes of no meaning between its segments")
        kind = data[found.end() - 1]
        if kind == _EOI:
            return
        if kind == _SOI:
            position = found.end()
            continue
        (length,) = struct.unpack_from(">H", data, found.end())
        position = found.end() + length
        if kind == _APP1 and data.startswith(b"Exif\0\0", found.end() + 2):
            exif += length
            if exif > _EXIF:
                raise _metadata(exif, _EXIF)
        if kind == _SOS:
            scans += 1
            if scans > _JPEG_SCANS:
                raise Excessive(f"it is drawn in more than {_JPEG_SCANS} passes, and an ordinary progressive JPEG in ten")
        elif not scans and position > _METADATA:
            raise _metadata(position, _METADATA)
    raise Excessive(f"it has more than {_JPEG_SEGMENTS:,} segments")


def _check_png(file: ReadFile) -> None:
    """PNG, 5.3: chunks of a length, a name, data and a checksum."""
    file.seek(8)
    metadata = 0
    for _ in range(_PARTS):
        header = file.read(8)
        length, kind = struct.unpack(">I4s", header)
        if kind == b"IEND":
            return
        if kind not in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"fdAT"):
            metadata += length
            if metadata > _METADATA:
                raise _metadata(metadata, _METADATA)
        file.seek(length + 4, os.SEEK_CUR)
    raise Excessive(f"it has more than {_PARTS:,} chunks")


def _check_tiff(file: ReadFile, head: bytes) -> None:
    """TIFF 6.0, section 2, and BigTIFF: of the first page's directory what each entry says that it takes."""
    order = "<" if head.startswith(b"II") else ">"
    big = b"+" in head[:4]
    number, entry, inline = ("Q", order + "HHQ", 8) if big else ("I", order + "HHI", 4)
    (at,) = struct.unpack_from(order + number, head, 8 if big else 4)
    file.seek(min(at, _LONGEST_FILE))
    counter = order + ("Q" if big else "H")
    (entries,) = struct.unpack(counter, file.read(struct.calcsize(counter)))
    if entries > _JPEG_SEGMENTS:
        raise Excessive(f"its first page has {entries:,} tags")
    metadata = 0
    step = struct.calcsize(entry) + inline
    for _, kind, count in (struct.unpack_from(entry, row) for row in _rows(file.read(step * entries), step)):
        metadata += count * _TIFF_TYPES.get(kind, 0)
        if metadata > _TIFF_METADATA:
            raise _metadata(metadata, _TIFF_METADATA)
        if kind not in _TIFF_BYTES and count > _PARTS:
            raise Excessive(f"a tag of its first page has {count:,} numbers: it comes in too many strips or tiles")


def _rows(data: bytes, step: int) -> list[bytes]:
    return [data[start : start + step] for start in range(0, len(data), step)]


class _GifBlocks:
    """Walks over a GIF's blocks (GIF89a, sections 15 to 26)."""

    def __init__(self, file: ReadFile) -> None:
        self._file = file
        self._left = _GIF_BLOCKS
        self._metadata = 0
        file.seek(0)
        flags = file.read(13)[10]
        file.seek(_palette(flags), os.SEEK_CUR)

    def skip_to_image(self) -> bool:
        """Whether there is another frame; if so, the file is behind its introducer."""
        while (introducer := self._file.read(1)) == b"!":
            self._file.read(1)
            self._metadata += self._skip_blocks()
            if self._metadata > _GIF_METADATA:
                raise _metadata(self._metadata, _GIF_METADATA)
        return introducer == b","

    def skip_image(self) -> bool:
        flags = self._file.read(9)[8]
        self._file.seek(_palette(flags) + 1, os.SEEK_CUR)
        self._skip_blocks()
        return True

    def _skip_blocks(self) -> int:
        total, left, read, seek = 0, self._left, self._file.read, self._file.seek
        while length := read(1)[0]:
            left -= 1
            if left < 0:
                raise Excessive(f"it has more than {_GIF_BLOCKS:,} blocks")
            seek(length, os.SEEK_CUR)
            total += length
        # A block costs its length's byte too, and one without data costs no less to walk over.
        self._left = left - 1
        return total + 1


def _palette(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _check_bmp(head: bytes) -> None:
    """Run lengths (BI_RLE8 and BI_RLE4) are decoded in Python."""
    width, height, _, _, compression = struct.unpack_from("<iiHHI", head, 18)
    if compression in (1, 2) and struct.unpack_from("<I", head, 14)[0] >= 40:
        _check_slow(abs(width * height), "in run lengths")


def _check_pnm(head: bytes) -> None:
    """Numbers that are written out, and those with a maximum of their own, are decoded in Python."""
    words = re.sub(rb"#[^\n\r]*", b"", head).split()
    if words[0] in (b"P1", b"P2", b"P3") or (words[0] in (b"P5", b"P6") and words[3] not in (b"255", b"65535")):
        numbers = int(words[1]) * int(words[2]) * (3 if words[0] in (b"P3", b"P6") else 1)
        _check_slow(numbers, "number by number")


def _check_slow(numbers: int, how: str) -> None:
    if numbers > _SLOW_PIXELS:
        raise Excessive(
            f"it has {numbers / 1e6:,.1f} million values {how}, which are slow to read, and at most "
            f"{_SLOW_PIXELS / 1e6:g} million of such are read",
            "Save it anew as PNG.",
        )
