"""Lists of pairs to verify: Labeled Faces in the Wild's own format, and any table of two paths and whether they show one
person."""

import csv
import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Bool, Int

from likeness.research.data.paths import expand_path, printable
from likeness.research.data.regular import open_regular
from likeness.research.errors import UserError

_SAME = frozenset({"same", "1", "true", "yes", "genuine", "positive", "match"})
_DIFFERENT = frozenset({"different", "0", "-1", "false", "no", "impostor", "negative", "nonmatch", "non-match"})
_FORMATS = (
    "Expected is LFW's format (a first line of the number of folds and of pairs, then `name i j` or `name i name j`), or "
    "a line for "
    "each pair with two paths and `same` or `different`, between commas, tabs or spaces."
)
_MOST_BYTES = 1 << 30


@dataclasses.dataclass(frozen=True, eq=False)
class PairList:
    """Pairs of images by name; entry i of each field is one pair."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    same: Bool[np.ndarray, "n"]
    folds: Int[np.ndarray, "n"] | None = None
    """The fold of each pair where the list says it, as LFW's View 2 does."""

    def __len__(self) -> int:
        return len(self.first)

    def rows_of(self, names: Sequence[str]) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "n"]]:
        """Which rows of a table with these names each pair is of, see :func:`rows_by_name`.

        Raises:
            UserError: the table does not have an image.
        """
        rows = rows_by_name(names, [*self.first, *self.second])
        return rows[: len(self)], rows[len(self) :]


def read_pairs(path: str) -> PairList:
    r"""Reads a list of pairs; its content says which format it is in.

    LFW's ``pairs.txt`` (10 folds of 300 + 300 pairs), ``pairsDevTrain.txt`` and ``pairsDevTest.txt`` name an image by its
    person and
    number: ``Ann 1 2`` are ``Ann/Ann_0001`` and ``Ann/Ann_0002``. In other files a line has two paths and a word, in any order
        of
    columns: ``same``, ``1``, ``true``, ``yes``, ``genuine``, or ``different``, ``0``, ``-1``, ``false``, ``no``, ``impostor``.
    A first line that is a heading is left out; so are empty lines and those that begin with ``#``.

    Args:
        path: the file, UTF-8; ``~`` and environment variables are replaced.

    Raises:
        UserError: there is no such file, or a line is not that of a pair, which is named.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp(), "pairs.csv")
        >>> _ = file.write_text("left,right,label\na/1.jpg,a/2.jpg,same\na/1.jpg,b/1.jpg,different\n")
        >>> pairs = read_pairs(str(file))
        >>> pairs.first, pairs.second, pairs.same.tolist()
        (('a/1.jpg', 'a/1.jpg'), ('a/2.jpg', 'b/1.jpg'), [True, False])
    """
    rows, shown = read_rows(path, "pairs", _FORMATS)
    head = [cell for cell in rows[0][1] if cell]
    if len(head) in (1, 2) and all(re.fullmatch(r"\d+", cell) for cell in head):
        return _lfw([int(cell) for cell in head], rows[1:], shown)
    return _table(rows, shown)


def rows_by_name(names: Sequence[str], wanted: Sequence[str]) -> Int[np.ndarray, "w"]:
    """The rows of a table of images whose names are those of a list.

    Suffixes are not compared, nor are folders that only one of both names has: ``lfw/Ann/Ann_0001.jpg`` is found as
    ``Ann/Ann_0001`` and as ``Ann_0001.png``, as long as it is the only one so called.

    Args:
        names: of the table's rows.
        wanted: of the list.

    Raises:
        UserError: the table does not have an image, or several that may be meant.

    Example:
        >>> rows_by_name(["a/1.jpg", "b/1.jpg"], ["set/b/1.png", "a/1"]).tolist()
        [1, 0]
    """
    keys = [_parts(name) for name in names]
    exact = {name: row for row, name in enumerate(names)}
    by_end: dict[str, list[int]] = {}
    for row, key in enumerate(keys):
        by_end.setdefault(key[-1], []).append(row)
    found = np.empty(len(wanted), np.int64)
    known: dict[str, int] = {}
    for place, name in enumerate(wanted):
        if name not in known:
            known[name] = exact[name] if name in exact else _only(name, by_end, keys, names)
        found[place] = known[name]
    return found


def read_rows(path: str, field: str, formats: str) -> tuple[list[tuple[int, list[str]]], str]:
    """The lines of a table of text with their numbers, cut at commas, tabs or white space, and the file's name to show.

    Args:
        path: the file.
        field: of a config, that holds the path.
        formats: sentences on what was expected, for errors.

    Raises:
        UserError: there is no such file, it is no text, or it has no line.
    """
    file = expand_path(path, field)
    shown = printable(file)
    if not Path(file).is_file():
        raise UserError(f"There is no file {shown}: mend the field `{field}`. {formats}")
    with open_regular(file) as opened:
        data = opened.read(_MOST_BYTES + 1)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{shown} is no text in UTF-8. {formats}") from error
    if len(data) > _MOST_BYTES or "\0" in text:
        raise UserError(f"{shown} is no list: it is binary, or longer than {_MOST_BYTES >> 30} GiB. {formats}")
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip() and line[0] != "#"]
    if not lines:
        raise UserError(f"{shown} has no line. {formats}")
    mark = next((mark for mark in "\t,;" if mark in lines[-1][1]), None)
    if mark is None:
        return [(number, line.split()) for number, line in lines], shown
    try:
        # Line by line, so that a quotation mark that nobody closes does not swallow the next.
        cut = [next(csv.reader([line], delimiter=mark)) for _, line in lines]
    except csv.Error as error:
        raise UserError(f"{shown} cannot be cut at its {mark!r}: {error}. {formats}") from error
    return [(number, [cell.strip() for cell in cells]) for (number, _), cells in zip(lines, cut, strict=True)], shown


def label_of(word: str) -> bool | None:
    """Whether a word says that a pair shows one person; None where it is another word.

    >>> label_of("Same"), label_of("impostor"), label_of("ann.jpg")
    (True, False, None)
    """
    word = word.strip().lower()
    return True if word in _SAME else False if word in _DIFFERENT else None


def _lfw(head: list[int], rows: list[tuple[int, list[str]]], shown: str) -> PairList:
    folds, each = (1, head[0]) if len(head) == 1 else head
    if len(rows) != 2 * folds * each:
        raise UserError(
            f"{shown} says that it has {folds} x 2 x {each} pairs, which are {2 * folds * each}, and has {len(rows)} "
            "lines of them. "
            f"Fetch it again. {_FORMATS}"
        )
    first, second, same = [], [], []
    for number, cells in rows:
        if len(cells) == 3 and cells[1].isdigit() and cells[2].isdigit():
            sides = (cells[0], cells[1]), (cells[0], cells[2])
        elif len(cells) == 4 and cells[1].isdigit() and cells[3].isdigit():
            sides = (cells[0], cells[1]), (cells[2], cells[3])
        else:
            raise UserError(
                f"Line {number} of {shown} is no pair of LFW's format: {printable(' '.join(cells)[:80])!r}. {_FORMATS}"
            )
        for side, (person, image) in zip((first, second), sides, strict=True):
            side.append(f"{person}/{person}_{int(image):04d}")
        same.append(sides[0][0] == sides[1][0])
    numbers = None if folds == 1 else np.repeat(np.arange(folds), 2 * each)
    return PairList(tuple(first), tuple(second), np.array(same, bool), numbers)


def _table(rows: list[tuple[int, list[str]]], shown: str) -> PairList:
    body = rows
    column = _label_column(rows)
    if column is None and len(rows) > 1:
        # What no other line tells may be a heading.
        body, column = rows[1:], _label_column(rows[1:])
    if column is None:
        number, cells = rows[min(1, len(rows) - 1)]
        raise UserError(
            f"{shown} is no list of pairs: no column says `same` or `different` in every line, such as line {number}: "
            f"{printable(' '.join(cells)[:80])!r}. {_FORMATS}"
        )
    first, second, same = [], [], []
    for number, cells in body:
        if len(cells) != 3 or not all(cells):
            raise UserError(f"Line {number} of {shown} has {len(cells)} columns, and a pair has 3: {_FORMATS}")
        paths = [cell for place, cell in enumerate(cells) if place != column]
        first.append(paths[0])
        second.append(paths[1])
        same.append(bool(label_of(cells[column])))
    return PairList(tuple(first), tuple(second), np.array(same, bool))


def _label_column(rows: list[tuple[int, list[str]]]) -> int | None:
    """The last column of words that say so, since those of paths may be numbers."""
    wide = max((len(cells) for _, cells in rows), default=0)
    said = [
        column
        for column in range(wide)
        if all(len(cells) > column and label_of(cells[column]) is not None for _, cells in rows)
    ]
    return said[-1] if said and rows else None


def _parts(name: str) -> tuple[str, ...]:
    path = PurePosixPath(name.replace("\\", "/"))
    return (*path.parts[:-1], path.name.removesuffix(path.suffix) if path.suffix.lower() in _SUFFIXES else path.name)


_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".pgm", ".ppm", ".tif", ".tiff", ".avif"})


def _only(name: str, by_end: dict[str, list[int]], keys: list[tuple[str, ...]], names: Sequence[str]) -> int:
    wanted = _parts(name)
    candidates = by_end.get(wanted[-1], []) if wanted else []
    fits = [row for row in candidates if all(a == b for a, b in zip(reversed(keys[row]), reversed(wanted), strict=False))]
    if len(fits) == 1:
        return fits[0]
    if not fits:
        example = f", such as {names[0]}" if len(names) else ""
        raise UserError(
            f"The list names the image {printable(name)}, which is not among the {len(names):,} images that are "
            f"evaluated{example}. "
            "Evaluate a set that holds every image of the list, or give the list its own images."
        )
    raise UserError(
        f"The list names the image {printable(name)}, and {len(fits)} of the images that are evaluated may be meant: "
        f"{names[fits[0]]}, {names[fits[1]]}. Write more of the path into the list."
    )


__all__ = ["PairList", "label_of", "read_pairs", "read_rows", "rows_by_name"]
