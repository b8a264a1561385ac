"""Images made small enough to travel inside a page, all of them together within a budget."""

import base64
import dataclasses
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

BUDGET = 3_400_000
"""Bytes of all images of a page. As text they take a third more, and the page stays under 5 MB."""
_ROUNDS = ((1600, 85), (1200, 82), (900, 80), (640, 76), (480, 70), (320, 60), (200, 50))
"""The longest width and the WebP quality of each attempt; four times as much is allowed to height."""
_KEPT = 100_000
"""A PNG of no more bytes than this stays as it is, if it is not too large on the screen."""

Source = Path | np.ndarray
"""A file, or RGB in [0, 1], (h, w, 3)."""


@dataclasses.dataclass(frozen=True)
class Embedded:
    """An image that travels in the page."""

    uri: str
    width: int
    height: int


@dataclasses.dataclass(frozen=True)
class EmbeddedImages:
    """The images of a page, by a key of whoever asked for them."""

    images: Mapping[str, Embedded]
    problems: tuple[str, ...]
    """Of images that are not in it, and why."""


def embed(sources: Mapping[str, Source], budget: int = BUDGET) -> EmbeddedImages:
    """Encodes images for a page: at the first of a few sizes at which all fit together.

    Where they do not even fit at the smallest, the last ones are left out, and that is said.

    Args:
        sources: the most important first.
        budget: bytes of all of them, before they are written as text.
    """
    opened, problems = {}, []
    for key, source in sources.items():
        try:
            opened[key] = _opened(source)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            problems.append(f"{source if isinstance(source, Path) else key} cannot be shown: {error}")
    encoded: dict[str, tuple[bytes, Embedded]] = {}
    for width, quality in _ROUNDS:
        # Encoding a hundred images takes seconds: sizes that will clearly not do are not tried.
        if width != _ROUNDS[-1][0] and _expected(encoded, width) > 1.5 * budget:
            continue
        encoded = {key: _encoded(image, sources[key], width, quality) for key, image in opened.items()}
        if sum(len(data) for data, _ in encoded.values()) <= budget:
            break
    kept, total, left_out = {}, 0, 0
    for key, (data, image) in encoded.items():
        total += len(data)
        if total > budget:
            left_out += 1
        else:
            kept[key] = image
    if left_out:
        problems.append(
            f"{left_out} of {len(encoded)} images are left out, so that the page stays under 5 MB: they are in the working "
            "directories; report on fewer runs to see them here."
        )
    return EmbeddedImages(kept, tuple(problems))


def _expected(encoded: Mapping[str, tuple[bytes, Embedded]], width: int) -> float:
    """Bytes at another width, if they go with the area."""
    return sum(len(data) * min(1.0, width / image.width) ** 2 for data, image in encoded.values())


def _opened(source: Source) -> Image.Image:
    if isinstance(source, np.ndarray):
        return Image.fromarray(np.uint8(np.round(255 * np.clip(source, 0, 1))))
    with Image.open(source) as file:
        # Larger than any page shows, and a hundred of them must fit into memory.
        file.thumbnail((_ROUNDS[0][0], 4 * _ROUNDS[0][0]), Image.Resampling.LANCZOS)
        flat = Image.new("RGBA", file.size, "white")
        flat.alpha_composite(file.convert("RGBA"))
        return flat.convert("RGB")


def _encoded(image: Image.Image, source: Source, width: int, quality: int) -> tuple[bytes, Embedded]:
    shown = image.copy()
    shown.thumbnail((width, 4 * width), Image.Resampling.LANCZOS)
    if isinstance(source, Path) and source.suffix.lower() == ".png" and source.stat().st_size <= _KEPT:
        with Image.open(source) as file:
            if file.size == shown.size:
                return _embedded(source.read_bytes(), "png", shown)
    drawn = io.BytesIO()
    shown.save(drawn, "webp", quality=quality, method=4)
    return _embedded(drawn.getvalue(), "webp", shown)


def _embedded(data: bytes, kind: str, shown: Image.Image) -> tuple[bytes, Embedded]:
    return data, Embedded(f"data:image/{kind};base64,{base64.b64encode(data).decode()}", *shown.size)
