"""Images in folders, one folder a person."""

import dataclasses
import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int, UInt8

from likeness.research.data.decode import BadImage, open_image
from likeness.research.data.duplicates import Duplicates
from likeness.research.data.image_guard import SUFFIXES
from likeness.research.data.images import ArrayReader, Images, content_numbers, index_people
from likeness.research.data.names import about_names, identity_name
from likeness.research.data.paths import expand_path, printable
from likeness.research.data.preprocessing import Preprocessing, sides
from likeness.research.data.regular import sampled_digest, whole_digests
from likeness.research.errors import UserError
from likeness.research.tracking import Track, untracked

_MEND = "mend the field `path` (of an experiment's data --experiment.data.path)"
_LAYOUT = "one folder a person, such as `{root}/ann/1.jpg`, `{root}/ann/2.jpg`, `{root}/bob/1.jpg`"
CLUTTER = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})
"""What systems leave behind in folders is nobody's image and not worth a line in the report."""


@dataclasses.dataclass(frozen=True)
class Folder:
    """Images in ``path/person/image``; the folder's name is the person's.

    A name is composed and stripped (:func:`identity_name`): two folders that come to one name are one person's, and
    ``Images.notes`` says so. Every file in a person's folder is tried, whatever it is called, and every bad one is found when
    the folder is opened. Links are followed; hidden files are passed over; folders inside a person's folder are listed as
    left out. The fingerprint is SHA-256 over each image's path below ``path``, its content by
    :func:`likeness.research.data.regular.sampled_digest`, and the fields that shape the pixels; it ignores time stamps and
    where ``path`` lies.

    Example::

        images = Folder("$LIKENESS_DATA/orl_faces", channels=1).open()
    """

    path: str
    """The folder of folders; ``~`` and environment variables are replaced."""
    size: int | tuple[int, int] = 112
    """Height and width of the images, in pixels, or the side of a square."""
    channels: Literal[1, 3] = 3
    """1 for gray, 3 for RGB."""
    fit: Literal["crop", "stretch"] = "crop"
    """How an image of other proportions gets these: ``crop`` keeps the center, ``stretch`` distorts."""
    resample: Literal["box", "bilinear", "lanczos"] = "bilinear"
    """The filter; each is antialiased."""
    on_bad: Literal["skip", "refuse"] = "skip"
    """``skip`` leaves a bad image out and lists it in ``Images.skipped``; ``refuse`` stops at the first."""
    max_megapixels: float = 50.0
    """An image with more pixels is bad."""
    min_side: int = 8
    """An image with a shorter side is bad."""
    duplicates: Duplicates = Duplicates()
    """What becomes of identical images: of equal pixels where images are decoded on opening, else of equal files."""
    cache_megabytes: float = 2048.0
    """Images are kept in memory if, decoded, all take no more than this; else each is read when needed."""
    verify: Literal["decode", "header"] = "decode"
    """How images that are not kept in memory are checked on opening: by decoding each, or by header only."""

    def __post_init__(self) -> None:
        if min(sides(self.size)) < 1:
            raise ValueError(f"Folder.size is the side of the images in pixels and must be positive, not {self.size}.")
        if self.cache_megabytes < 0:
            raise ValueError(f"Folder.cache_megabytes must be 0 or more, not {self.cache_megabytes}.")
        self.preprocessing  # noqa: B018 - its fields are checked now and not when the folder is opened

    @property
    def preprocessing(self) -> Preprocessing:
        """How each file becomes an image."""
        return Preprocessing(
            size=sides(self.size),
            channels=self.channels,
            fit=self.fit,
            resample=self.resample,
            max_megapixels=self.max_megapixels,
            min_side=self.min_side,
        )

    def open(self) -> Images:
        """Finds, checks and, where they fit, decodes the images.

        Raises:
            UserError: as :meth:`open_as` does.
        """
        return self.open_tracked(untracked)

    def open_tracked(self, track: Track) -> Images:
        """The same; ``track`` is told how far it is."""
        return self.open_as(self.preprocessing, track)

    def open_as(self, preprocessing: Preprocessing, track: Track = untracked) -> Images:
        """The same with images that are made in another way, such as those that a trained model takes.

        Args:
            preprocessing: how each file becomes an image.
            track: told how far it is.

        Raises:
            UserError: the folder is missing, empty or laid out otherwise; no image in it is good; or one is
                bad and ``on_bad`` is ``"refuse"``.
        """
        root = expand_path(self.path)
        files, skipped = _find(root)
        if self.on_bad == "refuse" and skipped:
            raise BadImage(str(Path(printable(root), skipped[0][0])), skipped[0][1])
        loader = _Loader(root, preprocessing, self._cache(len(files), preprocessing.shape), self.verify)
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            # map() keeps the order, so that what is refused first does not depend on the threads.
            outcomes = pool.map(loader, range(len(files)), files)
            kept, digests, content = [], [], []
            for i, outcome in zip(track(preprocessing.doing, range(len(files))), outcomes, strict=True):
                if not isinstance(outcome, BadImage):
                    kept.append(i)
                    digests.append(outcome[0])
                    content.append(outcome[1])
                elif self.on_bad == "refuse":
                    pool.shutdown(cancel_futures=True)
                    raise outcome
                else:
                    skipped.append((printable(files[i]), outcome.why))
        if not kept:
            raise _nothing(root, skipped)
        good = [files[i] for i in kept]
        if loader.cache is None and self.verify == "header":
            content = whole_digests([root / file for file in good], content)
        folders = [Path(file).parent.name for file in good]
        unique, copies = self.duplicates(
            content, [identity_name(folder) for folder in folders], [printable(file) for file in good], printable(root)
        )
        if not len(unique):
            raise UserError(f"Every image of {printable(root)} is left out as a copy of somebody else's: mend the folders.")
        kept, good, digests, content = ([column[row] for row in unique] for column in (kept, good, digests, content))
        people, labels = index_people([identity_name(folders[row]) for row in unique])
        return Images(
            labels=labels,
            people=people,
            shape=preprocessing.shape,
            read=_FileReader(root, good, preprocessing)
            if loader.cache is None
            else ArrayReader(loader.cache if len(kept) == len(files) else loader.cache[kept]),
            names=tuple(printable(file) for file in good),
            fingerprint=hashlib.sha256(b"".join(digests)).hexdigest(),
            digests=tuple(digests),
            skipped=tuple(sorted(skipped)),
            notes=about_names(dict.fromkeys(folders)) + copies,
            content=content_numbers(content),
        )

    def _cache(self, n: int, image: tuple[int, int, int]) -> np.ndarray | None:
        shape = (n, *image)
        return np.empty(shape, np.uint8) if np.prod(shape, dtype=float) <= self.cache_megabytes * 1e6 else None


@dataclasses.dataclass(frozen=True, eq=False)
class _Loader:
    """Reads one file: fingerprints it, checks it and, if there is a cache, decodes it there.

    The answer is the fingerprint and a digest of the pixels or, where they are not decoded, of the file's beginning.
    """

    root: Path
    preprocessing: Preprocessing
    cache: UInt8[np.ndarray, "n h w c"] | None
    verify: Literal["decode", "header"]

    def __call__(self, i: int, file: str) -> tuple[bytes, bytes] | BadImage:
        path = self.root / file
        try:
            with open_image(path) as opened:
                start = sampled_digest(opened)
            if self.cache is None and self.verify == "header":
                self.preprocessing.verify(path)
                content = start
            else:
                pixels = self.preprocessing(path)
                content = hashlib.sha256(np.ascontiguousarray(pixels).data).digest()
                if self.cache is not None:
                    self.cache[i] = pixels
        except BadImage as error:
            return error
        except OSError as error:
            return BadImage(printable(path), f"it cannot be read ({error.strerror})")
        told = repr(self.preprocessing).encode() + b"\0" + os.fsencode(file) + b"\0" + start
        return hashlib.sha256(told).digest(), hashlib.sha256(content).digest()


@dataclasses.dataclass(frozen=True, eq=False)
class _FileReader:
    root: Path
    files: Sequence[str]
    preprocessing: Preprocessing

    def __call__(self, rows: Int[np.ndarray, "b"]) -> UInt8[np.ndarray, "b h w c"]:
        out = np.empty((len(rows), *self.preprocessing.shape), np.uint8)
        for i, row in enumerate(rows):
            out[i] = self.preprocessing(self.root / self.files[int(row)])
        return out


def _find(root: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """The files in people's folders, as ``person/file`` in a fixed order, and what is left out already."""
    try:
        entries = _entries(root)
    except FileNotFoundError as error:
        raise UserError(f"There is no folder {printable(root)}: {_MEND}; it expects {_LAYOUT.format(root='path')}.") from error
    except NotADirectoryError as error:
        raise UserError(f"{printable(root)} is no folder: {_MEND}; it expects {_LAYOUT.format(root='path')}.") from error
    except OSError as error:
        raise UserError(f"The folder {printable(root)} cannot be read: {error.strerror}.") from error
    files: list[str] = []
    skipped: list[tuple[str, str]] = []
    for person in entries:
        if not _is_dir(person):
            if Path(person.name).suffix.lower() in SUFFIXES:
                skipped.append((printable(person.name), "it lies beside the people's folders and not in one"))
            continue
        try:
            images = _entries(root / person.name)
        except OSError as error:
            skipped.append((printable(person.name), f"the folder cannot be read ({error.strerror})"))
            continue
        if not images:
            skipped.append((printable(person.name), "the folder is empty"))
        if not person.name.strip():
            skipped.append((printable(person.name), "the folder's name is blank, and it is the person's"))
            continue
        for image in images:
            # Going no deeper also means that no loop of links can be walked.
            if _is_dir(image):
                why = "a folder inside a person's folder is not read"
                skipped.append((printable(f"{person.name}/{image.name}"), why))
            else:
                files.append(f"{person.name}/{image.name}")
    if not files:
        raise _nothing(root, skipped)
    return files, skipped


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        seen = [entry for entry in entries if not entry.name.startswith(".") and entry.name not in CLUTTER]
    return sorted(seen, key=lambda entry: os.fsencode(entry.name))


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    # A link to itself is left to whoever opens it, and says so then.
    except OSError:
        return False


def _nothing(root: Path, skipped: Sequence[tuple[str, str]]) -> UserError:
    where = printable(root)
    expected = f"The field `path` expects {_LAYOUT.format(root=where)}."
    if not skipped:
        return UserError(f"The folder {where} holds no images. {expected}")
    first, why = skipped[0]
    hint = ""
    if any("inside a person's folder" in reason for _, reason in skipped):
        deeper = f"{where}/{Path(first).parts[0]}"
        hint = f" If the people's folders lie one level deeper, give `{deeper}` as the path."
    return UserError(
        f"The folder {where} holds no image that can be used; {len(skipped)} entries were left out, the "
        f"first of them {first}: {why}. {expected}{hint}"
    )
