"""What is learned on top of an encoder's maps to find objects: numbers for each place, their cost, and the boxes they mean."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import flax.linen as nn
import jax.numpy as jnp

from likeness.research.checks import check_members
from likeness.research.detectors.protocol import Candidates
from likeness.research.encoders.detection_heads import PlaceHead
from likeness.research.errors import UserError
from likeness.research.geometry.dynamic_matching import TaskAligned
from likeness.research.geometry.placement import Size
from likeness.research.losses.detection.anchor_free import AnchorFreeLoss, DynamicMatcher, ScoreTerm
from likeness.research.losses.detection.box_regression import OverlapTerm
from likeness.research.types import AnyArray, Array, Bool, Float, Int, Scalar

__all__ = ["AnchorFreeHead", "DetectionHead", "Objects", "strides_of"]


class Objects(NamedTuple):
    """What is there in each image of a batch, in m rows. A pytree."""

    boxes: Float[AnyArray, "b m 4"]
    """``xyxy`` in pixels of the canvas."""
    classes: Int[AnyArray, "b m"]
    mask: Bool[AnyArray, "b m"]
    """Which rows are objects; what the others hold does not matter."""
    points: Float[AnyArray, "b m p 2"] | None = None
    """Landmarks (x, y) of each, where there are some."""
    ignored: Bool[AnyArray, "b m"] | None = None
    """Which other rows are neither to be found nor background, such as crowds and difficult objects; None: none."""


@runtime_checkable
class DetectionHead(Protocol):
    """What is learned on top of an encoder to find objects. One of ours, or a frozen dataclass of your own.

    One that looks at regions of the image one by one is a :class:`~likeness.research.detectors.RegionHead`.
    """

    @property
    def maps(self) -> tuple[str, ...]:
        """The encoder's activations that it reads, (b, h, w, c) each."""
        ...

    def network(self, classes: int) -> nn.Module:
        """The module that is called on those maps and on ``train``.

        Args:
            classes: how many classes there are.
        """
        ...

    def cost(self, said: Any, size: Size, objects: Objects) -> tuple[Scalar, Mapping[str, Scalar]]:
        """What a batch costs, and further scalars for the log.

        Args:
            said: what the network returned.
            size: height and width of the images.
            objects: what is there.
        """
        ...

    def candidates(self, said: Any, size: Size) -> Candidates:
        """The boxes that are meant.

        Args:
            said: what the network returned.
            size: height and width of the images.
        """
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnchorFreeHead:
    """Each place of each map says how far the sides of a box are from it, and how likely each class is.

    The cost is that of :class:`~likeness.research.losses.AnchorFreeLoss`. A candidate is a place with one of the classes, and
    its score the class's probability, which has learned how well the box fits.
    """

    maps: tuple[str, ...] = ("pyramid4",)
    """The encoder's activations that are read."""
    width: int = 48
    """Channels of the two towers, one for boxes and one for classes."""
    depth: int = 1
    """3×3 convolutions of a tower."""
    prior: float = 0.02
    """The probability of each class at each place before anything is learned."""
    side: float = 1.3
    """How far a side is before anything is learned, in cells."""
    matcher: DynamicMatcher = TaskAligned(top=8, beta=4.0)
    """Which places answer for an object."""
    overlap: OverlapTerm = "ciou"
    """By which overlap boxes are compared."""
    score: ScoreTerm = "quality_focal"
    """How scores are compared."""
    score_weight: float = 1.0
    """Of the scores in the cost."""
    box_weight: float = 2.0
    """Of the boxes."""
    points: int = 0
    """Landmarks of each object."""
    landmark_weight: float = 1.0
    """Of the landmarks."""

    def __post_init__(self) -> None:
        check_members("AnchorFreeHead", "matcher", self.matcher, DynamicMatcher, "TaskAligned() or SimOta()")
        if not self.maps or not 0 < self.prior < 1 or not self.side > 0:
            raise ValueError(f"{self}: give the name of at least one map, a prior between 0 and 1, and a side above 0.")
        self._loss((1,) * len(self.maps), 1)

    def network(self, classes: int) -> nn.Module:
        """Two towers: left, top, right and bottom of a box, and a logit for each class; a third one for landmarks."""
        # softplus of it is the side.
        side = math.log(math.expm1(self.side))
        logit = math.log(self.prior / (1 - self.prior))
        biases = [(side,) * 4, (logit,) * classes]
        if self.points:
            biases.append((0.0,) * (2 * self.points))
        return PlaceHead(groups=tuple(map(len, biases)), biases=tuple(biases), width=self.width, depth=self.depth)

    def cost(self, said: Sequence[Array], size: Size, objects: Objects) -> tuple[Scalar, Mapping[str, Scalar]]:
        """What a batch costs, with the parts of it.

        Raises:
            UserError: the data have no landmarks, or another number of them.
        """
        landmarks = landmarks_of("AnchorFreeHead", objects, self.points) if self.points else None
        loss, truth = self._of(said, size), (objects.boxes, objects.classes, objects.mask)
        return loss.value_and_diagnostics(said, *truth, landmarks, objects.ignored)

    def candidates(self, said: Sequence[Array], size: Size) -> Candidates:
        """One for each place and class."""
        loss = self._of(said, size)
        scores = loss.scores(said)
        images, places, count = scores.shape
        classes = jnp.broadcast_to(jnp.arange(count, dtype=jnp.int32), scores.shape)
        boxes = jnp.repeat(loss.boxes(said), count, axis=1)
        landmarks = jnp.repeat(loss.landmarks(said), count, axis=1) if self.points else None
        return Candidates(boxes, scores.reshape(images, places * count), classes.reshape(images, places * count), landmarks)

    def _of(self, said: Sequence[Array], size: Size) -> AnchorFreeLoss:
        return self._loss(strides_of("AnchorFreeHead", said, size), said[0].shape[-1] - 4 - 2 * self.points)

    def _loss(self, strides: tuple[int, ...], classes: int) -> AnchorFreeLoss:
        return AnchorFreeLoss(
            strides=strides,
            classes=classes,
            matcher=self.matcher,
            overlap=self.overlap,
            score=self.score,
            score_weight=self.score_weight,
            box_weight=self.box_weight,
            points=self.points,
            landmark_weight=self.landmark_weight,
        )


def landmarks_of(owner: str, objects: Objects, points: int) -> Float[AnyArray, "b m p 2"]:
    """The landmarks of objects, so many of each.

    Raises:
        UserError: there are none, or another number of them.
    """
    have = 0 if objects.points is None else objects.points.shape[2]
    if objects.points is None or have != points:
        raise UserError(f"{owner}.points is {points}, and objects of these data have {have} landmarks: set it to that.")
    return objects.points


def strides_of(owner: str, said: Sequence[Array], size: Size) -> tuple[int, ...]:
    """The pixels between the places of each map, (b, h, w, …).

    Raises:
        UserError: the image is no whole number of them, or not the same along both sides.
    """
    strides = []
    for one in said:
        (down, rest), (across, more) = (divmod(side, count) for side, count in zip(size, one.shape[1:3], strict=True))
        if rest or more or down != across:
            raise UserError(
                f"{owner}: a map of {one.shape[1]}×{one.shape[2]} places does not lie evenly over images of "
                f"{size[0]}×{size[1]} pixels: give images whose sides are multiples of the encoder's coarsest stride."
            )
        strides.append(down)
    return tuple(strides)
