"""Procedural faces: synthetic portraits whose identity and nuisance are vectors, with landmarks and boxes."""

from likeness.research.synthetic.faces.geometry import FaceIdentity, Nuisance, landmarks
from likeness.research.synthetic.faces.renderer import render

__all__ = ["FaceIdentity", "Nuisance", "landmarks", "render"]
