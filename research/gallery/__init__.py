"""Enrolled people: the store, exact search, calibrated thresholds, and the answers."""

from typing import TYPE_CHECKING

from likeness.research.lazy import lazily

if TYPE_CHECKING:
    from likeness.research.gallery.identification import Candidate, Identification, Identifier
    from likeness.research.gallery.records import Codes, Duplicate, Enrolled, EnrolledImage, Enrollment
    from likeness.research.gallery.search import Index, Neighbors, squared_euclidean
    from likeness.research.gallery.store import Gallery
    from likeness.research.gallery.threshold import Threshold, Verification
else:
    __getattr__ = lazily(
        __name__,
        {
            "identification": ("Candidate", "Identification", "Identifier"),
            "records": ("Codes", "Duplicate", "Enrolled", "Enrollment", "EnrolledImage"),
            "search": ("Index", "Neighbors", "squared_euclidean"),
            "store": ("Gallery",),
            "threshold": ("Threshold", "Verification"),
        },
    )

__all__ = [
    "Candidate",
    "Codes",
    "Duplicate",
    "Enrolled",
    "EnrolledImage",
    "Enrollment",
    "Gallery",
    "Identification",
    "Identifier",
    "Index",
    "Neighbors",
    "Threshold",
    "Verification",
    "squared_euclidean",
]
