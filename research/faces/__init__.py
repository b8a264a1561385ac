"""Faces in photographs: found by a detector, chosen, and laid over the template of an encoder."""

from likeness.research.faces.face_crop import FaceCrop
from likeness.research.faces.finder import FaceChoice, FaceFinder, FoundFaces
from likeness.research.faces.folder import FaceFolder
from likeness.research.faces.photographs import FaceReader, PhotographFaces

__all__ = ["FaceChoice", "FaceCrop", "FaceFinder", "FaceFolder", "FaceReader", "FoundFaces", "PhotographFaces"]
