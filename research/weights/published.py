"""Weights that somebody published: what they are, and where they lie on this machine."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

from flax import linen as nn

from research.data.paths import printable
from research.errors import UserError
from research.types import PyTree

from .cache import cache, data
from .headers import Header
from .layout import Layout, own
from .matching import best, compare, fill, shapes
from .readers import read
from .report import Report
from .verified import digest, noted_digest, verified_digest


@dataclasses.dataclass(frozen=True, kw_only=True)
class File:
    """A published file."""

    name: str
    """What it is called in the cache."""
    size: int
    """Bytes."""
    sha256: str
    """Its checksum, 64 hexadecimal digits: what does not have it is not kept."""
    urls: tuple[str, ...] = ()
    """Where it can be downloaded, the best first."""
    local: str = ""
    """Where it may lie below ``$LIKENESS_DATA/weights``."""
    text: str = ""
    """Its content, where that is short and generated; it is then written instead of fetched."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError(f"File {self.name!r}: a SHA-256 is 64 digits 0-9 a-f, not {self.sha256!r}.")
        if self.size < 1 or Path(self.name).name != self.name:
            raise ValueError(f"File {self.name!r} of {self.size} bytes: give a plain name, and a positive size.")
        if any(not url.startswith(("https://", "http://")) for url in self.urls):
            raise ValueError(f"File {self.name!r}: sources are http addresses, not {self.urls}.")

    def intact(self, path: Path) -> bool:
        """Whether the file at ``path`` has the size and the checksum."""
        return self.looks_whole(path) and digest(path) == self.sha256

    def looks_whole(self, path: Path) -> bool:
        """Whether there is a file of the right size at ``path``; cheap."""
        return path.is_file() and path.stat().st_size == self.size


@dataclasses.dataclass(frozen=True, kw_only=True)
class Published:
    """Published weights, and the encoder that they fit."""

    name: str
    """What to call them on the command line."""
    summary: str
    """What they are, in a few words."""
    encoder: nn.Module | None
    """The encoder as the weights expect it; None while there is none."""
    layouts: tuple[Layout, ...]
    """How the files that these weights come in call their arrays; the one that knows most of a file's names is taken."""
    editions: tuple[tuple[File, ...], ...]
    """The same numbers in several formats, the easiest to read first; an edition of several files is a folder."""
    preprocessing: str
    """What the network expects of a picture; the encoder does it."""
    licence: str
    """As its source states it."""
    citation: str
    """Where it comes from, and the paper."""
    picture: tuple[int, int, int] = (64, 64, 3)
    """(h, w, c) of a picture that the encoder takes."""
    bring: str = ""
    """What to do where there are no editions."""

    @property
    def imported(self) -> Path:
        """Where ``likeness weights import`` puts them, under the names of this project."""
        return cache() / f"{self.name}.safetensors"

    @property
    def folder(self) -> Path:
        """Where ``likeness weights fetch`` puts the published files."""
        return cache() / self.name

    @property
    def size(self) -> int:
        """Bytes of the first edition that can be fetched, or of the first; 0 where there is none."""
        fetched = [edition for edition in self.editions if all(file.urls or file.text for file in edition)]
        return sum(file.size for file in (fetched or [*self.editions, ()])[0])

    def places(self) -> list[tuple[tuple[File, ...], tuple[Path, ...]]]:
        """Where each edition's files may lie: in the cache, and below ``$LIKENESS_DATA/weights``."""
        found = [(edition, tuple(self.folder / file.name for file in edition)) for edition in self.editions]
        root = data()
        if root is not None:
            local = [edition for edition in self.editions if all(file.local for file in edition)]
            found += [(edition, tuple(root / file.local for file in edition)) for edition in local]
        return found

    def find(self) -> Path | None:
        """The file or folder to read them from, if all of it is on this machine, by name and size."""
        if self.imported.is_file():
            return self.imported
        for edition, paths in self.places():
            if all(file.looks_whole(path) for file, path in zip(edition, paths, strict=True)):
                return paths[0] if len(paths) == 1 else paths[0].parent
        return None

    def files(self, found: Path) -> list[tuple[File, Path]]:
        """The published files at what :meth:`find` found; none for imported weights."""
        for edition, paths in self.places():
            if found in (*paths, paths[0].parent) and all(path.exists() for path in paths):
                return list(zip(edition, paths, strict=True))
        return []

    def load(self, encoder: nn.Module | None = None, *, strict: bool = True) -> tuple[PyTree, Report]:
        """Reads them into an encoder's variables.

        Args:
            encoder: an encoder with the same parameters, such as one with other pooling or one that stops earlier; by
                default the one that they were made for.
            strict: see :func:`fill`.

        Returns:
            Variables in NumPy arrays, and what matched.

        Raises:
            UserError: they are not on this machine (the message says how to get them), cannot be read, have
                changed since they were fetched or imported, or do not fit.
        """
        path = self.find()
        if path is None:
            raise UserError(f"The weights {self.name} are not on this machine: {self.how_to_get()}")
        return self.read(path, encoder, strict=strict)

    def read(self, path: Path, encoder: nn.Module | None = None, *, strict: bool = True) -> tuple[PyTree, Report]:
        """As :meth:`load`, from a certain file or folder."""
        encoder = encoder or self.encoder
        if encoder is None:
            raise UserError(
                f"Likeness has no encoder for the weights {self.name} yet; `likeness weights export` converts them."
            )
        self.verify(path)
        wanted, layouts, source = shapes(encoder, self.picture), self.known_layouts(), printable(path)

        def check(headers: Mapping[str, Header]) -> None:
            if strict:
                compare(wanted, headers, best(headers, layouts)).check(source)

        arrays = read(path, check)
        return fill(wanted, arrays, best(arrays, layouts), strict=strict, source=source)

    def verify(self, path: Path) -> None:
        """Makes sure that what was fetched or imported is still what it was, see :func:`verified_digest`.

        Args:
            path: a file or a folder; of one that lies in none of the places of these weights nothing is known.

        Raises:
            UserError: a file has changed since, such as on a bad disk.
        """
        for file, place in self.files(path):
            if not file.looks_whole(place) or verified_digest(place) != file.sha256:
                raise UserError(
                    f"The weights {self.name} are damaged: {printable(place)} has not the SHA-256 {file.sha256} that they were "
                    f"published with. Remove it, and {self.how_to_get()}"
                )
        noted = noted_digest(path) if path == self.imported else None
        if noted is not None and verified_digest(path) != noted:
            raise UserError(
                f"The weights {self.name} are damaged: {printable(path)} has changed since `likeness weights import` wrote it. "
                "Remove it, and import them again."
            )

    def known_layouts(self) -> tuple[Layout, ...]:
        """The published layouts, and this project's own."""
        if self.encoder is None:
            return self.layouts
        return (*self.layouts, own(shapes(self.encoder, self.picture)))

    def how_to_get(self) -> str:
        """What a person can do who does not have them, with or without a network."""
        if not any(all(file.urls or file.text for file in edition) for edition in self.editions):
            return self.by_hand()
        return f"run `likeness weights fetch {self.name}` ({megabytes(self.size)}). Without network: {self.by_hand()}"

    def by_hand(self) -> str:
        """Which file to bring where there is no network, where to put it, and its checksum."""
        if not self.editions:
            return self.bring
        edition = self.editions[-1]
        looked = " or ".join(sorted({printable(path.parent) for _, paths in self.places() for path in paths}))
        file, *more = edition
        if more:
            return f"bring the {len(edition)} files of {self.citation.split('.')[0]}, looked for in {looked}."
        source = f" from {file.urls[0]}" if file.urls else ""
        into = f"{printable(self.folder)} (SHA-256 {file.sha256}; looked for in {looked})"
        return f"bring {file.name}{source} and put it into {into}."


def megabytes(size: int) -> str:
    """A size for people: ``4.1 MB``."""
    return f"{size / 1e6:.1f} MB" if size < 1e8 else f"{size / 1e6:.0f} MB"
