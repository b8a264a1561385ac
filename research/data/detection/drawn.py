"""What sources of drawn scenes share: how their fields are checked, and how what is drawn becomes one table of three parts."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from likeness.research.data.detection.examples import DetectionExamples, detection_examples
from likeness.research.data.detection.records import Part

__all__ = ["Drawing", "DrawnScenes", "check_scenes", "open_in_parts"]


@runtime_checkable
class DrawnScenes(Protocol):
    """A source of scenes, each of several objects or of none."""

    @property
    def train(self) -> int: ...
    @property
    def validation(self) -> int: ...
    @property
    def test(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def sides(self) -> tuple[float, float]: ...


class Drawing(NamedTuple):
    """Some scenes and their objects, in rows of which the mask says which there are."""

    images: UInt8[np.ndarray, "n h w 3"]
    boxes: Float[np.ndarray, "n m 4"]
    classes: Int[np.ndarray, "n m"]
    mask: Bool[np.ndarray, "n m"]
    points: Float[np.ndarray, "n m p 2"] | None = None


def check_scenes(source: DrawnScenes, smallest: int, ranges: Mapping[str, tuple[float | int, float | int]]) -> None:
    """Checks the number of images of each part, the sides of objects, and what else has a range.

    Args:
        source: whose fields they are.
        smallest: the least side of an object in pixels; the largest is half of the image's.
        ranges: of each further field, both ends included.

    Raises:
        ValueError: a field is out of range.
    """
    owner, parts = type(source).__name__, dict.fromkeys(("train", "validation", "test"), (1, 10**6))
    for field, (low, high) in {**parts, **ranges}.items():
        value = getattr(source, field)
        if not low <= value <= high:
            raise ValueError(f"{owner}.{field} is {value}; choose a value from {low} to {high}.")
    low, high = source.sides
    if not smallest <= low <= high <= source.size / 2:
        raise ValueError(
            f"{owner}.sides is {source.sides}; choose a smallest and a largest side from {smallest} pixels to "
            f"{source.size / 2:g}, half of the image."
        )


def open_in_parts(source: DrawnScenes, draw: Callable[[int, int], Drawing], class_names: tuple[str, ...]) -> DetectionExamples:
    """The table of what is drawn for each part.

    Args:
        source: how many images each part has.
        draw: (number of the part, images) -> scenes.
        class_names: what the classes are called.
    """
    sizes: dict[Part, int] = {"train": source.train, "validation": source.validation, "test": source.test}
    drawn = [draw(part, count) for part, count in enumerate(sizes.values())]
    images, boxes, classes, mask = (np.concatenate(column) for column in list(zip(*drawn, strict=True))[:4])
    points = [each.points for each in drawn if each.points is not None]

    def kept(rows: np.ndarray) -> list[np.ndarray]:
        return [some[there] for some, there in zip(rows, mask, strict=True)]

    marks = kept(np.concatenate(points)) if points else None
    examples = detection_examples(images, kept(boxes), kept(classes), class_names, points=marks)
    return dataclasses.replace(examples, parts=tuple(part for part, count in sizes.items() for _ in range(count)))
