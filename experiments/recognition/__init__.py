"""Recognition: encoders of faces trained, evaluated, and used to tell who is who."""

from typing import TYPE_CHECKING

from likeness.research.lazy import lazily

if TYPE_CHECKING:
    from likeness.experiments.recognition.embedders import Baseline, Eigenfaces, Embedder, RawPixels
    from likeness.experiments.recognition.face_crops import CenterCrop, Landmarks, SourceLandmarks, Template
    from likeness.experiments.recognition.protocols import (
        EvaluatedSet,
        EvaluationProtocol,
        Identification,
        OfficialOmniglot,
        OneShot,
        Verification,
        evaluate,
    )
    from likeness.experiments.recognition.recognition import Recognition
    from likeness.experiments.recognition.recognizer import Recognizer
else:
    __getattr__ = lazily(
        __name__,
        {
            "embedders": ("Baseline", "Eigenfaces", "Embedder", "RawPixels"),
            "face_crops": ("CenterCrop", "Landmarks", "SourceLandmarks", "Template"),
            "protocols": (
                "EvaluatedSet",
                "EvaluationProtocol",
                "Identification",
                "OfficialOmniglot",
                "OneShot",
                "Verification",
                "evaluate",
            ),
            "recognition": ("Recognition",),
            "recognizer": ("Recognizer",),
        },
    )

__all__ = [
    "Baseline",
    "CenterCrop",
    "Eigenfaces",
    "Embedder",
    "EvaluatedSet",
    "EvaluationProtocol",
    "Identification",
    "Landmarks",
    "OfficialOmniglot",
    "OneShot",
    "RawPixels",
    "Recognition",
    "Recognizer",
    "SourceLandmarks",
    "Template",
    "Verification",
    "evaluate",
]
