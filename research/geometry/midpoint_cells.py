"""YOLO's matching: the cell that holds an object's midpoint answers for it, with the anchor that is most like its shape."""

import dataclasses
from collections.abc import Sequence
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.checks import check_choice
from likeness.research.geometry.anchors import AnchorGrid
from likeness.research.geometry.boxes import centers, sizes
from likeness.research.geometry.matching import Assignment, as_truth, assignment_of, nothing_assigned
from likeness.research.types import AnyArray, Array, Bool, Float, Int, Shaped

CellPrecedence: TypeAlias = Literal["first", "largest", "smallest"]
"""Which of several objects that want one anchor of one cell has it: the first in the list, or the one of the largest or
smallest area, of equal ones the first."""

CellCollision: TypeAlias = Literal["drop", "next_anchor"]
"""What becomes of the others: nothing answers for them, or the anchor of the same cell that fits best of those still free."""

__all__ = ["CellCollision", "CellPrecedence", "MidpointCell"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MidpointCell:
    """Each object belongs to one cell, that of its midpoint, and there to the anchor of the highest IoU with its shape.

    The IoU is that of shapes with one center. Where there are several levels, the anchors of all are compared, and the best one
    says on which level the cell is. Of equal anchors the first has it.

    - A cell owns its left and upper border. The image's right and lower border, a midpoint at exactly 1, belong to the last
      cell. A midpoint outside of the image belongs to none.
    - Two objects in one cell of different shapes have an anchor each. Two that want the same anchor collide, and ``precedence``
      and ``collision`` say what happens. Objects without a place are ``missed``, so that they can be counted.

    Redmon et al., "You only look once", CVPR 2016, has one anchor, and Redmon and Farhadi, "YOLO9000", CVPR 2017, several.

    Example:
        >>> import jax.numpy as jnp
        >>> cells = MidpointCell(levels=(AnchorGrid(shapes=((10.0, 30.0), (30.0, 10.0)), stride=30),))
        >>> boxes = jnp.array([[40.0, 30.0, 50.0, 60.0], [30.0, 40.0, 60.0, 50.0]])
        >>> found = cells([(3, 3)], boxes, jnp.array([True, True]))
        >>> print(found.truth.reshape(3, 3, 2)[1, 1], found.foreground.sum())
        [0 1] 2
    """

    levels: tuple[AnchorGrid, ...]
    """The anchors of each map, in pixels."""

    precedence: CellPrecedence = "first"
    """Who has an anchor that several objects want."""

    collision: CellCollision = "drop"
    """What becomes of the others."""

    def __post_init__(self) -> None:
        check_choice("MidpointCell", "precedence", self.precedence, CellPrecedence)
        check_choice("MidpointCell", "collision", self.collision, CellCollision)
        if not self.levels:
            raise ValueError("MidpointCell.levels is empty: give the anchors of at least one map.")
        if any(level.center != "middle" for level in self.levels):
            raise ValueError('MidpointCell: anchors lie in their cell, so give AnchorGrid(center="middle").')

    def __call__(
        self, maps: Sequence[tuple[int, int]], boxes: Shaped[AnyArray, "..."], mask: Shaped[AnyArray, "..."]
    ) -> Assignment:
        """The truth of one image, place by place.

        Args:
            maps: rows and columns of each level; the image is as many strides high and wide.
            boxes: (m, 4), the objects, ``xyxy`` in pixels.
            mask: (m,), which rows are objects; what the others hold does not matter.

        Returns:
            For the places of all levels, row by row, cell by cell, anchor by anchor, as
            :class:`~likeness.research.geometry.anchors.AnchorPyramid` lists them. The quality is the IoU of the shapes.

        Raises:
            ValueError: not as many maps as levels; another shape or dtype; a box without area in a NumPy array.
        """
        if len(maps) != len(self.levels):
            raise ValueError(f"MidpointCell: there are {len(self.levels)} levels of anchors and {len(maps)} maps.")
        boxes, valid, mask = as_truth("MidpointCell", boxes, mask)
        count = sum(rows * columns * len(level.shapes) for (rows, columns), level in zip(maps, self.levels, strict=True))
        if not len(boxes) or not count:
            return nothing_assigned(count, mask)
        place, fit = self._places(maps, boxes, valid, count)
        order = self._order(boxes)
        if self.collision == "next_anchor":
            level = np.repeat(np.arange(len(maps)), [len(level.shapes) for level in self.levels])
            # The others of its cell are on the level of the best one.
            here = level == jnp.asarray(level)[jnp.argmax(fit, axis=1)][:, None]
            owner, own = _in_turn(jnp.where(here, place, count), fit, order, count)
        else:
            best = jnp.argmax(fit, axis=1)
            wanted = jnp.take_along_axis(place, best[:, None], axis=1)[:, 0]
            # The rank of whoever has the place; one that counts for nobody is beyond them all.
            ranks = jnp.argsort(order)
            rows = mask.shape[0]
            leader = jnp.full(count + 1, rows, jnp.int32).at[wanted].min(ranks.astype(jnp.int32), mode="drop")
            own = jnp.where((wanted < count) & (leader[wanted] == ranks), wanted, count)
            owner = _scatter(own, jnp.arange(rows, dtype=jnp.int32), count, -1)
        foreground = owner >= 0
        truth = jnp.maximum(owner, 0)
        shape = jnp.max(jnp.where(place == own[:, None], fit, 0.0), axis=1)
        return assignment_of(foreground, truth, _scatter(own, shape, count, 0.0), mask)

    def _places(
        self, maps: Sequence[tuple[int, int]], boxes: Float[Array, "m 4"], valid: Bool[Array, "m"], count: int
    ) -> tuple[Int[Array, "m a"], Float[Array, "m a"]]:
        """For each object and each anchor of all levels: where it would stand, ``count`` if nowhere, and how well it fits."""
        middle, size = centers(boxes), jnp.maximum(sizes(boxes), 0.0)
        places, start = [], 0
        for (rows, columns), level in zip(maps, self.levels, strict=True):
            cell = jnp.floor(middle / level.stride)
            # XLA may multiply by the rounded inverse, and a midpoint on a border be on the wrong side of it.
            cell = cell + (middle >= (cell + 1) * level.stride) - (middle < cell * level.stride)
            last = jnp.array([columns - 1, rows - 1], jnp.float32)
            inside = jnp.all((middle >= 0) & (middle <= (last + 1) * level.stride), axis=1)
            column, row = jnp.moveaxis(jnp.clip(cell, 0, last).astype(jnp.int32), 1, 0)
            first = start + (row * columns + column) * len(level.shapes)
            own = first[:, None] + jnp.arange(len(level.shapes))
            places.append(jnp.where((inside & valid)[:, None], own, count))
            start += rows * columns * len(level.shapes)
        shapes = jnp.asarray(np.concatenate([np.asarray(level.shapes) for level in self.levels]), jnp.float32)
        shared = jnp.prod(jnp.minimum(size[:, None], shapes), axis=-1)
        union = jnp.prod(size, axis=-1)[:, None] + jnp.prod(shapes, axis=-1) - shared
        return jnp.concatenate(places, axis=1).astype(jnp.int32), shared / union

    def _order(self, boxes: Float[Array, "m 4"]) -> Int[Array, "m"]:
        """The rows in the order in which they choose."""
        area = jnp.prod(sizes(boxes), axis=-1)
        match self.precedence:
            case "first":
                return jnp.arange(boxes.shape[0])
            case "largest":
                return jnp.argsort(-area, stable=True)
            case "smallest":
                return jnp.argsort(area, stable=True)


def _in_turn(
    place: Int[Array, "m a"], fit: Float[Array, "m a"], order: Int[Array, "m"], count: int
) -> tuple[Int[Array, "n"], Int[Array, "m"]]:
    """One object after another takes the best place that is still free: who has each place (-1 nobody), and who has which."""

    def choose(i: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        owner, own = state
        row = order[i]
        free = (place[row] < count) & (owner[place[row]] < 0)
        chosen = jnp.argmax(jnp.where(free, fit[row], -1.0))
        at = jnp.where(free[chosen], place[row, chosen], count)
        return owner.at[at].set(row.astype(jnp.int32), mode="drop"), own.at[row].set(at)

    state = jnp.full(count, -1, jnp.int32), jnp.full(place.shape[0], count, jnp.int32)
    return jax.lax.fori_loop(0, place.shape[0], choose, state)


def _scatter(own: Int[Array, "m"], values: Shaped[Array, "m"], count: int, nothing: float | int) -> Shaped[Array, "n"]:
    return jnp.full(count, nothing, values.dtype).at[own].set(values, mode="drop")
