"""A folder of annotated images, told by its content: VOC's XML, COCO's JSON, or YOLO's text."""

import dataclasses
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np

from likeness.research.checks import check_choice
from likeness.research.data.decode import Decode, ImageHeader
from likeness.research.data.detection.checking import BoxChecks, Exif, VocPixels
from likeness.research.data.detection.coco import coco_files, read_coco
from likeness.research.data.detection.examples import DetectionExamples
from likeness.research.data.detection.files import DataFiles, find_files
from likeness.research.data.detection.looking import CachedReader, FileReader, Good, ImageLook, without_copies
from likeness.research.data.detection.problems import KINDS, Problem, ProblemKind, check_kinds, refuse_problems
from likeness.research.data.detection.records import Annotations, Convention
from likeness.research.data.detection.voc import is_voc, read_voc
from likeness.research.data.detection.yolo import is_yolo, listed_classes, read_yolo
from likeness.research.data.images import content_numbers
from likeness.research.data.names import easily_confused
from likeness.research.data.paths import expand_path, printable
from likeness.research.data.regular import whole_digests
from likeness.research.errors import UserError

__all__ = ["DetectionFolder", "DetectionSource", "Told"]

Told: TypeAlias = Literal["told", "voc", "coco", "yolo"]
"""How a folder is annotated, or that it is told by its content."""

_LOOKED_AT = 20
_LAYOUTS = (
    "VOC's XML (`Annotations/a.xml`, `JPEGImages/a.jpg`, or side by side), COCO's JSON (a file with images, annotations and "
    "categories), or YOLO's text (`labels/a.txt`, `images/a.jpg`, or side by side)"
)


@runtime_checkable
class DetectionSource(Protocol):
    """Where annotated images come from: :class:`DetectionFolder`, or one of your own."""

    def open(self) -> DetectionExamples:
        """The table of all images."""
        ...


@dataclasses.dataclass(frozen=True)
class DetectionFolder:
    """Annotated images of a folder, in the layout of VOC, COCO or YOLO, whichever it is.

    Each image is turned as its EXIF tag says, and its boxes become ``xyxy`` in continuous pixels of it. What is wrong is named
    and counted in ``DetectionExamples.problems`` (:data:`likeness.research.data.detection.KINDS`), and left out, mended or kept
    as its kind says; or refused, as ``on_problem`` and ``refuse`` say. VOC's ``ImageSets``, folders and files called train, val
    and test, and Darknet's lists say for what an image is meant. Nothing outside of the folder is read, whatever an annotation
    names.

    Example::

        examples = DetectionFolder("$LIKENESS_DATA/BCCD").open()
        print("\\n".join(examples.summary()))
    """

    path: str
    """The folder, or one JSON file of COCO's; ``~`` and environment variables are replaced."""
    format: Told = "told"
    """How it is annotated."""
    classes: tuple[str, ...] = ()
    """The names of the classes, in the order of their numbers; a box of another is an ``unknown_class``. Empty: those that the
    data list, or else those that occur, sorted."""
    images: str = ""
    """Where the images of a JSON file lie; empty: at or below the folder of the file."""
    voc_pixels: VocPixels = "one_based"
    """What numbers in VOC's XML are: the devkit's indices from 1, or continuous coordinates from 0 as many tools write."""
    exif: Exif = "told"
    """Of what boxes are where a file's EXIF tag turns the image."""
    unannotated: Literal["told", "background", "skip"] = "told"
    """An image without annotation shows no object (``background``), as YOLO has it, or is left out (``skip``), as of VOC; or as
    its format has it. COCO's images are those that the file lists."""
    min_box_side: float = 1.0
    """What is inside of the image of a good box is no narrower and no lower, in pixels."""
    on_problem: Literal["skip", "refuse"] = "skip"
    """Whether the data are refused where something is lost by a problem."""
    refuse: tuple[ProblemKind, ...] = ()
    """Kinds that are refused in any case."""
    channels: Literal[1, 3] = 3
    """1 for gray, 3 for RGB."""
    max_megapixels: float = 50.0
    """An image with more pixels is unreadable."""
    min_side: int = 8
    """An image with a shorter side is unreadable."""
    cache_megabytes: float = 2048.0
    """Images are kept in memory if, decoded, all take no more than this; else each is read when needed."""
    verify: Literal["decode", "header"] = "decode"
    """How images that are not kept in memory are checked on opening: by decoding each, or by header only."""
    max_json_megabytes: float = 1024.0
    """A longer JSON file is refused."""

    def __post_init__(self) -> None:
        for field, choices in (
            ("format", Told),
            ("voc_pixels", VocPixels),
            ("exif", Exif),
            ("unannotated", Literal["told", "background", "skip"]),
            ("on_problem", Literal["skip", "refuse"]),
            ("verify", Literal["decode", "header"]),
        ):
            check_choice("DetectionFolder", field, getattr(self, field), choices)
        check_kinds("DetectionFolder", "refuse", self.refuse)
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"DetectionFolder.classes names a class twice: {', '.join(self.classes)}.")
        for field in ("min_box_side", "cache_megabytes", "max_json_megabytes"):
            if not getattr(self, field) >= 0:
                raise ValueError(f"DetectionFolder.{field} must be 0 or more, not {getattr(self, field)}.")
        self.decode  # noqa: B018 - its fields are checked now and not when the folder is opened

    def open(self) -> DetectionExamples:
        """Finds, reads and checks the annotations and the images, and decodes those where they fit into memory.

        Raises:
            UserError: there is no such folder, it is not annotated in a known way or in several, a JSON file is unreadable, no
                image can be used, or something is refused.
        """
        files, annotations = self.read()
        return self.check(files, annotations)

    def read(self) -> tuple[DataFiles, Annotations]:
        """The annotations as they are written.

        Raises:
            UserError: as :meth:`open` does.
        """
        path = expand_path(self.path)
        if path.is_file() and path.suffix.lower() == ".json":
            files = find_files(expand_path(self.images, "images") if self.images else path.parent)
            name = os.path.relpath(path, files.root).replace(os.sep, "/")
            return files, read_coco(files, (name,), self.classes, self.max_json_megabytes)
        files = find_files(path)
        match self.format if self.format != "told" else tell_format(files):
            case "voc":
                return files, read_voc(files, self.classes)
            case "coco":
                found = coco_files(files)
                if not found:
                    raise UserError(f"{printable(path)} has no JSON file with images, annotations and categories.")
                return files, read_coco(files, found, self.classes, self.max_json_megabytes)
            case "yolo":
                return files, read_yolo(files, self.classes)

    def check(self, files: DataFiles, annotations: Annotations) -> DetectionExamples:
        """The table of what is good of annotations that were read.

        Raises:
            UserError: as :meth:`open` does.
        """
        where = printable(expand_path(self.path))
        classes = self._classes(files, annotations)
        checks = BoxChecks(annotations.convention, classes, self.voc_pixels, self.exif, self.min_box_side)
        background = self.unannotated == "background" or (self.unannotated == "told" and annotations.convention == "yolo")
        problems = list(annotations.problems)
        looked = [ImageLook(files, image, self.decode, checks) for image in annotations.images if image.annotated or background]
        for image in annotations.images:
            if not image.annotated:
                said = "it shows no object" if background else "it is left out"
                fate = None if background else "image"
                problems.append(Problem("unannotated", printable(image.file), said, fate=fate))
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            headers = list(pool.map(lambda look: look.header(), looked))
            pixels = sum(header.height * header.width for header in headers if isinstance(header, ImageHeader))
            keep = pixels * self.channels <= self.cache_megabytes * 1e6
            seen = list(pool.map(lambda look, header: look(header, keep, self.verify), looked, headers))
        good: list[Good] = []
        for one in seen:
            if isinstance(one, Problem):
                problems.append(one)
            else:
                problems += one.checked.problems
                if one.checked.used:
                    good.append(one)
        if not keep and self.verify == "header":
            paths = [files.root / one.image.file for one in good]
            whole = whole_digests(paths, [one.content for one in good])
            good = [one._replace(content=content) for one, content in zip(good, whole, strict=True)]
        good = without_copies(good, problems)
        problems += [Problem("similar_classes", ", ".join(group)) for group in easily_confused(classes)]
        refused: list[ProblemKind] = list(self.refuse)
        if self.on_problem == "refuse":
            refused.extend(kind for kind, what in KINDS.items() if what.serious)
        refuse_problems(where, problems, refused)
        if not good:
            first = f"; the first problem is {problems[0]}" if problems else ""
            raise UserError(f"No image of {where} can be used{first}. Expected is {_LAYOUTS}.")
        return self._table(files, annotations, classes, good, problems)

    @property
    def decode(self) -> Decode:
        """How each file becomes an image."""
        return Decode(channels=self.channels, max_megapixels=self.max_megapixels, min_side=self.min_side)

    def _classes(self, files: DataFiles, annotations: Annotations) -> tuple[str, ...]:
        if annotations.classes:
            return annotations.classes
        listed = listed_classes(files) if annotations.convention == "voc" else ()
        names = {box.label for image in annotations.images for box in image.boxes if isinstance(box.label, str)}
        return listed or tuple(sorted(names))

    def _table(
        self,
        files: DataFiles,
        annotations: Annotations,
        classes: tuple[str, ...],
        good: Sequence["Good"],
        problems: Sequence[Problem],
    ) -> DetectionExamples:
        checked = [one.checked for one in good]
        cache = [one.pixels for one in good]
        kept = [pixels for pixels in cache if pixels is not None]
        reader = FileReader(files.root, tuple(one.image.file for one in good), self.decode)
        ids = [one.image.id for one in good]
        numbered = [number for number in ids if number is not None]
        return DetectionExamples(
            names=tuple(printable(one.image.file) for one in good),
            sizes=np.array([one.size for one in good], np.int32).reshape(-1, 2),
            starts=np.concatenate([[0], np.cumsum([len(one.boxes) for one in checked])]).astype(np.int64),
            boxes=np.concatenate([one.boxes for one in checked]),
            classes=np.concatenate([one.classes for one in checked]),
            class_names=classes,
            read=CachedReader(kept) if len(kept) == len(good) else reader,
            crowd=np.concatenate([one.crowd for one in checked]),
            difficult=np.concatenate([one.difficult for one in checked]),
            areas=np.concatenate([one.areas for one in checked]) if annotations.convention == "coco" else None,
            parts=tuple(one.image.part for one in good) if any(one.image.part for one in good) else (),
            image_ids=np.array(numbered, np.int64) if len(set(numbered)) == len(good) else None,
            category_ids=annotations.category_ids,
            content=content_numbers([one.content for one in good]),
            digests=tuple(one.digest for one in good),
            channels=self.channels,
            in_memory=len(kept) == len(good),
            problems=tuple(problems),
            notes=annotations.notes,
        )


def tell_format(files: DataFiles) -> Convention:
    """How a folder is annotated.

    Raises:
        UserError: it is not, or in more than one way.
    """
    found: dict[Convention, str] = {}
    if coco := coco_files(files):
        found["coco"] = coco[0]
    if voc := next((path for path in files.of(".xml")[: 50 * _LOOKED_AT] if is_voc(files, path)), None):
        found["voc"] = voc
    stems = files.by_stem
    texts = [path for path in files.of(".txt") if Path(path).stem in stems]
    if yolo := next((path for path in texts[: 50 * _LOOKED_AT] if is_yolo(files, path)), None):
        found["yolo"] = yolo
    where = printable(files.root)
    if not found:
        raise UserError(
            f"{where} has no annotations that are known: {len(files.images):,} images, {len(files.of('.xml')):,} XML, "
            f"{len(files.of('.json')):,} JSON and {len(files.of('.txt')):,} text files are below it. Expected is {_LAYOUTS}."
        )
    if len(found) > 1:
        several = " and ".join(f"{format}'s ({printable(path)})" for format, path in found.items())
        raise UserError(f"{where} has annotations of several formats, {several}: say which by `format`.")
    return next(iter(found))
