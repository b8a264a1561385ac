"""Classification of signals, pictures and volumes."""

from experiments.classification.classification import Classification

__all__ = [
    "Classification",
]
