"""Preprocessing for encoders of faces: the face in a photograph, found and laid over a template."""

import dataclasses

import numpy as np

from likeness.research.data.decode import BadImage, File
from likeness.research.data.preprocessing import Preprocessing
from likeness.research.faces.finder import FaceFinder
from likeness.research.faces.photographs import FaceReader, PhotographFaces
from likeness.research.types import UInt8

__all__ = ["FaceCrop", "no_face"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FaceCrop(Preprocessing):
    """Makes of a photograph the crop of a face: found by a detector, laid over the template of the encoder.

    Nothing is asked of the photograph but that somebody can be seen in it. A file without a face is a
    :class:`~likeness.research.data.BadImage`; of several faces the one is taken that ``finder.choice`` says.

    Example::

        crop = FaceCrop()("photo.jpg")  # uint8 (112, 112, 3)
    """

    size: tuple[int, int] = (112, 112)
    """Height and width of the crop: those of the template."""
    finder: FaceFinder = FaceFinder()
    """How a face is found, chosen and laid over a template."""
    weights: str = "yunet"
    """The published weights of its detector."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size != self.finder.template.size:
            raise ValueError(
                f"FaceCrop.size is {self.size}, and its template's {self.finder.template.size}: give the template's size."
            )
        if (self.channels, self.fit, self.tones, self.polarity, self.frame) != (3, "crop", "all", "as_is", "whole"):
            raise ValueError(
                "FaceCrop makes RGB crops by a template: leave channels, fit, tones, polarity and frame as they are."
            )

    @property
    def doing(self) -> str:
        """What is done with a file, for people who wait for many."""
        return "finding faces"

    @property
    def keeps(self) -> bool:
        """False: in a crop that is saved and read again the face is looked for anew."""
        return False

    @property
    def reader(self) -> FaceReader:
        """Finds faces.

        Raises:
            UserError: the detector's weights are not on this machine.
        """
        return FaceReader.load(self.finder, self.weights)

    def of_several(self, most: int) -> "FaceCrop":
        """The same, which finds so many faces of a photograph, at most."""
        return dataclasses.replace(self, finder=dataclasses.replace(self.finder, faces=most))

    def photograph(self, file: File, name: str) -> UInt8[np.ndarray, "h w 3"]:
        """The whole photograph, upright and RGB; one that is much larger than a canvas at a fraction of its size.

        Raises:
            BadImage: it cannot be read.
        """
        with self._decode.image(file, name, self.finder.longest) as image:
            return np.array(image, np.uint8)

    def from_file(self, file: File, name: str) -> UInt8[np.ndarray, "h w c"]:
        """Reads an open file; ``name`` is for the error.

        Raises:
            BadImage: it cannot be read, or no face is found in it.
        """
        reader = self.reader
        found = reader([self.photograph(file, name)])[0]
        if not len(found):
            raise no_face(name, found)
        return found.crops[0]


def no_face(name: str, found: PhotographFaces) -> BadImage:
    """What is said of a photograph without a face."""
    height, width = found.size
    return BadImage(
        name,
        f"no face was found in its {width} x {height} pixels, upright, turned or smaller",
        "Give a photograph in which both eyes of somebody can be seen, at least some 10 pixels apart.",
    )
