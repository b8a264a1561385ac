"""Where things are in a picture: what a unit of a network sees of it."""

from research.geometry.receptive_field import ReceptiveField, receptive_fields

__all__ = ["ReceptiveField", "receptive_fields"]
