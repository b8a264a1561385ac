"""The two photographs that come with scikit-learn."""

import dataclasses
import hashlib
from typing import Literal, TypeAlias

import numpy as np

from likeness.research.data.image_sets.image_set import ImageSet, Remembered
from likeness.research.types import UInt8

_Name: TypeAlias = Literal["china", "flower"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Photographs:
    """Photographs of 640 × 427 pixels: a pagoda of the Summer Palace by danielbuechele, a dahlia by
    vultilion. Both CC BY 2.0 (flickr.com/photos/danielbuechele/6061409035 and /vultilion/6056698931)."""

    names: tuple[_Name, ...] = ("china", "flower")
    """Which ones."""

    def __post_init__(self) -> None:
        if not self.names or len(set(self.names)) != len(self.names):
            raise ValueError(f"Photographs.names is {self.names}: name at least one, and each only once.")

    def open(self) -> ImageSet:
        """The photographs, read when asked for."""
        digest = hashlib.sha256(repr(self.names).encode()).hexdigest()
        return ImageSet(names=self.names, read=Remembered(self._read), fingerprint=digest)

    def _read(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        from sklearn.datasets import load_sample_image  # scikit-learn takes a second to import

        return load_sample_image(f"{self.names[index]}.jpg")
