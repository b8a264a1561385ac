"""What weights somebody published: their files, their licence, and where they lie on this machine. What reads them is not here,
so that a table of them needs no JAX."""

import dataclasses
import importlib.util
import re
from pathlib import Path

from likeness.research.data.paths import printable
from likeness.research.errors import UserError, how_to_install
from likeness.research.weights.directories import cache, data
from likeness.research.weights.verified import digest, noted_digest, verified_digest

_HDF5 = ("HDF5, as Keras writes it", "h5py", "keras")
_PICKLE = ("a PyTorch state dict", "torch", "peers")
_LZ4 = ("compressed by LZ4", "lz4", "faces")
_ONNX = ("ONNX", "onnx", "onnx")
_BY_ENDING = {".h5": _HDF5, ".hdf5": _HDF5, ".pth": _PICKLE, ".pt": _PICKLE, ".lz4": _LZ4, ".onnx": _ONNX}


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
    package: str = ""
    """The Python package that carries it, by the name that it is imported by; it is looked into and never imported."""
    member: str = ""
    """Where in that package it lies."""
    extra: str = ""
    """The extra of Likeness that brings the package."""
    ours: str = ""
    """Where it lies beside this module, for weights that come with Likeness."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError(f"File {self.name!r}: a SHA-256 is 64 digits 0-9 a-f, not {self.sha256!r}.")
        if self.size < 1 or Path(self.name).name != self.name:
            raise ValueError(f"File {self.name!r} of {self.size} bytes: give a plain name, and a positive size.")
        if any(not url.startswith(("https://", "http://")) for url in self.urls):
            raise ValueError(f"File {self.name!r}: sources are http addresses, not {self.urls}.")
        if len({bool(self.package), bool(self.member), bool(self.extra)}) > 1 or "." in self.package:
            # To look for a package in another one, Python imports the other.
            raise ValueError(f"File {self.name!r}: say package, member and extra, and a package that is in no other.")

    def intact(self, path: Path) -> bool:
        """Whether the file at ``path`` has the size and the checksum."""
        return self.looks_whole(path) and digest(path) == self.sha256

    def installed(self) -> Path | None:
        """Where it lies in the package that carries it; None where there is no such package or file."""
        if self.ours:
            path = Path(__file__).parent / self.ours
            return path if path.is_file() else None
        if not self.package:
            return None
        try:
            found = importlib.util.find_spec(self.package)
        # What has put itself among the loaded modules without saying what it is.
        except ValueError:
            return None
        folders = found.submodule_search_locations if found is not None else None
        paths = [Path(folder) / self.member for folder in folders or ()]
        return next((path for path in paths if path.is_file()), None)

    def looks_whole(self, path: Path) -> bool:
        """Whether there is a file of the right size at ``path``; cheap."""
        return path.is_file() and path.stat().st_size == self.size


@dataclasses.dataclass(frozen=True, kw_only=True)
class Release:
    """Weights as somebody published them."""

    name: str
    """What to call them on the command line."""
    summary: str
    """What they are, in a few words."""
    editions: tuple[tuple[File, ...], ...]
    """The same numbers in several formats, the easiest to read first; an edition of several files is a folder."""
    preprocessing: str
    """What the network expects of an image; the encoder does it."""
    licence: str
    """As its source states it."""
    citation: str
    """Where it comes from, and the paper."""
    trained_on: str = "unknown"
    """The data that they were learned from, as far as their source says it."""
    use: str = "unknown"
    """What they may be used for, as their source states it: nobody here is a lawyer."""
    bring: str = ""
    """What to do where there are no editions, or what else can be done where they cannot be downloaded."""

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
        """Where each edition's files may lie: in the cache, below ``$LIKENESS_DATA/weights``, and in installed packages."""
        found = [(edition, tuple(self.folder / file.name for file in edition)) for edition in self.editions]
        root = data()
        if root is not None:
            local = [edition for edition in self.editions if all(file.local for file in edition)]
            found += [(edition, tuple(root / file.local for file in edition)) for edition in local]
        for edition in self.editions:
            carried = tuple(path for path in (file.installed() for file in edition) if path is not None)
            if len(carried) == len(edition):
                found.append((edition, carried))
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

    def missing(self) -> str:
        """What this machine lacks to read what :meth:`find` found, with the command that installs it; empty for nothing."""
        found = self.find()
        return what_is_missing(found) if found is not None else ""

    def will_be_missing(self) -> str:
        """What this machine would lack to read what ``likeness weights fetch`` downloads; empty where nothing is downloaded or
        nothing will be missing."""
        fetched = [edition for edition in self.editions if all(file.urls or file.text for file in edition)]
        if self.find() is not None or not fetched:
            return ""
        return next((missing for file in fetched[0] if (missing := what_is_missing(Path(file.name)))), "")

    def converted(self) -> str:
        """How a machine that can read them makes of them a file that any can read."""
        return (
            f"Or run `likeness weights fetch {self.name}` and `likeness weights import {self.name}` on a machine that has it, "
            f"and put the {self.imported.name} that this writes into {printable(self.imported.parent)} here, which is read "
            "with nothing more."
        )

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

    def how_to_get(self) -> str:
        """What a person can do who does not have them, with or without a network."""
        extras = sorted({file.extra for edition in self.editions for file in edition if file.extra})
        carried = f"install the package that carries them ({how_to_install(extras[0])}), or " if extras else ""
        if not any(all(file.urls or file.text for file in edition) for edition in self.editions):
            return f"{carried}{self.by_hand()}"
        return f"{carried}run `likeness weights fetch {self.name}` ({megabytes(self.size)}). Without network: {self.by_hand()}"

    def by_hand(self) -> str:
        """Which file to bring where there is no network, where to put it, and its checksum."""
        if not self.editions:
            return self.bring
        edition = self.editions[-1]
        looked = " or ".join(sorted({printable(path.parent) for _, paths in self.places() for path in paths}))
        file, *more = edition
        if more:
            own = f"bring the {len(edition)} files of {self.citation.split('.')[0]}, looked for in {looked}."
            return f"{self.bring[:1].lower()}{self.bring[1:]} Or {own}" if self.bring else own
        source = f" from {file.urls[0]}" if file.urls else ""
        into = f"{printable(self.folder)} (SHA-256 {file.sha256}; looked for in {looked})"
        own = f"bring {file.name}{source} and put it into {into}."
        # What its authors publish comes first: a stranger has no other file.
        return f"{self.bring[:1].lower()}{self.bring[1:]} Or {own}" if self.bring else own


def megabytes(size: int) -> str:
    """A size for people: ``4.1 MB``, ``553 MB``, and below a tenth of one ``6 kB``."""
    if size < 1e5:
        return f"{size / 1e3:.0f} kB"
    return f"{size / 1e6:.1f} MB" if size < 1e8 else f"{size / 1e6:.0f} MB"


def what_is_missing(path: Path) -> str:
    """What to install before a file of weights can be read, told by its ending; empty where nothing is missing."""
    if path.is_dir():
        path = next(iter(sorted(path.glob("*.lz4"))), path)
    kind, library, extra = _BY_ENDING.get(path.suffix.lower(), ("", "", ""))
    if not library or importlib.util.find_spec(library) is not None:
        return ""
    return f"{printable(path.name)} is {kind}, and {library} is not installed: {how_to_install(extra)}."
