"""Pictures laid out on one sheet, each with a line of text below it."""

import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from research.files import write_atomically

INK = "#333333"
_GAP, _LINE, _MARGIN = 6, 22, 16


@dataclasses.dataclass(frozen=True)
class Tile:
    """A picture and what is written below it."""

    picture: np.ndarray
    """(h, w, 3), RGB in [0, 1]; all of one sheet of the same size."""
    text: str = ""
    color: str = INK


def draw(rows: Sequence[Sequence[Tile]], path: Path, *, heads: Sequence[str] = (), blocks: int = 1) -> None:
    """Writes rows of pictures as a PNG; with several blocks, rows are set side by side.

    Args:
        rows: as many tiles in each.
        path: where to.
        heads: what is written above the columns.
        blocks: how many rows stand beside each other.
    """
    height, width, _ = rows[0][0].picture.shape
    columns, deep = len(rows[0]), -(-len(rows) // blocks)
    top = _MARGIN + (_LINE if heads else 0)
    across = columns * (width + _GAP) - _GAP
    sheet = Image.new(
        "RGB",
        (2 * _MARGIN + blocks * (across + 2 * _MARGIN) - 2 * _MARGIN, top + deep * (height + _LINE + _GAP) + _MARGIN - _GAP),
        "white",
    )
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for number, row in enumerate(rows):
        block, line = divmod(number, deep)
        for column, tile in enumerate(row):
            x = _MARGIN + block * (across + 2 * _MARGIN) + column * (width + _GAP)
            y = top + line * (height + _LINE + _GAP)
            sheet.paste(Image.fromarray(np.uint8(np.round(255 * np.clip(tile.picture, 0, 1)))), (x, y))
            pen.text((x + width / 2, y + height + 3), tile.text, fill=tile.color, font=font, anchor="ma")
            if heads and line == 0:
                pen.text((x + width / 2, _MARGIN - 2), heads[column], fill=INK, font=font, anchor="ma")
    stored = io.BytesIO()
    sheet.save(stored, format="PNG", optimize=True)
    write_atomically(path, stored.getvalue())
