"""Where things are in an image: what a unit of a network sees of it, and laying it over a template."""

from likeness.research.geometry.alignment import Crop, Similarity, crop, fit_similarity
from likeness.research.geometry.receptive_field import LayerGeometry, NetworkGeometry, ReceptiveField, receptive_fields

__all__ = [
    "Crop",
    "LayerGeometry",
    "NetworkGeometry",
    "ReceptiveField",
    "Similarity",
    "crop",
    "fit_similarity",
    "receptive_fields",
]
