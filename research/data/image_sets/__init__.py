"""Images of anything and of any size, to train style networks on: where they come from, and random crops of them.

A source is opened to an :class:`ImageSet`; :class:`RandomCrops` cuts squares out of several; :func:`crop_stream` reads them.
"""

from likeness.research.data.image_sets.crops import Crops, RandomCrops, crop_stream
from likeness.research.data.image_sets.dead_leaves import DeadLeaves
from likeness.research.data.image_sets.image_folder import ImageFolder
from likeness.research.data.image_sets.image_set import ImageSet, ImageSetSource
from likeness.research.data.image_sets.photographs import Photographs
from likeness.research.data.image_sets.procedural import FaceImages, Paintings

__all__ = [
    "Crops",
    "DeadLeaves",
    "FaceImages",
    "ImageFolder",
    "ImageSet",
    "ImageSetSource",
    "Paintings",
    "Photographs",
    "RandomCrops",
    "crop_stream",
]
