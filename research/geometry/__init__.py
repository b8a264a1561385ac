"""Where things are in an image: what a unit of a network sees of it, and laying it over a template."""

from likeness.research.geometry.alignment import Crop, Similarity, crop, fit_similarity
from likeness.research.geometry.receptive_field import NetworkGeometry, ReceptiveField, WindowGeometry, receptive_fields

__all__ = [
    "Crop",
    "NetworkGeometry",
    "ReceptiveField",
    "Similarity",
    "WindowGeometry",
    "crop",
    "fit_similarity",
    "receptive_fields",
]
