"""The region proposal network's loss: is there something at an anchor, and how must it be moved?"""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.checks import check_finite_nonnegative
from likeness.research.geometry.anchors import AnchorPyramid
from likeness.research.geometry.balanced import BalancedSample
from likeness.research.geometry.codecs import BoxDeltas
from likeness.research.geometry.ignored import regions_on, without_background
from likeness.research.geometry.matching import MaxIou
from likeness.research.losses.detection.box_regression import SmoothL1Loss
from likeness.research.losses.detection.terms import binary_cross_entropy, mean_over, total
from likeness.research.losses.detection.truth import as_batch, as_levels, assigned_boxes, counts, matched
from likeness.research.types import AnyArray, Array, Float, PRNGKey, Scalar, Shaped


@dataclasses.dataclass(frozen=True, kw_only=True)
class RpnLoss:
    """Binary cross-entropy of objectness over a balanced sample of anchors, and smooth L1 of the box deltas of its foreground:

        w_o Σ_sample BCE / N + w_b Σ_foreground Σ_4 smooth L1 / N,   N the anchors drawn from the batch.

    An anchor that overlaps an object enough is foreground, one that overlaps none is background, and between them it is not
    drawn. Without any object the sample is background. The value is 0 where there is no anchor at all.

    Ren, He, Girshick and Sun, "Faster R-CNN: towards real-time object detection with region proposal networks", 2015.
    """

    anchors: AnchorPyramid
    """The anchors of each level in pixels."""

    matcher: MaxIou = MaxIou(low=0.3, high=0.7, allow_low_quality_matches=True)
    """Which anchors are foreground and which background."""

    sample: BalancedSample = BalancedSample(size=256, foreground_fraction=0.5)
    """How many anchors of an image are drawn."""

    codec: BoxDeltas = BoxDeltas()
    """How boxes are written."""

    box: SmoothL1Loss = SmoothL1Loss(beta=1.0 / 9.0)
    """How deltas are compared."""

    objectness_weight: float = 1.0
    """w_o."""

    box_weight: float = 1.0
    """w_b."""

    def __post_init__(self) -> None:
        for name in ("objectness_weight", "box_weight"):
            check_finite_nonnegative("RpnLoss", name, getattr(self, name))

    def __call__(
        self,
        key: PRNGKey,
        outputs: Sequence[Shaped[AnyArray, "..."]],
        boxes: Shaped[AnyArray, "..."],
        mask: Shaped[AnyArray, "..."],
        ignored: Shaped[AnyArray, "..."] | None = None,
    ) -> Scalar:
        """The loss of a batch.

        Args:
            key: of the draw.
            outputs: for each level (b, rows, columns, A, 5): the logit of objectness and four deltas.
            boxes: (b, m, 4), the objects of every class, ``xyxy`` in pixels.
            mask: (b, m), which rows are objects; what the others hold does not matter.
            ignored: (b, m), which rows are neither to be found nor background, such as crowds and difficult objects: an anchor
                half of which or more is on one, and that answers for no other, is not drawn; None: none.

        Raises:
            ValueError: another shape or dtype; a box without area in NumPy arrays.
        """
        return self.value_and_diagnostics(key, outputs, boxes, mask, ignored)[0]

    def value_and_diagnostics(
        self,
        key: PRNGKey,
        outputs: Sequence[Shaped[AnyArray, "..."]],
        boxes: Shaped[AnyArray, "..."],
        mask: Shaped[AnyArray, "..."],
        ignored: Shaped[AnyArray, "..."] | None = None,
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss and what to watch beside it.

        Returns:
            The value, and its parts ``objectness_loss`` and ``box_loss`` before they are weighted, and the numbers of
            ``objects``, of ``foreground`` anchors, of objects ``missed`` and of anchors ``drawn``.
        """
        maps, found = self._as_outputs(outputs)
        images = len(found)
        truth = as_batch("RpnLoss", boxes, np.zeros(boxes.shape[:2], np.int32), mask, images, 1, ignored)
        anchors = jnp.asarray(self.anchors(maps))
        assignment = matched(lambda own, real: self.matcher(anchors, own, real), truth.boxes, truth.mask)
        assignment = without_background(assignment, regions_on(truth.ignored, anchors))
        drawn = jax.vmap(self.sample)(jax.random.split(key, images), assignment)
        chosen = jnp.take_along_axis(found, drawn.places[..., None], axis=1)
        objectness = binary_cross_entropy(jnp.where(drawn.valid, chosen[..., 0], 0.0), drawn.foreground.astype(jnp.float32))
        target = jnp.asarray(self.codec.encode(assigned_boxes(assignment, truth, anchors), anchors))
        own = jnp.take_along_axis(target, drawn.places[..., None], axis=1)
        own_mask = jnp.broadcast_to(drawn.foreground[..., None], own.shape)
        number = jnp.sum(drawn.valid, dtype=jnp.float32)
        parts = {
            "objectness": mean_over(jnp.where(drawn.valid, objectness, 0.0), number),
            "box": mean_over(self.box(chosen[..., 1:], own, own_mask), number),
        }
        named = {f"{name}_loss": value for name, value in parts.items()} | counts(assignment, truth) | {"drawn": number}
        value = total(parts, {"objectness": self.objectness_weight, "box": self.box_weight})
        return value, jax.lax.stop_gradient(named)

    def boxes(self, outputs: Sequence[Shaped[AnyArray, "..."]]) -> Float[Array, "b n 4"]:
        """The boxes that outputs say, ``xyxy`` in pixels, anchor by anchor.

        Args:
            outputs: for each level (b, rows, columns, A, 5).
        """
        maps, found = self._as_outputs(outputs)
        return jnp.asarray(self.codec.decode(found[..., 1:], jnp.asarray(self.anchors(maps))))

    def _as_outputs(self, outputs: Sequence[AnyArray]) -> tuple[list[tuple[int, int]], Float[Array, "b n 5"]]:
        axes = [(len(level.shapes), 5) for level in self.anchors.levels]
        return as_levels("RpnLoss", outputs, axes, "Give five numbers for each anchor of each cell.")
