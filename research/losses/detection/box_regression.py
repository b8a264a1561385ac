"""How far predicted boxes are from true ones, by their overlap or by the numbers that encode them."""

import dataclasses
from typing import Literal, TypeAlias

import jax.numpy as jnp

from likeness.research.checks import check_choice, check_finite_positive
from likeness.research.geometry.iou import ciou, diou, giou, iou
from likeness.research.losses.detection.terms import as_outputs
from likeness.research.types import AnyArray, Array, Bool, Float, Shaped

OverlapTerm: TypeAlias = Literal["iou", "giou", "diou", "ciou"]
"""Which overlap a loss is 1 minus of."""

__all__ = ["OverlapLoss", "OverlapTerm", "SmoothL1Loss"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class OverlapLoss:
    """``1 - overlap`` of each pair of boxes, from 0 to 1 for IoU and to 2 for the others.

    IoU has no gradient where boxes do not meet; GIoU, DIoU and CIoU have. Values and gradients are finite for boxes without
    area.

    Example:
        >>> import jax.numpy as jnp
        >>> print(OverlapLoss(overlap="iou")(jnp.array([[0.0, 0.0, 2.0, 2.0]]), jnp.array([[0.0, 0.0, 2.0, 1.0]])))
        [0.5]
    """

    overlap: OverlapTerm = "ciou"
    """Which."""

    def __post_init__(self) -> None:
        check_choice("OverlapLoss", "overlap", self.overlap, OverlapTerm)

    def __call__(
        self, boxes: Shaped[AnyArray, "..."], truth: Shaped[AnyArray, "..."], mask: Shaped[AnyArray, "..."] | None = None
    ) -> Float[Array, "*b"]:
        """The loss of each pair.

        Args:
            boxes: (…, 4), predicted, ``xyxy``.
            truth: (…, 4), of the same shape.
            mask: (…,), which pairs count; the others cost 0 and have no gradient, whatever they hold. None for all.

        Raises:
            ValueError: another shape or dtype.
        """
        shape = (*boxes.shape[:-1], 4)
        found, true = (as_outputs("OverlapLoss", n, b, shape, "Give xyxy.") for n, b in (("boxes", boxes), ("truth", truth)))
        counted = _counted("OverlapLoss", mask, shape[:-1])
        # A box without area has no derivative, so nothing is masked that has one.
        found, true = (jnp.where(counted[..., None], each, 0.0) for each in (found, true))
        measure = {"iou": iou, "giou": giou, "diou": diou, "ciou": ciou}[self.overlap]
        return jnp.where(counted, 1.0 - measure(found, true), 0.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SmoothL1Loss:
    """``½ x² / β`` where ``|x| < β`` and ``|x| - ½ β`` elsewhere, of the difference x of each number.

    Girshick, "Fast R-CNN", 2015, with β = 1; Detectron has 1/9 for proposals.

    Example:
        >>> import jax.numpy as jnp
        >>> print(SmoothL1Loss(beta=1.0)(jnp.array([0.5, 3.0]), jnp.array([0.0, 0.0])))
        [0.125 2.5  ]
    """

    beta: float = 1.0
    """β, where the parabola becomes a straight line."""

    def __post_init__(self) -> None:
        check_finite_positive("SmoothL1Loss", "beta", self.beta)

    def __call__(
        self, values: Shaped[AnyArray, "..."], targets: Shaped[AnyArray, "..."], mask: Shaped[AnyArray, "..."] | None = None
    ) -> Float[Array, "*shape"]:
        """The loss of each number.

        Args:
            values: of any shape.
            targets: of the same shape.
            mask: of the same shape, which numbers count; the others cost 0 and have no gradient, whatever they hold. None for
                all.

        Raises:
            ValueError: another shape or dtype.
        """
        found, true = (
            as_outputs("SmoothL1Loss", n, v, tuple(values.shape), "Give as many.")
            for n, v in (("values", values), ("targets", targets))
        )
        counted = _counted("SmoothL1Loss", mask, values.shape)
        found, true = (jnp.where(counted, each, 0.0) for each in (found, true))
        size = jnp.abs(found - true)
        return jnp.where(size < self.beta, 0.5 * size * size / self.beta, size - 0.5 * self.beta)


def _counted(owner: str, mask: AnyArray | None, shape: tuple[int, ...]) -> Bool[Array, "*b"]:
    if mask is None:
        return jnp.ones(shape, bool)
    if tuple(mask.shape) != tuple(shape) or mask.dtype != bool:
        raise ValueError(f"{owner}: mask must be booleans of shape {tuple(shape)}, and is {mask.dtype} of {tuple(mask.shape)}.")
    return jnp.asarray(mask)
