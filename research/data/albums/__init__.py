"""Pictures of anything and of any size, to train painters on: where they come from, and random crops of them.

A source is opened to an :class:`Album`; :class:`RandomCrops` cuts squares out of several; :func:`crop_stream` reads them.
"""

from research.data.albums.album import Album, AlbumSource
from research.data.albums.crops import Crops, RandomCrops, crop_stream
from research.data.albums.dead_leaves import DeadLeaves
from research.data.albums.paintings import Paintings
from research.data.albums.photographs import Photographs
from research.data.albums.picture_folder import PictureFolder
from research.data.albums.portraits import Portraits

__all__ = [
    "Album",
    "AlbumSource",
    "Crops",
    "DeadLeaves",
    "Paintings",
    "Photographs",
    "PictureFolder",
    "Portraits",
    "RandomCrops",
    "crop_stream",
]
