"""The course's YOLO as a head: a grid of cells with anchors, learned by squared errors."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import flax.linen as nn
import jax.numpy as jnp

from likeness.research.checks import check_count
from likeness.research.detectors.heads import Objects, strides_of
from likeness.research.detectors.protocol import Candidates
from likeness.research.encoders.detection_heads import PlaceHead
from likeness.research.geometry.anchors import AnchorGrid
from likeness.research.geometry.midpoint_cells import MidpointCell
from likeness.research.geometry.placement import Size
from likeness.research.losses.detection.yolo_course import CourseYoloLoss
from likeness.research.types import Array, Float, Scalar

__all__ = ["CourseYoloHead", "HasCells"]


@runtime_checkable
class HasCells(Protocol):
    """A head with a grid, in which one cell with one of its anchors answers for an object."""

    def cells(self, strides: Sequence[int]) -> MidpointCell:
        """Says which.

        Args:
            strides: pixels between the places of each map that the head reads.
        """
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class CourseYoloHead:
    """The course's YOLO: each cell says for each anchor ``[p_c, b_x, b_y, b_h, b_w, c_1 … c_K]``, learned by squared errors.

    The cost is that of :class:`~likeness.research.losses.CourseYoloLoss`. A candidate is a cell with an anchor and the class
    of the largest number c, and its score is p_c times that number, both cut off at 0 and 1.
    """

    map: str = "pyramid8"
    """The encoder's activation that is read, a grid of cells."""
    anchors: tuple[tuple[float, float], ...] = ((14.0, 14.0), (24.0, 14.0), (14.0, 24.0), (24.0, 24.0))
    """Width and height of each anchor in pixels."""
    width: int = 96
    """Channels of the tower."""
    depth: int = 1
    """3×3 convolutions of the tower."""
    object_weight: float = 1.0
    """Of p_c where there is an object; 1 everywhere is the course's formula."""
    background_weight: float = 1.0
    """Of p_c where there is none."""
    box_weight: float = 1.0
    """Of the box."""
    class_weight: float = 1.0
    """Of the classes."""

    def __post_init__(self) -> None:
        check_count("CourseYoloHead", "width", self.width)
        self._loss(1, 1)

    @property
    def maps(self) -> tuple[str, ...]:
        """The one map."""
        return (self.map,)

    def network(self, classes: int) -> nn.Module:
        """One tower."""
        # An average shape in the middle of the cell, of no class in particular, and most likely nothing.
        own = (0.05, 0.5, 0.5, 2.0, 2.0, *[1 / classes] * classes)
        biases = (own * len(self.anchors),)
        return PlaceHead(groups=(len(biases[0]),), biases=biases, width=self.width, depth=self.depth)

    def cost(self, said: Sequence[Array], size: Size, objects: Objects) -> tuple[Scalar, Mapping[str, Scalar]]:
        """What a batch costs, with the parts of it."""
        loss, truth = self._of(said, size), (objects.boxes, objects.classes, objects.mask)
        return loss.value_and_diagnostics(self._outputs(said), *truth, objects.ignored)

    def candidates(self, said: Sequence[Array], size: Size) -> Candidates:
        """One for each cell and anchor."""
        outputs = self._outputs(said)
        boxes = self._of(said, size).boxes(outputs)
        flat = outputs.reshape(*boxes.shape[:2], -1)
        highest = jnp.max(flat[..., 5:], axis=-1)
        scores = jnp.clip(flat[..., 0], 0, 1) * jnp.clip(highest, 0, 1)
        return Candidates(boxes, scores, jnp.argmax(flat[..., 5:], axis=-1).astype(jnp.int32))

    def cells(self, strides: Sequence[int]) -> MidpointCell:
        """Which cell and which anchor answers for an object."""
        (stride,) = strides
        loss = self._loss(stride, 1)
        return MidpointCell(levels=(loss.anchors,), precedence=loss.precedence, collision=loss.collision)

    def _outputs(self, said: Sequence[Array]) -> Float[Array, "b rows columns a n"]:
        (only,) = said
        return only.reshape(*only.shape[:3], len(self.anchors), -1)

    def _of(self, said: Sequence[Array], size: Size) -> CourseYoloLoss:
        (stride,) = strides_of("CourseYoloHead", said, size)
        return self._loss(stride, self._outputs(said).shape[-1] - 5)

    def _loss(self, stride: int, classes: int) -> CourseYoloLoss:
        return CourseYoloLoss(
            anchors=AnchorGrid(shapes=self.anchors, stride=stride),
            classes=classes,
            object_weight=self.object_weight,
            background_weight=self.background_weight,
            box_weight=self.box_weight,
            class_weight=self.class_weight,
        )
