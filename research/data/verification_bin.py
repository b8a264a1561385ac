"""InsightFace's verification sets, ``lfw.bin``, ``cfp_fp.bin``, ``agedb_30.bin``: pickles that are read without being
unpickled.

Such a file is a pickle of two lists: encoded images, two for each pair, and whether each pair shows one person. To unpickle a
file runs what it says, and a file from the internet may say anything. Here the operations that build lists, tuples, bytes and
truth values are carried out by hand, and every other one is refused by its name.
"""

import dataclasses
import hashlib
import io
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from likeness.research.data.images import Images
from likeness.research.data.pair_lists import PairList
from likeness.research.data.paths import expand_path, printable
from likeness.research.data.preprocessing import Preprocessing
from likeness.research.data.regular import read_regular
from likeness.research.errors import UserError

_FORMAT = (
    "Expected is a pickle of a list of encoded images, two for each pair, and a list of truth values, as InsightFace's lfw.bin."
)
_DEEPEST = 4
_MARK = object()
_PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"})
_GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})
_BYTES = frozenset({"BINBYTES", "SHORT_BINBYTES", "BINBYTES8"})
# What Python 2 wrote of bytes; the parser gives their Latin-1.
_STRINGS = frozenset({"BINSTRING", "SHORT_BINSTRING"})
_CALLS = frozenset(
    {
        "GLOBAL",
        "STACK_GLOBAL",
        "REDUCE",
        "BUILD",
        "INST",
        "OBJ",
        "NEWOBJ",
        "NEWOBJ_EX",
        "EXT1",
        "EXT2",
        "EXT4",
        "PERSID",
        "BINPERSID",
    }
)
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3, "EMPTY_TUPLE": 0}


class NotPlain(ValueError):
    """A pickle that does something else than to build lists, tuples, bytes and truth values; or is damaged."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class VerificationBin:
    """A file of InsightFace's verification sets: images of its own, and pairs of them.

    Example::

        bin = VerificationBin(path="~/data/faces_emore/cfp_fp.bin", preprocessing=Preprocessing(size=(112, 112)))
        images, pairs = bin.open(), bin.pairs()
    """

    path: str
    """The file; ``~`` and environment variables are replaced."""
    preprocessing: Preprocessing = Preprocessing(size=(112, 112), fit="exact")
    """How each encoded image, an aligned face of 112 x 112 pixels, becomes one of the model's."""

    def open(self) -> Images:
        """The images, two for each pair: rows 2i and 2i + 1 are pair i. Whom they show is not known; each stands for itself.

        Raises:
            UserError: the file cannot be read, or one of its images.
        """
        images, _ = self._read()
        names = tuple(f"{Path(self.path).stem}/{row:06d}" for row in range(len(images)))
        return Images(
            labels=np.arange(len(images), dtype=np.int32),
            people=names,
            shape=self.preprocessing.shape,
            read=_Encoded(images, names, self.preprocessing),
            names=names,
            fingerprint=_fingerprint(images, self.preprocessing),
            noun=("image", "images"),
        )

    def pairs(self) -> PairList:
        """The pairs, of the images' names in :meth:`open`.

        Raises:
            UserError: the file cannot be read.
        """
        images, same = self._read()
        names = [f"{Path(self.path).stem}/{row:06d}" for row in range(len(images))]
        return PairList(tuple(names[::2]), tuple(names[1::2]), same)

    def _read(self) -> tuple[tuple[bytes, ...], Bool[np.ndarray, "n"]]:
        return read_verification_bin(self.path)


def read_verification_bin(path: str) -> tuple[tuple[bytes, ...], Bool[np.ndarray, "n"]]:
    """The encoded images, two for each pair, and whether each pair shows one person.

    Args:
        path: the file; ``~`` and environment variables are replaced.

    Raises:
        UserError: there is no such file, it builds anything but lists, bytes and truth values, or these are not such a set.
    """
    file = expand_path(path)
    shown = printable(file)
    try:
        found = read_plain_pickle(read_regular(file))
    except NotPlain as error:
        raise UserError(f"{shown} is not read: {error}. {_FORMAT}") from error
    if not isinstance(found, tuple | list) or len(found) != 2 or not all(isinstance(part, tuple | list) for part in found):
        raise UserError(f"{shown} holds something else than two lists. {_FORMAT}")
    images, same = found
    if not all(isinstance(image, bytes) for image in images) or not all(isinstance(each, bool) for each in same):
        raise UserError(f"The lists of {shown} hold something else than encoded images and truth values. {_FORMAT}")
    if len(images) != 2 * len(same) or not images:
        raise UserError(f"{shown} holds {len(images)} images for {len(same)} pairs. {_FORMAT}")
    return tuple(images), np.array(same, bool)


def read_plain_pickle(data: bytes) -> Any:
    """What a pickle of lists, tuples, bytes and truth values holds. Nothing in it is called, imported or looked up.

    Args:
        data: of protocol 2 or later, as Python 2 and 3 write it.

    Raises:
        NotPlain: it asks for anything else, which is named, or is damaged.

    Example:
        >>> import pickle
        >>> read_plain_pickle(pickle.dumps(([b"a", b"b"], [True]), protocol=4))
        ([b'a', b'b'], [True])
        >>> read_plain_pickle(pickle.dumps(print))
        Traceback (most recent call last):
        likeness.research.data.verification_bin.NotPlain: it asks for STACK_GLOBAL (builtins print) at byte 30
    """
    try:
        operations = list(pickletools.genops(io.BytesIO(data)))
    # The parser raises what the damage leads it to.
    except Exception as error:
        raise NotPlain("it is damaged, cut short, or no pickle") from error
    # What could run code is named before what is merely something else.
    texts: list[str] = []
    for operation, argument, at in operations:
        if operation.name in _CALLS:
            what = printable(str(argument or " ".join(texts[-2:]))[:80])
            raise NotPlain(f"it asks for {operation.name} ({what}) at byte {at}")
        if isinstance(argument, str) and "UNICODE" in operation.name:
            texts.append(argument)
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for operation, argument, at in operations[:-1]:
        try:
            _step(operation.name, argument, at or 0, stack, memo)
        except NotPlain:
            raise
        except (IndexError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise NotPlain(f"it is damaged at byte {at} ({operation.name})") from error
    if len(stack) != 1 or stack[0] is _MARK:
        raise NotPlain("it is damaged: it ends with something left over")
    return stack[0]


def _step(name: str, argument: Any, at: int, stack: list[Any], memo: dict[int, Any]) -> None:
    if name in ("PROTO", "FRAME"):
        return
    if name in _BYTES:
        stack.append(bytes(argument))
    elif name in _STRINGS:
        stack.append(argument.encode("latin-1"))
    elif name in ("NEWTRUE", "NEWFALSE"):
        stack.append(name == "NEWTRUE")
    elif name == "EMPTY_LIST":
        stack.append([])
    elif name == "MARK":
        stack.append(_MARK)
    elif name in _TUPLES:
        size = _TUPLES[name]
        items = tuple(_plain(item) for item in stack[len(stack) - size :]) if size else ()
        if len(items) != size:
            raise IndexError
        del stack[len(stack) - size :]
        stack.append(_shallow(items))
    elif name == "TUPLE":
        stack.append(_shallow(tuple(_since_mark(stack))))
    elif name == "LIST":
        stack.append(_shallow(_since_mark(stack)))
    elif name in ("APPEND", "APPENDS"):
        items = [_plain(stack.pop())] if name == "APPEND" else _since_mark(stack)
        if type(stack[-1]) is not list:
            raise TypeError
        # A list within itself, or lists of lists of one list, would be endless to whoever goes through them.
        if any((isinstance(item, list | tuple) and _depth(item) + 1 > _DEEPEST) or item is stack[-1] for item in items):
            raise NotPlain(f"it nests lists deeper than {_DEEPEST} at byte {at}")
        stack[-1].extend(items)
    elif name in _PUTS:
        memo[len(memo) if name == "MEMOIZE" else int(argument)] = stack[-1]
    elif name in _GETS:
        found = memo[int(argument)]
        # Shared lists are in no such set, and could be made to grow exponentially.
        if not isinstance(found, bytes | bool):
            raise NotPlain(f"it uses a list twice ({name} at byte {at})")
        stack.append(found)
    else:
        raise NotPlain(f"it holds {name} at byte {at}")


def _since_mark(stack: list[Any]) -> list[Any]:
    items: list[Any] = []
    while (item := stack.pop()) is not _MARK:
        items.append(item)
    return items[::-1]


def _plain(item: Any) -> Any:
    if item is _MARK:
        raise ValueError
    return item


def _shallow(items: Any) -> Any:
    if _depth(items) > _DEEPEST:
        raise NotPlain(f"it nests lists deeper than {_DEEPEST}")
    return items


def _depth(item: Any) -> int:
    # Long lists hold bytes or truth values, of which the first tells enough: others are refused by who reads the set.
    if not isinstance(item, list | tuple):
        return 0
    return 1 + max((_depth(each) for each in item if isinstance(each, list | tuple)), default=0)


def _fingerprint(images: tuple[bytes, ...], preprocessing: Preprocessing) -> str:
    digest = hashlib.sha256(repr(preprocessing).encode())
    for image in images:
        digest.update(hashlib.sha256(image).digest())
    return digest.hexdigest()


@dataclasses.dataclass(frozen=True, eq=False)
class _Encoded:
    images: tuple[bytes, ...]
    names: tuple[str, ...]
    preprocessing: Preprocessing

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        found = np.empty((len(rows), *self.preprocessing.shape), np.uint8)
        for place, row in enumerate(rows.tolist()):
            found[place] = self.preprocessing.from_bytes(self.images[row], self.names[row])
        return found


__all__ = ["NotPlain", "VerificationBin", "read_plain_pickle", "read_verification_bin"]
