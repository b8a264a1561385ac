"""Images that a style network was not trained on: what it is evaluated by, in numbers and side by side."""

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from likeness.research.images import resize
from likeness.research.images.sources import ImageSource, Photograph
from likeness.research.types import Float

Pixels = Float[np.ndarray, "h w 3"]
COLUMNS = {"": "painted", "unpainted": "unpainted"}
"""What the tables of such evaluations are headed with."""
_GAP = 4
"""White pixels between the images of a sheet."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Images that are only looked at, all cut to one size, so that one program paints and evaluates them all."""

    images: tuple[ImageSource, ...] = (Photograph(name="china"),)
    """Which ones."""
    size: int = 256
    """Side of the squares that are cut out of their middles, in pixels."""

    def __post_init__(self) -> None:
        if not self.images:
            raise ValueError("HeldOut.images is empty: give at least one image to evaluate by.")
        if not 16 <= self.size <= 4096:
            raise ValueError(f"HeldOut.size is {self.size}: give 16 to 4096 pixels.")

    def open(self) -> Float[np.ndarray, "n h w 3"]:
        """RGB in [0, 1], (n, size, size, 3).

        Raises:
            UserError: when one cannot be read.
        """
        # Twice the side is enough for the middle of an image two to one.
        return np.stack([square(image.open(2 * self.size), self.size) for image in self.images])

    def fingerprint(self, name: str) -> dict[str, str]:
        """Of each image, under a name and its number."""
        return {f"{name} {number}": image.fingerprint() for number, image in enumerate(self.images, 1)}


def square(pixels: Pixels, size: int) -> Pixels:
    """The largest square in the middle of an image, at another size."""
    height, width, _ = pixels.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    cut = pixels[top : top + side, left : left + side]
    return np.clip(np.asarray(resize(jnp.asarray(cut), (size, size))), 0.0, 1.0)


def sheet(contents: Sequence[Pixels], styles: Sequence[Pixels], painted: Sequence[Sequence[Pixels]]) -> Pixels:
    """One image of many: styles along the top, contents down the left, and where they meet what was painted.

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
