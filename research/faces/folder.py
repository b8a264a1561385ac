"""Photographs in folders, one folder a person: in each the face is found and laid over a template."""

import dataclasses
from typing import Literal

from likeness.research.data.duplicates import Duplicates
from likeness.research.data.folder import Folder
from likeness.research.data.images import Images
from likeness.research.faces.face_crop import FaceCrop
from likeness.research.tracking import Track, untracked

__all__ = ["FaceFolder"]


@dataclasses.dataclass(frozen=True)
class FaceFolder:
    """Photographs in ``path/person/photograph``, found as :class:`~likeness.research.data.Folder` finds images.

    Of each the face is taken, aligned as an encoder of faces wants it. A photograph without a face is a bad image.

    Example::

        images = FaceFolder("$LIKENESS_DATA/lfw").open()
    """

    path: str
    """The folder of folders; ``~`` and environment variables are replaced."""
    crop: FaceCrop = FaceCrop()
    """How a face is found and laid over the template."""
    on_bad: Literal["skip", "refuse"] = "skip"
    """``skip`` leaves a bad image out and lists it in ``Images.skipped``; ``refuse`` stops at the first."""
    duplicates: Duplicates = Duplicates()
    """What becomes of photographs that give identical crops."""
    cache_megabytes: float = 2048.0
    """Crops are kept in memory if all take no more than this; else each is made anew when it is needed, which is slow."""

    @property
    def preprocessing(self) -> FaceCrop:
        """How each file becomes an image."""
        return self.crop

    def open(self) -> Images:
        """Finds the photographs, and the faces in them.

        Raises:
            UserError: as of :class:`~likeness.research.data.Folder`, or the detector's weights are not on this machine.
        """
        return self.open_tracked(untracked)

    def open_tracked(self, track: Track) -> Images:
        """The same; ``track`` is told how far it is."""
        # Before thousands of files are found to be without a face.
        self.crop.reader  # noqa: B018
        folder = Folder(self.path, on_bad=self.on_bad, duplicates=self.duplicates, cache_megabytes=self.cache_megabytes)
        return folder.open_as(self.crop, track)
