"""The files of a data set, wherever they lie: found once, and looked up by what annotations call them."""

import dataclasses
import functools
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from likeness.research.data.detection.records import Part
from likeness.research.data.folder import CLUTTER
from likeness.research.data.image_guard import SUFFIXES
from likeness.research.data.paths import printable
from likeness.research.errors import UserError

__all__ = ["DataFiles", "escapes", "find_files", "part_of"]

_MOST = 2_000_000
_PARTS: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "trainval": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
_WORDS = re.compile(r"[a-z]+")


@dataclasses.dataclass(frozen=True)
class DataFiles:
    """Every file below a folder, by its path there."""

    root: Path
    paths: tuple[str, ...]
    """By `/`, sorted."""

    @functools.cached_property
    def known(self) -> frozenset[str]:
        """The same, to look up."""
        return frozenset(self.paths)

    @functools.cached_property
    def images(self) -> tuple[str, ...]:
        """Those that are images by their name."""
        return self.of(*SUFFIXES)

    def of(self, *suffixes: str) -> tuple[str, ...]:
        """Those whose name ends so, whatever the case."""
        return tuple(path for path in self.paths if path.lower().endswith(suffixes))

    @functools.cached_property
    def by_stem(self) -> dict[str, list[str]]:
        """Images by their name without folder and ending."""
        found: dict[str, list[str]] = {}
        for path in self.images:
            found.setdefault(PurePosixPath(path).stem, []).append(path)
        return found

    def image(self, named: str, beside: str) -> str | None:
        """The image that an annotation names.

        It is looked for where the path leads from the annotation's folder, and from the root; then by its name alone, among
        those in the part of the annotation, if there is only one.

        A path that :func:`escapes` the folder is not followed; only its name counts.

        Args:
            named: what the annotation says; Windows' separators are taken for others.
            beside: the path of the annotation.
        """
        path = PurePosixPath(named.replace("\\", "/"))
        if not escapes(named, beside):
            for start in (PurePosixPath(beside).parent, PurePosixPath()):
                if (found := _joined(start, path)) in self.known:
                    return found
        return self.image_of_stem(path.stem, beside, path.name)

    def image_of_stem(self, stem: str, beside: str, name: str | None = None) -> str | None:
        """The image of a name without its ending; of several, the one that lies nearest to the annotation, if there is one."""
        found = self.by_stem.get(stem, [])
        if name is not None and len(same := [path for path in found if PurePosixPath(path).name == name]) > 0:
            found = same
        if len(found) > 1:
            part = part_of(beside)
            found = [path for path in found if part_of(path) == part] or found
        if len(found) > 1:
            near = [_common(path, beside) for path in found]
            found = [path for path, depth in zip(found, near, strict=True) if depth == max(near)]
        return found[0] if len(found) == 1 else None


def find_files(root: Path) -> DataFiles:
    """Walks a folder. Links are followed, each folder once; hidden files are passed over.

    Raises:
        UserError: there is no such folder, or it holds more than two million files.
    """
    if not root.is_dir():
        what = "is no folder" if root.exists() else "does not exist"
        raise UserError(f"{printable(root)} {what}: give the folder that holds the images and their annotations.")
    paths: list[str] = []
    for path in _walk(root):
        paths.append(path)
        if len(paths) > _MOST:
            raise UserError(f"{printable(root)} holds more than {_MOST:,} files: give the folder of one data set.")
    return DataFiles(root, tuple(sorted(paths)))


def escapes(named: str, beside: str) -> bool:
    """Whether a path that an annotation names leads out of the data's folder, or begins at the root of a disk.

    >>> escapes("../JPEGImages/1.jpg", "Annotations/1.xml"), escapes("../../1.jpg", "Annotations/1.xml")
    (False, True)
    """
    path = PurePosixPath(named.replace("\\", "/"))
    if path.is_absolute() or re.match(r"[A-Za-z]:", named):
        return True
    depth = len(PurePosixPath(beside).parent.parts)
    for part in path.parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return False


def part_of(path: str) -> Part:
    """For what a file is meant, by the folders that it lies in: the last that says so, or else its own name.

    >>> part_of("images/train2017/1.jpg"), part_of("instances_val2017.json"), part_of("testimony/1.jpg")
    ('train', 'validation', '')
    """
    *folders, name = PurePosixPath(path).parts
    for folder in reversed(folders):
        if (part := _part(re.sub(r"[\d_\-. ]+$", "", folder))) or (part := _only_word(folder)):
            return part
    return _only_word(PurePosixPath(name).stem) if name.lower().endswith((".json", ".txt")) else ""


def _part(word: str) -> Part:
    return _PARTS.get(word.lower(), "")


def _only_word(name: str) -> Part:
    """Of a name of several words, such as instances_train2017, the one that is a part, if there is one."""
    found: set[Part] = {part for word in _WORDS.findall(name.lower()) if (part := _part(word))}
    return found.pop() if len(found) == 1 else ""


def _walk(root: Path) -> Iterator[str]:
    seen: set[tuple[int, int]] = set()
    for folder, below, files in os.walk(root, followlinks=True):
        there = Path(folder).stat()
        if (there.st_dev, there.st_ino) in seen:
            below.clear()
            continue
        seen.add((there.st_dev, there.st_ino))
        below[:] = sorted(name for name in below if not name.startswith(".") and name not in CLUTTER)
        start = "" if folder == str(root) else f"{Path(folder).relative_to(root).as_posix()}/"
        yield from (f"{start}{name}" for name in files if not name.startswith(".") and name not in CLUTTER)


def _joined(start: PurePosixPath, path: PurePosixPath) -> str:
    kept: list[str] = []
    for part in (*start.parts, *path.parts):
        if part == "..":
            if not kept:
                return ""
            kept.pop()
        elif part != ".":
            kept.append(part)
    return "/".join(kept)


def _common(first: str, second: str) -> int:
    both = zip(PurePosixPath(first).parts[:-1], PurePosixPath(second).parts[:-1], strict=False)
    count = 0
    for one, other in both:
        if one != other:
            break
        count += 1
    return count
