"""How good a detector is: average precision by the rules of COCO and VOC, with intervals, and what it gets wrong."""

from likeness.research.metrics.detection.average_precision import AREAS, IOU_THRESHOLDS, CocoEvaluation, CocoEvaluator
from likeness.research.metrics.detection.calibration import Reliability, reliability
from likeness.research.metrics.detection.coco import CocoSet, coco_set, evaluate_coco
from likeness.research.metrics.detection.confusion import ConfusionMatrix, confusion_matrix
from likeness.research.metrics.detection.curves import ScoreCurve, rates_at, score_curve
from likeness.research.metrics.detection.errors import ErrorShares, error_shares
from likeness.research.metrics.detection.landmarks import LandmarkErrors, box_sizes, distance_between, landmark_errors
from likeness.research.metrics.detection.matching import AreaRange, Matches
from likeness.research.metrics.detection.proposals import ProposalRecall, proposal_recall
from likeness.research.metrics.detection.truths import GroundTruth, Predictions
from likeness.research.metrics.detection.uncertainty import (
    PairedDifference,
    PrecisionBand,
    compare,
    per_class_intervals,
    precision_band,
    with_intervals,
)
from likeness.research.metrics.detection.voc import VocCurve, VocEvaluation, VocEvaluator

__all__ = [
    "AREAS",
    "IOU_THRESHOLDS",
    "AreaRange",
    "CocoEvaluation",
    "CocoEvaluator",
    "CocoSet",
    "ConfusionMatrix",
    "ErrorShares",
    "GroundTruth",
    "LandmarkErrors",
    "Matches",
    "PairedDifference",
    "PrecisionBand",
    "Predictions",
    "ProposalRecall",
    "Reliability",
    "ScoreCurve",
    "VocCurve",
    "VocEvaluation",
    "VocEvaluator",
    "box_sizes",
    "coco_set",
    "compare",
    "confusion_matrix",
    "distance_between",
    "error_shares",
    "evaluate_coco",
    "landmark_errors",
    "per_class_intervals",
    "precision_band",
    "proposal_recall",
    "rates_at",
    "reliability",
    "score_curve",
    "with_intervals",
]
