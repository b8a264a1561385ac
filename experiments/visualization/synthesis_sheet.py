"""Synthesized images laid out beside each other."""

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from likeness.experiments.display.contact_sheet import Tile, as_figure, sheet
from likeness.research.types import Float

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDE = 1150
"""Pixels that a sheet may be wide."""
_CHARACTER = 8
"""Pixels that one of a text is wide, at most on average."""


@dataclasses.dataclass(frozen=True)
class ShownSynthesis:
    """An image on a sheet."""

    title: str
    image: np.ndarray
    """(h, w, 3), RGB in [0, 1]."""
    score: float | None = None
    photographs: float | None = None
    """The score of a photograph."""

    @property
    def text(self) -> str:
        """The title, and how many times the photograph's score it has where both are above 0."""
        if self.score is None or self.photographs is None or min(self.score, self.photographs) <= 0:
            return self.title
        times = self.score / self.photographs
        return f"{self.title}: {times:.1f}x" if times < 10 else f"{self.title}: {times:,.0f}x"


def sheet_of(images: Sequence[ShownSynthesis]) -> "Figure":
    """All images in rows, pixel for pixel, each with its text."""
    # White at both sides where the text is wider than the image.
    beside = max(0, max(_CHARACTER * len(one.text) - one.image.shape[1] for one in images)) // 2
    tiles = [Tile(np.pad(one.image, ((0, 0), (beside, beside), (0, 0)), constant_values=1.0), one.text) for one in images]
    width = tiles[0].image.shape[1]
    return as_figure(sheet(_rows(tiles, min(_columns(len(tiles)), max(1, _WIDE // width)))))


def _rows(tiles: list[Tile], columns: int) -> list[list[Tile]]:
    blank = Tile(np.ones_like(tiles[0].image))
    filled = tiles + [blank] * (-len(tiles) % columns)
    return [filled[start : start + columns] for start in range(0, len(filled), columns)]


def mosaic(images: Float[np.ndarray, "n h w 3"], copies: int = 1) -> Float[np.ndarray, "H W 3"]:
    """All images as one, without a gap; the copies of an objective in a row."""
    count, height, width, _ = images.shape
    columns = copies if copies > 1 else _columns(count)
    blank = np.ones((-count % columns, height, width, 3), np.float32)
    grid = np.concatenate([images, blank]).reshape(-1, columns, height, width, 3)
    return np.concatenate([np.concatenate(list(row), axis=1) for row in grid], axis=0)


def _columns(count: int) -> int:
    """The smallest number that makes no more rows than columns."""
    return math.ceil(math.sqrt(count))
