"""Losses: one idea a file. Frozen dataclasses that are the pure functions they configure; float32 inside."""

from research.losses.collapse import CollapseMonitor
from research.losses.contrastive import Contrastive
from research.losses.distances import (
    cross_squared_distances,
    pairwise_squared_distances,
    safe_sqrt,
    squared_distance,
)
from research.losses.mining import (
    AddonsSemiHard,
    AnchorSemiHard,
    BandSemiHard,
    BatchAll,
    BatchHard,
    FaceNetSemiHard,
    MarginViolating,
    RandomTriplets,
    SelectionRule,
)
from research.losses.pairs import LabelsOrSame
from research.losses.protocol import RecognitionLoss
from research.losses.prototypical import Prototypical
from research.losses.siamese import Siamese
from research.losses.triplet import Triplet

__all__ = [
    "AddonsSemiHard",
    "AnchorSemiHard",
    "BandSemiHard",
    "BatchAll",
    "BatchHard",
    "CollapseMonitor",
    "Contrastive",
    "FaceNetSemiHard",
    "LabelsOrSame",
    "MarginViolating",
    "Prototypical",
    "RandomTriplets",
    "RecognitionLoss",
    "SelectionRule",
    "Siamese",
    "Triplet",
    "cross_squared_distances",
    "pairwise_squared_distances",
    "safe_sqrt",
    "squared_distance",
]
