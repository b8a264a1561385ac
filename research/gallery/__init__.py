"""Enrolled people: the store, exact search, calibrated thresholds, and the answers."""

from research.gallery.identification import Candidate, Identification, Identifier
from research.gallery.records import Codes, Duplicate, Enrolled, Enrollment, Picture
from research.gallery.search import Index, Neighbors, squared_euclidean
from research.gallery.store import Gallery
from research.gallery.threshold import Threshold, Verification

__all__ = [
    "Candidate",
    "Codes",
    "Duplicate",
    "Enrolled",
    "Enrollment",
    "Gallery",
    "Identification",
    "Identifier",
    "Index",
    "Neighbors",
    "Picture",
    "Threshold",
    "Verification",
    "squared_euclidean",
]
