"""What sources have in common whose images are drawn when they are read."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import overload

import numpy as np

from likeness.research.types import UInt8


@dataclasses.dataclass(frozen=True, eq=False)
class DrawnNames(Sequence[str]):
    """What the rows are called, ``person-0003/1``: so many images of each, one person after another."""

    people: tuple[str, ...]
    images: int

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        person, draw = divmod(index % len(self), self.images)
        return f"{self.people[person]}/{draw}"

    def __len__(self) -> int:
        return len(self.people) * self.images


class DrawnReader:
    """Draws rows, each at most once while they fit the memory given; safe to share between threads."""

    def __init__(
        self, draw: Callable[[np.ndarray], np.ndarray], count: int, shape: tuple[int, int, int], mebibytes: int
    ) -> None:
        self.draw, self.count, self.shape, self.mebibytes = draw, count, shape, mebibytes
        self.drawn = self.pixels = None
        if count * int(np.prod(shape, dtype=np.int64)) <= mebibytes * 2**20:
            # The system hands out zeroed memory page by page, so what is never read costs nothing.
            self.pixels = np.zeros((count, *shape), np.uint8)
            self.drawn = np.zeros(count, bool)

    def __call__(self, rows: np.ndarray) -> UInt8[np.ndarray, "b h w c"]:
        """The images of some rows."""
        rows = np.asarray(rows, np.int64)
        if self.pixels is None or self.drawn is None:
            return self.draw(rows)
        missing = np.unique(rows[~self.drawn[rows]])
        if len(missing):
            # Two threads may draw the same row; they write the same bytes.
            self.pixels[missing] = self.draw(missing)
            self.drawn[missing] = True
        return self.pixels[rows]

    def __reduce__(self) -> tuple[type, tuple[Callable[[np.ndarray], np.ndarray], int, tuple[int, int, int], int]]:
        return DrawnReader, (self.draw, self.count, self.shape, self.mebibytes)
