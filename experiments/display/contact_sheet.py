"""Images laid out on one sheet, each with a line of text below it, pixel for pixel."""

import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from likeness.experiments.display.figures import INK, PIXELS_PER_INCH
from likeness.experiments.display.lettering import pillow_text
from likeness.research.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GAP, _LINE, _MARGIN = 6, 22, 16
_SIZES = (15, 13, 11)
"""Of letters, the largest that fits."""


@dataclasses.dataclass(frozen=True)
class Tile:
    """An image and what is written below it."""

    image: np.ndarray
    """(h, w, 3), RGB in [0, 1]; all of one sheet of the same width, all of one row of the same height."""
    text: str = ""
    color: str = INK


def sheet(
    rows: Sequence[Sequence[Tile]], *, heads: Sequence[str] = (), caption: Sequence[str] = (), blocks: int = 1
) -> Image.Image:
    """Draws rows of images; with several blocks, rows are set side by side.

    A text that is wider than its column is written smaller, and if it must be is shortened in the middle.

    Args:
        rows: as many tiles in each.
        heads: what is written above the columns.
        caption: lines of text above everything.
        blocks: how many rows stand beside each other.
    """
    width = rows[0][0].image.shape[1]
    columns, deep = len(rows[0]), -(-len(rows) // blocks)
    above = _MARGIN + len(caption) * _LINE
    top = above + (_LINE if heads else 0)
    across = columns * (width + _GAP) - _GAP
    heights = [row[0].image.shape[0] + _LINE + _GAP for row in rows]
    below = max(sum(heights[first : first + deep]) for first in range(0, len(rows), deep))
    drawn = Image.new(
        "RGB",
        (2 * _MARGIN + blocks * (across + 2 * _MARGIN) - 2 * _MARGIN, top + below + _MARGIN - _GAP),
        "white",
    )
    pen = ImageDraw.Draw(drawn)

    def write_text(place: tuple[float, float], text: str, color: str = INK) -> None:
        readable, font = _fitted(text, width)
        pen.text(place, readable, fill=color, font=font, anchor="ma")

    for line, text in enumerate(caption):
        readable, font = pillow_text(text, _SIZES[0])
        pen.text((_MARGIN, _MARGIN - 6 + line * _LINE), readable, fill=INK, font=font)
    for number, row in enumerate(rows):
        block, line = divmod(number, deep)
        for column, tile in enumerate(row):
            x = _MARGIN + block * (across + 2 * _MARGIN) + column * (width + _GAP)
            y = top + sum(heights[block * deep : number])
            drawn.paste(Image.fromarray(np.uint8(np.round(255 * np.clip(tile.image, 0, 1)))), (x, y))
            write_text((x + width / 2, y + tile.image.shape[0] + 3), tile.text, tile.color)
            if heads and line == 0:
                write_text((x + width / 2, above - 2), heads[column])
    return drawn


def _fitted(text: str, width: float) -> tuple[str, ImageFont.FreeTypeFont | ImageFont.ImageFont]:
    """A text that is no wider than so many pixels, and its font."""
    # Names differ by how they begin and how they end.
    shortened = (f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}" for kept in range(len(text) - 1, 1, -1))
    tried = [*((text, size) for size in _SIZES), *((shorter, _SIZES[-1]) for shorter in shortened)]
    written = (pillow_text(*one) for one in tried)
    return next(
        ((readable, font) for readable, font in written if font.getlength(readable) <= width), pillow_text("…", _SIZES[-1])
    )


def draw(rows: Sequence[Sequence[Tile]], path: Path, *, heads: Sequence[str] = (), blocks: int = 1) -> None:
    """Writes a :func:`sheet` as a PNG to ``path``."""
    write(sheet(rows, heads=heads, blocks=blocks), path)


def write(drawn: Image.Image, path: Path) -> None:
    """Writes a sheet as a PNG, whole or not at all."""
    stored = io.BytesIO()
    drawn.save(stored, format="PNG", optimize=True)
    write_atomically(path, stored.getvalue())


def as_figure(drawn: Image.Image) -> "Figure":
    """A figure that :func:`likeness.experiments.display.figures.save` writes as these very pixels."""
    from matplotlib.figure import Figure

    # Matplotlib cuts the product of inches and pixels per inch down to whole pixels.
    width, height = ((side + 0.25) / PIXELS_PER_INCH for side in drawn.size)
    figure = Figure(figsize=(width, height), dpi=PIXELS_PER_INCH)
    figure.figimage(np.asarray(drawn), origin="upper")
    return figure
