"""Brush strokes laid one over the other: each an arc of paint with bristles, two tones and a relief that catches light."""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from likeness.research.types import Float, Int

_PIXELS = 1 << 14
"""Pixels computed together: enough to hide what a call of NumPy costs, few enough for the cache."""
_BRISTLES = (128, 1024)
"""Across and along the map of bristles, in hairs; powers of two."""
_HAIR = 0.0026
"""Thickness of a bristle in units of the image's shorter side."""


@dataclasses.dataclass(frozen=True)
class Strokes:
    """Columns of numbers, one row a stroke, in the order they are laid; lengths in pixels, y points down."""

    x: Float[np.ndarray, "n"]
    y: Float[np.ndarray, "n"]
    angle: Float[np.ndarray, "n"]
    """Direction at the middle, in radians."""
    curvature: Float[np.ndarray, "n"]
    """1 / radius of the arc."""
    length: Float[np.ndarray, "n"]
    """Half of it."""
    width: Float[np.ndarray, "n"]
    """Half of it."""
    dryness: Float[np.ndarray, "n"]
    """0 covers evenly, 1 lets the bristles leave gaps all along."""
    color: Float[np.ndarray, "n 3"]
    streak: Float[np.ndarray, "n 3"]
    """The second color on the brush: it shows between the bristles."""


def join(parts: Sequence[Strokes], order: Int[np.ndarray, "n"] | None = None) -> Strokes:
    """Strokes one after the other, or in the order given."""
    columns = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in dataclasses.fields(Strokes)
    }
    return Strokes(**({name: column[order] for name, column in columns.items()} if order is not None else columns))


@dataclasses.dataclass(frozen=True)
class PaintCanvas:
    """An image under the brush: RGB and the height of the paint, in pixels."""

    planes: Float[np.ndarray, "h w 4"]
    bristles: Float[np.ndarray, "128 1024"]
    rng: np.random.Generator

    @classmethod
    def prime(cls, ground: Float[np.ndarray, "h w 3"], rng: np.random.Generator) -> "PaintCanvas":
        """A canvas with a first coat of paint."""
        planes = np.zeros((*ground.shape[:2], 4), np.float32)
        planes[..., :3] = ground
        tracks = ndimage.gaussian_filter(rng.standard_normal(_BRISTLES), (0.8, 14.0), mode="wrap")
        return cls(planes, (0.5 + 0.5 * np.tanh(0.9 * tracks / tracks.std())).astype(np.float32), rng)

    def paint(self, strokes: Strokes) -> None:
        """Lays the strokes one over the other."""
        # A bound on the pixels under each: those of the turned box around its arc.
        sagitta = 0.5 * np.abs(strokes.curvature) * strokes.length**2
        pixels = 4.0 * (strokes.length + 1.0) * (strokes.width + 1.0 + 0.5 * sagitta)
        batch = (np.cumsum(pixels) // _PIXELS).astype(int)
        bounds = np.flatnonzero(np.diff(batch, prepend=-1, append=-1))
        offsets = self.rng.integers(0, _BRISTLES[1], (2, len(pixels)), dtype=np.int32)
        for start, stop in itertools.pairwise(bounds):
            self._lay(join([strokes], np.arange(start, stop)), offsets[:, start:stop])

    def _lay(self, strokes: Strokes, offsets: Int[np.ndarray, "2 n"]) -> None:
        stroke, dx, dy, pixel = self._under(strokes)

        def each(column: np.ndarray) -> np.ndarray:
            return column.astype(np.float32)[stroke]

        cos, sin = each(np.cos(strokes.angle)), each(np.sin(strokes.angle))
        bend, length, breadth = each(strokes.curvature), each(strokes.length), each(strokes.width)
        along, across = cos * dx + sin * dy, cos * dy - sin * dx
        # Distance from the arc and length along it, stable where the arc is a line.
        square = along * along + across * across
        flat = 1.0 - bend * across
        v = (2.0 * across - bend * square) / (1.0 + np.sqrt(np.maximum(2.0 * flat - 1.0 + bend * bend * square, 0.0)))
        u = along / np.maximum(flat, 0.1)
        u /= np.sqrt(1.0 + 0.4 * (bend * u) ** 2)

        hair = np.float32(_HAIR * min(self.planes.shape[:2]))
        track = (v / hair + 1024.5).astype(np.int32) + offsets[0, stroke]
        travel = (u / hair + 8192.0).astype(np.int32) + offsets[1, stroke]
        # Hairs thinner than a pixel are seen as their mean.
        contrast = np.minimum(hair, np.float32(1.0))
        rows, columns = _BRISTLES[0] - 1, _BRISTLES[1] - 1
        bristle = 0.5 + contrast * (self.bristles[track & rows, travel & columns] - 0.5)
        tone = 0.5 + contrast * (self.bristles[(track + 61) & rows, (travel >> 1) & columns] - 0.5)

        s = u / length
        taper = breadth * (1.0 - 0.55 * (s * s) ** 2)
        edge = np.clip(taper * (0.92 + 0.12 * bristle) - np.abs(v) + 0.5, 0.0, 1.0)
        end = np.clip((length - np.abs(u)) / (0.25 * breadth + 0.5) + 1.2 * (bristle - 0.5), 0.0, 1.0)
        # The brush runs dry toward its end.
        gap = np.clip((bristle - each(strokes.dryness) * (0.5 + 0.4 * s)) * 3.0 + 1.0, 0.0, 1.0)
        alpha = (edge * end * gap)[:, None]

        source = np.empty((len(stroke), 4), np.float32)
        source[:, :3] = each(strokes.color) + each(strokes.streak - strokes.color) * tone[:, None]
        ridge = np.maximum(1.0 - 4.0 * np.abs(1.0 - np.abs(v / breadth)), 0.0)
        source[:, 3] = 0.3 * breadth * (0.25 + 0.75 * bristle + 0.35 * ridge)
        canvas = self.planes.reshape(-1, 4)
        bounds = np.searchsorted(stroke, np.arange(len(strokes.x) + 1))
        for start, stop in itertools.pairwise(bounds):
            under = pixel[start:stop]
            below = canvas[under]
            canvas[under] = below + alpha[start:stop] * (source[start:stop] - below)

    def _under(self, strokes: Strokes) -> tuple[np.ndarray, ...]:
        """The pixels in the turned box around each stroke's arc.

        Returns:
            For each pixel, ordered by stroke: the stroke's row, the offset from its middle in x and in y, the place on
            the canvas.
        """
        height, width = self.planes.shape[:2]
        cos, sin = np.cos(strokes.angle), np.sin(strokes.angle)
        sagitta = 0.5 * strokes.curvature * strokes.length**2
        low, high = np.minimum(sagitta, 0.0) - strokes.width - 1.0, np.maximum(sagitta, 0.0) + strokes.width + 1.0
        reach = strokes.length + 1.0
        extent = np.abs(sin) * reach + np.abs(cos) * np.maximum(-low, high)
        top = np.clip(np.floor(strokes.y - extent), 0, height).astype(int)
        bottom = np.clip(np.ceil(strokes.y + extent), 0, height).astype(int)
        line, owner = _runs(top, np.maximum(bottom - top, 0))
        # In one line of pixels the box is what two intervals share: one between its sides and one between its ends.
        x, dy = strokes.x[owner], line + 0.5 - strokes.y[owner]
        cos, sin = (np.where(np.abs(v) < 1e-4, 1e-4, v)[owner] for v in (cos, sin))
        sides = np.sort(np.stack([(cos * dy - low[owner]) / sin, (cos * dy - high[owner]) / sin]), 0)
        ends = np.sort(np.stack([(reach[owner] - sin * dy) / cos, (-reach[owner] - sin * dy) / cos]), 0)
        left = np.clip(np.ceil(np.maximum(sides[0], ends[0]) + x - 0.5), 0, width).astype(int)
        right = np.clip(np.floor(np.minimum(sides[1], ends[1]) + x + 0.5), 0, width).astype(int)
        column, run = _runs(left, np.maximum(right - left, 0))
        dx = column + 0.5 - x[run]
        return owner[run], dx.astype(np.float32), dy[run].astype(np.float32), line[run] * width + column

    def lit(self, strength: float) -> Float[np.ndarray, "h w 3"]:
        """The dry image under light from the upper left, float32 in [0, 1]; at strength 0 the paint is flat."""
        dy, dx = np.gradient(ndimage.gaussian_filter(self.planes[..., 3], 0.5))
        slope = 0.6 * dx + 0.8 * dy
        shade = strength * slope / np.sqrt(1.0 + slope * slope)
        image = self.planes[..., :3] * (1.0 + np.minimum(shade, 0.0))[..., None] * (1.0 + shade)[..., None]
        gloss = 0.6 * np.maximum(shade - 0.35 * strength, 0.0)[..., None]
        return np.clip(image + gloss * (1.0 - image), 0.0, 1.0).astype(np.float32)


def _runs(start: Int[np.ndarray, "n"], count: Int[np.ndarray, "n"]) -> tuple[np.ndarray, np.ndarray]:
    """The numbers ``start[i] … start[i] + count[i] - 1`` of all rows one after the other, and the row of each."""
    row = np.repeat(np.arange(len(count)), count)
    return np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + start[row], row
