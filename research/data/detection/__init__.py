"""Annotated images: folders of VOC, COCO and YOLO with their faults named; parted, changed at random, and batched."""

from typing import TYPE_CHECKING

from likeness.research.lazy import lazily

if TYPE_CHECKING:
    from likeness.research.data.detection.augmentation import DetectionAugmentation, DetectionSample, sample_of
    from likeness.research.data.detection.batches import PaddedBoxes, pad_boxes, padded_boxes, stream_detection
    from likeness.research.data.detection.checking import Exif, VocPixels
    from likeness.research.data.detection.crops import ObjectCrops
    from likeness.research.data.detection.examples import DetectionExamples, Proposals, detection_examples
    from likeness.research.data.detection.faces import CONTOUR_POINT_ORDER, FACE_POINT_ORDER, DrawnFaces, FaceScenes
    from likeness.research.data.detection.problems import KINDS, Kind, Problem, ProblemKind
    from likeness.research.data.detection.proposals import with_proposals
    from likeness.research.data.detection.records import Part
    from likeness.research.data.detection.shapes import Shapes
    from likeness.research.data.detection.source import DetectionFolder, DetectionSource
    from likeness.research.data.detection.split import DetectionParts, DetectionSplit, OfficialParts, ShareSplit, parted
    from likeness.research.data.detection.tfds import DetectionTfds
else:
    __getattr__ = lazily(
        __name__,
        {
            "augmentation": (
                "DetectionAugmentation",
                "DetectionSample",
                "sample_of",
            ),
            "batches": (
                "PaddedBoxes",
                "pad_boxes",
                "padded_boxes",
                "stream_detection",
            ),
            "checking": (
                "Exif",
                "VocPixels",
            ),
            "crops": ("ObjectCrops",),
            "examples": (
                "DetectionExamples",
                "Proposals",
                "detection_examples",
            ),
            "faces": (
                "CONTOUR_POINT_ORDER",
                "FACE_POINT_ORDER",
                "DrawnFaces",
                "FaceScenes",
            ),
            "problems": (
                "KINDS",
                "Kind",
                "Problem",
                "ProblemKind",
            ),
            "proposals": ("with_proposals",),
            "records": ("Part",),
            "shapes": ("Shapes",),
            "source": (
                "DetectionFolder",
                "DetectionSource",
            ),
            "split": (
                "DetectionParts",
                "DetectionSplit",
                "OfficialParts",
                "ShareSplit",
                "parted",
            ),
            "tfds": ("DetectionTfds",),
        },
    )

__all__ = [
    "CONTOUR_POINT_ORDER",
    "FACE_POINT_ORDER",
    "KINDS",
    "DetectionAugmentation",
    "DetectionExamples",
    "DetectionFolder",
    "DetectionParts",
    "DetectionSample",
    "DetectionSource",
    "DetectionSplit",
    "DetectionTfds",
    "DrawnFaces",
    "Exif",
    "FaceScenes",
    "Kind",
    "ObjectCrops",
    "OfficialParts",
    "PaddedBoxes",
    "Part",
    "Problem",
    "ProblemKind",
    "Proposals",
    "Shapes",
    "ShareSplit",
    "VocPixels",
    "detection_examples",
    "pad_boxes",
    "padded_boxes",
    "parted",
    "sample_of",
    "stream_detection",
    "with_proposals",
]
