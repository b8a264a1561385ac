"""The second stage: which class is in a proposal, and how must its box be moved?"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from likeness.research.checks import check_array, check_count, check_finite_nonnegative
from likeness.research.geometry.balanced import BalancedSample
from likeness.research.geometry.boxes import is_degenerate
from likeness.research.geometry.codecs import BoxDeltas
from likeness.research.geometry.ignored import regions_on, without_background
from likeness.research.geometry.matching import MaxIou
from likeness.research.losses.detection.box_regression import SmoothL1Loss
from likeness.research.losses.detection.terms import as_outputs, cross_entropy, mean_over, total
from likeness.research.losses.detection.truth import as_batch, assigned_boxes, assigned_classes, matched, one_hot
from likeness.research.types import AnyArray, Array, Bool, Float, Int, PRNGKey, Scalar, Shaped

__all__ = ["RoiHeadLoss", "RoiSampling", "SampledRois"]


class SampledRois(NamedTuple):
    """Regions that a head is trained on, a fixed number for each image. A pytree."""

    boxes: Float[Array, "b s 4"]
    """The regions, ``xyxy`` in pixels, without a derivative; 0 where a row is none."""
    classes: Int[Array, "b s"]
    """The class of each; K where it is background."""
    truth: Float[Array, "b s 4"]
    """The box of the object that a region answers for; the region itself where it answers for none."""
    foreground: Bool[Array, "b s"]
    """Whether it answers for an object."""
    valid: Bool[Array, "b s"]
    """Whether the row is a region at all."""
    missed: Bool[Array, "b m"]
    """Objects that none of the proposals answers for."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RoiSampling:
    """A balanced sample of proposals, each with the object that it overlaps most.

    Where ``add_truth``, the objects' own boxes are proposals too, so that from the first step on there is foreground.

    Girshick, "Fast R-CNN", 2015.
    """

    classes: int
    """K; the class of background is K."""

    matcher: MaxIou = MaxIou(low=0.5, high=0.5)
    """Which proposals are foreground and which background."""

    sample: BalancedSample = BalancedSample(size=128, foreground_fraction=0.25)
    """How many proposals of an image are drawn."""

    add_truth: bool = True
    """Whether the objects' own boxes are proposals."""

    def __post_init__(self) -> None:
        check_count("RoiSampling", "classes", self.classes)

    def __call__(
        self,
        key: PRNGKey,
        proposals: Shaped[AnyArray, "..."],
        valid: Shaped[AnyArray, "..."],
        boxes: Shaped[AnyArray, "..."],
        classes: Shaped[AnyArray, "..."],
        mask: Shaped[AnyArray, "..."],
        ignored: Shaped[AnyArray, "..."] | None = None,
    ) -> SampledRois:
        """Draws from a batch.

        Args:
            key: of the draw.
            proposals: (b, n, 4), ``xyxy`` in pixels.
            valid: (b, n), which rows are proposals; one without area is none in any case.
            boxes: (b, m, 4), the objects.
            classes: (b, m), from 0 to K - 1.
            mask: (b, m), which rows are objects; what the others hold does not matter.
            ignored: (b, m), which rows are neither to be found nor background, such as crowds and difficult objects: a proposal
                half of which or more is on one, and that answers for no other, is not drawn; None: none.

        Raises:
            ValueError: another shape or dtype; a box without area or an unknown class in NumPy arrays.
        """
        check_array("RoiSampling", "proposals", proposals, ("b", "n", 4), help="Give n proposals for each image.")
        images, number = proposals.shape[:2]
        check_array("RoiSampling", "valid", valid, (images, number), "booleans", "Say for each row whether it is a proposal.")
        truth = as_batch("RoiSampling", boxes, classes, mask, images, self.classes, ignored)
        regions = jax.lax.stop_gradient(jnp.asarray(proposals, jnp.float32))
        allowed = jnp.asarray(valid)
        if self.add_truth:
            regions = jnp.concatenate([regions, truth.boxes], axis=1)
            allowed = jnp.concatenate([allowed, truth.mask], axis=1)
        if not regions.shape[1]:
            raise ValueError("RoiSampling: there are neither proposals nor rows of truth, and nothing can be drawn.")
        allowed &= ~jnp.asarray(is_degenerate(regions))
        regions = jnp.where(allowed[..., None], regions, 0.0)
        assignment = matched(self.matcher, regions, truth.boxes, truth.mask)
        assignment = without_background(assignment, regions_on(truth.ignored, regions))
        drawn = jax.vmap(self.sample)(jax.random.split(key, images), assignment, allowed)
        own, wanted = assigned_boxes(assignment, truth, regions), assigned_classes(assignment, truth)

        def taken(rows: Array) -> Array:
            index = drawn.places.reshape(*drawn.places.shape, *(1,) * (rows.ndim - 2))
            return jnp.take_along_axis(rows, index, axis=1)

        return SampledRois(
            boxes=jnp.where(drawn.valid[..., None], taken(regions), 0.0),
            classes=jnp.where(drawn.foreground, taken(wanted), self.classes),
            truth=jnp.where(drawn.valid[..., None], taken(own), 0.0),
            foreground=drawn.foreground,
            valid=drawn.valid,
            missed=assignment.missed,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class RoiHeadLoss:
    """Cross-entropy over K classes and background, and smooth L1 of the box deltas of foreground:

        w_c Σ_rois CE / N + w_b Σ_foreground Σ_4 smooth L1 / N,   N the regions of the batch.

    Deltas are relative to the region. The value is 0 where there is no region.

    Girshick, "Fast R-CNN", 2015.
    """

    classes: int
    """K; the class of background is K, the last column of the logits."""

    codec: BoxDeltas = BoxDeltas(weights=(10.0, 10.0, 5.0, 5.0))
    """How boxes are written."""

    box: SmoothL1Loss = SmoothL1Loss(beta=1.0)
    """How deltas are compared."""

    class_weight: float = 1.0
    """w_c."""

    box_weight: float = 1.0
    """w_b."""

    def __post_init__(self) -> None:
        check_count("RoiHeadLoss", "classes", self.classes)
        for name in ("class_weight", "box_weight"):
            check_finite_nonnegative("RoiHeadLoss", name, getattr(self, name))

    def __call__(self, logits: Shaped[AnyArray, "..."], deltas: Shaped[AnyArray, "..."], rois: SampledRois) -> Scalar:
        """The loss of a batch.

        Args:
            logits: (b, s, K + 1), background last.
            deltas: (b, s, 4), one box for all classes, or (b, s, K, 4), one for each.
            rois: the regions that the head saw, as :class:`RoiSampling` drew them.

        Raises:
            ValueError: another shape or dtype.
        """
        return self.value_and_diagnostics(logits, deltas, rois)[0]

    def value_and_diagnostics(
        self, logits: Shaped[AnyArray, "..."], deltas: Shaped[AnyArray, "..."], rois: SampledRois
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss and what to watch beside it.

        Returns:
            The value, and its parts ``class_loss`` and ``box_loss`` before they are weighted, the numbers of ``rois``, of
            ``foreground`` among them and of objects ``missed`` by all proposals, and the ``accuracy`` of the classes.
        """
        images, rows = rois.classes.shape
        found = as_outputs("RoiHeadLoss", "logits", logits, (images, rows, self.classes + 1), "Background comes last.")
        if len(deltas.shape) == 4:
            moved = as_outputs("RoiHeadLoss", "deltas", deltas, (images, rows, self.classes, 4), "Give a box for each class.")
            own = jnp.minimum(rois.classes, self.classes - 1)[..., None, None]
            moved = jnp.take_along_axis(moved, own, axis=2)[:, :, 0]
        else:
            moved = as_outputs("RoiHeadLoss", "deltas", deltas, (images, rows, 4), "Give one box, or one for each class.")
        target = jnp.asarray(self.codec.encode(rois.truth, rois.boxes))
        number = jnp.sum(rois.valid, dtype=jnp.float32)
        classified = cross_entropy(found, one_hot(rois.classes, self.classes + 1), rois.valid)
        box = self.box(moved, target, jnp.broadcast_to(rois.foreground[..., None], moved.shape))
        parts = {"class": mean_over(classified, number), "box": mean_over(box, number)}
        right = rois.valid & (jnp.argmax(found, axis=-1) == rois.classes)
        named = {f"{name}_loss": value for name, value in parts.items()} | {
            "rois": number,
            "foreground": jnp.sum(rois.foreground, dtype=jnp.float32),
            "missed": jnp.sum(rois.missed, dtype=jnp.float32),
            "accuracy": mean_over(right.astype(jnp.float32), number),
        }
        value = total(parts, {"class": self.class_weight, "box": self.box_weight})
        return value, jax.lax.stop_gradient(named)
