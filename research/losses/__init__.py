"""Losses: one idea a file. Frozen dataclasses that are the pure functions they configure; float32 inside."""

from likeness.research.losses.collapse import CollapseMonitor
from likeness.research.losses.content import Content
from likeness.research.losses.contextual import Contextual
from likeness.research.losses.contrastive import Contrastive
from likeness.research.losses.covariance import Covariance
from likeness.research.losses.cross_entropy import CrossEntropy
from likeness.research.losses.distances import (
    cross_squared_distances,
    pairwise_squared_distances,
    safe_sqrt,
    squared_distance,
)
from likeness.research.losses.gram import Gram
from likeness.research.losses.histogram import Histogram
from likeness.research.losses.identity import Identity
from likeness.research.losses.laplacian import Laplacian
from likeness.research.losses.layers import ActivationLoss, Layers, Mask
from likeness.research.losses.margin_softmax import MarginSoftmax
from likeness.research.losses.mining import (
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
from likeness.research.losses.moments import MeanStd
from likeness.research.losses.pairs import LabelsOrSame
from likeness.research.losses.patches import MRF
from likeness.research.losses.protocol import RecognitionLoss
from likeness.research.losses.prototypical import Prototypical
from likeness.research.losses.self_similarity import SelfSimilarity
from likeness.research.losses.siamese import Siamese
from likeness.research.losses.sliced_wasserstein import SlicedWasserstein
from likeness.research.losses.statistics import AdditiveLayers, gram_matrix
from likeness.research.losses.triplet import Triplet
from likeness.research.losses.variation import TotalVariation
from likeness.research.losses.wasserstein import Wasserstein

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
