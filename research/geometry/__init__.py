"""Where things are in an image: boxes and their overlap, what a unit of a network sees, and laying an image over a template."""

from likeness.research.geometry.alignment import Crop, Similarity, crop, fit_similarity
from likeness.research.geometry.boxes import BoxFormat, area, as_boxes, centers, clip_boxes, convert, is_degenerate, sizes
from likeness.research.geometry.detections import Detection, Detections, PaddedDetections
from likeness.research.geometry.iou import Overlap, ciou, diou, giou, ios, iou, pairwise
from likeness.research.geometry.receptive_field import NetworkGeometry, ReceptiveField, WindowGeometry, receptive_fields

__all__ = [
    "BoxFormat",
    "Crop",
    "Detection",
    "Detections",
    "NetworkGeometry",
    "Overlap",
    "PaddedDetections",
    "ReceptiveField",
    "Similarity",
    "WindowGeometry",
    "area",
    "as_boxes",
    "centers",
    "ciou",
    "clip_boxes",
    "convert",
    "crop",
    "diou",
    "fit_similarity",
    "giou",
    "ios",
    "iou",
    "is_degenerate",
    "pairwise",
    "receptive_fields",
    "sizes",
]
