"""The table that every source of images of anything opens to."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from likeness.research.types import UInt8


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ImageSet:
    """Images by number, each of its own size.

    Example:
        >>> images = ImageSet(names=("gray",), read=lambda index: np.full((2, 3, 3), 128, np.uint8), fingerprint="")
        >>> len(images), images.read(0).shape
        (1, (2, 3, 3))
    """

    names: Sequence[str]
    """What to call each in a report."""
    read: Callable[[int], np.ndarray]
    """Number → uint8 RGB (h, w, 3). The same for the same number; several threads may ask at once."""
    fingerprint: str
    """SHA-256, in hex, of what identifies the content."""
    synthetic: bool = False
    """Whether a program drew them."""
    skipped: tuple[tuple[str, str], ...] = ()
    """(file, why) of every image that was left out."""

    def __len__(self) -> int:
        return len(self.names)


@runtime_checkable
class ImageSetSource(Protocol):
    """Where images of anything come from."""

    def open(self) -> ImageSet:
        """The table of all of them.

        Raises:
            UserError: there are none that can be used.
        """
        ...


class Remembered:
    """Keeps what was drawn: each image is drawn when it is first read, and at most a few times where threads race.

    An image is drawn from its number alone, so threads that race draw the same.
    """

    def __init__(self, draw: Callable[[int], np.ndarray]) -> None:
        self._draw = draw
        self._drawn: dict[int, np.ndarray] = {}

    def __call__(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        if index not in self._drawn:
            self._drawn[index] = self._draw(index)
        return self._drawn[index]
