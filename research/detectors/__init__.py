"""Detectors: networks that find objects, with the canvas that they look at and the way from what they say to boxes.

A detector is a :class:`~likeness.research.detectors.DetectionModel`: a frozen dataclass, or anything else with its members.
:func:`~likeness.research.detectors.detect` is the one program from uint8 images to detections of a fixed size.
"""

from likeness.research.detectors.course_yolo import CourseYoloHead, HasCells
from likeness.research.detectors.fastestdet import COCO_CATEGORY_IDS, COCO_CLASSES, FastestDetDetector
from likeness.research.detectors.heads import AnchorFreeHead, DetectionHead, Objects
from likeness.research.detectors.learned import LearnedDetector
from likeness.research.detectors.localization import LocalizationHead
from likeness.research.detectors.mtcnn import MTCNNDetector
from likeness.research.detectors.protocol import Candidates, CanvasPlaces, DetectionModel, Regions, detect, suppressed
from likeness.research.detectors.regions import Learning, RegionHead, Sight
from likeness.research.detectors.roi_head import CropFeatures, RoiHead, Rpn, Segmented, SharedFeatures
from likeness.research.detectors.windows import WindowDetector
from likeness.research.detectors.yolo import YoloHead
from likeness.research.detectors.yunet import YuNetDetector

__all__ = [
    "COCO_CATEGORY_IDS",
    "COCO_CLASSES",
    "AnchorFreeHead",
    "Candidates",
    "CanvasPlaces",
    "CourseYoloHead",
    "CropFeatures",
    "DetectionHead",
    "DetectionModel",
    "FastestDetDetector",
    "HasCells",
    "LearnedDetector",
    "Learning",
    "LocalizationHead",
    "MTCNNDetector",
    "Objects",
    "RegionHead",
    "Regions",
    "RoiHead",
    "Rpn",
    "Segmented",
    "SharedFeatures",
    "Sight",
    "WindowDetector",
    "YoloHead",
    "YuNetDetector",
    "detect",
    "suppressed",
]
