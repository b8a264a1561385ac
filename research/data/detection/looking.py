"""Looking at each annotated image once: its header, its boxes, and its pixels where these are kept or checked."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import UInt8

from likeness.research.data.decode import BadImage, Decode, ImageHeader, open_image
from likeness.research.data.detection.checking import BoxChecks, CheckedImage
from likeness.research.data.detection.files import DataFiles
from likeness.research.data.detection.problems import Problem
from likeness.research.data.detection.records import RawImage
from likeness.research.data.paths import printable
from likeness.research.data.regular import sampled_digest

__all__ = ["CachedReader", "FileReader", "Good", "ImageLook", "without_copies"]


class Good(NamedTuple):
    """An image that can be used."""

    image: RawImage
    checked: CheckedImage
    size: tuple[int, int]
    """Upright."""
    content: bytes
    """A digest of its pixels, or of its file."""
    digest: bytes
    pixels: UInt8[np.ndarray, "h w c"] | None


@dataclasses.dataclass(frozen=True, eq=False)
class ImageLook:
    """Looks at one image and its boxes."""

    files: DataFiles
    image: RawImage
    decode: Decode
    checks: BoxChecks

    def header(self) -> ImageHeader | BadImage:
        try:
            return self.decode.header(self.files.root / self.image.file)
        except BadImage as error:
            return error
        except OSError as error:
            return BadImage(printable(self.image.file), f"it cannot be read ({error.strerror})")

    def __call__(self, header: ImageHeader | BadImage, keep: bool, verify: Literal["decode", "header"]) -> Good | Problem:
        name, path = printable(self.image.file), self.files.root / self.image.file
        if isinstance(header, BadImage):
            return Problem("unreadable_image", name, header.why)
        checked = self.checks(self.image, name, header)
        pixels = None
        try:
            with open_image(path) as file:
                start = sampled_digest(file)
            content = start
            if keep or verify == "decode":
                pixels = self.decode(path)
                content = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()
        except BadImage as error:
            return Problem("unreadable_image", name, error.why)
        except OSError as error:
            return Problem("unreadable_image", name, f"it cannot be read ({error.strerror})")
        turned = header.orientation >= 5
        size = (header.width, header.height) if turned else (header.height, header.width)
        told = hashlib.sha256(repr((self.decode.channels, self.image.file, size)).encode("utf-8", "surrogateescape") + start)
        for values in (checked.boxes, checked.classes, checked.crowd, checked.difficult):
            told.update(values.tobytes())
        return Good(self.image, checked, size, content, told.digest(), pixels if keep else None)


@dataclasses.dataclass(frozen=True, eq=False)
class CachedReader:
    images: Sequence[np.ndarray]

    def __call__(self, row: int) -> np.ndarray:
        return self.images[row]


@dataclasses.dataclass(frozen=True, eq=False)
class FileReader:
    root: Path
    files: tuple[str, ...]
    decode: Decode

    def __call__(self, row: int) -> np.ndarray:
        return self.decode(self.root / self.files[row])


def without_copies(good: Sequence[Good], problems: list[Problem]) -> list[Good]:
    """Of images with the same content in one part, the first; of those in several, the one that is evaluated by."""
    rank = {"test": 0, "validation": 1, "train": 2, "": 2}
    first: dict[bytes, Good] = {}
    for one in sorted(good, key=lambda one: rank[one.image.part]):
        first.setdefault(one.content, one)
    kept = []
    for one in good:
        other = first[one.content]
        if other is one:
            kept.append(one)
            continue
        said = printable(other.image.file)
        if one.image.part != other.image.part:
            said = f"{said}, in {other.image.part or 'no part'}, is the same"
            problems.append(Problem("duplicate_across", printable(one.image.file), said))
        else:
            alike = all(np.array_equal(getattr(one.checked, c), getattr(other.checked, c)) for c in ("boxes", "classes"))
            said = f"{said} is the same{'' if alike else ', with other boxes'}"
            problems.append(Problem("duplicate_image", printable(one.image.file), said))
    return kept
