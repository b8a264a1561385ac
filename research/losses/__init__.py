"""Losses: one idea a file. Frozen dataclasses that are the pure functions they configure; float32 inside."""

from likeness.research.distances import (
    Cosine,
    Distance,
    Dot,
    Euclidean,
    SquaredEuclidean,
    cross_squared_distances,
    pairwise_squared_distances,
    safe_sqrt,
    squared_distance,
    unit,
)
from likeness.research.losses.classification import ClassificationLoss, CrossEntropy
from likeness.research.losses.metric.collapse import CollapseMonitor
from likeness.research.losses.metric.contrastive import Contrastive
from likeness.research.losses.metric.margin_softmax import MarginSoftmax
from likeness.research.losses.metric.mining import (
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
from likeness.research.losses.metric.pairs import LabelsOrSame
from likeness.research.losses.metric.protocol import (
    DistanceLoss,
    KnowsCollapse,
    LimitsIdentities,
    LimitsSharding,
    RecognitionLoss,
    distance_of,
)
from likeness.research.losses.metric.prototypical import Prototypical
from likeness.research.losses.metric.siamese import Siamese
from likeness.research.losses.metric.triplet import Triplet
from likeness.research.losses.style.content import Content
from likeness.research.losses.style.contextual import Contextual
from likeness.research.losses.style.covariance import Covariance
from likeness.research.losses.style.gram import Gram
from likeness.research.losses.style.histogram import Histogram
from likeness.research.losses.style.identity import Identity
from likeness.research.losses.style.laplacian import Laplacian
from likeness.research.losses.style.layers import ActivationLoss, Layers, Mask
from likeness.research.losses.style.moments import MeanStd
from likeness.research.losses.style.patches import MRF
from likeness.research.losses.style.self_similarity import SelfSimilarity
from likeness.research.losses.style.sliced_wasserstein import SlicedWasserstein
from likeness.research.losses.style.statistics import AdditiveLayers, gram_matrix
from likeness.research.losses.style.tiles import AddsPlaces, AddsStatistics, ChecksTiles
from likeness.research.losses.style.variation import TotalVariation
from likeness.research.losses.style.wasserstein import Wasserstein

__all__ = [
    "MRF",
    "ActivationLoss",
    "AdditiveLayers",
    "AddonsSemiHard",
    "AddsPlaces",
    "AddsStatistics",
    "AnchorSemiHard",
    "BandSemiHard",
    "BatchAll",
    "BatchHard",
    "ChecksTiles",
    "ClassificationLoss",
    "CollapseMonitor",
    "Content",
    "Contextual",
    "Contrastive",
    "Cosine",
    "Covariance",
    "CrossEntropy",
    "Distance",
    "DistanceLoss",
    "Dot",
    "Euclidean",
    "FaceNetSemiHard",
    "Gram",
    "Histogram",
    "Identity",
    "KnowsCollapse",
    "LabelsOrSame",
    "Laplacian",
    "Layers",
    "LimitsIdentities",
    "LimitsSharding",
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
    "SquaredEuclidean",
    "TotalVariation",
    "Triplet",
    "Wasserstein",
    "cross_squared_distances",
    "distance_of",
    "gram_matrix",
    "pairwise_squared_distances",
    "safe_sqrt",
    "squared_distance",
    "unit",
]
