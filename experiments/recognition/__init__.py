"""Recognition: encoders of faces trained, evaluated, and used to tell who is who."""

from typing import TYPE_CHECKING

from likeness.research.lazy import lazily

if TYPE_CHECKING:
    from likeness.experiments.recognition.embedders import Baseline, Eigenfaces, Embedder, RawPixels
    from likeness.experiments.recognition.face_crops import CenterCrop, Landmarks, SourceLandmarks, Template
    from likeness.experiments.recognition.protocols import (
        BinaryPairs,
        Blufr,
        ErrorVersusReject,
        EvaluatedSet,
        EvaluationProtocol,
        EveryPair,
        GallerySizes,
        GroupErrorRates,
        Identification,
        ListedPairs,
        OfficialOmniglot,
        OneShot,
        Retrieval,
        TemplateIdentification,
        TemplateVerification,
        Verification,
        evaluate,
        evaluated_embeddings,
        open_embeddings,
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
                "EveryPair",
                "BinaryPairs",
                "Blufr",
                "ErrorVersusReject",
                "EvaluatedSet",
                "EvaluationProtocol",
                "GallerySizes",
                "GroupErrorRates",
                "Identification",
                "ListedPairs",
                "OfficialOmniglot",
                "OneShot",
                "Retrieval",
                "TemplateIdentification",
                "TemplateVerification",
                "Verification",
                "evaluate",
                "evaluated_embeddings",
                "open_embeddings",
            ),
            "recognition": ("Recognition",),
            "recognizer": ("Recognizer",),
        },
    )

__all__ = [
    "Baseline",
    "BinaryPairs",
    "Blufr",
    "CenterCrop",
    "Eigenfaces",
    "Embedder",
    "ErrorVersusReject",
    "EvaluatedSet",
    "EvaluationProtocol",
    "EveryPair",
    "GallerySizes",
    "GroupErrorRates",
    "Identification",
    "Landmarks",
    "ListedPairs",
    "OfficialOmniglot",
    "OneShot",
    "RawPixels",
    "Recognition",
    "Recognizer",
    "Retrieval",
    "SourceLandmarks",
    "Template",
    "TemplateIdentification",
    "TemplateVerification",
    "Verification",
    "evaluate",
    "evaluated_embeddings",
    "open_embeddings",
]
