"""Recognition: encoders of faces trained, judged, and used to tell who is who."""

from experiments.recognition.recognition import Recognition

__all__ = [
    "Recognition",
]
