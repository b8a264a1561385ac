"""Losses: one idea a file. Frozen dataclasses that are the pure functions they configure; float32 inside."""

from research.losses.collapse import CollapseMonitor
from research.losses.content import Content
from research.losses.contextual import Contextual
from research.losses.contrastive import Contrastive
from research.losses.covariance import Covariance
from research.losses.cross_entropy import CrossEntropy
from research.losses.distances import (
    cross_squared_distances,
    pairwise_squared_distances,
    safe_sqrt,
    squared_distance,
)
from research.losses.gram import Gram
from research.losses.histogram import Histogram
from research.losses.identity import Identity
from research.losses.laplacian import Laplacian
from research.losses.layers import ActivationLoss, Layers, Mask
from research.losses.margin_softmax import MarginSoftmax
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
from research.losses.moments import MeanStd
from research.losses.pairs import LabelsOrSame
from research.losses.patches import MRF
from research.losses.protocol import RecognitionLoss
from research.losses.prototypical import Prototypical
from research.losses.self_similarity import SelfSimilarity
from research.losses.siamese import Siamese
from research.losses.sliced_wasserstein import SlicedWasserstein
from research.losses.statistics import AdditiveLayers, gram_matrix
from research.losses.triplet import Triplet
from research.losses.variation import TotalVariation
from research.losses.wasserstein import Wasserstein

__all__ = [
    "MRF",
    "ActivationLoss",
    "AdditiveLayers",
    "AddonsSemiHard",
    "AnchorSemiHard",
    "BandSemiHard",
    "BatchAll",
    "BatchHard",
    "CollapseMonitor",
    "Content",
    "Contextual",
    "Contrastive",
    "Covariance",
    "CrossEntropy",
    "FaceNetSemiHard",
    "Gram",
    "Histogram",
    "Identity",
    "LabelsOrSame",
    "Laplacian",
    "Layers",
    "MarginSoftmax",
    "MarginViolating",
    "Mask",
    "MeanStd",
    "Prototypical",
    "RandomTriplets",
    "RecognitionLoss",
    "SelectionRule",
    "SelfSimilarity",
    "Siamese",
    "SlicedWasserstein",
    "TotalVariation",
    "Triplet",
    "Wasserstein",
    "cross_squared_distances",
    "gram_matrix",
    "pairwise_squared_distances",
    "safe_sqrt",
    "squared_distance",
]
