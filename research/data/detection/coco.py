"""Annotations of COCO: one JSON file for many images, with the classes by number."""

from collections import Counter
from pathlib import PurePosixPath
from typing import Any

from likeness.research.data.detection.files import DataFiles, escapes, part_of
from likeness.research.data.detection.json_arrays import UnreadableJson, read_json_arrays, top_level_keys
from likeness.research.data.detection.problems import Problem
from likeness.research.data.detection.records import Annotations, RawBox, RawImage, class_name
from likeness.research.data.paths import printable
from likeness.research.errors import UserError

__all__ = ["coco_files", "read_coco"]

_KEYS = ("images", "annotations", "categories")
_OTHERS = ("captions", "person_keypoints", "stuff", "panoptic", "image_info")


def coco_files(files: DataFiles) -> tuple[str, ...]:
    """The JSON files that annotate boxes; of COCO's own, those of objects and not those of keypoints, captions or regions."""
    found = [path for path in files.of(".json") if top_level_keys(files.root / path, _KEYS)]
    objects = [path for path in found if not PurePosixPath(path).name.startswith(_OTHERS)]
    return tuple(objects or found)


def read_coco(
    files: DataFiles, paths: tuple[str, ...], classes: tuple[str, ...] = (), max_megabytes: float = 1024.0
) -> Annotations:
    """Every image that the files list, in the order of their ids.

    Args:
        files: where the images lie.
        paths: the JSON files, one for each part.
        classes: the names in the order that they are wanted in; others are unknown. Empty: those of the files, by number.
        max_megabytes: a longer file is refused.

    Raises:
        UserError: a file cannot be read, two list one image, or their categories contradict each other.
    """
    read = [_JsonFile(files, path, max_megabytes) for path in paths]
    names: dict[int, str] = {}
    for one in read:
        for number, name in one.categories.items():
            if names.setdefault(number, name) != name:
                raise UserError(
                    f"The category {number} is {names[number]!r} in one of {', '.join(map(printable, paths))} and {name!r} in "
                    "another: number the categories alike, or give the path of one file."
                )
    # By their numbers, which may have holes and begin at 0 or 1.
    listed = tuple(names[number] for number in sorted(names))
    problems = [problem for one in read for problem in one.problems]
    homes: dict[str, str] = {}
    images: list[RawImage] = []
    for one in read:
        for image in one.images(names):
            home = homes.setdefault(image.file, one.path)
            if home != one.path:
                raise UserError(
                    f"{printable(image.file)} is listed by {printable(home)} and by {printable(one.path)}: give the path of "
                    "the one that is meant."
                )
            images.append(image)
        problems += one.found
    annotated = classes or tuple(dict.fromkeys(listed))
    numbers = {name: number for number, name in sorted(names.items(), reverse=True)}
    lost = [path for path in files.images if path not in homes]
    notes = (f"{len(lost):,} images are listed by no annotation file, such as {printable(lost[0])}",) if lost and images else ()
    return Annotations(
        "coco", tuple(images), annotated, tuple(problems), tuple(numbers.get(name, -1) for name in annotated), notes
    )


class _JsonFile:
    """One file, read."""

    def __init__(self, files: DataFiles, path: str, max_megabytes: float) -> None:
        self.path, self._files = path, files
        self.categories: dict[int, str] = {}
        self.problems: list[Problem] = []
        """Of the file itself."""
        self.found: list[Problem] = []
        """Of images, found when they are made."""
        self._rows: dict[int, dict[str, Any]] = {}
        self._boxes: dict[int, list[tuple[int | None, RawBox]]] = {}
        self._ids: Counter[int] = Counter()
        wanted = {"images": self._image, "annotations": self._annotation, "categories": self._category}
        try:
            there = read_json_arrays(files.root / path, wanted, max_megabytes)
        except UnreadableJson as error:
            raise UserError(f"The annotations {printable(files.root / path)} cannot be read: {error}.") from error
        if missing := [key for key in _KEYS if not there[key]]:
            raise UserError(
                f"The annotations {printable(files.root / path)} have no list {missing[0]!r}, which COCO's files have."
            )

    def images(self, names: dict[int, str]) -> list[RawImage]:
        made, taken = [], set()
        for number in sorted(self._rows):
            row = self._rows[number]
            named = row.get("file_name")
            if not isinstance(named, str) or not named:
                self.found.append(Problem("missing_image", f"image {number}", "it has no file_name"))
                continue
            if escapes(named, self.path):
                self.found.append(Problem("path_escape", printable(self.path), printable(named)))
            file = self._files.image(named, self.path) or self._in_images(named)
            if file is None:
                self.found.append(Problem("missing_image", printable(named)))
            elif file in taken:
                self.found.append(Problem("duplicate_image", printable(named), "it is listed twice"))
            else:
                taken.add(file)
                boxes = tuple(_named(box, label, names) for label, box in self._boxes.get(number, ()))
                part = part_of(self.path) or part_of(file)
                made.append(RawImage(file, boxes, _size(row), part, number))
        for number in sorted(set(self._boxes) - set(self._rows)):
            for label, _ in self._boxes[number]:
                said = f"image_id {number}, category_id {label}"
                self.found.append(Problem("orphan", printable(self.path), said))
        twice = [number for number, count in self._ids.items() if count > 1]
        self.found += [Problem("duplicate_id", printable(self.path), f"annotation {number}") for number in sorted(twice)]
        return made

    def _in_images(self, named: str) -> str | None:
        """COCO's own layout: annotations/instances_train2017.json and train2017/NAME, or images/train2017/NAME."""
        stem = PurePosixPath(self.path).stem.rpartition("_")[2]
        tried = (f"{stem}/{named}", f"images/{stem}/{named}", f"images/{named}")
        return next((path for path in tried if path in self._files.known), None)

    def _image(self, row: Any) -> None:
        number = _whole(row.get("id")) if isinstance(row, dict) else None
        if number is None:
            self.problems.append(
                Problem(
                    "missing_image",
                    printable(self.path),
                    f"an image has no id that is a whole number of 64 bits: {_short(row)}",
                )
            )
        elif number in self._rows:
            self.problems.append(Problem("duplicate_id", printable(self.path), f"image {number}"))
        else:
            # What is not used is not held.
            self._rows[number] = {key: row.get(key) for key in ("file_name", "height", "width")}

    def _category(self, row: Any) -> None:
        number = _whole(row.get("id")) if isinstance(row, dict) else None
        name = row.get("name") if isinstance(row, dict) else None
        name = class_name(str(number if name is None else name))
        if number is not None and name is not None:
            self.categories.setdefault(number, name)

    def _annotation(self, row: Any) -> None:
        image = _whole(row.get("image_id")) if isinstance(row, dict) else None
        if image is None:
            said = f"it has no image_id that is a whole number: {_short(row)}"
            self.problems.append(Problem("orphan", printable(self.path), said))
            return
        if (number := _whole(row.get("id"))) is not None:
            self._ids[number] += 1
        box = row.get("bbox")
        if not box and (around := _around(row.get("segmentation"))) is not None:
            box = around
        sides = [_real(side) for side in box] if isinstance(box, list) else []
        known = [side for side in sides if side is not None]
        numbers = (known[0], known[1], known[2], known[3]) if len(sides) == len(known) == 4 else None
        area = _real(row.get("area"))
        made = RawBox(
            numbers,
            None,
            "" if numbers else f"bbox {_short(box)}",
            crowd=row.get("iscrowd") in (1, True),
            area=area if area is not None and 0 <= area < float("inf") else None,
        )
        self._boxes.setdefault(image, []).append((_whole(row.get("category_id")), made))


def _named(box: RawBox, label: int | None, names: dict[int, str]) -> RawBox:
    # A number that no category has is told as it is.
    said = None if label is None else names.get(label, f"category {label}")
    return RawBox(box.numbers, said, box.detail, box.crowd, box.difficult, box.area)


def _around(outlines: Any) -> list[float] | None:
    """The box around an object's outlines, where they are polygons: lists of x and y in turn."""
    if not isinstance(outlines, list) or not all(isinstance(each, list) and len(each) % 2 == 0 for each in outlines):
        return None
    numbers = [[_real(number) for number in each] for each in outlines]
    x = [each for outline in numbers for each in outline[::2] if each is not None]
    y = [each for outline in numbers for each in outline[1::2] if each is not None]
    if len(x) < 3 or len(x) + len(y) < sum(map(len, numbers)):
        return None
    return [min(x), min(y), max(x) - min(x), max(y) - min(y)]


def _size(row: dict[str, Any]) -> tuple[int, int] | None:
    height, width = _whole(row.get("height")), _whole(row.get("width"))
    return (height, width) if height and width and height > 0 and width > 0 else None


def _whole(value: Any) -> int | None:
    """An id: a whole number of 64 bits, also one that is written as a string, as some tools do."""
    written = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20
    if written or (isinstance(value, float) and value.is_integer()):
        value = int(value)
    # COCO's numbers have 64 bits, and so have those of the arrays that hold them.
    return value if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63 else None


def _real(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _short(value: Any) -> str:
    return printable(repr(value)[:120])
