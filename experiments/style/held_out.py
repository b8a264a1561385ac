"""Pictures that a painter was not trained on: what it is judged by, in numbers and side by side."""

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from likeness.experiments.display.phases import tracked
from likeness.experiments.style.frozen import FrozenEncoder
from likeness.experiments.style.judge import Judge
from likeness.experiments.style.terms import Term, layers
from likeness.research.images import resize
from likeness.research.images.sources import Photograph, PictureSource
from likeness.research.types import Float, PyTree

Pixels = Float[np.ndarray, "h w 3"]
COLUMNS = {"": "painted", "unpainted": "unpainted"}
"""What the tables of such evaluations are headed with."""
_GAP = 4
"""White pixels between the pictures of a sheet."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Pictures that are only looked at, all cut to one size, so that one program paints and judges them all."""

    pictures: tuple[PictureSource, ...] = (Photograph(name="china"),)
    """Which ones."""
    size: int = 256
    """Side of the squares that are cut out of their middles, in pixels."""

    def __post_init__(self) -> None:
        if not self.pictures:
            raise ValueError("HeldOut.pictures is empty: give at least one picture to judge by.")
        if not 16 <= self.size <= 4096:
            raise ValueError(f"HeldOut.size is {self.size}: give 16 to 4096 pixels.")

    def open(self) -> Float[np.ndarray, "n h w 3"]:
        """RGB in [0, 1], (n, size, size, 3).

        Raises:
            UserError: when one cannot be read.
        """
        # Twice the side is enough for the middle of a picture two to one.
        return np.stack([square(picture.open(2 * self.size), self.size) for picture in self.pictures])

    def fingerprint(self, name: str) -> dict[str, str]:
        """Of each picture, under a name and its number."""
        return {f"{name} {number}": picture.fingerprint() for number, picture in enumerate(self.pictures, 1)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Critic:
    """Judges paintings by the encoder that they were trained with and by one that they were not."""

    encoder: FrozenEncoder
    judge: Judge
    content: tuple[Term, ...]
    """The terms whose layers the content is compared at under the encoder."""
    style: tuple[Term, ...]
    """The same for the style."""

    def metrics(
        self, own: PyTree, other: PyTree, works: Sequence[tuple[Pixels, Pixels, Pixels]], before: str = ""
    ) -> dict[str, float]:
        """What :meth:`~likeness.experiments.style.judge.Judge.metrics` says, means over the works.

        Args:
            own: the encoder's weights.
            other: the judge's.
            works: of each painting: what was painted, the content picture, the style picture.
            before: what the names begin with.
        """
        read = (layers(self.content), layers(self.style))
        found = [
            self.judge.metrics(other, self.encoder, own, read, painted, content, (look,))
            for painted, content, look in tracked(f"comparing {'unpainted' if before else 'painted'} pictures", works)
        ]
        return {f"{before}{name}": float(np.mean([each[name] for each in found])) for name in found[0]}


def square(pixels: Pixels, size: int) -> Pixels:
    """The largest square in the middle of a picture, at another size."""
    height, width, _ = pixels.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    cut = pixels[top : top + side, left : left + side]
    return np.clip(np.asarray(resize(jnp.asarray(cut), (size, size))), 0.0, 1.0)


def sheet(contents: Sequence[Pixels], styles: Sequence[Pixels], painted: Sequence[Sequence[Pixels]]) -> Pixels:
    """One picture of many: styles along the top, contents down the left, and where they meet what was painted.

    Args:
        contents: squares of one size, one a row.
        styles: of any size; a column without one stays white at the top.
        painted: a row for each content, a column for each style and for what has none.

    Returns:
        RGB in [0, 1].
    """
    size = contents[0].shape[0]
    blank = np.ones((size, size, 3), np.float32)
    columns = len(painted[0])
    top = [blank, *(square(style, size) for style in styles), *([blank] * (columns - len(styles)))]
    rows = [top, *([content, *row] for content, row in zip(contents, painted, strict=True))]

    def joined(parts: Sequence[np.ndarray], axis: int) -> np.ndarray:
        gap = np.ones_like(parts[0].take(range(_GAP), axis=axis))
        return np.concatenate([piece for part in parts for piece in (gap, part)][1:], axis=axis)

    return joined([joined([np.clip(cell, 0.0, 1.0) for cell in row], 1) for row in rows], 0).astype(np.float32)
