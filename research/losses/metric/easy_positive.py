"""Easy-positive mining: an anchor need only be near to the positive that is nearest already."""

import dataclasses
from typing import Literal, TypeAlias

from likeness.research.checks import check_choice
from likeness.research.losses.metric.mining import Column, Distances, Mask, SelectionRule, nearest
from likeness.research.types import PRNGKey, Scalar

Negatives: TypeAlias = Literal["all", "hardest", "semi_hard"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class EasyPositive(SelectionRule):
    """For each anchor its nearest positive alone, with negatives of a kind.

    Not all images of a person need come to one place: a profile need only be near another profile. So classes keep their
    spread, which helps with people that were not trained on.

    ``semi_hard`` is the paper's EPSHN: the nearest negative beyond the positive, and no triplet where there is none.
    ``hardest`` is its EPHN: the nearest negative. pytorch-metric-learning has both as ``BatchEasyHardMiner``.

    Xuan, Stylianou and Pless, "Improved embeddings with easy positive triplet mining", 2020.
    """

    negatives_kind: Negatives = "semi_hard"
    """Which negatives form a triplet with the positive."""

    def __post_init__(self) -> None:
        check_choice("EasyPositive", "negatives_kind", self.negatives_kind, Negatives)

    def positives(self, distances: Distances, positive: Mask) -> Mask:
        return nearest(distances, positive)

    def negatives(
        self, d_ap: Column, distances: Distances, negative: Mask, margin: Scalar | float, key: PRNGKey | None
    ) -> Mask:
        match self.negatives_kind:
            case "all":
                return negative
            case "hardest":
                return nearest(distances, negative)
            case "semi_hard":
                return nearest(distances, negative & (distances > d_ap))
