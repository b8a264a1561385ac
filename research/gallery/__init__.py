"""Enrolled people: the store, exact search, calibrated thresholds, and the answers."""

from typing import TYPE_CHECKING

from likeness.research.lazy import lazily

if TYPE_CHECKING:
    from likeness.research.gallery.blocks import STORES, Store
    from likeness.research.gallery.identification import Candidate, IdentificationResult, Identifier
    from likeness.research.gallery.records import Codes, Duplicate, Enrolled, EnrolledImage, Enrollment
    from likeness.research.gallery.search import Index, Neighbors
    from likeness.research.gallery.store import Gallery
    from likeness.research.gallery.threshold import Threshold, VerificationResult
else:
    __getattr__ = lazily(
        __name__,
        {
            "blocks": ("STORES", "Store"),
            "identification": ("Candidate", "IdentificationResult", "Identifier"),
            "records": ("Codes", "Duplicate", "Enrolled", "Enrollment", "EnrolledImage"),
            "search": ("Index", "Neighbors"),
            "store": ("Gallery",),
            "threshold": ("Threshold", "VerificationResult"),
        },
    )

__all__ = [
    "STORES",
    "Candidate",
    "Codes",
    "Duplicate",
    "Enrolled",
    "EnrolledImage",
    "Enrollment",
    "Gallery",
    "IdentificationResult",
    "Identifier",
    "Index",
    "Neighbors",
    "Store",
    "Threshold",
    "VerificationResult",
]
