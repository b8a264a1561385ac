"""What of an image made a box: random masks, and how much of the box is left under each (D-RISE)."""

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8

from likeness.research.checks import check_array, check_count
from likeness.research.detectors.protocol import Candidates
from likeness.research.geometry.iou import iou
from likeness.research.types import AnyArray, Array

__all__ = ["Drise", "FindCandidates", "similarity"]

FindCandidates: TypeAlias = Callable[[Array], Candidates]
"""What a detector finds in uint8 images (b, h, w, c) before suppression. Runs under ``jit``."""


def similarity(found: Candidates, boxes: Float[AnyArray, "m 4"], classes: Int[AnyArray, "m"]) -> Float[Array, "b m"]:
    """How much of each of m detections is left in what a detector finds: the maximum over its candidates j of

        IoU(box, box_j) · score_j · [class = class_j].

    Args:
        found: in b images.
        boxes: ``xyxy`` of the detections, in the same pixels.
        classes: and their classes.
    """
    overlap = iou(jnp.asarray(boxes)[None, :, None], jnp.asarray(found.boxes)[:, None])
    same = jnp.asarray(classes)[None, :, None] == found.classes[:, None]
    return jnp.max(jnp.where(same, overlap * jnp.clip(found.scores, 0, 1)[:, None], 0.0), axis=-1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drise:
    """Shows a detector an image through many random masks, and sees under which of them a detection survives.

    A mask M is a coarse grid of cells, each of them seen with the probability p, enlarged by bilinear interpolation and shifted
    at random by up to a cell. With w the :func:`similarity` of what is found in M ⊙ image to the detection, a pixel's value is

        Σ w M / Σ M − mean w,

    by how much more of the detection there is where the pixel is seen. Σ w M alone, as it is in the paper, also shows how often
    the pixel happened to be seen. A detector is asked for nothing but its candidates: any of them can be explained.

    Petsiuk et al., "Black-box explanation of object detectors via saliency maps", CVPR 2021; the masks are those of Petsiuk et
    al., "RISE", BMVC 2018.
    """

    masks: int = 1000
    """How many. The noise of a map falls with the root of it."""
    cells: int = 12
    """Of the grid, along each side."""
    seen: float = 0.5
    """p."""
    value: int = 0
    """What is not seen is painted with, 0 (black) to 255."""
    batch: int = 16
    """Images at a time."""
    seed: int = 0
    """Decides the masks."""

    def __post_init__(self) -> None:
        for field in ("masks", "cells", "batch"):
            check_count("Drise", field, getattr(self, field))
        if not 0 < self.seen < 1 or not 0 <= self.value <= 255 or self.seed < 0:
            raise ValueError(
                f"Drise: seen is {self.seen}, value {self.value} and seed {self.seed}: give a share between 0 and 1, a value "
                "from 0 to 255, and a seed of at least 0."
            )

    def __call__(
        self,
        find: FindCandidates,
        image: UInt8[np.ndarray, "h w c"],
        boxes: Shaped[np.ndarray, "m 4"],
        classes: Int[np.ndarray, "m"],
        tell: Callable[[int, int], None] = lambda done, of: None,
    ) -> Float[np.ndarray, "m h w"]:
        """A map for each detection, float32: above 0 where seeing the pixel helps it, below where it hinders.

        Args:
            find: what the detector finds in images of this size.
            image: as the detector looks at it.
            boxes: ``xyxy`` of the detections, in its pixels.
            classes: and their classes.
            tell: told how many of the masks are done, and of how many, with 0 first.

        Raises:
            ValueError: another shape.
        """
        check_array("Drise", "image", image, ("h", "w", "c"))
        check_array("Drise", "boxes", boxes, ("m", 4))
        count = len(boxes)
        targets = jnp.asarray(boxes, jnp.float32), jnp.asarray(classes, jnp.int32)

        @jax.jit
        def left(pixels: AnyArray) -> Array:
            return similarity(find(jnp.asarray(pixels)), *targets)

        height, width = image.shape[:2]
        weighted, covered = np.zeros((count, height, width)), np.zeros((height, width))
        total = np.zeros(count)
        original, hidden = image.astype(np.float32), np.float32(self.value)
        tell(0, self.masks)
        for start in range(0, self.masks, self.batch):
            some = min(self.batch, self.masks - start)
            masks = self.draw(height, width, start, some)
            # Always as many, or the last batch would be compiled for itself.
            shown = np.zeros((self.batch, *image.shape), np.uint8)
            shown[:some] = np.round(hidden + masks[..., None] * (original - hidden))
            weights = np.asarray(left(shown), np.float64)[:some]
            weighted += np.tensordot(weights.T, masks, axes=1)
            covered += masks.sum(axis=0)
            total += weights.sum(axis=0)
            tell(start + some, self.masks)
        mean = total / self.masks
        return (weighted / np.maximum(covered, 1e-9) - mean[:, None, None]).astype(np.float32)

    def draw(self, height: int, width: int, first: int, count: int) -> Float[np.ndarray, "n h w"]:
        """Some of the masks, float32 from 0 (hidden) to 1 (seen). Each depends on the seed and its number alone.

        Args:
            height: of the image.
            width: of the image.
            first: the number of the first.
            count: how many.
        """
        masks = np.empty((count, height, width), np.float32)
        for place in range(count):
            rng = np.random.default_rng((self.seed, first + place))
            grid = (rng.random((self.cells + 2, self.cells + 2)) < self.seen).astype(np.float32)
            down, right = (
                _weights(side, self.cells, shift) for side, shift in zip((height, width), rng.random(2), strict=True)
            )
            masks[place] = down @ grid @ right.T
        return masks


def _weights(side: int, cells: int, shift: float) -> Float[np.ndarray, "side n"]:
    """How much each row of a grid gives to each row of pixels, by linear interpolation between the middles of cells."""
    at = (np.arange(side) + 0.5) * cells / side + shift
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(cells + 2))).astype(np.float32)
