"""The table every source opens to: images, whom each shows, and how to read them."""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import SupportsIndex, overload

import numpy as np
from jaxtyping import Int, Int32, Int64, UInt8, UInt64


@dataclasses.dataclass(frozen=True, eq=False)
class ArrayReader:
    """Reads rows of a uint8 array held in memory; the cheapest ``Images.read``."""

    array: UInt8[np.ndarray, "n h w c"]

    def __call__(self, rows: Int[np.ndarray, "b"]) -> UInt8[np.ndarray, "b h w c"]:
        # take() is about twice as fast as fancy indexing on the leading axis.
        return self.array.take(rows, axis=0)


@dataclasses.dataclass(frozen=True, eq=False)
class _Selection(Sequence[str]):
    """The names at some rows of a longer sequence, looked up when asked."""

    names: Sequence[str]
    rows: np.ndarray

    @overload
    def __getitem__(self, index: SupportsIndex) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return _Selection(self.names, self.rows[index])
        return self.names[int(self.rows[index])]

    def __len__(self) -> int:
        return len(self.rows)


@dataclasses.dataclass(frozen=True, eq=False)
class _SelectionReader:
    read: Callable[[np.ndarray], np.ndarray]
    rows: np.ndarray

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return self.read(self.rows[rows])


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Images:
    """Images of people: row ``i`` shows ``people[labels[i]]`` and is read by ``read([i])``.

    Every person has at least one image. A "person" is any class: a character of an alphabet, a digit.

    Raises:
        ValueError: the columns contradict each other (a programming error in the source).

    Example:
        >>> pixels = np.zeros((3, 4, 4, 1), np.uint8)
        >>> images = Images(labels=np.array([0, 1, 1], np.int32), people=("ann", "bob"), shape=(4, 4, 1),
        ...                 read=ArrayReader(pixels), names=("ann/0", "bob/0", "bob/1"), fingerprint="")
        >>> bobs = images.select(np.array([1, 2]))
        >>> bobs.people, bobs.labels.tolist(), bobs.names[1], bobs.counts().tolist()
        (('bob',), [0, 0], 'bob/1', [2])
    """

    labels: Int32[np.ndarray, "n"]
    """The index into ``people`` of whom each row shows."""
    people: tuple[str, ...]
    """The people's names, sorted, each once."""
    shape: tuple[int, int, int]
    """Height, width and channels of every image."""
    read: Callable[[np.ndarray], np.ndarray]
    """Rows (b,) -> uint8 images (b, h, w, c)."""
    names: Sequence[str]
    """What to call each row in a report: a file's path, ``person/3``."""
    fingerprint: str
    """SHA-256, in hex, of what identifies the content."""
    digests: Sequence[bytes] | None = None
    """What identifies each row's image and whom it shows, where the source says so. Then a selection's fingerprint follows
    from its own rows alone; otherwise it changes with any row of the source."""
    groups: Int32[np.ndarray, "people"] | None = None
    """The group of each person, such as the alphabet of each character."""
    group_names: tuple[str, ...] | None = None
    """What each group is called, by its number; None where they have no names but their numbers."""
    skipped: tuple[tuple[str, str], ...] = ()
    """(file, why) of every image that was left out."""
    notes: tuple[str, ...] = ()
    """Sentences about what was found and what was done about it, for people: names that became one, copies of images."""
    content: UInt64[np.ndarray, "n"] | None = None
    """A number for each row's pixels, the same for the same pixels; None where nobody has looked."""
    extras: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    """More columns, one entry per row: ``landmarks`` (n, 5, 2), ``boxes`` (n, 4)."""
    noun: tuple[str, str] = ("person", "people")
    """What a "person" is called in sentences, and several of them."""

    def __post_init__(self) -> None:
        n = len(self.labels)
        if self.labels.dtype != np.int32 or self.labels.ndim != 1:
            raise ValueError(f"labels must be int32 of shape (n,), not {self.labels.dtype} {self.labels.shape}")
        if any(a >= b for a, b in zip(self.people, self.people[1:], strict=False)):
            raise ValueError("people must be sorted and each named once")
        if n and (self.labels.min() < 0 or self.labels.max() >= len(self.people)):
            raise ValueError(f"labels must lie in [0, {len(self.people)}), the number of people")
        if len(self.people) and not self.counts().all():
            nobody = self.people[int(np.argmin(self.counts()))]
            raise ValueError(f"every person needs an image; {nobody!r} has none")
        if len(self.names) != n:
            raise ValueError(f"{n} labels but {len(self.names)} names")
        if self.groups is not None and len(self.groups) != len(self.people):
            raise ValueError(f"{len(self.people)} people but {len(self.groups)} groups")
        if self.group_names is not None and (self.groups is None or self.groups.max(initial=-1) >= len(self.group_names)):
            raise ValueError(f"{len(self.group_names)} names of groups do not name every group of the people")
        if self.digests is not None and len(self.digests) != n:
            raise ValueError(f"{n} rows but {len(self.digests)} digests")
        columns = self.extras if self.content is None else {**self.extras, "content": self.content}
        for name, column in columns.items():
            if len(column) != n:
                raise ValueError(f"{n} rows but {len(column)} in the extra column {name!r}")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def in_memory(self) -> bool:
        """Whether reading is no more than copying."""
        read = self.read.read if isinstance(self.read, _SelectionReader) else self.read
        return isinstance(read, ArrayReader)

    def counted(self, people: int) -> str:
        """That many people in the table's own words: ``1 person``, ``1,200 people``, ``964 characters``."""
        return f"{people:,} {self.noun[people != 1]}"

    def left_out(self, most: int = 5) -> str:
        """How many files were left out and why, the first of them by name; empty where none was."""
        if not self.skipped:
            return ""
        shown = "; ".join(f"{name}: {why}" for name, why in self.skipped[:most])
        more = f"; and {len(self.skipped) - most} more" if len(self.skipped) > most else ""
        return f"{len(self.skipped):,} {'file was' if len(self.skipped) == 1 else 'files were'} skipped ({shown}{more})"

    @property
    def named_groups(self) -> tuple[str, ...] | None:
        """What the group of each person is called: its name, or its number; None where there are no groups."""
        if self.groups is None:
            return None
        return tuple(str(group) if self.group_names is None else self.group_names[group] for group in self.groups.tolist())

    def counts(self) -> Int64[np.ndarray, "people"]:
        """How many images each person has."""
        return np.bincount(self.labels, minlength=len(self.people)).astype(np.int64)

    def select(self, rows: Int[np.ndarray, "m"]) -> "Images":
        """The table of some rows, in the order given; people left without a row go, others are renumbered."""
        rows = np.asarray(rows, np.int64)
        kept, labels = np.unique(self.labels[rows], return_inverse=True)
        digests = None if self.digests is None else tuple(self.digests[row] for row in rows.tolist())
        told = self.fingerprint.encode() + rows.astype("<i8").tobytes() if digests is None else b"".join(digests)
        read, base = self.read, rows
        if isinstance(read, _SelectionReader):
            read, base = read.read, read.rows[rows]
        return dataclasses.replace(
            self,
            labels=labels.reshape(-1).astype(np.int32),
            people=tuple(self.people[p] for p in kept),
            groups=None if self.groups is None else self.groups[kept],
            read=_SelectionReader(read, base),
            names=_Selection(self.names, rows),
            fingerprint=hashlib.sha256(told).hexdigest(),
            digests=digests,
            content=None if self.content is None else self.content[rows],
            extras={name: column[rows] for name, column in self.extras.items()},
        )

    def select_people(self, people: Int[np.ndarray, "p"] | Sequence[int]) -> "Images":
        """The table of all rows of some people, given by index."""
        chosen = np.zeros(len(self.people), bool)
        chosen[np.asarray(people, np.int64)] = True
        return self.select(np.flatnonzero(chosen[self.labels]))


def index_people(who: Sequence[str]) -> tuple[tuple[str, ...], Int32[np.ndarray, "n"]]:
    """Turns each row's name into the sorted people and the row's index among them.

    >>> people, labels = index_people(["bob", "ann", "bob"])
    >>> people, labels.tolist()
    (('ann', 'bob'), [1, 0, 1])
    """
    people = tuple(sorted(set(who)))
    index = {name: i for i, name in enumerate(people)}
    return people, np.fromiter((index[name] for name in who), np.int32, len(who))


def content_numbers(digests: Sequence[bytes]) -> UInt64[np.ndarray, "n"]:
    """The first 64 bits of digests, for ``Images.content``."""
    return np.fromiter((int.from_bytes(digest[:8], "little") for digest in digests), np.uint64, len(digests))
