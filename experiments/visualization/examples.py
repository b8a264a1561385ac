"""What a network looks at: images, or labelled signals and volumes in the same words."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol, Self, TypeVar

import numpy as np

from likeness.research.data import Examples, Images
from likeness.research.data.images import ArrayReader
from likeness.research.types import AnyArray, Int, Shaped, UInt8

__all__ = ["ExampleRows", "LookedAt", "photographs", "thinned"]


class LookedAt(Protocol):
    """A table of examples with a class each. :class:`~likeness.research.data.Images` is one."""

    @property
    def labels(self) -> AnyArray:
        """(n,), the index into ``people``."""
        ...

    @property
    def people(self) -> tuple[str, ...]:
        """What the classes are called."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example, (\\*space, c)."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """What to call each."""
        ...

    def __len__(self) -> int: ...

    def read(self, rows: Int[np.ndarray, "b"], /) -> np.ndarray:
        """Rows (b,) to examples (b, \\*space, c): unsigned integers, or floating point in [0, 1]."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class ExampleRows:
    """Examples of a classification, in the words of :class:`LookedAt`."""

    examples: Examples
    rows: Int[np.ndarray, "n"]
    """Which of them."""

    @classmethod
    def of(cls, examples: Examples) -> "ExampleRows":
        """All of them."""
        return cls(examples, np.arange(len(examples)))

    @property
    def labels(self) -> Int[np.ndarray, "n"]:
        return self.examples.labels[self.rows]

    @property
    def people(self) -> tuple[str, ...]:
        return self.examples.classes

    @property
    def shape(self) -> tuple[int, ...]:
        return self.examples.shape

    @property
    def names(self) -> Sequence[str]:
        return [f"{self.people[label]}/{row}" for row, label in zip(self.rows, self.labels, strict=True)]

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, rows: Int[np.ndarray, "b"]) -> "ExampleRows":
        """These of them."""
        return ExampleRows(self.examples, self.rows[rows])

    def read(self, rows: Int[np.ndarray, "b"], /) -> Shaped[np.ndarray, "b *space c"]:
        return self.examples.values.take(self.rows[rows], axis=0)


class _Table(Protocol):
    def __len__(self) -> int: ...

    def select(self, rows: Int[np.ndarray, "b"], /) -> Self: ...


_TableT = TypeVar("_TableT", bound=_Table)


def thinned(examples: _TableT, count: int) -> _TableT:
    """So many of them, evenly spaced; all where there are fewer."""
    if count >= len(examples):
        return examples
    rows = np.linspace(0, len(examples) - 1, count).round().astype(int)
    return examples.select(rows)


def photographs(size: int, count: int = 1000, seed: int = 0) -> Images:
    """Square cutouts, at random places and of 80 to 320 pixels, of the two photographs that come with scikit-learn.

    ``china`` is by danielbuechele and ``flower`` by vultilion, both CC BY 2.0, so what is made of them may be passed on.
    """
    from PIL import Image
    from sklearn.datasets import load_sample_image

    names, draw = ("china", "flower"), np.random.default_rng(seed)
    wholes = [Image.fromarray(load_sample_image(f"{name}.jpg")) for name in names]
    labels = (np.arange(count) % len(wholes)).astype(np.int32)
    pixels: list[UInt8[np.ndarray, "size size 3"]] = []
    for label in labels:
        whole, side = wholes[label], int(draw.integers(80, 321))
        left, top = (int(draw.integers(0, room - side + 1)) for room in whole.size)
        cutout = whole.resize((size, size), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side))
        pixels.append(np.asarray(cutout))
    return Images(
        labels=labels,
        people=names,
        shape=(size, size, 3),
        read=ArrayReader(np.stack(pixels)),
        names=[f"{names[label]}/{number}" for number, label in enumerate(labels)],
        fingerprint=f"{count} cutouts of {size} pixels, seed {seed}",
        noun=("photograph", "photographs"),
    )
