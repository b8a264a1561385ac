"""Where an encoder of faces wants the face: a crop's size, and where in it the landmarks lie."""

import dataclasses

import numpy as np

from likeness.research.types import Float

__all__ = ["Template"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Template:
    """The crop that an encoder of faces takes, and where in it the landmarks lie. Unless said otherwise, MobileFaceNet's."""

    height: int = 112
    """Pixels."""
    width: int = 112
    """Pixels."""
    points: tuple[tuple[float, float], ...] = (
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    )
    """(x, y) of the eye on the left, the eye on the right, the tip of the nose, the corners of the mouth on the left and on the
    right; (0, 0) is the center of the first pixel. Any other number of points will do if the landmarks are as many."""

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 1:
            raise ValueError(f"Template is {self.height}×{self.width}: give a height and a width of at least 1 pixel")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    def array(self) -> Float[np.ndarray, "p 2"]:
        """The points, float64."""
        return np.array(self.points, np.float64).reshape(-1, 2)
