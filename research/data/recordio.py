"""MXNet's RecordIO, as InsightFace's training sets come: ``train.rec`` with the images and ``train.idx`` with where each
begins."""

import dataclasses
import hashlib
import io
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import SupportsIndex, overload

import numpy as np
from jaxtyping import Float, Int

from likeness.research.data.decode import BadImage
from likeness.research.data.images import Images
from likeness.research.data.paths import expand_path, printable
from likeness.research.data.preprocessing import Preprocessing
from likeness.research.data.regular import open_regular, read_regular, sampled_digest
from likeness.research.errors import UserError

_MAGIC = 0xCED7230A
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
_LENGTH = (1 << 29) - 1
_HEADER = struct.Struct("<IfQQ")
_AT_ONCE = 1 << 16
_FORMAT = "Expected are `train.rec` and `train.idx` side by side, as MXNet's im2rec and InsightFace's sets have them."


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordIO:
    """Images of people in MXNet's RecordIO: InsightFace's training sets, such as MS1MV2 and WebFace.

    A record is a header with the image's label and an encoded image. InsightFace's first record says in two numbers which
    records are images and which stand for people; where it is missing, all records are images. Opening reads the index and
    every record's header, not the images: each is decoded when it is needed.

    Example::

        source = RecordIO(path="~/data/faces_emore/train.rec", preprocessing=Preprocessing(size=(112, 112)))
    """

    path: str
    """The ``.rec`` file, the ``.idx`` file beside it being called alike; ``~`` and environment variables are replaced."""
    preprocessing: Preprocessing = Preprocessing(size=(112, 112), fit="exact")
    """How each encoded image becomes one of the model's."""

    def open(self) -> Images:
        """Reads where the images are and whom each shows.

        Raises:
            UserError: a file is missing, or is no such file, or they do not belong together.
        """
        file = expand_path(self.path)
        index = file.with_suffix(".idx")
        keys, starts = _read_index(index)
        with open_regular(file) as opened:
            digest = hashlib.sha256(repr(self.preprocessing).encode() + sampled_digest(opened))
        labels, starts, keys = _labels(file, keys, starts)
        people, who = np.unique(labels, return_inverse=True)
        # So wide that names sort as numbers do.
        wide = len(str(int(people.max(initial=0))))
        digest.update(starts.astype("<i8").tobytes() + labels.astype("<i8").tobytes())
        return Images(
            labels=who.reshape(-1).astype(np.int32),
            people=tuple(f"{person:0{wide}d}" for person in people.tolist()),
            shape=self.preprocessing.shape,
            read=_Records(str(file), starts, self.preprocessing),
            names=_Names(keys),
            fingerprint=digest.hexdigest(),
        )


def read_record(file: io.BufferedReader | io.BytesIO, start: int, name: str = "the file") -> bytes:
    """The content of the record that begins at a byte.

    A record is the number 0xCED7230A, its length in the lower 29 bits of a 32-bit number, and so many bytes, filled up to a
    multiple of four. The upper 3 bits say whether it is whole or a first, middle or last part: where the content itself has the
    number, it is cut there, and the number is left out (dmlc-core's ``recordio.h``).

    Args:
        file: open for reading.
        start: where the record begins.
        name: of the file, for the error.

    Raises:
        UserError: there is no record.
    """
    file.seek(start)
    parts: list[bytes] = []
    while True:
        head = file.read(8)
        if len(head) < 8 or (numbers := struct.unpack("<II", head))[0] != _MAGIC:
            raise UserError(
                f"{name} has no record at byte {start}: the index belongs to another file, or it is damaged. {_FORMAT}"
            )
        kind, length = numbers[1] >> 29, numbers[1] & _LENGTH
        content = file.read(length + -length % 4)
        if len(content) < length or kind > _LAST or (kind in (_WHOLE, _FIRST)) == bool(parts):
            raise UserError(f"The record at byte {start} of {name} is cut short or damaged: fetch the file again.")
        parts.append(content[:length])
        if kind in (_WHOLE, _LAST):
            return struct.pack("<I", _MAGIC).join(parts)


def unpack_record(content: bytes, name: str = "A record") -> tuple[Float[np.ndarray, "n"], bytes]:
    """The labels of a record, and what follows its header: an encoded image.

    The header is a number of labels, a label, and two 64-bit numbers; where the number is above 0, so many float32 labels
    follow.

    Args:
        content: of :func:`read_record`.
        name: of the record, for the error.

    Raises:
        UserError: it is too short for that.
    """
    if len(content) < _HEADER.size:
        raise UserError(f"{name} has {len(content)} bytes, and a header {_HEADER.size}. {_FORMAT}")
    count, label, _, _ = _HEADER.unpack_from(content)
    end = _HEADER.size + 4 * count
    if end > len(content):
        raise UserError(f"{name} says that it has {count} labels, which are longer than itself. {_FORMAT}")
    labels = np.frombuffer(content, "<f4", count, _HEADER.size) if count else np.array([label])
    return labels.astype(np.float64), content[end:]


def _read_index(index: Path) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the records, rising, and where each begins."""
    shown = printable(index)
    if not index.is_file():
        raise UserError(f"There is no index {shown}. {_FORMAT}")
    try:
        cells = np.array(read_regular(index).decode("ascii").split(), np.int64)
        keys, starts = cells.reshape(-1, 2).T
    except (UnicodeDecodeError, ValueError, OverflowError) as error:
        raise UserError(f"{shown} is no index: a line of it has a number and a byte, both whole. {_FORMAT}") from error
    if not len(keys) or len(np.unique(keys)) != len(keys) or starts.min() < 0 or (starts % 4).any():
        raise UserError(f"{shown} is no index: it is empty, names a record twice, or begins one at an odd byte. {_FORMAT}")
    order = np.argsort(keys)
    return keys[order], starts[order]


def _labels(file: Path, keys: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The label of each image, where its record begins, and its number."""
    shown = printable(file)
    if file.stat().st_size < 8 or file.stat().st_size % 4:
        raise UserError(f"{shown} is no file of records: its length is no multiple of 4. {_FORMAT}")
    with open_regular(file) as opened:
        first, content = unpack_record(read_record(opened, int(starts[0]), shown), f"The first record of {shown}")
    if keys[0] == 0 and len(first) > 1 and not content:
        # InsightFace's first record: images are 1 … first[0] - 1, and records from there to first[1] stand for people.
        images = (keys > 0) & (keys < int(first[0]))
        keys, starts = keys[images], starts[images]
        if not len(keys):
            raise UserError(
                f"The first record of {shown} says that the images end at {int(first[0])}, before the first. {_FORMAT}"
            )
    words = np.memmap(file, "<u4", "r")
    labels = np.empty(len(keys), np.float64)
    for begin in range(0, len(keys), _AT_ONCE):
        at = starts[begin : begin + _AT_ONCE] // 4
        if at.max() + 7 > len(words):
            raise UserError(f"The index of {shown} goes on beyond its end: the file is cut short. {_FORMAT}")
        if (words[at] != _MAGIC).any():
            wrong = int(starts[begin : begin + _AT_ONCE][np.argmax(words[at] != _MAGIC)])
            raise UserError(f"{shown} has no record at byte {wrong}: the index belongs to another file. {_FORMAT}")
        # After the number and the length come the number of labels, a label, and two numbers of 64 bits; then the labels.
        several = words[at + 2] > 0
        place = np.where(several, np.minimum(at + 8, len(words) - 1), at + 3)
        labels[begin : begin + _AT_ONCE] = words[place].view("<f4")
    whole = np.isfinite(labels) & (labels == np.floor(labels)) & (labels >= 0) & (labels < 1 << 31)
    if not whole.all():
        wrong = int(np.argmin(whole))
        raise UserError(
            f"Record {keys[wrong]} of {shown} has the label {labels[wrong]:g}, and a person is a whole number from 0 on."
        )
    return labels.astype(np.int64), starts, keys


@dataclasses.dataclass(frozen=True, eq=False)
class _Names(Sequence[str]):
    """Of millions of records, written when asked for."""

    keys: Int[np.ndarray, "n"]

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, index: SupportsIndex) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> str | Sequence[str]:
        return _Names(self.keys[index]) if isinstance(index, slice) else str(self.keys[int(index)])


@dataclasses.dataclass(frozen=True, eq=False)
class _Records:
    path: str
    starts: np.ndarray
    preprocessing: Preprocessing

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        found = np.empty((len(rows), *self.preprocessing.shape), np.uint8)
        name = printable(os.fspath(self.path))
        with open_regular(self.path) as file:
            for place, row in enumerate(rows.tolist()):
                start = int(self.starts[row])
                where = f"at byte {start} of {name}"
                _, image = unpack_record(read_record(file, start, name), f"The record {where}")
                if not image:
                    raise BadImage(where, "the record has a header and no image")
                found[place] = self.preprocessing.from_bytes(image, where)
        return found


__all__ = ["RecordIO", "read_record", "unpack_record"]
