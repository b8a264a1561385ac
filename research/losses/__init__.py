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
from likeness.research.losses.metric.adaface import AdaFace
from likeness.research.losses.metric.angular_margin import moved_cosine
from likeness.research.losses.metric.arcface import ArcFace
from likeness.research.losses.metric.center_loss import CenterLoss
from likeness.research.losses.metric.circle import Circle
from likeness.research.losses.metric.class_centers import ClassCenters
from likeness.research.losses.metric.collapse import CollapseMonitor
from likeness.research.losses.metric.contrastive import Contrastive
from likeness.research.losses.metric.cosface import CosFace
from likeness.research.losses.metric.cross_batch_memory import CrossBatchMemory
from likeness.research.losses.metric.curricularface import CurricularFace
from likeness.research.losses.metric.distance_weighted import DistanceWeighted
from likeness.research.losses.metric.easy_positive import EasyPositive
from likeness.research.losses.metric.elasticface import ElasticFace
from likeness.research.losses.metric.magface import MagFace
from likeness.research.losses.metric.margin_head import AngularHead, CenterCosines, MarginHead, StatefulHead
from likeness.research.losses.metric.margin_loss import MarginLoss
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
from likeness.research.losses.metric.multi_similarity import MultiSimilarity
from likeness.research.losses.metric.nt_xent import NTXent
from likeness.research.losses.metric.pair_loss import MinedPairs, PairLoss
from likeness.research.losses.metric.pair_mining import AllPairs, Miner, MultiSimilarityMiner, TripletPairs
from likeness.research.losses.metric.pairs import LabelsOrSame, Padded, PairMasks
from likeness.research.losses.metric.protocol import (
    CarriesState,
    DistanceLoss,
    KnowsCollapse,
    LimitsIdentities,
    LimitsSharding,
    RecognitionLoss,
    advance,
    distance_of,
    initial_state,
)
from likeness.research.losses.metric.prototypical import Prototypical
from likeness.research.losses.metric.proxy_anchor import ProxyAnchor
from likeness.research.losses.metric.siamese import Siamese
from likeness.research.losses.metric.subcenter_arcface import SubcenterArcFace
from likeness.research.losses.metric.supcon import SupCon
from likeness.research.losses.metric.triplet import Triplet
from likeness.research.losses.metric.uniface import UniFace
from likeness.research.losses.style.content import Content
from likeness.research.losses.style.contextual import Contextual
from likeness.research.losses.style.covariance import Covariance
from likeness.research.losses.style.gram import Gram
from likeness.research.losses.style.histogram import Histogram
from likeness.research.losses.style.hypercolumn_moments import HypercolumnMoments
from likeness.research.losses.style.hypercolumn_similarity import HypercolumnSimilarity
from likeness.research.losses.style.hypercolumns import DrawsPlaces, Hypercolumns
from likeness.research.losses.style.identity import Identity
from likeness.research.losses.style.laplacian import Laplacian
from likeness.research.losses.style.layers import ActivationLoss, Layers, Mask
from likeness.research.losses.style.moments import MeanStd
from likeness.research.losses.style.nearest_neighbors import JoinsReferences, MatchesOnce, NearestNeighbors, NeuralNeighbors
from likeness.research.losses.style.patches import MRF
from likeness.research.losses.style.range import OutOfRange
from likeness.research.losses.style.relaxed_emd import PaletteEMD, RelaxedEMD
from likeness.research.losses.style.self_similarity import SelfSimilarity
from likeness.research.losses.style.sliced_wasserstein import SlicedWasserstein
from likeness.research.losses.style.statistics import AdditiveLayers, BlendsTargets, gram_matrix
from likeness.research.losses.style.temporal import Temporal
from likeness.research.losses.style.tiles import AddsPlaces, AddsStatistics, ChecksTiles
from likeness.research.losses.style.variation import TotalVariation
from likeness.research.losses.style.wasserstein import Wasserstein

__all__ = [
    "MRF",
    "ActivationLoss",
    "AdaFace",
    "AdditiveLayers",
    "AddonsSemiHard",
    "AddsPlaces",
    "AddsStatistics",
    "AllPairs",
    "AnchorFreeLoss",
    "AnchorSemiHard",
    "AngularHead",
    "ArcFace",
    "BandSemiHard",
    "BatchAll",
    "BatchHard",
    "BlendsTargets",
    "CarriesState",
    "CenterCosines",
    "CenterLoss",
    "ChecksTiles",
    "Circle",
    "ClassCenters",
    "ClassificationLoss",
    "CollapseMonitor",
    "Content",
    "Contextual",
    "Contrastive",
    "CosFace",
    "Cosine",
    "CourseLocalizationLoss",
    "CourseYoloLoss",
    "Covariance",
    "CrossBatchMemory",
    "CrossEntropy",
    "CurricularFace",
    "Distance",
    "DistanceLoss",
    "DistanceWeighted",
    "Dot",
    "DrawsPlaces",
    "DynamicMatcher",
    "EasyPositive",
    "ElasticFace",
    "Euclidean",
    "FaceNetSemiHard",
    "FocalLoss",
    "Gram",
    "Histogram",
    "HypercolumnMoments",
    "HypercolumnSimilarity",
    "Hypercolumns",
    "Identity",
    "JoinsReferences",
    "KnowsCollapse",
    "LabelsOrSame",
    "LandmarkLoss",
    "Laplacian",
    "Layers",
    "LimitsIdentities",
    "LimitsSharding",
    "LogisticLocalizationLoss",
    "MagFace",
    "MarginHead",
    "MarginLoss",
    "MarginSoftmax",
    "MarginViolating",
    "Mask",
    "MatchesOnce",
    "MeanStd",
    "MinedPairs",
    "Miner",
    "MultiSimilarity",
    "MultiSimilarityMiner",
    "NTXent",
    "NearestNeighbors",
    "NeuralNeighbors",
    "OutOfRange",
    "OverlapLoss",
    "Padded",
    "PairLoss",
    "PairMasks",
    "PaletteEMD",
    "Prototypical",
    "ProxyAnchor",
    "QualityFocalLoss",
    "RandomTriplets",
    "RecognitionLoss",
    "RelaxedEMD",
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
    "StatefulHead",
    "SubcenterArcFace",
    "SupCon",
    "Temporal",
    "TotalVariation",
    "Triplet",
    "TripletPairs",
    "UniFace",
    "Wasserstein",
    "YoloV1Loss",
    "YoloV3Loss",
    "advance",
    "cross_squared_distances",
    "distance_of",
    "gram_matrix",
    "initial_state",
    "localization_targets",
    "moved_cosine",
    "pairwise_squared_distances",
    "safe_sqrt",
    "squared_distance",
    "unit",
]
