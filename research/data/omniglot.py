"""Omniglot: 1,623 handwritten characters of 50 alphabets, each drawn by 20 people."""

import dataclasses
import hashlib
import itertools
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import Int32, UInt8

from likeness.research.data.decode import BadImage
from likeness.research.data.duplicates import Duplicates
from likeness.research.data.images import ArrayReader, Images, content_numbers, index_people
from likeness.research.data.names import identity_name
from likeness.research.data.npz import BadArchive, check_entry, explained, open_zip
from likeness.research.data.paths import expand_path, printable
from likeness.research.data.preprocessing import Frame, Preprocessing
from likeness.research.data.regular import open_regular
from likeness.research.errors import UserError

Subset: TypeAlias = Literal["background", "evaluation", "background_small1", "background_small2", "all"]

_SIDE = 105
_HOME = "https://github.com/brendenlake/omniglot/tree/master/python"
# The outer folder differs between releases and is not asked for.
_DRAWING = re.compile(r"(?:^|/)([^/]+)/(character\d+)/\d+_(\d+)\.png$")
_RUN_FILE = re.compile(r"(?:^|/)run(\d{1,4})/(?:(test|training)/(?:item|class)(\d{1,4})\.png|class_labels\.txt)$")
TURNED = re.compile(r" turned (?:90|180|270)(?=/)")
"""What the name of a turned character has that the character's own name has not."""
_LONGEST_FILE = 1 << 20
"""A drawing has a few hundred bytes."""
_DRAWERS = 9999
_Drawing: TypeAlias = tuple[str, str, int, str]
"""Alphabet, character, drawer, name in the zip."""


def _preprocessing(size: int, ink: Literal["white", "black"], frame: Frame) -> Preprocessing:
    # One bit a pixel as published; a copy that somebody saved in gray is cut at its middle.
    return Preprocessing(
        size=(size, size),
        channels=1,
        fit="exact",
        file_size=(_SIDE, _SIDE),
        resample="area",
        tones="two",
        polarity="inverted" if ink == "white" else "as_is",
        frame=frame,
    )


def _check_size(size: int) -> None:
    if not 8 <= size <= _SIDE:
        raise ValueError(f"Omniglot's drawings are {_SIDE} x {_SIDE}: size must be from 8 to {_SIDE}, not {size}.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Omniglot:
    """Omniglot from the official zips, gray, read in place.

    A "person" is a character, ``Greek/character07``, and a group is an alphabet.

    A drawer draws a character once: a zip that holds two such drawings is refused. Drawings that are equal although they are
    by two drawers, such as Braille/character01 by the third and the nineteenth, are kept as in all published results, and
    counted in ``Images.notes``.

    The 105 × 105 one-bit drawings, or the squares around their ink, are reduced by averaging areas, so a pixel's value is the
    share of it that ink covers. Ink is white on black unless asked otherwise. ``extras["drawer"]`` says which of 20 people drew
    each row.

    B. Lake, R. Salakhutdinov and J. Tenenbaum, "Human-level concept learning through probabilistic program
    induction", Science 350, 2015.
    """

    path: str = "$LIKENESS_DATA/omniglot"
    """The folder that holds the official zips; ``~`` and environment variables are replaced."""
    subset: Subset = "background"
    """Background: 30 alphabets, 964 characters, to learn from; evaluation: 20 others, 659, to evaluate by; the small ones: 5 of
    the background's alphabets, 146 and 136 characters; all: background and evaluation, for splits of all 1,623 characters."""
    size: int = 28
    """The side of the images in pixels, at most 105."""
    ink: Literal["white", "black"] = "white"
    """White ink on black, or black ink on white as in the files."""
    frame: Frame = "whole"
    """The whole drawing, or ``dark``: the square around its ink, so that characters drawn small are seen as large as others."""
    duplicates: Duplicates = Duplicates(within="keep")
    """What becomes of drawings that are equal."""
    rotations: bool = False
    """Also take each character turned by 90, 180 and 270 degrees, as characters of turned alphabets: four times the classes
    (Santoro et al., "Meta-learning with memory-augmented neural networks", ICML 2016)."""

    def __post_init__(self) -> None:
        _check_size(self.size)
        if self.subset not in get_args(Subset):
            raise ValueError(f"Omniglot.subset is {self.subset!r}: choose of {', '.join(get_args(Subset))}.")

    @property
    def preprocessing(self) -> Preprocessing:
        """How an official drawing becomes an image."""
        return _preprocessing(self.size, self.ink, self.frame)

    def open(self) -> Images:
        """Reads every drawing of the subset into memory.

        Raises:
            UserError: the zip is missing or damaged, or holds no drawings, or two of a character by one drawer.
        """
        zips = [self._read_zip(subset) for subset in (("background", "evaluation") if self.subset == "all" else (self.subset,))]
        where = " and ".join(place for *_, place in zips)
        found, contents, drawn = (list(itertools.chain.from_iterable(each)) for each in list(zip(*zips, strict=True))[:3])
        pixels = np.concatenate([read for *_, read, _ in zips])
        names = [f"{alphabet}/{character}" for alphabet, character, _, _ in found]
        unique, copies = self.duplicates(
            drawn,
            names,
            [f"{name}/{drawer:02d}" for name, (*_, drawer, _) in zip(names, found, strict=True)],
            where,
            "character",
        )
        if not len(unique):
            raise UserError(f"Every drawing in {where} is left out as a copy of another character's: set `duplicates.across`.")
        pixels, found, contents = pixels[unique], [found[row] for row in unique], [contents[row] for row in unique]
        turns = range(4 if self.rotations else 1)
        pixels = np.concatenate([np.rot90(pixels, turn, axes=(1, 2)) for turn in turns])
        entries = [
            (f"{alphabet} turned {90 * turn}" if turn else alphabet, character, drawer)
            for turn in turns
            for alphabet, character, drawer, _ in found
        ]
        characters = [f"{alphabet}/{character}" for alphabet, character, _ in entries]
        digests = tuple(
            hashlib.sha256(repr((self.size, self.ink, self.frame, character)).encode() + content).digest()
            for character, content in zip(characters, contents * len(turns), strict=True)
        )
        people, labels = index_people(characters)
        alphabets, groups = index_people([person.split("/")[0] for person in people])
        return Images(
            labels=labels,
            people=people,
            groups=groups,
            group_names=alphabets,
            shape=(self.size, self.size, 1),
            read=ArrayReader(pixels),
            names=tuple(f"{who}/{drawer:02d}" for who, (_, _, drawer) in zip(characters, entries, strict=True)),
            fingerprint=hashlib.sha256(b"".join(digests)).hexdigest(),
            digests=digests,
            extras={"drawer": np.array([drawer for _, _, drawer in entries], np.int32)},
            noun=("character", "characters"),
            notes=copies,
            content=content_numbers([hashlib.sha256(np.ascontiguousarray(image).data).digest() for image in pixels]),
        )

    def _read_zip(self, subset: str) -> tuple[list[_Drawing], list[bytes], list[bytes], UInt8[np.ndarray, "n h w 1"], str]:
        """What the drawings of a zip are, a digest of each one's file and of its pixels, these, and where the zip lies."""
        with _open_zip(self.path, f"images_{subset}.zip") as (archive, where):
            found = _find_drawings(archive, where)
            pixels, contents, drawn = _read_drawings(archive, [name for *_, name in found], self.preprocessing, where)
        return found, contents, drawn, pixels, where


@dataclasses.dataclass(frozen=True, eq=False)
class OneShotRun:
    """One run of the official test: for each test drawing, which support drawing shows the same character?"""

    name: str
    """``run01`` to ``run20``."""
    support: UInt8[np.ndarray, "way h w 1"]
    """One drawing of each of 20 characters, by one person."""
    test: UInt8[np.ndarray, "trials h w 1"]
    """20 drawings by another person."""
    truth: Int32[np.ndarray, "trials"]
    """For each test drawing the index of its character in ``support``."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class OmniglotRuns:
    """The official 20-way one-shot test within alphabets: 20 runs of 20 trials."""

    path: str = "$LIKENESS_DATA/omniglot"
    """The folder that holds ``all_runs.zip``; ``~`` and environment variables are replaced."""
    size: int = 28
    """The side of the images in pixels, at most 105."""
    ink: Literal["white", "black"] = "white"
    """White ink on black, or black ink on white as in the files."""
    frame: Frame = "whole"
    """The whole drawing, or ``dark``: the square around its ink, so that characters drawn small are seen as large as others."""

    def __post_init__(self) -> None:
        _check_size(self.size)

    @property
    def preprocessing(self) -> Preprocessing:
        """How an official drawing becomes an image."""
        return _preprocessing(self.size, self.ink, self.frame)

    def open(self) -> tuple[OneShotRun, ...]:
        """Reads the runs, in order.

        Raises:
            UserError: the zip is missing or damaged, or the truth names drawings that it does not hold.
        """
        with _open_zip(self.path, "all_runs.zip") as (archive, where):
            runs: dict[str, dict[tuple[str, int], str]] = {}
            for entry in archive.namelist():
                if match := _RUN_FILE.search(entry):
                    run, part, number = match.groups()
                    runs.setdefault(f"run{run}", {})[(part or "truth", int(number or 0))] = entry
            if not runs:
                raise UserError(f"{where} holds no files like run01/class_labels.txt: fetch it from {_HOME}.")
            return tuple(self._read(archive, name, runs[name], where) for name in sorted(runs))

    def _read(self, archive: zipfile.ZipFile, run: str, files: dict[tuple[str, int], str], where: str) -> OneShotRun:
        numbers = {part: sorted(n for p, n in files if p == part) for part in ("test", "training")}
        drawings = {
            part: _read_drawings(archive, [files[part, n] for n in numbers[part]], self.preprocessing, where)[0]
            for part in numbers
        }
        truth = np.full(len(numbers["test"]), -1, np.int32)
        try:
            for line in _read(archive, files["truth", 0]).decode().split("\n"):
                if line.strip():
                    item, shown = re.findall(r"(?:item|class)(\d+)\.png", line)
                    truth[numbers["test"].index(int(item))] = numbers["training"].index(int(shown))
        except BadArchive:
            raise
        except (KeyError, ValueError) as error:
            raise UserError(f"{where}: {run}/class_labels.txt is missing or damaged; fetch it from {_HOME}.") from error
        if not len(truth) or (truth < 0).any():
            raise UserError(f"{where}: {run}/class_labels.txt leaves out test drawings; fetch it from {_HOME}.")
        return OneShotRun(run, drawings["training"], drawings["test"], truth)


@contextmanager
def _open_zip(folder: str, file: str) -> Iterator[tuple[zipfile.ZipFile, str]]:
    path = expand_path(folder)
    # A path to the zip itself is understood too.
    path = path if path.name == file else path / file
    where = printable(path)
    if not Path(path).is_file():
        raise UserError(
            f"There is no Omniglot at {where}: fetch {file} from {_HOME} into that folder, or give the field "
            "`path` the folder that holds it."
        )
    try:
        with open_regular(path) as opened, open_zip(opened) as archive:
            yield archive, where
    except BadArchive as error:
        raise UserError(f"{where} is damaged ({error}): fetch {file} again from {_HOME}.") from error


def _find_drawings(archive: zipfile.ZipFile, where: str) -> list[_Drawing]:
    """Alphabet, character, drawer and name of every drawing, sorted."""
    found: dict[tuple[str, str, int], str] = {}
    for name in archive.namelist():
        # macOS puts a shadow of each file into the zips it makes.
        match = None if name.startswith("__MACOSX/") else _DRAWING.search(name)
        if match is None:
            continue
        alphabet, character, drawer = match.groups()
        if len(drawer) > len(str(_DRAWERS)):
            raise UserError(
                f"{where}: {printable(name)} is of drawer {drawer[:20]}, and there are 20: fetch the zip from {_HOME}."
            )
        key = identity_name(alphabet), character, int(drawer)
        if key in found:
            raise UserError(
                f"{where} holds two drawings of {key[0]}/{character} by drawer {key[2]}, {printable(found[key])} and "
                f"{printable(name)}: it was put together of several; fetch the zip from {_HOME}."
            )
        found[key] = name
    if not found:
        raise UserError(f"{where} holds no files like Greek/character01/0394_01.png: fetch it from {_HOME}.")
    return sorted((*key, name) for key, name in found.items())


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    """A small file of the zip.

    Raises:
        BadArchive: it is damaged, encrypted or not small.
    """
    info = archive.getinfo(name)
    check_entry(info)
    if info.file_size > _LONGEST_FILE:
        raise BadArchive(f"{printable(name)} in it has {info.file_size:,} bytes")
    with explained():
        return archive.read(info)


def _read_drawings(
    archive: zipfile.ZipFile, names: list[str], preprocessing: Preprocessing, where: str
) -> tuple[UInt8[np.ndarray, "n h w 1"], list[bytes], list[bytes]]:
    """The drawings, a digest of each one's file, and one of its pixels."""
    content = []
    out = np.empty((len(names), *preprocessing.shape), np.uint8)
    contents = []
    # Not in threads: drawings are so small that handing over the interpreter's lock costs more than decoding.
    for i, name in enumerate(names):
        data = _read(archive, name)
        contents.append(hashlib.sha256(data).digest())
        try:
            out[i] = preprocessing.from_bytes(data, name)
        except BadImage as error:
            raise UserError(
                f"{where}: {printable(name)} cannot be used: {error.why}. Fetch the zip again from {_HOME}."
            ) from error
        content.append(hashlib.sha256(out[i].tobytes()).digest())
    return out, contents, content
