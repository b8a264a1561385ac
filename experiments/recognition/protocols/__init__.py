"""How a recognizer is evaluated: each protocol turns a subject and a table of images into metrics."""

from likeness.experiments.recognition.protocols.audits import ErrorVersusReject, GroupErrorRates
from likeness.experiments.recognition.protocols.base import (
    EvaluatedSet,
    EvaluationProtocol,
    Metrics,
    apply_protocols,
    check_protocol,
    evaluate,
)
from likeness.experiments.recognition.protocols.embedded import evaluated_embeddings, open_embeddings
from likeness.experiments.recognition.protocols.exhaustive import Blufr, EveryPair, GallerySizes, Retrieval
from likeness.experiments.recognition.protocols.one_shot import OfficialOmniglot, OneShot
from likeness.experiments.recognition.protocols.pairs import BinaryPairs, ListedPairs
from likeness.experiments.recognition.protocols.sampled import Identification, Verification
from likeness.experiments.recognition.protocols.templates import TemplateIdentification, TemplateVerification

__all__ = [
    "BinaryPairs",
    "Blufr",
    "ErrorVersusReject",
    "EvaluatedSet",
    "EvaluationProtocol",
    "EveryPair",
    "GallerySizes",
    "GroupErrorRates",
    "Identification",
    "ListedPairs",
    "Metrics",
    "OfficialOmniglot",
    "OneShot",
    "Retrieval",
    "TemplateIdentification",
    "TemplateVerification",
    "Verification",
    "apply_protocols",
    "check_protocol",
    "evaluate",
    "evaluated_embeddings",
    "open_embeddings",
]
