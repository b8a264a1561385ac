"""Classification of signals, pictures and volumes."""

from likeness.experiments.classification.classification import Classification

__all__ = [
    "Classification",
]
