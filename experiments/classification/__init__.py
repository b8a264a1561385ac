"""Classification of signals, images and volumes."""

from likeness.experiments.classification.classification import Classification

__all__ = [
    "Classification",
]
