"""Detection: where in an image objects are, and of which class."""

from likeness.experiments.detection.detection import ObjectDetection
from likeness.experiments.detection.windows import WindowDetection

__all__ = ["ObjectDetection", "WindowDetection"]
