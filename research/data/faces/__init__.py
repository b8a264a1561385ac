"""Procedural faces: synthetic portraits whose identity and nuisance are vectors, with landmarks and boxes."""

from likeness.research.data.faces.geometry import Identity, Nuisance, landmarks
from likeness.research.data.faces.renderer import render
from likeness.research.data.faces.source import Faces

__all__ = ["Faces", "Identity", "Nuisance", "landmarks", "render"]
