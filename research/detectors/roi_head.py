"""R-CNN and what became of it: one head that looks at regions, which are proposed by a segmentation or by a network."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import flax.linen as nn
import jax
import jax.numpy as jnp

from likeness.research.checks import check_count, check_finite_nonnegative
from likeness.research.detectors.heads import Objects, strides_of
from likeness.research.detectors.protocol import Candidates, Regions
from likeness.research.detectors.regions import Sight
from likeness.research.encoders.region_head import RegionNetwork
from likeness.research.geometry.anchors import AnchorGrid, AnchorPyramid
from likeness.research.geometry.balanced import BalancedSample
from likeness.research.geometry.boxes import clip_boxes, sizes
from likeness.research.geometry.codecs import BoxDeltas
from likeness.research.geometry.matching import MaxIou
from likeness.research.geometry.placement import Size
from likeness.research.geometry.roi import RoiAlign
from likeness.research.geometry.selective_search import ProposalSearch, SelectiveSearch
from likeness.research.geometry.suppression import Suppression
from likeness.research.losses.detection.roi_head import RoiHeadLoss, RoiSampling, SampledRois
from likeness.research.losses.detection.rpn import RpnLoss
from likeness.research.types import Array, Float, PRNGKey, Scalar

__all__ = ["CropFeatures", "RoiHead", "Rpn", "SaidOfRegions", "Segmented", "SharedFeatures"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Segmented:
    """Regions by a segmentation of the image, on the host: what R-CNN and Fast R-CNN look at."""

    search: ProposalSearch = SelectiveSearch(limit=300)
    """How they are found."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rpn:
    """Regions by a network on the encoder's map, which is learned with the rest: Faster R-CNN.

    The anchors that are most likely something, moved as the network says, are cut off at the border and suppressed.

    Ren, He, Girshick and Sun, "Faster R-CNN: towards real-time object detection with region proposal networks", 2015.
    """

    anchors: tuple[tuple[float, float], ...] = tuple(
        (side * wide, side / wide) for side in (12.0, 18.0, 26.0) for wide in (0.75, 1.0, 4 / 3)
    )
    """Width and height of each anchor in pixels."""
    width: int = 48
    """Channels of the network."""
    matcher: MaxIou = MaxIou(low=0.3, high=0.6, allow_low_quality_matches=True)
    """Which anchors are learned to be something, and which nothing."""
    sample: BalancedSample = BalancedSample(size=64, foreground_fraction=0.5)
    """How many anchors of an image are learned from."""
    candidates: int = 300
    """The most likely anchors, which are suppressed."""
    suppression: Suppression = Suppression(iou_threshold=0.7, max_detections=100, class_agnostic=True)
    """What of them is proposed."""
    objectness_weight: float = 1.0
    """Of objectness in the cost."""
    box_weight: float = 1.0
    """Of the boxes."""

    def __post_init__(self) -> None:
        check_count("Rpn", "candidates", self.candidates)
        check_count("Rpn", "width", self.width)
        self.loss(1)

    def loss(self, stride: int) -> RpnLoss:
        """What is learned by it on a map of this stride."""
        return RpnLoss(
            anchors=AnchorPyramid(levels=(AnchorGrid(shapes=self.anchors, stride=stride),)),
            matcher=self.matcher,
            sample=self.sample,
            objectness_weight=self.objectness_weight,
            box_weight=self.box_weight,
        )

    def proposed(self, outputs: Float[Array, "b h w a 5"], size: Size) -> Regions:
        """The regions that a network means, without a derivative.

        Args:
            outputs: what it says.
            size: height and width of the images.
        """
        outputs = jax.lax.stop_gradient(outputs)
        (stride,) = strides_of("Rpn", [outputs], size)
        boxes = jnp.asarray(clip_boxes(self.loss(stride).boxes([outputs]), *size))
        logits = outputs[..., 0].reshape(len(outputs), -1)
        scores, places = jax.lax.top_k(logits, min(self.candidates, logits.shape[1]))
        boxes = jnp.take_along_axis(boxes, places[..., None], axis=1)
        # What is less than a pixel wide shows nothing.
        kept = self.suppression.select(boxes, scores, None, jnp.all(jnp.asarray(sizes(boxes)) >= 1.0, axis=-1))
        return Regions(kept.boxes, kept.valid)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SharedFeatures:
    """The encoder looks at the image once, and each region is read from its map, by RoI-Align: Fast and Faster R-CNN."""

    sampling_ratio: int = 2
    """As of :class:`~likeness.research.geometry.RoiAlign`."""

    def __post_init__(self) -> None:
        check_count("SharedFeatures", "sampling_ratio", self.sampling_ratio, least=0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CropFeatures:
    """Each region is cut out of the image, brought to one size, and goes through the encoder alone: R-CNN.

    Girshick, Donahue, Darrell and Malik, "Rich feature hierarchies for accurate object detection and semantic segmentation",
    CVPR 2014.
    """

    side: int = 32
    """Of a crop in pixels."""
    context: float = 0.15
    """What is seen around a region at each side, as a share of its width and height."""
    sampling_ratio: int = 1
    """As of :class:`~likeness.research.geometry.RoiAlign`, which cuts out: 2 or more where regions are much larger than a
    crop."""

    def __post_init__(self) -> None:
        check_count("CropFeatures", "side", self.side)
        check_count("CropFeatures", "sampling_ratio", self.sampling_ratio, least=0)
        check_finite_nonnegative("CropFeatures", "context", self.context)


RegionFeatures: TypeAlias = SharedFeatures | CropFeatures


class SaidOfRegions(NamedTuple):
    """What a head says of regions. A pytree."""

    proposals: Regions
    """All of them, best first."""
    logits: Float[Array, "b k n"]
    """Of each class, and of background, which is last: of all proposals, or of what was drawn of them."""
    deltas: Float[Array, "b k 4"]
    """How a box is to be moved."""
    drawn: SampledRois | None = None
    """What is learned from; None in use."""
    objectness: Float[Array, "b h w a 5"] | None = None
    """What the network that proposes says; None if none does."""
    key: PRNGKey | None = None
    """Of the anchors that are drawn."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RoiHead:
    """Looks at regions one by one: which class is in each, and how must its box be moved? One head, three regimes.

    | | ``proposals`` | ``features`` |
    |---|---|---|
    | R-CNN | ``Segmented()`` | ``CropFeatures()`` |
    | Fast R-CNN | ``Segmented()`` | ``SharedFeatures()`` |
    | Faster R-CNN | ``Rpn()`` | ``SharedFeatures()`` |

    While it learns, a balanced sample of the proposals and of the objects' own boxes is looked at. Proposals are constants: no
    derivative goes through them. The cost is that of :class:`~likeness.research.losses.RoiHeadLoss`, and of
    :class:`~likeness.research.losses.RpnLoss` where a network proposes, both learned together. A candidate is a region with one
    of the classes, and its score the class's probability.
    """

    proposals: Segmented | Rpn = Rpn()
    """Where regions come from."""
    features: RegionFeatures = SharedFeatures()
    """What is seen of a region."""
    map: str = "pyramid4"
    """The encoder's activation that is read."""
    parts: int = 7
    """P, in P × P of which the features of a region come."""
    width: int = 128
    """Of the hidden layers."""
    matcher: MaxIou = MaxIou(low=0.5, high=0.5)
    """Which regions are foreground, and which background."""
    sample: BalancedSample = BalancedSample(size=32, foreground_fraction=0.5)
    """How many regions of an image are learned from."""
    class_weight: float = 1.0
    """Of the classes in the cost."""
    box_weight: float = 1.0
    """Of the boxes."""

    def __post_init__(self) -> None:
        check_count("RoiHead", "parts", self.parts)
        check_count("RoiHead", "width", self.width)
        self._loss(1)
        if isinstance(self.proposals, Rpn) and isinstance(self.features, CropFeatures):
            raise ValueError(
                "RoiHead(proposals=Rpn(), features=CropFeatures()): what proposes reads the map of the whole image, and crops "
                "have none. Give proposals=Segmented(), or features=SharedFeatures()."
            )

    @property
    def maps(self) -> tuple[str, ...]:
        """The one map."""
        return (self.map,)

    @property
    def search(self) -> ProposalSearch | None:
        """Of a segmentation."""
        return self.proposals.search if isinstance(self.proposals, Segmented) else None

    def network(self, classes: int) -> nn.Module:
        """The hidden layers, and what proposes."""
        if isinstance(self.proposals, Segmented):
            return RegionNetwork(classes=classes, width=self.width, parts=self.parts)
        anchors, own = len(self.proposals.anchors), self.proposals.width
        return RegionNetwork(classes=classes, width=self.width, parts=self.parts, anchors=anchors, proposing_width=own)

    def look(self, sight: Sight) -> SaidOfRegions:
        """What is said of regions."""
        height, width = sight.images.shape[1:3]
        proposals, one, objectness = sight.proposals, None, None
        if isinstance(self.features, SharedFeatures):
            (one,) = sight.encode(sight.images)
        if isinstance(self.proposals, Rpn):
            objectness = sight.network(one, method="propose")
            proposals = self.proposals.proposed(objectness, (height, width))
        if proposals is None:
            raise ValueError("RoiHead: there are no proposals of a segmentation. Hand them over with the images.")
        regions, drawn, key = jnp.asarray(proposals.boxes, jnp.float32), None, None
        if sight.learning is not None:
            draw, key = jax.random.split(sight.learning.key)
            drawn = self._drawn(draw, proposals, sight.learning.objects, sight.classes)
            regions = drawn.boxes
        regions = jax.lax.stop_gradient(regions)
        features = self._cropped(sight, regions) if one is None else self._read(one, regions, (height, width))
        logits, deltas = sight.network(features, method="judge")
        return SaidOfRegions(proposals, logits, deltas, drawn, objectness, key)

    def cost(self, said: SaidOfRegions, size: Size, objects: Objects) -> tuple[Scalar, Mapping[str, Scalar]]:
        """What a batch costs, with the parts of it; those of what proposes begin with ``rpn_``."""
        if said.drawn is None:
            raise ValueError("RoiHead: nothing was drawn to learn from. Say what is there when regions are looked at.")
        value, parts = self._loss(said.logits.shape[-1] - 1).value_and_diagnostics(said.logits, said.deltas, said.drawn)
        if not isinstance(self.proposals, Rpn) or said.objectness is None or said.key is None:
            return value, parts
        (stride,) = strides_of("RoiHead", [said.objectness], size)
        loss = self.proposals.loss(stride)
        more, others = loss.value_and_diagnostics(said.key, [said.objectness], objects.boxes, objects.mask, objects.ignored)
        return value + more, {**parts, **{f"rpn_{name}": each for name, each in others.items()}}

    def candidates(self, said: SaidOfRegions, size: Size) -> Candidates:
        """One for each region and class."""
        del size
        boxes, valid = jnp.asarray(said.proposals.boxes, jnp.float32), jnp.asarray(said.proposals.valid)
        count = said.logits.shape[-1] - 1
        moved = jnp.asarray(self._loss(count).codec.decode(said.deltas, boxes))
        scores = jnp.where(valid[..., None], jax.nn.softmax(said.logits)[..., :count], -jnp.inf)
        images, regions = valid.shape
        classes = jnp.broadcast_to(jnp.arange(count, dtype=jnp.int32), scores.shape)
        flat = (images, regions * count)
        return Candidates(
            jnp.repeat(jnp.where(valid[..., None], moved, 0.0), count, axis=1),
            scores.reshape(flat),
            classes.reshape(flat),
            proposals=said.proposals,
        )

    def _read(self, one: Float[Array, "b h w c"], regions: Float[Array, "b k 4"], size: Size) -> Float[Array, "b k p q c"]:
        assert isinstance(self.features, SharedFeatures)
        (stride,) = strides_of("RoiHead", [one], size)
        return RoiAlign(output_size=self.parts, spatial_scale=1 / stride, sampling_ratio=self.features.sampling_ratio)(
            one, regions
        )

    def _cropped(self, sight: Sight, regions: Float[Array, "b k 4"]) -> Float[Array, "b k p q c"]:
        """The encoder's features of each region alone."""
        assert isinstance(self.features, CropFeatures)
        images, count = regions.shape[:2]
        side, more = self.features.side, self.features.context * jnp.asarray(sizes(regions))
        seen = jnp.concatenate([regions[..., :2] - more, regions[..., 2:] + more], axis=-1)
        crops = RoiAlign(output_size=side, sampling_ratio=self.features.sampling_ratio)(sight.images, seen)
        (one,) = sight.encode(crops.reshape(images * count, side, side, -1))
        if one.shape[1:3] != (self.parts, self.parts):
            whole = jnp.broadcast_to(jnp.array([0.0, 0.0, *one.shape[2:0:-1]]), (len(one), 1, 4))
            one = RoiAlign(output_size=self.parts)(one, whole)[:, 0]
        return one.reshape(images, count, self.parts, self.parts, -1)

    def _drawn(self, key: PRNGKey, proposals: Regions, objects: Objects, classes: int) -> SampledRois:
        sampling = RoiSampling(classes=classes, matcher=self.matcher, sample=self.sample)
        truth = objects.boxes, objects.classes, objects.mask, objects.ignored
        return sampling(key, proposals.boxes, proposals.valid, *truth)

    def _loss(self, classes: int) -> RoiHeadLoss:
        codec = BoxDeltas(weights=(10.0, 10.0, 5.0, 5.0))
        return RoiHeadLoss(classes=classes, codec=codec, class_weight=self.class_weight, box_weight=self.box_weight)
