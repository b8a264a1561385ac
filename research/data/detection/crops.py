"""Crops of annotated images, each of an object or of the background: what a classifier learns that is slid over images."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int

from likeness.research.checks import check_count
from likeness.research.data.detection.augmentation import DetectionSample, sample_of
from likeness.research.data.detection.examples import DetectionExamples
from likeness.research.data.examples import Examples
from likeness.research.errors import UserError
from likeness.research.geometry.ignored import IGNORED_SHARE
from likeness.research.geometry.iou import pairwise
from likeness.research.geometry.transforms import GeometricTransform

__all__ = ["BACKGROUND", "ObjectCrops"]

BACKGROUND = "background"
"""The class of crops in whose middle is no object, the last one."""

_TRIES = 12


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObjectCrops:
    """Square windows of one size: some with an object in their middle, some with none.

    What a window claims is its box without the margin. It is of an object if that has an IoU of at least ``object_iou`` with
    the object's box, and background if it has less than ``background_iou`` with all of them. An object that no window in its
    middle fits, because it is too large, too small or too long, is in no crop of its class, nor is one that is ignored, a crowd
    or a difficult object; a window half of whose claim or more is on such a one is no background either. Half of the background
    is near an object: a classifier that is slid must know a window beside an object from one around it.
    """

    window: int = 24
    """Side in pixels."""
    margin: int = 3
    """Pixels of a window, on each side, that belong to what is around an object."""
    jitter: int = 2
    """How far the middle of a window may be from the middle of its object, along each axis."""
    copies: int = 2
    """Windows about each object."""
    background: int = 16
    """Windows of the background of each image."""
    object_iou: float = 0.5
    """From which IoU on a window is one of an object."""
    background_iou: float = 0.3
    """Below which IoU with all objects a window is background."""

    def __post_init__(self) -> None:
        for field in ("window", "copies", "background"):
            check_count("ObjectCrops", field, getattr(self, field))
        if self.margin < 0 or self.jitter < 0 or 2 * self.margin >= self.window:
            raise ValueError(
                f"ObjectCrops: margin is {self.margin} and jitter {self.jitter}: give 0 or more pixels of each, and a margin "
                f"that leaves something of a window of {self.window}."
            )
        if not 0 < self.background_iou <= self.object_iou <= 1:
            raise ValueError(
                f"ObjectCrops: background_iou is {self.background_iou} and object_iou {self.object_iou}: give 0 < "
                "background_iou ≤ object_iou ≤ 1."
            )

    def __call__(self, examples: DetectionExamples, transform: GeometricTransform, seed: int) -> Examples:
        """Cuts crops out of all images of a table.

        Args:
            examples: the images.
            transform: lays each on the canvas that windows are slid over.
            seed: another one draws otherwise.

        Returns:
            Crops, uint8, and their classes: those of the table, and the background.

        Raises:
            UserError: a canvas is smaller than a window, or no object fits a window.
        """
        values, labels = [], []
        passed_over = examples.ignored
        for row in range(len(examples)):
            sample = sample_of(examples, row, transform)
            real = ~passed_over[sample.rows]
            corners, classes = self._drawn(sample, real, len(examples.class_names), np.random.default_rng((seed, row)))
            for (left, top), label in zip(corners.tolist(), classes.tolist(), strict=True):
                values.append(sample.image[top : top + self.window, left : left + self.window])
                labels.append(label)
        known = np.array(labels, np.int32)
        if not (known < len(examples.class_names)).any():
            raise UserError(
                f"No object of these images fits a window of {self.window} pixels with a margin of {self.margin}: give a "
                "window of the objects' size, or scale the images."
            )
        return Examples(values=np.stack(values), labels=known, classes=(*examples.class_names, BACKGROUND))

    def claims(self, corners: Int[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 4"]:
        """The boxes, ``xyxy``, that windows with these upper left corners (x, y) claim."""
        low = corners + float(self.margin)
        return np.concatenate([low, low + (self.window - 2.0 * self.margin)], axis=1)

    def _on(self, boxes: Float[np.ndarray, "k 4"], corners: Int[np.ndarray, "n 2"]) -> Bool[np.ndarray, "n"]:
        """Which windows claim a box half of which or more is in one of some."""
        claims = self.claims(corners)[:, None]
        sides = np.minimum(claims[..., 2:], boxes[:, 2:]) - np.maximum(claims[..., :2], boxes[:, :2])
        own = float(self.window - 2 * self.margin) ** 2
        return (np.maximum(sides, 0.0).prod(axis=-1) >= IGNORED_SHARE * own).any(axis=1)

    def _drawn(
        self, sample: DetectionSample, real: Bool[np.ndarray, "k"], background: int, rng: np.random.Generator
    ) -> tuple[Int[np.ndarray, "n 2"], Int[np.ndarray, "n"]]:
        height, width = sample.image.shape[:2]
        most = np.array([width, height]) - self.window
        if (most < 0).any():
            raise UserError(
                f"An image is laid on a canvas of {height}×{width} pixels, smaller than a window of {self.window}. Give a "
                "smaller window or a larger size."
            )
        boxes = sample.boxes.astype(np.float64)
        middles = np.round((boxes[:, :2] + boxes[:, 2:] - self.window) / 2).astype(np.int64)
        owner = np.repeat(np.flatnonzero(real), self.copies)
        shifts = rng.integers(-self.jitter, self.jitter + 1, (len(owner), 2))
        around = np.clip(middles[owner] + shifts, 0, most)
        fits = np.asarray(pairwise(self.claims(around), boxes))[np.arange(len(owner)), owner] >= self.object_iou
        tried = rng.integers(0, most + 1, (_TRIES * self.background, 2))
        if len(boxes):
            reach = rng.integers(-self.window // 2, self.window // 2 + 1, (len(tried) // 2, 2))
            tried[::2] = np.clip(middles[rng.integers(0, len(boxes), len(reach))] + reach, 0, most)
            free = np.asarray(pairwise(self.claims(tried), boxes)).max(axis=1) < self.background_iou
            tried = tried[free & ~self._on(boxes[~real], tried)]
        tried = tried[: self.background]
        classes = np.concatenate([sample.classes[owner[fits]], np.full(len(tried), background)])
        return np.concatenate([around[fits], tried]), classes
