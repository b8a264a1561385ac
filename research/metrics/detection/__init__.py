"""How good a detector is: average precision by the rules of COCO and VOC, with intervals, and what it gets wrong."""

from likeness.research.metrics.detection.average_precision import AREAS, IOU_THRESHOLDS, CocoEvaluation, CocoEvaluator
from likeness.research.metrics.detection.coco import CocoSet, coco_set, evaluate_coco
from likeness.research.metrics.detection.matching import AreaRange, Matches
from likeness.research.metrics.detection.truths import GroundTruth, Predictions
from likeness.research.metrics.detection.voc import VocCurve, VocEvaluation, VocEvaluator

__all__ = [
    "AREAS",
    "IOU_THRESHOLDS",
    "AreaRange",
    "CocoEvaluation",
    "CocoEvaluator",
    "CocoSet",
    "GroundTruth",
    "Matches",
    "Predictions",
    "VocCurve",
    "VocEvaluation",
    "VocEvaluator",
    "coco_set",
    "evaluate_coco",
]
