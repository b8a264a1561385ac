"""What was found in images as a COCO file, which names the images and the classes too."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from likeness.research.detectors import DetectionModel
from likeness.research.geometry.detections import Detections
from likeness.research.geometry.placement import Size

__all__ = ["Found", "as_coco", "category_ids_of"]


class Found(NamedTuple):
    """What was found in an image."""

    name: str
    """What the image is called in the file."""
    size: Size
    """Height and width."""
    detections: Detections


def category_ids_of(model: DetectionModel) -> Sequence[int]:
    """The ids of a detector's classes: its own ``category_ids`` if it has any, else from 1 on, as COCO counts."""
    return getattr(model, "category_ids", None) or range(1, len(model.class_names) + 1)


def as_coco(found: Sequence[Found], model: DetectionModel) -> Mapping[str, Any]:
    """COCO's ``images``, ``annotations`` with scores, and ``categories``, ready for JSON.

    The annotations alone are what COCO's evaluators take for results. Numbers have two decimals of a pixel and five of a score.

    Args:
        found: in the order of the images.
        model: whose classes they are.
    """
    ids = category_ids_of(model)
    annotations = []
    for image, one in enumerate(found, 1):
        for record in one.detections.to_coco(image, ids or None):
            box = [round(number, 2) for number in record["bbox"]]
            rounded = {"id": len(annotations) + 1, **record, "bbox": box, "area": round(box[2] * box[3], 2), "iscrowd": 0}
            rounded["score"] = round(record["score"], 5)
            if "keypoints" in record:
                rounded["keypoints"] = [round(number, 2) for number in record["keypoints"]]
                rounded["num_keypoints"] = len(record["keypoints"]) // 3
            annotations.append(rounded)
    return {
        "images": [
            {"id": image, "file_name": one.name, "height": one.size[0], "width": one.size[1]}
            for image, one in enumerate(found, 1)
        ],
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in zip(ids, model.class_names, strict=False)],
    }
