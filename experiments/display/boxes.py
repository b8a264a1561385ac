"""Boxes drawn on an image so that they can be seen on any: colors with a dark edge, and labels that keep out of each other's
way."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from PIL import Image, ImageDraw

from likeness.experiments.display.lettering import pillow_text
from likeness.research.geometry.detections import Detection, Detections
from likeness.research.types import UInt8

__all__ = ["PALETTE", "Labels", "draw_boxes", "rows_up"]

Labels: TypeAlias = Literal["auto", "names", "scores", "none"]
"""What is written at a box: its class and score, the score alone, or nothing; ``auto`` leaves out the name of an only class."""

PALETTE = (
    (255, 196, 0),
    (0, 184, 245),
    (255, 116, 102),
    (76, 217, 100),
    (199, 125, 255),
    (255, 138, 0),
    (0, 217, 178),
    (255, 110, 180),
    (126, 166, 255),
    (182, 224, 0),
)
"""Of the classes, in their order, and again from the first: light enough for black letters, and told apart on photographs."""

_EDGE = (16, 16, 16)
"""Around what is drawn, so that no ground hides it."""
_INK = (12, 12, 12)

_ROWS = (0, 1, 2, 3, -1, -2, -3)
"""Where a label may stand that would cover another, in its heights above its place."""

_Rectangle: TypeAlias = tuple[int, int, int, int]


@dataclasses.dataclass(frozen=True)
class _Pen:
    """Sizes in pixels, from the image's own."""

    line: int
    letters: int

    @classmethod
    def of(cls, height: int, width: int) -> "_Pen":
        # Between the mean side and the shorter one, so that a panorama gets no beams.
        side = (height * width) ** 0.5
        return cls(line=max(2, round(side / 260)), letters=max(10, round(side / 42)))

    @property
    def edge(self) -> int:
        return max(1, round(self.line / 3))

    @property
    def padding(self) -> int:
        return max(2, round(self.letters / 4))


def draw_boxes(
    image: UInt8[np.ndarray, "h w 3"],
    detections: Detections,
    *,
    labels: Labels = "auto",
    texts: Sequence[str] | None = None,
) -> UInt8[np.ndarray, "h w 3"]:
    """The image with a frame around each object, its label, and dots for its landmarks.

    Lines and letters grow with the image. Large boxes are drawn first, so that they hide no small ones. A label stands where it
    is wholly inside the image and covers the least of other labels and of other boxes: above its box, below it, or inside.

    Args:
        image: RGB.
        detections: in its pixels.
        labels: what is written.
        texts: what is written instead, for each box.

    Raises:
        ValueError: another number of texts than of boxes.
    """
    if texts is not None and len(texts) != len(detections):
        raise ValueError(f"draw_boxes: {len(texts)} texts for {len(detections)} boxes: give one for each.")
    height, width = image.shape[:2]
    pen = _Pen.of(height, width)
    drawn = Image.fromarray(image)
    brush = ImageDraw.Draw(drawn, "RGBA")
    objects = sorted(detections, key=lambda one: -float(np.prod(one.xyxy[2:] - one.xyxy[:2])))
    for one in objects:
        _frame(brush, _pixels(one.xyxy, height, width), _color(one), pen)
    for one in objects:
        for x, y in () if one.landmarks is None else one.landmarks.tolist():
            _dot(brush, x, y, _color(one), pen)
    if labels != "none":
        _label(
            brush, detections, texts or [_text(one, detections.class_names, labels) for one in detections], pen, height, width
        )
    return np.asarray(drawn)


def rows_up(places: Sequence[tuple[float, float]], widths: Sequence[float], height: float) -> list[int]:
    """By how many of its heights each label moves up, or down below zero, so that it covers none before it.

    A label stays where it is if it is the first there, or if no place near is free inside the image.

    Args:
        places: the left end and the foot of each label, from the image's upper left corner.
        widths: of the labels.
        height: of all of them.
    """
    taken: list[tuple[float, float, float]] = []
    rows = []
    for (left, foot), width in zip(places, widths, strict=True):
        above = [row for row in _ROWS if foot - (row + 1) * height >= 0 or row <= 0]
        row = next((row for row in above if not _covers(left, left + width, foot - row * height, taken, height)), 0)
        taken.append((left, left + width, foot - row * height))
        rows.append(row)
    return rows


def _covers(left: float, right: float, foot: float, taken: Sequence[tuple[float, float, float]], height: float) -> bool:
    return any(left < end and begin < right and abs(foot - other) < 0.95 * height for begin, end, other in taken)


def _label(brush: Any, detections: Detections, texts: Sequence[str], pen: _Pen, height: int, width: int) -> None:
    frames = [_pixels(one.xyxy, height, width) for one in detections]
    taken: list[_Rectangle] = []
    # The surest first: they get the best places.
    for index, one in enumerate(detections):
        text, font = pillow_text(texts[index], pen.letters)
        left, top, right, bottom = brush.textbbox((0, 0), text, font=font, anchor="ls")
        # As high as letters with an ascender and a descender, whatever the text has, so that all labels are alike.
        ascent = max(-top, round(0.74 * pen.letters))
        size = round(right - left) + 2 * pen.padding, round(ascent + max(bottom, 0.22 * pen.letters)) + pen.padding
        others = [frame for number, frame in enumerate(frames) if number != index]
        place = _place(frames[index], size, taken, others, pen, height, width)
        taken.append(place)
        color = _color(one)
        brush.rounded_rectangle(place, radius=pen.padding, fill=(*color, 235), outline=(*_EDGE, 150), width=1)
        base = place[1] + round((size[1] - ascent) / 2 - 0.1 * pen.letters) + ascent
        brush.text((place[0] + pen.padding - left, base), text, fill=_INK, font=font, anchor="ls")


def _place(
    frame: _Rectangle,
    size: tuple[int, int],
    taken: Sequence[_Rectangle],
    others: Sequence[_Rectangle],
    pen: _Pen,
    height: int,
    width: int,
) -> _Rectangle:
    """Where a label covers the least, of the places at its box that are inside the image; the first of equals."""
    wide, high = size
    left, top, right, bottom = frame
    edge, inside = pen.edge, pen.line
    across = (left - edge, right + edge - wide)
    down = (top - high, bottom, top + inside, bottom - inside - high)
    spots = [
        (x + (inside + edge if row > 1 else 0) * (1 if column == 0 else -1), y)
        for row, y in enumerate(down)
        for column, x in enumerate(across)
    ]
    best, least = None, float("inf")
    for rank, (x, y) in enumerate(spots):
        held = min(max(x, 0), max(width - wide - 1, 0)), min(max(y, 0), max(height - high - 1, 0))
        moved = abs(held[0] - x) / max(wide, 1) + abs(held[1] - y) / max(high, 1)
        chip = (held[0], held[1], held[0] + wide, held[1] + high)
        area = wide * high
        cost = 4 * sum(_common(chip, each) for each in taken) / area
        cost += 0.5 * sum(_common(chip, each) for each in others) / area
        cost += 0.6 * (_common(chip, frame) / area) + 0.4 * moved + 0.05 * rank
        if cost < least:
            best, least = chip, cost
    assert best is not None
    return best


def _frame(brush: Any, frame: _Rectangle, color: tuple[int, int, int], pen: _Pen) -> None:
    left, top, right, bottom = frame
    # Of a box that is no wider than its lines, what is inside stays visible.
    line = max(1, min(pen.line, (right - left) // 4, (bottom - top) // 4))
    edge = min(pen.edge, line)
    radius = max(0, min(2 * pen.line, (right - left) // 4, (bottom - top) // 4))
    around = (left - edge, top - edge, right + edge, bottom + edge)
    brush.rounded_rectangle(around, radius=radius + edge, outline=(*_EDGE, 140), width=line + 2 * edge)
    brush.rounded_rectangle(frame, radius=radius, outline=(*color, 255), width=line)


def _dot(brush: Any, x: float, y: float, color: tuple[int, int, int], pen: _Pen) -> None:
    radius = max(1.5, 0.8 * pen.line)
    for size, fill in ((radius + pen.edge, (*_EDGE, 170)), (radius, (*color, 255))):
        brush.ellipse((x - size, y - size, x + size, y + size), fill=fill)


def _text(one: Detection, class_names: Sequence[str], labels: Labels) -> str:
    score = f"{one.confidence:.2f}"
    named = labels == "names" or (labels == "auto" and len(class_names) != 1)
    return f"{one.class_name or one.class_id} {score}" if named else score


def _color(one: Detection) -> tuple[int, int, int]:
    return PALETTE[one.class_id % len(PALETTE)]


def _pixels(box: np.ndarray, height: int, width: int) -> _Rectangle:
    """The pixels on which the edges of a box lie, inside the image."""
    left, top, right, bottom = np.nan_to_num(np.asarray(box, np.float64), posinf=1e6, neginf=-1e6).tolist()
    left, right = (int(min(max(round(x), 0), width - 1)) for x in (left, right - 1))
    top, bottom = (int(min(max(round(y), 0), height - 1)) for y in (top, bottom - 1))
    return left, top, max(left, right), max(top, bottom)


def _common(first: _Rectangle, second: _Rectangle) -> int:
    across = min(first[2], second[2]) - max(first[0], second[0])
    down = min(first[3], second[3]) - max(first[1], second[1])
    return max(across, 0) * max(down, 0)
