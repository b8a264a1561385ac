"""Procedural faces: synthetic portraits whose identity and nuisance are vectors, with landmarks and boxes."""

from likeness.research.synthetic.faces.contours import CONTOURS, contours
from likeness.research.synthetic.faces.geometry import FaceIdentity, Nuisance, landmarks
from likeness.research.synthetic.faces.renderer import render

__all__ = ["CONTOURS", "FaceIdentity", "Nuisance", "contours", "landmarks", "render"]
