"""Procedural faces: synthetic portraits whose identity and nuisance are vectors, with landmarks and boxes."""

from research.data.faces.geometry import Identity, Nuisance, landmarks
from research.data.faces.renderer import render
from research.data.faces.source import Faces

__all__ = ["Faces", "Identity", "Nuisance", "landmarks", "render"]
