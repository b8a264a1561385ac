"""The procedural faces as images of anything."""

import dataclasses

import numpy as np

from likeness.research.data.image_sets.album import ImageSet, Remembered
from likeness.research.data.synthetic_faces import Faces


@dataclasses.dataclass(frozen=True, kw_only=True)
class FaceImages:
    """Procedural faces, whoever they show."""

    faces: Faces = Faces(people=40, images=2, size=256, noise=1.0)
    """Which, and how large."""

    def __post_init__(self) -> None:
        if self.faces.channels != 3:
            raise ValueError("Portraits.faces is gray: give it 3 channels.")

    def open(self) -> ImageSet:
        """The table; nothing is drawn yet."""
        images = self.faces.open()
        return ImageSet(
            names=images.names,
            read=Remembered(lambda index: images.read(np.array([index]))[0]),
            fingerprint=images.fingerprint,
            synthetic=True,
        )
