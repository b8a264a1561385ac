"""Faces in photographs, found, chosen and laid over a template: one program of fixed shapes, in batches."""

import dataclasses
from typing import Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.checks import check_choice, check_count
from likeness.research.detectors.mtcnn import MTCNNDetector
from likeness.research.detectors.protocol import CanvasPlaces, detect
from likeness.research.detectors.yunet import YuNetDetector
from likeness.research.geometry.boxes import area, centers
from likeness.research.geometry.detections import PaddedDetections
from likeness.research.geometry.iou import pairwise
from likeness.research.geometry.padding import PadToMultiple
from likeness.research.geometry.placement import Placement, Size
from likeness.research.geometry.suppression import Suppression
from likeness.research.geometry.template import Template
from likeness.research.geometry.warp import align, warp
from likeness.research.types import AnyArray, Array, Bool, Float, ImagesUint8, PyTree

__all__ = ["FaceChoice", "FaceFinder", "FoundFaces"]

FaceChoice: TypeAlias = Literal["largest", "central", "surest"]
_STRIDE = 32
_SMALL, _LARGE = 256, 1024
_STEPS = (_STRIDE, 128, 256)
_OTHER_SIDE = (1, 0, 2, 4, 3)
"""Which landmark each is in the mirror."""
_SAME_FACE = 0.5
"""The IoU above which two boxes are of one face."""


class FoundFaces(NamedTuple):
    """The faces of each image, in k rows, at most as many as are asked for, the wanted ones first.

    A pytree; in pixels of the canvases.
    """

    boxes: Float[Array, "b k 4"]
    """``xyxy``."""
    scores: Float[Array, "b k"]
    """How sure the detector is."""
    landmarks: Float[Array, "b k 5 2"]
    """(x, y) of the eye on the left of the image, that on its right, the tip of the nose, the mouth's left and right corner."""
    misfit: Float[Array, "b k"]
    """Of the landmarks from the template, as :class:`~likeness.research.geometry.Alignments` has it."""
    crops: Float[Array, "b k H W 3"]
    """Laid over the template, 0 to 255, whole numbers."""
    valid: Bool[Array, "b k"]
    """Which rows are faces; what the others hold does not matter."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FaceFinder:
    """Finds faces, chooses among them, and lays them over a template by the similarity that fits their landmarks best.

    An image lies in the upper left corner of a canvas of one of few sizes, so that few programs are compiled. The detector
    looks at a canvas of more than 1,024 pixels at half its size, since it knows faces of 10 to 300 pixels; crops are cut out
    of the canvas itself.
    """

    detector: YuNetDetector | MTCNNDetector = YuNetDetector(longest=None)
    """Where the faces are."""
    template: Template = Template()
    """Where the encoder wants them."""
    score_threshold: float = 0.6
    """What scores this or less is no face."""
    choice: FaceChoice = "largest"
    """Which face comes first: the ``largest`` box; the ``central`` one, whose area less twice the squared distance of its
    center from the image's is greatest, as FaceNet's crops were chosen; or the ``surest``, which scores most."""
    faces: int = 1
    """Of each image, at most."""
    mirror: bool = True
    """Whether landmarks are the mean of those in the image and in its mirror image, for twice the time: they lie steadier, and
    people are told apart better by crops that do (``likeness.experiments.benchmarks.lfw_verification``)."""
    longest: int = 2048
    """The most pixels of an image's longer side, to which a larger one shrinks."""

    def __post_init__(self) -> None:
        check_choice("FaceFinder", "choice", self.choice, FaceChoice)
        check_count("FaceFinder", "faces", self.faces)
        check_count("FaceFinder", "longest", self.longest)
        if not 0 <= self.score_threshold < 1:
            raise ValueError(f"FaceFinder.score_threshold is {self.score_threshold}: give 0 or more, and less than 1.")

    def placement(self, size: Size, shrink: float = 1.0) -> Placement:
        """Where an image of this height and width lies on its canvas.

        Args:
            size: height and width.
            shrink: how many times smaller than it would the image lies on the same canvas, for a face that fills it.
        """
        longest = min(max(size), self.longest)
        step = _STEPS[(longest > _SMALL) + (longest > _LARGE)]
        whole = PadToMultiple(multiple=step, longest=self.longest).placement(size)
        if shrink == 1.0:
            return whole
        _, _, right, bottom = whole.frame
        rectangle = (0, 0, max(1, round(right / shrink)), max(1, round(bottom / shrink)))
        return Placement.filling(size, whole.target, rectangle)

    def __call__(self, variables: PyTree, canvases: ImagesUint8, shown: Float[AnyArray, "b 2"]) -> FoundFaces:
        """Looks at canvases. Runs under ``jit``.

        Args:
            variables: the detector's.
            canvases: (b, h, w, 3), RGB, of a size that :meth:`placement` gives.
            shown: width and height of the image on each canvas; 0 where there is none.
        """
        rows = jnp.asarray(shown, jnp.float32)
        looked_at, factor = self._looked_at(jnp.asarray(canvases))
        rule = Suppression(
            iou_threshold=self.detector.suppression.iou_threshold,
            score_threshold=self.score_threshold,
            max_detections=max(64, self.faces),
            form="picks",
        )
        places = CanvasPlaces(jnp.full_like(rows, factor), jnp.zeros_like(rows), rows)
        found = detect(self.detector, variables, looked_at, places, rule)
        if self.mirror:
            found = _steadied(found, self._mirrored(variables, looked_at, places, rule))
        assert found.landmarks is not None
        wanted = jnp.where(found.valid, self.wanted(found.boxes, found.scores, rows), -jnp.inf)
        # A detector may have fewer candidates on a small canvas than faces are asked for.
        _, order = jax.lax.top_k(wanted, min(self.faces, wanted.shape[-1]))

        def chosen(array: AnyArray) -> Array:
            values = jnp.asarray(array)
            return jnp.take_along_axis(values, order.reshape(*order.shape, *[1] * (values.ndim - 2)), axis=1)

        landmarks = chosen(found.landmarks)
        # Half a pixel: landmarks count from the corner of the first pixel, and crops from its center.
        aligned = align(landmarks - 0.5, self.template.array())
        crops = jnp.clip(jnp.round(warp(canvases, aligned.maps, self.template.size)), 0, 255)
        return FoundFaces(chosen(found.boxes), chosen(found.scores), landmarks, aligned.misfit, crops, chosen(found.valid))

    def _mirrored(self, variables: PyTree, looked_at: Array, places: CanvasPlaces, rule: Suppression) -> PaddedDetections:
        """What is found in the mirror images of canvases, where it lies in these."""
        width = jnp.float32(looked_at.shape[2] * places.factor[0, 0])
        # Places are those of an image in the upper left corner, and it now lies in the upper right one.
        everywhere = CanvasPlaces(places.factor, places.shift, jnp.full_like(places.size, 1e9))
        found = detect(self.detector, variables, looked_at[:, :, ::-1], everywhere, rule)
        assert found.landmarks is not None
        x1, y1, x2, y2 = jnp.moveaxis(found.boxes, -1, 0)
        points = jnp.asarray(found.landmarks)[:, :, np.array(_OTHER_SIDE)]
        points = points.at[..., 0].set(width - points[..., 0])
        return found._replace(boxes=jnp.stack([width - x2, y1, width - x1, y2], axis=-1), landmarks=points)

    def _looked_at(self, canvases: Array) -> tuple[Array, float]:
        """What the detector looks at, and how many pixels of the canvas one of its pixels is."""
        count, height, width, channels = canvases.shape
        if max(height, width) <= _LARGE:
            return canvases, 1.0
        means = canvases.reshape(count, height // 2, 2, width // 2, 2, channels).astype(jnp.float32).mean((2, 4))
        return jnp.round(means).astype(jnp.uint8), 2.0

    def wanted(self, boxes: Float[AnyArray, "b n 4"], scores: Float[AnyArray, "b n"], shown: Float[AnyArray, "b 2"]) -> Array:
        """How much each face is wanted, by ``choice``: the most wanted comes first.

        Args:
            boxes: ``xyxy``.
            scores: how sure the detector is of each.
            shown: width and height of the images.
        """
        if self.choice == "surest":
            return jnp.asarray(scores)
        areas = jnp.asarray(area(boxes))
        if self.choice == "largest":
            return areas
        beside = jnp.asarray(centers(boxes)) - jnp.asarray(shown)[:, None] / 2
        return areas - 2 * jnp.square(beside).sum(-1)


def _steadied(found: PaddedDetections, mirrored: PaddedDetections) -> PaddedDetections:
    """Landmarks averaged with those of the box in the mirror that overlaps most, if it is of the same face."""
    assert found.landmarks is not None and mirrored.landmarks is not None
    overlaps = jnp.where(mirrored.valid[:, None], jax.vmap(pairwise)(found.boxes, mirrored.boxes), 0.0)
    best = jnp.argmax(overlaps, axis=-1)
    other = jnp.take_along_axis(mirrored.landmarks, best[..., None, None], axis=1)
    same = jnp.max(overlaps, axis=-1)[..., None, None] > _SAME_FACE
    return found._replace(landmarks=jnp.where(same, (found.landmarks + other) / 2, found.landmarks))
