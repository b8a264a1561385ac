"""What a unit sees of signals and of volumes, as images."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from likeness.experiments.display.figures import BLUE, INK, ORANGE, PALE
from likeness.research.data import to_unit
from likeness.research.geometry import ReceptiveField
from likeness.research.types import Float, Int

__all__ = ["around", "signals", "volumes"]

Pixels = Float[np.ndarray, "h w 3"]
_SIGNAL, _SAMPLES, _FINER = (150, 64), 96, 3
_SLICE, _VOXELS = 56, 16


def around(field: ReceptiveField, place: int, side: int, least: int) -> tuple[int, int]:
    """A window that holds what a unit sees, with at least so many samples where there are so many, moved to lie inside."""
    start, stop = field.window(place)
    wide = min(side, max(field.size, least))
    first = (start + stop - wide) // 2
    first = min(max(first, 0), side - wide)
    return first, first + wide


def signals(
    examples: Sequence[Float[np.ndarray, "t c"]],
    backs: Sequence[Float[np.ndarray, "t c"]],
    places: Int[np.ndarray, "n axes"],
    field: ReceptiveField,
    columns: int,
) -> Pixels:
    """Each signal around its patch: what the unit sees is shaded, and below is what of it excites the unit.

    All of a unit have one scale for the signals and one for what was projected back, whose zero is a line. Several channels are
    drawn above each other.
    """
    windows = [around(field, int(place[0]), len(one), _SAMPLES) for one, place in zip(examples, places, strict=True)]
    shown = [one[start:stop] for one, (start, stop) in zip(examples, windows, strict=True)]
    low, high = min(one.min() for one in shown), max(one.max() for one in shown)
    largest = max(np.abs(back).max() for back in backs) or 1.0
    tiles = []
    for one, back, place, (start, stop) in zip(shown, backs, places, windows, strict=True):
        width, height = (_FINER * side for side in _SIGNAL)
        drawn = Image.new("RGB", (width, height), "white")
        pen = ImageDraw.Draw(drawn)

        def across(sample: float, start: int = start, stop: int = stop, width: int = width) -> float:
            return (sample - start) / max(1, stop - 1 - start) * (width - 1)

        first, last = field.window(int(place[0]))
        pen.rectangle((across(first - 0.5), 0, across(last - 0.5), height), fill="#DCE9F7")
        pen.line((0, 0.8 * height, width, 0.8 * height), fill=PALE, width=_FINER)
        for channel in range(one.shape[-1]):
            up = 0.58 * height * (1 - (one[:, channel] - low) / max(high - low, 1e-9)) + 0.03 * height
            dots = [(across(start + index), float(at)) for index, at in enumerate(up)]
            pen.line(dots, fill=PALE if channel else "#8A8A8A", width=_FINER)
            seen = [dot for index, dot in enumerate(dots) if first <= start + index < last]
            if len(seen) > 1:
                pen.line(seen, fill=BLUE if channel else INK, width=2 * _FINER)
            reach = back[start:stop, channel] / largest
            inside = [(across(start + index), height * (0.8 - 0.18 * float(at))) for index, at in enumerate(reach)]
            pen.line(
                [dot for index, dot in enumerate(inside) if first - 1 <= start + index <= last], fill=ORANGE, width=2 * _FINER
            )
        small = drawn.resize(_SIGNAL, Image.Resampling.LANCZOS)
        tiles.append(to_unit(np.asarray(small)))
    return _tiled(tiles, columns)


def volumes(
    examples: Sequence[Float[np.ndarray, "d h w c"]],
    backs: Sequence[Float[np.ndarray, "d h w c"]],
    places: Int[np.ndarray, "n axes"],
    field: ReceptiveField,
    columns: int,
) -> Pixels:
    """Each volume around its patch, which is framed, cut across each axis where most of what excites the unit lies.

    Below each slice is what of it excites the unit: red where to be brighter would excite it more, blue where to be darker.
    """
    tiles = []
    for one, back, place in zip(examples, backs, places, strict=True):
        windows = [around(field, int(at), side, _VOXELS) for at, side in zip(place, one.shape, strict=False)]
        fields = [field.window(int(at)) for at in place]
        gray, signed = one.mean(axis=-1), back.sum(axis=-1)
        largest = np.abs(signed).max() or 1.0
        through = [int(np.argmax(np.abs(signed).sum(axis=tuple(a for a in range(3) if a != axis)))) for axis in range(3)]
        pairs = []
        for axis in range(3):
            others = [other for other in range(3) if other != axis]
            cutout = [slice(*windows[other]) for other in others]
            above = np.take(gray, through[axis], axis=axis)[*cutout]
            below = np.take(signed, through[axis], axis=axis)[*cutout] / largest
            frame = [
                (start - windows[other][0], stop - windows[other][0]) for other in others for start, stop in [fields[other]]
            ]
            colors = np.stack([1 + np.minimum(below, 0), 1 - np.abs(below), 1 - np.maximum(below, 0)], axis=-1)
            pairs.append((_framed(np.repeat(above[..., None], 3, axis=-1), frame), _framed(colors, frame)))
        rows = [_beside([pair[which] for pair in pairs], 2) for which in (0, 1)]
        tiles.append(np.concatenate([rows[0], np.ones((2, rows[0].shape[1], 3), np.float32), rows[1]]))
    return _tiled(tiles, columns, gap=10)


def _framed(pixels: Pixels, frame: Sequence[tuple[int, int]]) -> Pixels:
    """Enlarged voxel by voxel, with a frame around what lies between the given rows and columns."""
    times = max(1, _SLICE // max(pixels.shape[:2]))
    whole = Image.fromarray(np.uint8(np.round(255 * np.clip(pixels, 0, 1))))
    whole = whole.resize((whole.width * times, whole.height * times), Image.Resampling.NEAREST)
    (top, bottom), (left, right) = [
        (max(0, a) * times, min(b, side) * times - 1) for (a, b), side in zip(frame, pixels.shape, strict=False)
    ]
    ImageDraw.Draw(whole).rectangle((left, top, right, bottom), outline=ORANGE)
    return to_unit(np.asarray(whole))


def _beside(images: Sequence[Pixels], gap: int) -> Pixels:
    height = max(image.shape[0] for image in images)
    whole = np.ones((height, sum(image.shape[1] + gap for image in images) - gap, 3), np.float32)
    left = 0
    for image in images:
        whole[: image.shape[0], left : left + image.shape[1]] = image
        left += image.shape[1] + gap
    return whole


def _tiled(tiles: Sequence[Pixels], columns: int, gap: int = 4) -> Pixels:
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    whole = np.ones((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), np.float32)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        whole[row * (height + gap) :, column * (width + gap) :][:height, :width] = tile
    return whole
