"""Boxes as they are written become boxes in ``xyxy`` of the upright image, and what is wrong with them gets its name.

VOC's devkit counts pixels from 1 and includes the last, so that xmin = 1, xmax = W is a box as wide as the image; in continuous
coordinates it reaches from xmin - 1 to xmax. Most tools that write VOC's XML today write continuous coordinates instead, some
with 1 in place of 0. By default the devkit's rule is followed, as evaluations do. The left and upper edge of a tool's box are
then a pixel off, and 0 is named ``off_by_one``.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32

from likeness.research.data.decode import ImageHeader
from likeness.research.data.detection.problems import Problem, ProblemKind
from likeness.research.data.detection.records import Convention, RawBox, RawImage
from likeness.research.geometry.placement import Placement, Size
from likeness.research.geometry.transforms import Upright

__all__ = ["BoxChecks", "CheckedImage", "Exif", "VocPixels"]

VocPixels: TypeAlias = Literal["one_based", "continuous"]
"""What VOC's numbers are: indices of pixels from 1, the last included; or continuous coordinates from 0."""

Exif: TypeAlias = Literal["told", "upright", "stored"]
"""Of what boxes are where a file's EXIF tag turns the image: of the ``upright`` image, of the pixels as they are ``stored``, or
what the annotated size tells, upright where it tells nothing."""

_ROUNDING, _ONE_PIXEL = 0.5, 1.0
"""By how many pixels a box may stick out of its image unnamed, and by how many it is off by one."""


class CheckedImage(NamedTuple):
    """The good boxes of an image, and its problems."""

    boxes: Float32[np.ndarray, "k 4"]
    classes: Int32[np.ndarray, "k"]
    crowd: Bool[np.ndarray, "k"]
    difficult: Bool[np.ndarray, "k"]
    areas: Float[np.ndarray, "k"]
    """The objects' own areas in square pixels, NaN where only the box is known."""
    problems: tuple[Problem, ...]
    used: bool
    """Whether the image can be used at all."""


@dataclasses.dataclass(frozen=True)
class BoxChecks:
    """What is asked of boxes."""

    convention: Convention
    classes: tuple[str, ...]
    voc_pixels: VocPixels = "one_based"
    exif: Exif = "told"
    min_side: float = 1.0

    def __call__(self, image: RawImage, name: str, header: ImageHeader) -> CheckedImage:
        """The boxes of an image whose file has a header."""
        problems: list[Problem] = []
        frame = self._frame(image, name, header, problems)
        if frame is None:
            return _nothing(problems)
        labels = {label: i for i, label in enumerate(self.classes)}
        kept: list[tuple[np.ndarray, int, RawBox]] = []
        seen: dict[tuple[float, ...], set[int]] = {}
        for index, raw in enumerate(image.boxes):
            label = self._label(raw, labels)
            box = None if raw.numbers is None else self._corners(raw.numbers, frame.source)
            kind, detail = self._problem(raw, label, box, frame.source)
            clipped = None
            if box is not None and kind not in ("malformed", "not_finite"):
                box = np.asarray(frame.boxes(box))
                height, width = frame.target
                clipped = np.clip(box, 0.0, [width, height, width, height])
                if kind in (None, "partly_outside", "off_by_one") and (clipped[2:] - clipped[:2]).min() < self.min_side:
                    kind = "too_small"
            if kind in (None, "partly_outside", "off_by_one") and box is not None and clipped is not None and label is not None:
                others = seen.setdefault(tuple(clipped.tolist()), set())
                if label in others:
                    kind, detail = "duplicate_box", self.classes[label]
                elif others:
                    said = " and ".join(self.classes[other] for other in (*sorted(others), label))
                    problems.append(Problem("two_classes", name, said, _tuple(clipped), index))
                others.add(label)
                if kind != "duplicate_box":
                    kept.append((clipped, label, raw))
            if kind is not None:
                problems.append(Problem(kind, name, detail, None if box is None else _tuple(box), index))
        return CheckedImage(
            boxes=np.array([box for box, _, _ in kept], np.float32).reshape(-1, 4),
            classes=np.array([label for _, label, _ in kept], np.int32),
            crowd=np.array([raw.crowd for _, _, raw in kept], bool),
            difficult=np.array([raw.difficult for _, _, raw in kept], bool),
            areas=np.array([math.nan if raw.area is None else raw.area for _, _, raw in kept], np.float64),
            problems=tuple(problems),
            used=True,
        )

    def _frame(self, image: RawImage, name: str, header: ImageHeader, problems: list[Problem]) -> Placement | None:
        """From the image that the boxes are of, stored or upright, to the upright one; None if it is neither."""
        stored = (header.height, header.width)
        turn = Upright(header.orientation).placement(stored)
        upright = turn.target
        same = Placement(source=upright, target=upright)
        told = self.exif if self.exif != "told" else None
        if told is None and header.orientation != 1:
            said = f"orientation {header.orientation}; the boxes are taken for those of the upright image"
            if stored != upright and image.size in (stored, upright):
                told = "stored" if image.size == stored else "upright"
                said = f"orientation {header.orientation}; {_said(stored)} are annotated, so the boxes were turned too"
            if image.boxes and told != "upright":
                problems.append(Problem("exif_rotation", name, said))
        expected = stored if told == "stored" else upright
        if image.size is not None and image.size not in ({stored, upright} if self.exif != "told" else {expected}):
            said = f"{_said(image.size)} are annotated, and it has {_said(expected)}"
            problems.append(Problem("size_mismatch", name, said))
            return None
        return turn if told == "stored" else same

    def _label(self, raw: RawBox, labels: dict[str, int]) -> int | None:
        if isinstance(raw.label, int):
            return raw.label if 0 <= raw.label < len(self.classes) else None
        return None if raw.label is None else labels.get(raw.label)

    def _corners(self, numbers: Sequence[float], size: Size) -> Float[np.ndarray, "4"]:
        a, b, c, d = numbers
        match self.convention:
            case "voc":
                first = 1.0 if self.voc_pixels == "one_based" else 0.0
                return np.array([a - first, b - first, c, d])
            case "coco":
                return np.array([a, b, a + c, b + d])
            case "yolo":
                height, width = size
                return np.array([(a - c / 2) * width, (b - d / 2) * height, (a + c / 2) * width, (b + d / 2) * height])

    def _problem(self, raw: RawBox, label: int | None, box: np.ndarray | None, size: Size) -> tuple[ProblemKind | None, str]:
        """The first thing that is wrong with a box, and the numbers that show it."""
        if raw.numbers is None or box is None:
            return "malformed", raw.detail
        said = " ".join(f"{each:g}" for each in raw.numbers)
        if not all(map(math.isfinite, raw.numbers)):
            return "not_finite", said
        if raw.label is None:
            return "no_class", said
        if label is None:
            return "unknown_class", str(raw.label)
        if kind := self._units(raw.numbers, size):
            return kind, said
        # As they are written: of VOC's, xmax = xmin would be a pixel wide, and is what is left of a click.
        a, b, c, d = raw.numbers
        sides = (c - a, d - b) if self.convention == "voc" else (c, d)
        if min(sides) < 0:
            return "reversed", said
        if min(sides) == 0:
            return "zero_area", said
        height, width = size
        if box[0] >= width or box[1] >= height or box[2] <= 0 or box[3] <= 0:
            return "outside", f"{said}; the image has {_said(size)}"
        over = max(-box[0], -box[1], box[2] - width, box[3] - height)
        if over > _ONE_PIXEL + 1e-6:
            far = f"{over:.1f}" if over < 1e6 else f"{over:g}"
            return "partly_outside", f"by {far} pixels: {said}; the image has {_said(size)}"
        return ("off_by_one", said) if over > _ROUNDING else (None, "")

    def _units(self, numbers: Sequence[float], size: Size) -> ProblemKind | None:
        a, b, c, d = numbers
        if self.convention == "yolo":
            return "pixel_units" if max(map(abs, numbers)) > 2 else None
        inside = min(numbers) >= 0 and max(numbers) <= 1
        real = c > a and d > b if self.convention == "voc" else c > 0 and d > 0
        return "normalized" if inside and real and min(size) > 2 else None


def _nothing(problems: list[Problem]) -> CheckedImage:
    flags = np.zeros(0, bool)
    return CheckedImage(
        np.zeros((0, 4), np.float32), np.zeros(0, np.int32), flags, flags, np.zeros(0), tuple(problems), used=False
    )


def _tuple(box: np.ndarray) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box.tolist()
    return x1, y1, x2, y2


def _said(size: Size) -> str:
    return f"{size[0]} × {size[1]} pixels"
