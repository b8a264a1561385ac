"""Annotations of YOLO: a text file for each image, and a line for each box: class, center x, center y, width, height."""

import dataclasses
from pathlib import PurePosixPath

import yaml

from likeness.research.data.detection.files import DataFiles, part_of
from likeness.research.data.detection.problems import Problem
from likeness.research.data.detection.records import Annotations, Part, RawBox, RawImage, class_name, number
from likeness.research.data.paths import printable
from likeness.research.data.regular import NotAFile, open_regular

__all__ = ["is_yolo", "listed_classes", "read_yolo"]

_LONGEST = 8 << 20
_LINES = 100_000
_LISTS = ("classes.txt", "obj.names", "names.txt", "labels.txt", "predefined_classes.txt", "_darknet.labels")


def is_yolo(files: DataFiles, path: str) -> bool:
    """Whether a text file holds a box, by its first line."""
    try:
        with open_regular(files.root / path) as file:
            lines = file.read(4096).decode("utf-8-sig").splitlines()
    except (NotAFile, OSError, UnicodeDecodeError):
        return False
    words = next((line.split() for line in lines if line.strip()), [])
    return len(words) >= 5 and all(number(word) is not None for word in words)


def read_yolo(files: DataFiles, classes: tuple[str, ...] = ()) -> Annotations:
    """Every image below a folder, with its label file: beside it, or where ``labels`` stands for ``images`` in its path.

    An image without one shows no object, by YOLO's own rule.
    """
    images: list[RawImage] = []
    problems: list[Problem] = []
    read: set[str] = set()
    texts = set(files.of(".txt"))
    of = _listed_parts(files)

    def part(image: str) -> Part:
        return of.get(PurePosixPath(image).name, "") if of else part_of(image)

    for image in files.images:
        label = next((path for path in _candidates(image) if path in texts), None)
        if label is None:
            images.append(RawImage(image, (), part=part(image), annotated=False))
            continue
        read.add(label)
        try:
            images.append(RawImage(image, _boxes(files, label), part=part(image)))
        except UnicodeDecodeError as error:
            problems.append(Problem("unreadable_annotation", printable(label), f"it is no text ({error.reason})"))
        except (NotAFile, OSError, ValueError) as error:
            why = error.why if isinstance(error, NotAFile) else str(error)
            problems.append(Problem("unreadable_annotation", printable(label), why))
    lost = [path for path in sorted(texts - read) if PurePosixPath(path).name not in _LISTS and is_yolo(files, path)]
    problems += [Problem("missing_image", printable(path)) for path in lost]
    names = classes or listed_classes(files) or _numbered(images)
    once = tuple(dict.fromkeys(names))
    if len(once) == len(names):
        return Annotations("yolo", tuple(images), names, tuple(problems))
    twice = ", ".join(name for name in once if names.count(name) > 1)
    notes = (f"the list of classes names some several times, which are taken for one each: {twice}",)
    return Annotations("yolo", tuple(_by_name(each, names) for each in images), once, tuple(problems), notes=notes)


def listed_classes(files: DataFiles) -> tuple[str, ...]:
    """The names of the classes by number, from ``data.yaml``, ``classes.txt`` or another list at a usual place; or none."""
    shallow = sorted(files.paths, key=lambda path: (path.count("/"), path))
    for path in shallow:
        if path.count("/") < 2 and path.lower().endswith((".yaml", ".yml")):
            names = _yaml_names(files, path)
            if names:
                return names
    for path in shallow:
        if path.count("/") < 2 and PurePosixPath(path).name in _LISTS:
            names = _list_names(files, path)
            if names:
                return names
    return ()


def _listed_parts(files: DataFiles) -> dict[str, Part]:
    """Darknet's lists: train.txt and others at the top, with a path of an image a line. Told by the images' names."""
    found: dict[str, Part] = {}
    names = {PurePosixPath(path).name for path in files.images}
    for path in files.of(".txt"):
        if path.count("/") < 2 and (part := part_of(PurePosixPath(path).name)):
            try:
                with open_regular(files.root / path) as file:
                    lines = file.read(64 << 20).decode("utf-8-sig").splitlines()
            except (NotAFile, OSError, UnicodeDecodeError):
                continue
            listed = [PurePosixPath(line.strip().replace("\\", "/")).name for line in lines if line.strip()]
            if listed and names.issuperset(listed):
                found |= dict.fromkeys(listed, part)
    return found


def _candidates(image: str) -> list[str]:
    path = PurePosixPath(image)
    found = []
    places = [place for place, part in enumerate(path.parts[:-1]) if part.lower() == "images"]
    for place in reversed(places):
        parts = (*path.parts[:place], "labels", *path.parts[place + 1 :])
        found.append(str(PurePosixPath(*parts).with_suffix(".txt")))
    return [*found, str(path.with_suffix(".txt"))]


def _boxes(files: DataFiles, path: str) -> tuple[RawBox, ...]:
    with open_regular(files.root / path) as file:
        data = file.read(_LONGEST + 1)
    if len(data) > _LONGEST:
        raise ValueError(f"it has more than {_LONGEST / 1e6:.0f} MB")
    lines = [line for line in data.decode("utf-8-sig").splitlines() if line.strip()]
    if len(lines) > _LINES:
        raise ValueError(f"it has {len(lines):,} lines, and at most {_LINES:,} are read")
    return tuple(map(_box, lines))


def _box(line: str) -> RawBox:
    words = line.split()
    numbers = [number(word) for word in words]
    first = numbers[0]
    label = int(first) if first is not None and abs(first) < 2**31 and first == int(first) else None
    known = [each for each in numbers[1:] if each is not None]
    if label is None or len(known) != len(words) - 1:
        return RawBox(None, label if label is not None else -1, printable(line[:200]))
    if len(known) == 4:
        return RawBox((known[0], known[1], known[2], known[3]), label)
    if len(known) >= 6 and len(known) % 2 == 0:
        # Corners of an outline: the box around it.
        x, y = known[::2], known[1::2]
        left, top, right, bottom = min(x), min(y), max(x), max(y)
        return RawBox(((left + right) / 2, (top + bottom) / 2, right - left, bottom - top), label)
    return RawBox(None, label, f"{len(known)} numbers: {printable(line[:200])}")


def _by_name(image: RawImage, names: tuple[str, ...]) -> RawImage:
    """The image with names in place of numbers, but of those that no class has."""
    boxes = [
        dataclasses.replace(box, label=names[box.label]) if isinstance(box.label, int) and 0 <= box.label < len(names) else box
        for box in image.boxes
    ]
    return dataclasses.replace(image, boxes=tuple(boxes))


def _numbered(images: list[RawImage]) -> tuple[str, ...]:
    """Where nobody says what the classes are called: numbers, up to the largest that occurs, within reason."""
    labels = [box.label for image in images for box in image.boxes if isinstance(box.label, int) and box.label < 10_000]
    return tuple(map(str, range(max(labels, default=-1) + 1)))


def _yaml_names(files: DataFiles, path: str) -> tuple[str, ...]:
    try:
        with open_regular(files.root / path) as file:
            text = file.read(1 << 20).decode("utf-8-sig")
        # Aliases are how a short file becomes a long one.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            return ()
        found = yaml.safe_load(text)
    except (NotAFile, OSError, UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError):
        return ()
    names = found.get("names") if isinstance(found, dict) else None
    if isinstance(names, dict):
        if not all(isinstance(key, int) and 0 <= key < 10_000 for key in names):
            return ()
        names = [names.get(i, i) for i in range(max(names, default=-1) + 1)]
    if not isinstance(names, list):
        return ()
    return tuple(class_name(None if name is None else str(name)) or str(i) for i, name in enumerate(names))


def _list_names(files: DataFiles, path: str) -> tuple[str, ...]:
    try:
        with open_regular(files.root / path) as file:
            lines = file.read(1 << 20).decode("utf-8-sig").splitlines()
    except (NotAFile, OSError, UnicodeDecodeError):
        return ()
    while lines and not lines[-1].strip():
        lines.pop()
    return tuple(class_name(line) or str(i) for i, line in enumerate(lines))
