"""What readers hand over: each image with its boxes as they are written, before anything is checked."""

import dataclasses
import re
from typing import Literal, TypeAlias

from likeness.research.data.detection.problems import Problem
from likeness.research.data.names import identity_name
from likeness.research.errors import UserError

__all__ = ["Annotations", "Convention", "Part", "RawBox", "RawImage", "class_name", "number"]

Convention: TypeAlias = Literal["voc", "coco", "yolo"]
"""How boxes are written. ``voc``: xmin, ymin, xmax, ymax. ``coco``: left, top, width, height. ``yolo``: center x, center y,
width and height, as shares of the image's."""

Part: TypeAlias = Literal["", "train", "validation", "test"]
"""For what an image is meant by whoever made the data; empty: nothing is said."""

# What Python takes for a number beyond this, such as 1_000, no other reader does.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE | re.ASCII)


@dataclasses.dataclass(frozen=True)
class RawBox:
    """A box as it is written."""

    numbers: tuple[float, float, float, float] | None
    """In the file's own convention; None if they cannot be read."""
    label: str | int | None
    """Its class, by name or by number; None if there is none."""
    detail: str = ""
    """What was written in place of numbers."""
    crowd: bool = False
    """A group of objects in one box (COCO): no detector need find it, and none is wrong that finds one in it."""
    difficult: bool = False
    """An object that nobody need find (VOC)."""
    area: float | None = None
    """The object's own area in square pixels, where it is known (COCO); None: the box's."""


@dataclasses.dataclass(frozen=True)
class RawImage:
    """An image and what is annotated in it."""

    file: str
    """Its path below the folder, by `/`."""
    boxes: tuple[RawBox, ...]
    size: tuple[int, int] | None = None
    """Height and width as the annotation says them."""
    part: Part = ""
    id: int | None = None
    """Its number, where the format has one."""
    annotated: bool = True
    """Whether there is an annotation for it, though it may hold no box."""


@dataclasses.dataclass(frozen=True)
class Annotations:
    """All that was read of a folder."""

    convention: Convention
    images: tuple[RawImage, ...]
    classes: tuple[str, ...]
    """The classes as the data list them: by number where labels are numbers. Empty: whatever names there are."""
    problems: tuple[Problem, ...] = ()
    """What was wrong on the way, of images that are not among these."""
    category_ids: tuple[int, ...] = ()
    """COCO's number of each class."""
    notes: tuple[str, ...] = ()


def number(text: str) -> float | None:
    """A number as it is written in a file; None if it is none.

    >>> number(" 48.5 "), number("1_000"), number("48,5")
    (48.5, None, None)
    """
    text = text.strip()
    return float(text) if _NUMBER.fullmatch(text) else None


def class_name(text: str | None) -> str | None:
    """A class's name, composed and stripped; None if nothing is left."""
    if text is None:
        return None
    try:
        return identity_name(text)
    except UserError:
        return None
