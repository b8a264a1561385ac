"""Images laid out on one sheet, each with a line of text below it, pixel for pixel."""

import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from likeness.experiments.display.figures import INK, PIXELS_PER_INCH
from likeness.experiments.display.lettering import pillow_text
from likeness.research.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GAP, _LINE, _MARGIN = 6, 22, 16


@dataclasses.dataclass(frozen=True)
class Tile:
    """An image and what is written below it."""

    image: np.ndarray
    """(h, w, 3), RGB in [0, 1]; all of one sheet of the same size."""
    text: str = ""
    color: str = INK


def sheet(
    rows: Sequence[Sequence[Tile]], *, heads: Sequence[str] = (), caption: Sequence[str] = (), blocks: int = 1
) -> Image.Image:
    """Draws rows of images; with several blocks, rows are set side by side.

    Args:
        rows: as many tiles in each.
        heads: what is written above the columns.
        caption: lines of text above everything.
        blocks: how many rows stand beside each other.
    """
    height, width, _ = rows[0][0].image.shape
    columns, deep = len(rows[0]), -(-len(rows) // blocks)
    above = _MARGIN + len(caption) * _LINE
    top = above + (_LINE if heads else 0)
    across = columns * (width + _GAP) - _GAP
    drawn = Image.new(
        "RGB",
        (2 * _MARGIN + blocks * (across + 2 * _MARGIN) - 2 * _MARGIN, top + deep * (height + _LINE + _GAP) + _MARGIN - _GAP),
        "white",
    )
    pen = ImageDraw.Draw(drawn)

    def write_text(place: tuple[float, float], text: str, color: str = INK, anchor: str | None = None) -> None:
        readable, font = pillow_text(text, 15)
        pen.text(place, readable, fill=color, font=font, anchor=anchor)

    for line, text in enumerate(caption):
        write_text((_MARGIN, _MARGIN - 6 + line * _LINE), text)
    for number, row in enumerate(rows):
        block, line = divmod(number, deep)
        for column, tile in enumerate(row):
            x = _MARGIN + block * (across + 2 * _MARGIN) + column * (width + _GAP)
            y = top + line * (height + _LINE + _GAP)
            drawn.paste(Image.fromarray(np.uint8(np.round(255 * np.clip(tile.image, 0, 1)))), (x, y))
            write_text((x + width / 2, y + height + 3), tile.text, tile.color, "ma")
            if heads and line == 0:
                write_text((x + width / 2, above - 2), heads[column], anchor="ma")
    return drawn


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
