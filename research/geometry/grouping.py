"""Regions of a segmentation that are joined two by two until one is left: a hierarchy of what may be objects."""

import dataclasses
import heapq
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float, Int, Shaped

from likeness.research.checks import check_array, check_choice, check_count
from likeness.research.geometry.segmentation import neighbors, smoothed

RegionTerm: TypeAlias = Literal["color", "texture", "size", "fill"]
"""What makes two regions alike."""

_ANGLES = 8
"""Directions in which an image's slope is measured."""

__all__ = ["Grouping", "HierarchicalGrouping", "RegionTerm"]


class Grouping(NamedTuple):
    """The regions of a hierarchy, those of the segmentation first and then each in the order in which two became it."""

    boxes: Float[np.ndarray, "n 4"]
    """``xyxy`` in pixels: the least box that holds all of a region."""
    sizes: Int[np.ndarray, "n"]
    """Pixels of each."""
    parents: Int[np.ndarray, "n"]
    """The region that each becomes part of; -1 for the last."""
    likeness: Float[np.ndarray, "n"]
    """How much a region is like the one that it is joined with, the sum of what is compared; 0 for the last."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HierarchicalGrouping:
    """Joins the two neighboring regions that are most alike, and again, until one region is left.

    How much two regions A and B are alike is a sum of what is asked for:

    - ``color``: Σ min(h_A, h_B) of their histograms of colors, whose sums are 1;
    - ``texture``: the same of their histograms of slopes in eight directions of each channel;
    - ``size``: 1 - (|A| + |B|) / |image|, so that small regions join early;
    - ``fill``: 1 - (|box of both| - |A| - |B|) / |image|, so that what lies inside of another joins it.

    The histogram of what is joined is the mean of both, weighted by size, so that pixels are counted once. Of equal sums the
    regions with the smaller numbers are joined first.

    Uijlings, van de Sande, Gevers and Smeulders, "Selective search for object recognition", IJCV 2013.

    Example:
        >>> labels = np.array([[0, 0, 1, 1, 2, 2]] * 2)
        >>> image = np.array([[10, 10, 20, 20, 200, 200]] * 2, np.uint8)[..., None]
        >>> HierarchicalGrouping(by=("color",), color_bins=4)(image, labels).parents.tolist()
        [3, 3, 4, 4, -1]
    """

    by: tuple[RegionTerm, ...] = ("color", "texture", "size", "fill")
    """What is compared."""
    color_bins: int = 25
    """Of a channel, from 0 to 255."""
    texture_bins: int = 10
    """Of a channel and a direction, from 0 to the steepest slope of the channel."""

    def __post_init__(self) -> None:
        for each in self.by:
            check_choice("HierarchicalGrouping", "by", each, RegionTerm)
        if not self.by or len(set(self.by)) < len(self.by):
            raise ValueError(f"HierarchicalGrouping.by is {self.by}: name at least one likeness, and none twice.")
        check_count("HierarchicalGrouping", "color_bins", self.color_bins)
        check_count("HierarchicalGrouping", "texture_bins", self.texture_bins)

    def __call__(self, image: Shaped[np.ndarray, "..."], labels: Shaped[np.ndarray, "..."]) -> Grouping:
        """The hierarchy.

        Args:
            image: (h, w, c), from 0 to 255.
            labels: (h, w), the number of each pixel's region, all numbers from 0 on.

        Raises:
            ValueError: another shape, or a number that no pixel has.
        """
        check_array("HierarchicalGrouping", "image", image, ("h", "w", "c"), help="Give one image, channels last.")
        check_array("HierarchicalGrouping", "labels", labels, image.shape[:2], "integers", "Give each pixel's region.")
        if not labels.size or labels.min() != 0 or not np.bincount(labels.ravel()).all():
            raise ValueError("HierarchicalGrouping: regions must be numbered from 0 on, and each must have a pixel.")
        regions = _Regions(self, np.asarray(image, np.float64), labels)
        while regions.queue:
            regions.join_next()
        return Grouping(regions.boxes.astype(np.float32), regions.sizes, regions.parents, regions.likeness)


class _Regions:
    """The regions so far, and the pairs of neighbors that may be joined next."""

    def __init__(self, rule: HierarchicalGrouping, image: Float[np.ndarray, "h w c"], labels: Int[np.ndarray, "h w"]) -> None:
        self.rule, self.pixels, self.count = rule, labels.size, int(labels.max()) + 1
        # Two become one until one is left.
        more = self.count - 1
        self.histograms = np.pad(_histograms(rule, image, labels, self.count), ((0, more), (0, 0)))
        self.sizes = np.pad(np.bincount(labels.ravel()), (0, more))
        self.boxes = np.pad(_boxes(labels, self.count), ((0, more), (0, 0)))
        self.parents, self.likeness = np.full(self.count + more, -1), np.zeros(self.count + more)
        self.near: list[set[int]] = [set() for _ in range(self.count + more)]
        pairs = _touching(labels, self.count)
        for a, b in pairs.tolist():
            self.near[a].add(b)
            self.near[b].add(a)
        self.queue = list(zip((-self._alike(pairs[:, 0], pairs[:, 1])).tolist(), *pairs.T.tolist(), strict=True))
        heapq.heapify(self.queue)

    def join_next(self) -> None:
        """Joins the two that are most alike, or forgets them if one of them has been joined."""
        alike, a, b = heapq.heappop(self.queue)
        if self.parents[a] >= 0 or self.parents[b] >= 0:
            return
        new, both = self.count, [a, b]
        self.count += 1
        self.parents[both], self.likeness[both] = new, -alike
        self.sizes[new] = self.sizes[both].sum()
        self.histograms[new] = self.sizes[both] @ self.histograms[both] / self.sizes[new]
        self.boxes[new, :2], self.boxes[new, 2:] = self.boxes[both, :2].min(axis=0), self.boxes[both, 2:].max(axis=0)
        around = (self.near[a] | self.near[b]) - {a, b}
        self.near[new] = around
        for each in around:
            self.near[each] -= {a, b}
            self.near[each].add(new)
        others = np.array(sorted(around), np.int64)
        for alike, other in zip(self._alike(others, np.full(len(others), new)).tolist(), others.tolist(), strict=True):
            heapq.heappush(self.queue, (-alike, other, new))

    def _alike(self, a: Int[np.ndarray, "m"], b: Int[np.ndarray, "m"]) -> Float[np.ndarray, "m"]:
        # Colors and textures are compared in one array, of those that are asked for.
        found = np.minimum(self.histograms[a], self.histograms[b]).sum(axis=1)
        sizes = self.sizes[a] + self.sizes[b]
        if "size" in self.rule.by:
            found = found + 1 - sizes / self.pixels
        if "fill" in self.rule.by:
            low = np.minimum(self.boxes[a, :2], self.boxes[b, :2])
            high = np.maximum(self.boxes[a, 2:], self.boxes[b, 2:])
            found = found + 1 - ((high - low).prod(axis=1) - sizes) / self.pixels
        return found


def _histograms(
    rule: HierarchicalGrouping, image: Float[np.ndarray, "h w c"], labels: Int[np.ndarray, "h w"], count: int
) -> Float[np.ndarray, "count n"]:
    """Of each region, all histograms that are compared side by side, each kind with the sum 1."""
    flat, parts = labels.ravel().astype(np.int64), []
    channels = [image[..., channel] for channel in range(image.shape[2])]
    sizes = np.bincount(flat, minlength=count)[:, None]
    if "color" in rule.by:
        counted = [_counted(each.ravel() / 256, flat, count, rule.color_bins) for each in channels]
        parts.append(np.concatenate(counted, axis=1) / (len(channels) * sizes))
    if "texture" in rule.by:
        counted = []
        for channel in channels:
            slopes = _slopes(channel)
            steepest = slopes.max() or 1.0
            counted += [_counted(slope / steepest, flat, count, rule.texture_bins) for slope in slopes]
        parts.append(np.concatenate(counted, axis=1) / (len(counted) * sizes))
    return np.concatenate(parts, axis=1) if parts else np.zeros((count, 0))


def _slopes(channel: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "a n"]:
    """How steeply the smoothed channel rises in each of eight directions, 0 where it falls."""
    padded = np.pad(smoothed(channel[..., None], 1.0)[..., 0], 1, mode="edge")
    across, down = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2, (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
    turns = 2 * np.pi * np.arange(_ANGLES)[:, None] / _ANGLES
    return np.maximum(np.cos(turns) * across.ravel() + np.sin(turns) * down.ravel(), 0.0)


def _counted(
    values: Float[np.ndarray, "n"], labels: Int[np.ndarray, "n"], count: int, bins: int
) -> Int[np.ndarray, "count bins"]:
    """Of each region, how many values lie in each part of [0, 1]."""
    place = np.clip((values * bins).astype(np.int64), 0, bins - 1)
    return np.bincount(labels * bins + place, minlength=count * bins).reshape(count, bins)


def _boxes(labels: Int[np.ndarray, "h w"], count: int) -> Float[np.ndarray, "count 4"]:
    y, x = (each.ravel() for each in np.indices(labels.shape))
    low, high = np.full((count, 2), max(labels.shape)), np.zeros((count, 2), np.int64)
    for axis, along in enumerate((x, y)):
        np.minimum.at(low[:, axis], labels.ravel(), along)
        np.maximum.at(high[:, axis], labels.ravel(), along + 1)
    return np.concatenate([low, high], axis=1).astype(np.float64)


def _touching(labels: Int[np.ndarray, "h w"], count: int) -> Int[np.ndarray, "m 2"]:
    """The pairs of regions with neighboring pixels, the smaller number first."""
    flat = labels.ravel().astype(np.int64)
    one, other = (flat[places] for places in neighbors(*labels.shape))
    apart = one != other
    pairs = np.unique(np.minimum(one, other)[apart] * count + np.maximum(one, other)[apart])
    return np.stack([pairs // count, pairs % count], axis=1)
