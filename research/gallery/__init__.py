"""Enrolled people: the store, exact search, calibrated thresholds, and the answers."""

from typing import TYPE_CHECKING

from likeness.research.lazy import lazily

if TYPE_CHECKING:
    from likeness.research.gallery.blocks import STORES, Store
    from likeness.research.gallery.gallery_thresholds import GalleryThresholds
    from likeness.research.gallery.history import GalleryChange
    from likeness.research.gallery.identification import Candidate, IdentificationResult, Identifier
    from likeness.research.gallery.records import (
        PERSON_TEMPLATES,
        Codes,
        Duplicate,
        Enrolled,
        EnrolledImage,
        Enrollment,
        PersonTemplate,
    )
    from likeness.research.gallery.search import Index, Neighbors
    from likeness.research.gallery.store import Gallery
    from likeness.research.gallery.templates import averaged
    from likeness.research.gallery.threshold import Threshold, VerificationResult
else:
    __getattr__ = lazily(
        __name__,
        {
            "blocks": ("STORES", "Store"),
            "gallery_thresholds": ("GalleryThresholds",),
            "history": ("GalleryChange",),
            "identification": ("Candidate", "IdentificationResult", "Identifier"),
            "records": ("Codes", "Duplicate", "Enrolled", "Enrollment", "EnrolledImage", "PersonTemplate", "PERSON_TEMPLATES"),
            "search": ("Index", "Neighbors"),
            "store": ("Gallery",),
            "templates": ("averaged",),
            "threshold": ("Threshold", "VerificationResult"),
        },
    )

__all__ = [
    "PERSON_TEMPLATES",
    "STORES",
    "Candidate",
    "Codes",
    "Duplicate",
    "Enrolled",
    "EnrolledImage",
    "Enrollment",
    "Gallery",
    "GalleryChange",
    "GalleryThresholds",
    "IdentificationResult",
    "Identifier",
    "Index",
    "Neighbors",
    "PersonTemplate",
    "Store",
    "Threshold",
    "VerificationResult",
    "averaged",
]
