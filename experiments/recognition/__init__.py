"""Recognition: encoders of faces trained, evaluated, and used to tell who is who."""

from likeness.experiments.recognition.recognition import Recognition

__all__ = [
    "Recognition",
]
