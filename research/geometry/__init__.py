"""Where things are in an image: boxes and their overlap, what a unit of a network sees, and laying an image over a template."""

from likeness.research.geometry.alignment import Crop, Similarity, crop, fit_similarity
from likeness.research.geometry.anchor_clusters import AnchorClusters, kmeans_anchors, mean_best_iou, shape_iou
from likeness.research.geometry.anchors import AnchorGrid, AnchorPyramid, best_possible_recall
from likeness.research.geometry.balanced import BalancedSample, Sampled
from likeness.research.geometry.boxes import BoxFormat, area, as_boxes, centers, clip_boxes, convert, is_degenerate, sizes
from likeness.research.geometry.codecs import BoxCodec, BoxDeltas, CellRelative, ImageRelative, PointDistances, YoloV1, YoloV3
from likeness.research.geometry.detections import Detection, Detections, PaddedDetections
from likeness.research.geometry.dynamic_matching import SimOta, TaskAligned
from likeness.research.geometry.grouping import Grouping, HierarchicalGrouping, RegionTerm
from likeness.research.geometry.iou import Overlap, ciou, diou, giou, ios, iou, pairwise
from likeness.research.geometry.matching import Assignment, MaxIou
from likeness.research.geometry.midpoint_cells import MidpointCell
from likeness.research.geometry.mosaic import Mosaic
from likeness.research.geometry.optical_flow import flowed, trusted_flow
from likeness.research.geometry.padding import PadToMultiple
from likeness.research.geometry.placement import Placement
from likeness.research.geometry.receptive_field import NetworkGeometry, ReceptiveField, WindowGeometry, receptive_fields
from likeness.research.geometry.resampling import place_image
from likeness.research.geometry.roi import RoiAlign, RoiPool
from likeness.research.geometry.segmentation import GraphSegmentation
from likeness.research.geometry.selective_search import ColorSpace, ProposalSearch, SelectiveSearch
from likeness.research.geometry.slices import Slices, merge_slices
from likeness.research.geometry.suppression import Selected, Suppression
from likeness.research.geometry.template import Template
from likeness.research.geometry.transforms import (
    Composition,
    CropTo,
    Flip,
    GeometricTransform,
    Letterbox,
    Moved,
    Resize,
    Rotation,
    Upright,
    move,
)
from likeness.research.geometry.warp import Alignments, align, warp
from likeness.research.geometry.windows import SlidingWindows, as_convolution, check_convolutional, total_stride, windows_of

__all__ = [
    "Alignments",
    "AnchorClusters",
    "AnchorGrid",
    "AnchorPyramid",
    "Assignment",
    "BalancedSample",
    "BoxCodec",
    "BoxDeltas",
    "BoxFormat",
    "CellRelative",
    "ColorSpace",
    "Composition",
    "Crop",
    "CropTo",
    "Detection",
    "Detections",
    "Flip",
    "GeometricTransform",
    "GraphSegmentation",
    "Grouping",
    "HierarchicalGrouping",
    "ImageRelative",
    "Letterbox",
    "MaxIou",
    "MidpointCell",
    "Mosaic",
    "Moved",
    "NetworkGeometry",
    "Overlap",
    "PadToMultiple",
    "PaddedDetections",
    "Placement",
    "PointDistances",
    "ProposalSearch",
    "ReceptiveField",
    "RegionTerm",
    "Resize",
    "RoiAlign",
    "RoiPool",
    "Rotation",
    "Sampled",
    "Selected",
    "SelectiveSearch",
    "SimOta",
    "Similarity",
    "Slices",
    "SlidingWindows",
    "Suppression",
    "TaskAligned",
    "Template",
    "Upright",
    "WindowGeometry",
    "YoloV1",
    "YoloV3",
    "align",
    "area",
    "as_boxes",
    "as_convolution",
    "best_possible_recall",
    "centers",
    "check_convolutional",
    "ciou",
    "clip_boxes",
    "convert",
    "crop",
    "diou",
    "fit_similarity",
    "flowed",
    "giou",
    "ios",
    "iou",
    "is_degenerate",
    "kmeans_anchors",
    "mean_best_iou",
    "merge_slices",
    "move",
    "pairwise",
    "place_image",
    "receptive_fields",
    "shape_iou",
    "sizes",
    "total_stride",
    "trusted_flow",
    "warp",
    "windows_of",
]
