"""What kind of data a folder or a config holds, and what is wrong with it."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from likeness.experiments.data_check.annotated import check_examples
from likeness.experiments.data_check.faces import check_faces
from likeness.experiments.data_check.findings import DataReport
from likeness.research.data import Folder
from likeness.research.data.detection import DetectionExamples, DetectionFolder, DetectionSource
from likeness.research.data.detection.files import find_files
from likeness.research.data.detection.source import tell_format
from likeness.research.data.paths import expand_path
from likeness.research.errors import UserError
from likeness.research.geometry import AnchorPyramid, Letterbox

T = TypeVar("T")


def check_data(
    source: Any,
    name: str,
    size: tuple[int, int] | None = None,
    strides: Sequence[int] = (8, 16, 32),
    anchors: AnchorPyramid | None = None,
) -> DataReport:
    """What is wrong with a source of images: annotated ones, or a folder of people.

    Args:
        source: a :class:`DetectionFolder` or another source of annotated images, a :class:`Folder`, or an experiment that has
            one as its ``data``. Of an experiment, a letterbox says what a detector is shown, and a pyramid has its anchors.
        name: what to call it.
        size: height and width of what a detector is shown; None: that of the experiment, or 640 × 640.
        strides: of the detector's maps.
        anchors: of these maps.

    Raises:
        UserError: it is none of these, or nothing of it can be read.
    """
    data = getattr(source, "data", source)
    if data is not source:
        letterbox, pyramid = _part(source, Letterbox), _part(source, AnchorPyramid)
        size = size or (None if letterbox is None else letterbox.size)
        if anchors is None and pyramid is not None:
            anchors, strides = pyramid, tuple(grid.stride for grid in pyramid.levels)
    if isinstance(data, Folder):
        return check_faces(data, name)
    if isinstance(data, DetectionFolder):
        # What is refused in training is told here.
        data = dataclasses.replace(data, on_problem="skip", refuse=())
        return _with_files(check_examples(data.open(), name, size or (640, 640), strides, anchors), data)
    opened = data.open() if isinstance(data, DetectionSource) else None
    if isinstance(opened, DetectionExamples):
        return check_examples(opened, name, size or (640, 640), strides, anchors)
    raise UserError(
        f"{name} has no data of files that could be checked: give a folder of annotated images, a folder with a folder for "
        "each person, or a config with such data."
    )


def source_of(path: str, make: Callable[[str], DetectionFolder] = DetectionFolder) -> DetectionFolder | Folder:
    """Whether a folder holds annotated images or people.

    Args:
        path: the folder, or a JSON file of annotations.
        make: makes the source of annotated images.

    Raises:
        UserError: there is no such folder, or it holds neither.
    """
    root = expand_path(path)
    if root.is_file():
        return make(path)
    if (made := make(path)).format != "told":
        return made
    files = find_files(root)
    try:
        tell_format(files)
    except UserError:
        people = {Path(each).parts[0] for each in files.images if each.count("/") == 1}
        if people and not files.of(".xml", ".json"):
            return Folder(path, size=112)
        raise
    return made


def _with_files(report: DataReport, data: DetectionFolder) -> DataReport:
    """Shows also images that are not in the table since something is wrong with them."""
    root = expand_path(data.path) if not data.images else expand_path(data.images)
    root = root.parent if root.is_file() else root

    def read(name: str) -> np.ndarray:
        try:
            return report.read(name)
        except KeyError:
            return data.decode(root / name)

    return dataclasses.replace(report, read=read)


def _part(value: Any, kind: type[T]) -> T | None:
    """The first field of a kind anywhere in a dataclass."""
    if isinstance(value, kind):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            if (found := _part(getattr(value, field.name, None), kind)) is not None:
                return found
    if isinstance(value, tuple):
        return next((found for each in value if (found := _part(each, kind)) is not None), None)
    return None
