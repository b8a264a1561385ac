"""What there is to paint, a color and a direction at every point, and the strokes that lay it down."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from likeness.research.synthetic.styles.brush import Strokes, join
from likeness.research.synthetic.styles.noise import enlarge
from likeness.research.synthetic.styles.palettes import varied
from likeness.research.types import Float, Int


class Look(NamedTuple):
    """What is seen at points."""

    color: Float[np.ndarray, "n 3"]
    angle: Float[np.ndarray, "n"]
    """The direction that strokes follow, in radians."""
    detail: Float[np.ndarray, "n"]
    """How much shorter than elsewhere strokes are, in (0, 1]."""
    depth: Int[np.ndarray, "n"]
    """What is larger stands in front."""

    def covered(
        self, where: np.ndarray, color: np.ndarray, angle: np.ndarray | float, depth: np.ndarray | int, detail: float = 1.0
    ) -> "Look":
        """The same with something in front of it at some of the points."""
        return Look(
            np.where(where[:, None], color, self.color),
            np.where(where, angle, self.angle),
            np.where(where, detail, self.detail),
            np.where(where, depth, self.depth),
        )


Scene: TypeAlias = Callable[[np.ndarray, np.ndarray], Look]
"""Points in units of the shorter side to what is seen there."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PaintLayer:
    """One pass over the canvas with one brush; lengths in units of the shorter side."""

    length: float
    """Half a stroke's length where the scene bends little."""
    width: float
    """Half a stroke's width."""
    cover: float
    """How many strokes lie over a point, on average."""
    dryness: float
    value: float = 0.0
    """Deviation of the strokes' lightness, as a share."""
    hue: float = 0.0
    """Deviation of their red, green and blue."""
    streak: float = 0.0
    """Deviation of the second color's lightness from the first's, as a share."""
    wander: float = 0.0
    """Deviation of their direction, in radians."""

    def __call__(self, scene: Scene, size: tuple[int, int], rng: np.random.Generator) -> tuple[Strokes, Int[np.ndarray, "n"]]:
        """The strokes in random order, and the depth of what each shows."""
        unit = min(size)
        x, y = _scattered(size, np.sqrt(4.0 * self.length * self.width / self.cover), rng)
        look = scene(x, y)
        step = 0.25 * self.length
        ahead = scene(x + step * np.cos(look.angle), y + step * np.sin(look.angle))
        # A stroke and its reverse are one direction, and what stands behind bends nothing.
        turn = (ahead.angle - look.angle + 0.5 * np.pi) % np.pi - 0.5 * np.pi
        bend = np.where(ahead.depth == look.depth, turn / step, 0.0)
        length = self.length * rng.uniform(0.7, 1.3, len(x)) * look.detail
        # No stroke runs around more than a third of its circle.
        length = np.maximum(np.minimum(length, 0.9 / np.maximum(np.abs(bend), 1e-6)), 1.3 * self.width)
        bend = np.clip(bend, -0.9 / length, 0.9 / length)
        color = varied(look.color, rng, self.value, self.hue)
        strokes = Strokes(
            x=x * unit,
            y=y * unit,
            angle=look.angle + self.wander * rng.standard_normal(len(x)),
            curvature=bend / unit,
            length=length * unit,
            width=self.width * unit * rng.uniform(0.75, 1.25, len(x)) * np.sqrt(look.detail),
            dryness=np.full(len(x), self.dryness),
            color=color,
            streak=varied(color, rng, self.streak, 0.5 * self.hue),
        )
        return strokes, look.depth


def back_to_front(layers: Sequence[tuple[Strokes, np.ndarray]]) -> Strokes:
    """All strokes, what is far before what is near, and at each depth the first layer first."""
    depth = np.concatenate([depth for _, depth in layers])
    return join([strokes for strokes, _ in layers], np.argsort(depth, kind="stable"))


def underpainting(scene: Scene, size: tuple[int, int]) -> Float[np.ndarray, "h w 3"]:
    """The scene's colors, coarsely: what shows where no stroke falls."""
    unit = min(size)
    rows, columns = (round(min(48, unit) * side / unit) for side in size)
    x, y = np.meshgrid((np.arange(columns) + 0.5) / columns * size[1] / unit, (np.arange(rows) + 0.5) / rows * size[0] / unit)
    color = scene(x.ravel(), y.ravel()).color.reshape(rows, columns, 3)
    return np.stack([enlarge(color[..., c], size) for c in range(3)], -1)


def _scattered(size: tuple[int, int], spacing: float, rng: np.random.Generator) -> np.ndarray:
    """x and y of a jittered grid over the image and a margin, in random order."""
    columns, rows = (int(np.ceil(side / min(size) / spacing)) + 2 for side in (size[1], size[0]))
    cell = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1).reshape(-1, 2)
    points = (cell + rng.uniform(0.0, 1.0, cell.shape) - 1.0) * spacing
    return points[rng.permutation(len(points))].T
