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
from likeness.research.losses.detection.anchor_free import AnchorFreeLoss, DynamicMatcher
from likeness.research.losses.detection.box_regression import OverlapLoss, SmoothL1Loss
from likeness.research.losses.detection.focal import FocalLoss
from likeness.research.losses.detection.landmarks import LandmarkLoss
from likeness.research.losses.detection.localization import (
    CourseLocalizationLoss,
    LogisticLocalizationLoss,
    localization_targets,
)
from likeness.research.losses.detection.quality_focal import QualityFocalLoss
from likeness.research.losses.detection.roi_head import RoiHeadLoss, RoiSampling, SampledRois
from likeness.research.losses.detection.rpn import RpnLoss
from likeness.research.losses.detection.yolo_course import CourseYoloLoss
from likeness.research.losses.detection.yolo_v1 import YoloV1Loss
from likeness.research.losses.detection.yolo_v3 import YoloV3Loss
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
    "AnchorFreeLoss",
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
    "CourseLocalizationLoss",
    "CourseYoloLoss",
    "Covariance",
    "CrossEntropy",
    "Distance",
    "DistanceLoss",
    "Dot",
    "DynamicMatcher",
    "Euclidean",
    "FaceNetSemiHard",
    "FocalLoss",
    "Gram",
    "Histogram",
    "Identity",
    "KnowsCollapse",
    "LabelsOrSame",
    "LandmarkLoss",
    "Laplacian",
    "Layers",
    "LimitsIdentities",
    "LimitsSharding",
    "LogisticLocalizationLoss",
    "MarginSoftmax",
    "MarginViolating",
    "Mask",
    "MeanStd",
    "OverlapLoss",
    "Prototypical",
    "QualityFocalLoss",
    "RandomTriplets",
    "RecognitionLoss",
    "RoiHeadLoss",
    "RoiSampling",
    "RpnLoss",
    "SampledRois",
    "SelectionRule",
    "SelfSimilarity",
    "Siamese",
    "SlicedWasserstein",
    "SmoothL1Loss",
    "SquaredEuclidean",
    "TotalVariation",
    "Triplet",
    "Wasserstein",
    "YoloV1Loss",
    "YoloV3Loss",
    "cross_squared_distances",
    "distance_of",
    "gram_matrix",
    "localization_targets",
    "pairwise_squared_distances",
    "safe_sqrt",
    "squared_distance",
    "unit",
]
