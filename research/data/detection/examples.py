"""The table that every source of annotated images opens to: images, the boxes of their objects, and how to read them."""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from typing import Literal, Protocol, SupportsIndex, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32, Int64, Shaped, UInt8, UInt64

from likeness.research.data.detection.problems import Problem, ProblemKind, counts_of, summary_of
from likeness.research.data.detection.records import Part

__all__ = ["DetectionExamples", "Proposals", "detection_examples"]

_LISTED = 100
"""Classes that a sentence counts: all of COCO's, and not all of a data set with thousands."""


@dataclasses.dataclass(frozen=True, eq=False)
class _InMemory:
    images: Sequence[np.ndarray]

    def __call__(self, row: int) -> UInt8[np.ndarray, "h w c"]:
        return self.images[row]


@dataclasses.dataclass(frozen=True, eq=False)
class _SelectedReader:
    read: Callable[[int], np.ndarray]
    rows: np.ndarray

    def __call__(self, row: int) -> np.ndarray:
        return self.read(int(self.rows[row]))


@runtime_checkable
class Proposals(Protocol):
    """Boxes of each image that may be objects, as :func:`likeness.research.data.detection.with_proposals` makes them."""

    @property
    def limit(self) -> int:
        """The most of an image."""
        ...

    def __call__(self, row: int) -> Float32[np.ndarray, "q 4"]:
        """``xyxy`` in pixels of the image, best first."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class _SelectedProposals:
    proposals: Proposals
    rows: np.ndarray

    @property
    def limit(self) -> int:
        return self.proposals.limit

    def __call__(self, row: int) -> Float32[np.ndarray, "q 4"]:
        return self.proposals(int(self.rows[row]))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DetectionExamples:
    """Images with boxes: those of image ``i`` are ``boxes[starts[i] : starts[i + 1]]``.

    Boxes are ``xyxy`` in continuous pixels of the upright image, which is what :attr:`read` returns, at its own size. Every one
    has an area and is inside of its image.

    Raises:
        ValueError: the columns contradict each other (a programming error in the source).

    Example:
        >>> examples = detection_examples(
        ...     [np.zeros((20, 30, 3), np.uint8)], [np.array([[1.0, 2.0, 11.0, 12.0]])], [np.array([0])], ("disk",)
        ... )
        >>> len(examples), examples.sizes.tolist(), examples.boxes_of(0).tolist(), examples.counts().tolist()
        (1, [[20, 30]], [[1.0, 2.0, 11.0, 12.0]], [1])
    """

    names: tuple[str, ...]
    """What to call each image in a report: its path below the folder."""
    sizes: Int32[np.ndarray, "n 2"]
    """Height and width of each upright image."""
    starts: Int64[np.ndarray, "n1"]
    """Where the boxes of each image begin, and where the last end."""
    boxes: Float32[np.ndarray, "k 4"]
    """``xyxy`` of each object."""
    classes: Int32[np.ndarray, "k"]
    """The class of each object, an index into ``class_names``."""
    class_names: tuple[str, ...]
    """What the classes are called."""
    read: Callable[[int], np.ndarray]
    """Row -> uint8 (h, w, c), upright."""
    crowd: Bool[np.ndarray, "k"] | None = None
    """Which boxes hold a group of objects (COCO); None: none."""
    difficult: Bool[np.ndarray, "k"] | None = None
    """Which objects nobody need find (VOC); None: none."""
    areas: Float[np.ndarray, "k"] | None = None
    """The objects' own areas in square pixels, by which COCO tells small from large; NaN, or None: those of the boxes."""
    points: Float32[np.ndarray, "k p 2"] | None = None
    """Landmarks (x, y) of each object, in pixels."""
    proposals: Proposals | None = None
    """Row -> boxes that may be objects; None where nobody has looked for any."""
    parts: tuple[Part, ...] = ()
    """For what each image is meant by whoever made the data; empty: nothing is said of any."""
    image_ids: Int64[np.ndarray, "n"] | None = None
    """COCO's number of each image; None: they are numbered from 1."""
    category_ids: tuple[int, ...] = ()
    """COCO's number of each class; empty: they are numbered from 1."""
    content: UInt64[np.ndarray, "n"] | None = None
    """A number for each image's pixels, the same for the same pixels; None where nobody has looked."""
    digests: tuple[bytes, ...] = ()
    """What identifies each image and its boxes."""
    channels: Literal[1, 3] = 3
    """Of what is read."""
    in_memory: bool = False
    """Whether reading is no more than a look-up."""
    problems: tuple[Problem, ...] = ()
    """What was wrong with the data; what could not be used is not in this table."""
    notes: tuple[str, ...] = ()
    """Sentences about what was found, for people."""

    def __post_init__(self) -> None:
        n, k = len(self.names), len(self.boxes)
        if self.sizes.shape != (n, 2) or self.starts.shape != (n + 1,):
            raise ValueError(f"{n} names, but sizes {self.sizes.shape} and starts {self.starts.shape}")
        if n and (self.starts[0] != 0 or self.starts[-1] != k or (np.diff(self.starts) < 0).any()):
            raise ValueError(f"starts must rise from 0 to {k}, the number of boxes")
        if self.boxes.shape != (k, 4) or self.boxes.dtype != np.float32 or self.classes.dtype != np.int32:
            raise ValueError(f"boxes must be float32 (k, 4) and classes int32, not {self.boxes.dtype} {self.boxes.shape}")
        if len(self.classes) != k:
            raise ValueError(f"{k} boxes but {len(self.classes)} classes")
        if k and not 0 <= self.classes.min() <= self.classes.max() < len(self.class_names):
            raise ValueError(f"classes must lie in [0, {len(self.class_names)}), the number of classes")
        for name in ("crowd", "difficult", "areas", "points"):
            column = getattr(self, name)
            if column is not None and len(column) != k:
                raise ValueError(f"{k} boxes but {len(column)} in the column {name!r}")
        for name in ("parts", "image_ids", "content", "digests"):
            column = getattr(self, name)
            if column is not None and len(column) not in ({n} if name in ("image_ids", "content") else {0, n}):
                raise ValueError(f"{n} images but {len(column)} in the column {name!r}")
        if self.category_ids and len(self.category_ids) != len(self.class_names):
            raise ValueError(f"{len(self.class_names)} classes but {len(self.category_ids)} category ids")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of the images, their boxes and the classes' names, in their order."""
        return hashlib.sha256(repr(self.class_names).encode() + b"".join(self.digests)).hexdigest()

    @property
    def ignored(self) -> Bool[np.ndarray, "k"]:
        """Which boxes are neither to be found nor background: crowds and difficult objects."""
        found = np.zeros(len(self.boxes), bool)
        for column in (self.crowd, self.difficult):
            if column is not None:
                found |= column
        return found

    @property
    def image_numbers(self) -> Int64[np.ndarray, "n"]:
        """COCO's number of each image, or from 1."""
        return np.arange(1, len(self) + 1, dtype=np.int64) if self.image_ids is None else self.image_ids

    def objects(self, row: SupportsIndex) -> slice:
        """Where the objects of an image are in the columns."""
        return slice(int(self.starts[int(row)]), int(self.starts[int(row) + 1]))

    def boxes_of(self, row: SupportsIndex) -> Float32[np.ndarray, "m 4"]:
        """The boxes of an image."""
        return self.boxes[self.objects(row)]

    def classes_of(self, row: SupportsIndex) -> Int32[np.ndarray, "m"]:
        """The classes of its objects."""
        return self.classes[self.objects(row)]

    def counts(self) -> Int64[np.ndarray, "classes"]:
        """How many objects each class has."""
        return np.bincount(self.classes, minlength=len(self.class_names)).astype(np.int64)

    @property
    def most_boxes(self) -> int:
        """How many objects the fullest image has."""
        return int(np.diff(self.starts).max(initial=0))

    def select(self, rows: Int[np.ndarray, "m"] | Sequence[int]) -> "DetectionExamples":
        """The table of some images, in the order given; the classes stay. Problems stay with the whole."""
        rows = np.asarray(rows, np.int64).reshape(-1)
        lengths = np.diff(self.starts)[rows]
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        objects = np.arange(int(starts[-1])) + np.repeat(self.starts[rows] - starts[:-1], lengths)
        read, base = self.read, rows
        if isinstance(read, _SelectedReader):
            read, base = read.read, read.rows[rows]

        def column(values: np.ndarray | None) -> np.ndarray | None:
            return None if values is None else values[objects]

        chosen = rows.tolist()
        return dataclasses.replace(
            self,
            names=tuple(self.names[row] for row in chosen),
            sizes=self.sizes[rows],
            starts=starts,
            boxes=self.boxes[objects],
            classes=self.classes[objects],
            read=_SelectedReader(read, base),
            crowd=column(self.crowd),
            difficult=column(self.difficult),
            areas=column(self.areas),
            points=column(self.points),
            proposals=None if self.proposals is None else _SelectedProposals(self.proposals, rows),
            parts=tuple(self.parts[row] for row in chosen) if self.parts else (),
            image_ids=self.image_numbers[rows],
            content=None if self.content is None else self.content[rows],
            digests=tuple(self.digests[row] for row in chosen) if self.digests else (),
            problems=(),
            notes=(),
        )

    def summary(self) -> tuple[str, ...]:
        """Sentences for people: how much there is, and what was wrong, by kind with its number."""
        each = [f"{count:,} {name}" for name, count in zip(self.class_names, self.counts().tolist(), strict=True)]
        more = f", and of {len(each) - _LISTED:,} more classes" if len(each) > _LISTED else ""
        counted = ", ".join(each[:_LISTED]) + more
        first = f"{len(self):,} images with {len(self.boxes):,} boxes ({counted})"
        return (first, *self.notes, *summary_of(self.problems))

    def problem_counts(self) -> dict[ProblemKind, int]:
        """How many problems of each kind there were."""
        return counts_of(self.problems)


def detection_examples(
    images: Sequence[UInt8[np.ndarray, "_h _w _c"]] | UInt8[np.ndarray, "n h w c"],
    boxes: Sequence[Shaped[np.ndarray, "_m 4"]],
    classes: Sequence[Int[np.ndarray, "_m"]],
    class_names: tuple[str, ...],
    points: Sequence[Shaped[np.ndarray, "_m p 2"]] | None = None,
) -> DetectionExamples:
    """Images in memory, such as drawn ones, as a table.

    Args:
        images: one for each row, of one number of channels.
        boxes: ``xyxy`` of the objects of each image, in its pixels.
        classes: and their classes.
        class_names: what these are called.
        points: and their landmarks.

    Raises:
        ValueError: there are not as many of each, or a box is degenerate or outside of its image.
    """
    if not len(images) == len(boxes) == len(classes) == (len(images) if points is None else len(points)):
        raise ValueError(f"detection_examples: {len(images)} images, boxes of {len(boxes)} and classes of {len(classes)}.")
    sizes = np.array([image.shape[:2] for image in images], np.int32).reshape(-1, 2)
    for row, (some, (height, width)) in enumerate(zip(boxes, sizes.tolist(), strict=True)):
        inside = (some >= 0).all() and (some[:, [0, 2]] <= width).all() and (some[:, [1, 3]] <= height).all()
        if not (inside and (some[:, :2] < some[:, 2:]).all()):
            raise ValueError(
                f"detection_examples: a box of image {row} has no area or is outside of {height} × {width} pixels."
            )
    flat = np.concatenate([np.zeros((0, 4)), *boxes]).astype(np.float32)
    labels = np.concatenate([np.zeros(0, np.int32), *classes]).astype(np.int32)
    marks = None if points is None else np.concatenate(points).astype(np.float32)
    starts = np.concatenate([[0], np.cumsum([len(some) for some in boxes])]).astype(np.int64)
    digests = []
    for row, image in enumerate(images):
        told = hashlib.sha256(repr((image.shape, image.dtype.str)).encode())
        own = slice(starts[row], starts[row + 1])
        for values in (image, flat[own], labels[own], *(() if marks is None else (marks[own],))):
            told.update(np.ascontiguousarray(values).data)
        digests.append(told.digest())
    channels = images[0].shape[2] if len(images) else 3
    return DetectionExamples(
        names=tuple(f"image {row}" for row in range(len(images))),
        sizes=sizes,
        starts=starts,
        boxes=flat,
        classes=labels,
        class_names=class_names,
        read=_InMemory(list(images)),
        points=marks,
        digests=tuple(digests),
        channels=1 if channels == 1 else 3,
        in_memory=True,
    )
