"""Detection: where in an image objects are, and of which class."""

from likeness.experiments.detection.detection import ObjectDetection

__all__ = ["ObjectDetection"]
