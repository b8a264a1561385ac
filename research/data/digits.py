"""The handwritten digits that come with scikit-learn: real data with no download."""

import dataclasses
from typing import Any

import numpy as np

from likeness.research.data.arrays import from_arrays
from likeness.research.data.images import Images
from likeness.research.data.preprocessing import Preprocessing


@dataclasses.dataclass(frozen=True, kw_only=True)
class Digits:
    """1,797 handwritten digits, 8 × 8 gray, ink white; the ten digits stand for people.

    With ten classes an identity-disjoint split is small, such as ``CountSplit(validation=2, test=2)``: six
    digits to learn from and two unseen ones to be evaluated by.

    E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository,
    1998.
    """

    scale: int = 1
    """Each pixel becomes ``scale`` × ``scale`` equal ones."""

    def __post_init__(self) -> None:
        if not 1 <= self.scale <= 32:
            raise ValueError(f"Digits.scale repeats each pixel and must be from 1 to 32, not {self.scale}.")

    @property
    def preprocessing(self) -> Preprocessing:
        """Files of the table's own size, which nothing is done to: the scans that the digits were made from are not there."""
        return Preprocessing(size=(8 * self.scale, 8 * self.scale), channels=1, fit="exact")

    def open(self) -> Images:
        """Reads the digits from the installed scikit-learn."""
        from sklearn.datasets import load_digits

        digits: Any = load_digits()
        # The values are 0 to 16: counts of ink in 4 x 4 blocks of the scan.
        pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)
        pixels = pixels.repeat(self.scale, axis=1).repeat(self.scale, axis=2)
        images = from_arrays(pixels, digits.target.astype(np.int32), name="scikit-learn's digits")
        return dataclasses.replace(images, noun=("digit", "digits"))
