"""Anchor boxes: shapes that stand on every place of a feature map, and how well they can fit what there is to find.

A shape is (width, height) in pixels of the image. In pixels it means the same on every map: the stride says where anchors
stand, not how large they are.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from likeness.research.checks import check_array, check_choice, check_count, check_finite_positive
from likeness.research.geometry.boxes import checked_boxes
from likeness.research.geometry.iou import pairwise
from likeness.research.types import AnyArray, Float, Shaped

AnchorCenter: TypeAlias = Literal["middle", "corner"]
"""Where in its cell the center of an anchor is. ``middle``: at ((j + ½) s, (i + ½) s) for column j and row i. ``corner``: at
(j s, i s), as torchvision and the first Detectron have it."""

_CHUNK = 1 << 22
"""Pairs of boxes that are compared at once."""

__all__ = ["AnchorCenter", "AnchorGrid", "AnchorPyramid", "best_possible_recall"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnchorGrid:
    """The same shapes on every cell of a grid, centered in it. Nothing is rounded, so every anchor has its own area.

    Example:
        >>> grid = AnchorGrid(shapes=((8.0, 16.0),), stride=8)
        >>> print(grid(1, 2)[0, :, 0])
        [[ 0. -4.  8. 12.]
         [ 8. -4. 16. 12.]]
    """

    shapes: tuple[tuple[float | int, float | int], ...]
    """Width and height of each anchor of a cell, in pixels of the image."""

    stride: int
    """s, the side of a cell in pixels: the total stride of the layer."""

    center: AnchorCenter = "middle"
    """Where in its cell the center of an anchor is."""

    def __post_init__(self) -> None:
        check_count("AnchorGrid", "stride", self.stride)
        check_choice("AnchorGrid", "center", self.center, AnchorCenter)
        if not self.shapes:
            raise ValueError("AnchorGrid.shapes is empty: give at least one (width, height), such as ((16.0, 16.0),).")
        for shape in self.shapes:
            if len(shape) != 2:
                raise ValueError(f"AnchorGrid.shapes has {shape!r}: a shape is (width, height) in pixels.")
            for side in shape:
                check_finite_positive("AnchorGrid", "shapes", side)

    @classmethod
    def from_ratios(
        cls, sizes: Sequence[float | int], aspect_ratios: Sequence[float | int], stride: int, center: AnchorCenter = "middle"
    ) -> "AnchorGrid":
        """Each size in each aspect ratio: size a and ratio r are a / √r wide and a √r high, so of area a² in every ratio.

        Args:
            sizes: √area in pixels.
            aspect_ratios: height over width.
            stride: of the layer.
            center: where in its cell the center of an anchor is.

        Example:
            >>> [(round(w), round(h)) for w, h in AnchorGrid.from_ratios([32], [0.25, 1, 4], stride=8).shapes]
            [(64, 16), (32, 32), (16, 64)]
        """
        for name, values in (("sizes", sizes), ("aspect_ratios", aspect_ratios)):
            for value in values:
                check_finite_positive("AnchorGrid.from_ratios", name, value)
        shapes = tuple((float(a / math.sqrt(r)), float(a * math.sqrt(r))) for a in sizes for r in aspect_ratios)
        return cls(shapes=shapes, stride=stride, center=center)

    def __call__(self, rows: int, columns: int) -> Float[np.ndarray, "rows columns a 4"]:
        """The anchors of a map, ``xyxy``, float32; those at the border reach beyond the image.

        Args:
            rows: of the map.
            columns: of the map.
        """
        offset = 0.5 if self.center == "middle" else 0.0
        y, x = np.meshgrid((np.arange(rows) + offset) * self.stride, (np.arange(columns) + offset) * self.stride, indexing="ij")
        center = np.stack([x, y], axis=-1)[:, :, None]
        half = np.asarray(self.shapes, np.float64) / 2
        return np.concatenate([center - half, center + half], axis=-1).astype(np.float32)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnchorPyramid:
    """A grid of anchors for each of several maps, the first for the first map."""

    levels: tuple[AnchorGrid, ...]

    def __post_init__(self) -> None:
        if not self.levels:
            raise ValueError("AnchorPyramid.levels is empty: give a grid of anchors for each map.")

    @classmethod
    def from_ratios(
        cls,
        sizes: Sequence[Sequence[float | int]],
        aspect_ratios: Sequence[float | int],
        strides: Sequence[int],
        center: AnchorCenter = "middle",
    ) -> "AnchorPyramid":
        """Sizes and strides go level by level, and within a level each size has each aspect ratio.

        Args:
            sizes: for each level, its sizes in pixels.
            aspect_ratios: height over width, on every level.
            strides: of each level.
            center: where in its cell the center of an anchor is.

        Raises:
            ValueError: not as many levels of sizes as strides.
        """
        if len(sizes) != len(strides):
            raise ValueError(
                f"AnchorPyramid: there are sizes for {len(sizes)} levels and strides for {len(strides)}. Give for each level a "
                "list of its sizes and one stride."
            )
        return cls(
            levels=tuple(
                AnchorGrid.from_ratios(own, aspect_ratios, stride, center) for own, stride in zip(sizes, strides, strict=True)
            )
        )

    def __call__(self, maps: Sequence[tuple[int, int]]) -> Float[np.ndarray, "n 4"]:
        """All anchors in one array, level by level, row by row, cell by cell, shape by shape.

        Args:
            maps: rows and columns of each level's map.

        Raises:
            ValueError: not as many maps as levels.
        """
        if len(maps) != len(self.levels):
            raise ValueError(f"AnchorPyramid: there are {len(self.levels)} levels of anchors and {len(maps)} maps.")
        return np.concatenate([grid(*size).reshape(-1, 4) for grid, size in zip(self.levels, maps, strict=True)])


def best_possible_recall(boxes: Shaped[AnyArray, "..."], anchors: Shaped[AnyArray, "..."], iou_threshold: float = 0.5) -> float:
    """The share of boxes that some anchor overlaps with an IoU of at least a threshold.

    A matcher with this threshold can learn no others, unless it allows low-quality matches.

    Args:
        boxes: (n, 4), of an image or of many of one size.
        anchors: (m, 4), as a grid or a pyramid makes them, in any shape (…, 4).
        iou_threshold: from 0 to 1.

    Returns:
        From 0 to 1; 1 where there are no boxes.

    Raises:
        ValueError: no numbers of such shapes.
    """
    given = np.asarray(checked_boxes("best_possible_recall", "boxes", np.asarray(boxes)))
    check_array("best_possible_recall", "boxes", given, ("n", 4))
    against = np.asarray(checked_boxes("best_possible_recall", "anchors", np.asarray(anchors))).reshape(-1, 4)
    if not 0.0 <= iou_threshold <= 1.0:
        raise ValueError(f"best_possible_recall(iou_threshold={iou_threshold}): an IoU lies from 0 to 1.")
    if not len(given) or not len(against):
        return float(not len(given))
    step = max(1, _CHUNK // len(against))
    found = [
        (np.asarray(pairwise(given[start : start + step], against)).max(axis=1) >= iou_threshold).sum()
        for start in range(0, len(given), step)
    ]
    return float(sum(found) / len(given))
