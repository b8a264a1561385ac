"""Annotations of PASCAL VOC: an XML file for each image, and lists of the images of each part."""

import re
from pathlib import PurePosixPath

from likeness.research.data.detection.files import DataFiles, escapes, part_of
from likeness.research.data.detection.problems import Problem
from likeness.research.data.detection.records import Annotations, Part, RawBox, RawImage, class_name, number
from likeness.research.data.detection.safe_xml import LONGEST, HostileXml, UnreadableXml, XmlElement, parse_xml
from likeness.research.data.paths import printable
from likeness.research.data.regular import NotAFile, open_regular

__all__ = ["is_voc", "read_voc", "voc_parts"]

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_LISTS: dict[str, Part] = {"train": "train", "val": "validation", "test": "test"}


def is_voc(files: DataFiles, path: str, marks: tuple[bytes, ...] = (b"<annotation",)) -> bool:
    """Whether an XML file is an annotation, by what its first kilobytes hold."""
    try:
        with open_regular(files.root / path) as file:
            head = file.read(4096)
    except (NotAFile, OSError):
        return False
    # UTF-16 writes these letters with zeros between them.
    return any(mark in head.replace(b"\0", b"") for mark in marks)


def read_voc(files: DataFiles, classes: tuple[str, ...] = ()) -> Annotations:
    """Every annotation below a folder, with its image.

    The image is the one that has the annotation's own name; where there is none, the one that ``<filename>`` names. Tools leave
    in ``<filename>`` and ``<path>`` what a file was once called, and where; nothing is read from there.
    """
    images: list[RawImage] = []
    problems: list[Problem] = []
    taken: set[str] = set()
    of = voc_parts(files)

    def part(image: str) -> Part:
        return of.get(_key(image, of), "") if of else part_of(image)

    for path in files.of(".xml"):
        image = _own(files, path) or files.image_of_stem(PurePosixPath(path).stem, path)
        # A document type can be longer than what is looked at, and hide what comes behind it.
        likely = is_voc(files, path, (b"<annotation", b"<!DOCTYPE"))
        # One that has its image's name is meant to be an annotation, though it may be empty or damaged.
        if not likely and not (_own(files, path) or _beside(files, path)):
            continue
        try:
            root = _parse(files, path)
            if not likely and root.tag != "annotation":
                raise UnreadableXml(f"it begins with <{printable(root.tag[:40])}>, and VOC's with <annotation>")
        except UnreadableXml as error:
            kind = "hostile_annotation" if isinstance(error, HostileXml) else "unreadable_annotation"
            problems.append(Problem(kind, printable(path), str(error)))
            # What its image shows is not known, and not that it shows nothing.
            taken |= {image} if image else set()
            continue
        named = root.value("filename")
        if named and escapes(named, path):
            problems.append(Problem("path_escape", printable(path), printable(named)))
        if image is None and named:
            image = files.image(named, path)
        if image is None:
            problems.append(Problem("missing_image", printable(path), printable(named or "")))
        elif image in taken:
            problems.append(Problem("duplicate_image", printable(path), f"{printable(image)} is annotated twice"))
        else:
            taken.add(image)
            images.append(RawImage(image, tuple(map(_box, root.all("object"))), _size(root), part(image)))
    # In the order of the images, so that it is that of the names in any report.
    rest = [RawImage(path, (), part=part(path), annotated=False) for path in files.images if path not in taken]
    return Annotations("voc", tuple(sorted([*images, *rest], key=lambda image: image.file)), classes, tuple(problems))


def voc_parts(files: DataFiles) -> dict[tuple[str, str], Part]:
    """The part of each image by the folder that holds ``ImageSets`` and its name as it stands in ``ImageSets/Main/train.txt``
    and others, which is mostly that of the file without its ending."""
    found: dict[tuple[str, str], Part] = {}
    numbered: dict[tuple[str, str], Part] = {}
    lists = {path: PurePosixPath(path) for path in files.of(".txt") if "ImageSets" in PurePosixPath(path).parts}
    for path, parts in lists.items():
        name, folder = parts.stem, parts.parts[: parts.parts.index("ImageSets")]
        both = str(parts.with_name("train.txt")) in lists and str(parts.with_name("val.txt")) in lists
        part = _LISTS.get(name) or ("train" if name == "trainval" and not both else None)
        if part is None:
            continue
        for line in map(str.strip, _lines(files, path)):
            if line:
                found[("/".join(folder), PurePosixPath(line).name)] = part
            # Lists of one class or action have a second column, a number; but a name may have spaces, and end in one too.
            if columns := re.fullmatch(r"(\S.*?)\s+-?\d+", line):
                numbered[("/".join(folder), PurePosixPath(columns[1]).name)] = part
    return numbered | found


def _own(files: DataFiles, path: str) -> str | None:
    """The image in the folder that stands beside ``Annotations`` in VOC's own layout."""
    parts = PurePosixPath(path)
    if "Annotations" not in parts.parts[:-1]:
        return None
    place = parts.parts.index("Annotations")
    beside = "/".join((*parts.parts[:place], "JPEGImages", *parts.parts[place + 1 : -1]))
    return next((each for each in files.by_stem.get(parts.stem, ()) if str(PurePosixPath(each).parent) == beside), None)


def _beside(files: DataFiles, path: str) -> bool:
    """Whether an image of the same name lies in the same folder."""
    parts = PurePosixPath(path)
    return any(PurePosixPath(each).parent == parts.parent for each in files.by_stem.get(parts.stem, ()))


def _key(path: str, of: dict[tuple[str, str], Part]) -> tuple[str, str]:
    """Of an image or annotation, as :func:`voc_parts` has it: its nearest folder that has lists."""
    parts = PurePosixPath(path)
    for folder in parts.parents:
        # Of a name with dots what is behind the last may be no ending: lists have mostly none, and some have the whole name.
        for name in (parts.stem, parts.name):
            key = ("" if str(folder) == "." else str(folder), name)
            if key in of:
                return key
    return ("", parts.stem)


def _lines(files: DataFiles, path: str) -> list[str]:
    try:
        with open_regular(files.root / path) as file:
            return file.read(LONGEST).decode("utf-8-sig", "replace").splitlines()
    except (NotAFile, OSError):
        return []


def _parse(files: DataFiles, path: str) -> XmlElement:
    try:
        with open_regular(files.root / path) as file:
            data = file.read(LONGEST + 1)
    except NotAFile as error:
        raise UnreadableXml(error.why) from error
    except OSError as error:
        raise UnreadableXml(f"it cannot be read ({error.strerror})") from error
    return parse_xml(data)


def _size(root: XmlElement) -> tuple[int, int] | None:
    """Height and width; None where they are missing or 0, as some tools leave them."""
    sides = [number(root.value("size", side) or "") for side in ("height", "width")]
    if any(side is None or not 1 <= side < 2**31 or side != int(side) for side in sides):
        return None
    height, width = (int(side or 0) for side in sides)
    return height, width


def _box(element: XmlElement) -> RawBox:
    corners = element.find("bndbox")
    written = [corners.value(corner) if corners else None for corner in _CORNERS]
    numbers = [None if text is None else number(text) for text in written]
    label = class_name(element.value("name"))
    difficult = re.fullmatch(r"1|true", element.value("difficult") or "", re.IGNORECASE) is not None
    if any(each is None for each in numbers):
        said = ", ".join(f"{corner} {text!r}" for corner, text in zip(_CORNERS, written, strict=True) if text is not None)
        return RawBox(None, label, printable(said[:200]) or "there is no bndbox", difficult=difficult)
    x1, y1, x2, y2 = (float(each or 0.0) for each in numbers)
    return RawBox((x1, y1, x2, y2), label, difficult=difficult)
