"""Portraits that know where their face is, with nothing to download."""

import dataclasses
from typing import Protocol, runtime_checkable

import jax.numpy as jnp
import numpy as np

from likeness.research.data.synthetic_faces import Faces
from likeness.research.errors import UserError
from likeness.research.images.reading import read_image
from likeness.research.images.resize import fit, resize
from likeness.research.images.sources import ImageSource, Pixels, by_config
from likeness.research.synthetic.faces import Nuisance, landmarks, render
from likeness.research.types import Float

Landmarks = Float[np.ndarray, "5 2"]

_HOPPER_SIZE = (600, 512)
_HOPPER = np.array([[222.5, 190.0], [305.0, 186.2], [267.0, 240.0], [230.0, 280.0], [308.8, 279.0]])
"""In the pixels of the whole photograph, found by eye."""


@runtime_checkable
class FaceImageSource(Protocol):
    """An image source that says where the face is. Any of this file."""

    def landmarks(self, size: int) -> Landmarks:
        """(x, y) of five points in the pixels of the image of that size: the eye on the image's left, that on its right,
        the tip of the nose, the corner of the mouth on the left, that on the right. (0, 0) is the center of the first pixel.
        """
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class GraceHopper(ImageSource):
    """Rear Admiral Grace Hopper, who wrote the first compiler: a photograph that comes with Matplotlib.

    By James S. Davis, 1984, for the United States Navy; in the public domain.
    """

    @property
    def title(self) -> str:
        """Her name."""
        return "Grace_Hopper"

    def open(self, size: int) -> Pixels:
        """RGB in [0, 1], with ``size`` pixels along its longer side.

        Raises:
            UserError: Matplotlib was installed without its sample data.
        """
        from matplotlib import cbook  # Matplotlib takes a second to import

        try:
            path = str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
        except FileNotFoundError as error:
            raise UserError(
                "The photograph of Grace Hopper is missing: this Matplotlib was installed without its sample data. Install it "
                "with pip, or paint another image."
            ) from error
        return np.clip(np.asarray(resize(jnp.asarray(read_image(path).pixels), fit(_HOPPER_SIZE, size))), 0.0, 1.0)

    def fingerprint(self) -> str:
        """Of her name."""
        return by_config(self)

    def landmarks(self, size: int) -> Landmarks:
        """Five points, see :class:`FaceImageSource`."""
        height, width = fit(_HOPPER_SIZE, size)
        return (_HOPPER + 0.5) * [width / _HOPPER_SIZE[1], height / _HOPPER_SIZE[0]] - 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProceduralFace(ImageSource):
    """A synthetic face, seen from the front in even light: a person of :class:`likeness.research.data.Faces`."""

    person: int = 0
    """Which person."""
    seed: int = 0
    """Of which people; those of a recognition run with this seed are the same."""
    smile: float = 0.2
    """-1 sad, 1 glad."""

    def __post_init__(self) -> None:
        if not -1 <= self.smile <= 1:
            raise ValueError(f"ProceduralFace.smile is {self.smile}: give a number from -1 to 1")
        if not 0 <= self.person < 10**7:
            raise ValueError(f"ProceduralFace.person is {self.person}: give a number from 0 to 9,999,999")

    @property
    def title(self) -> str:
        """The person's name."""
        return f"person-{self.person:04d}"

    def open(self, size: int) -> Pixels:
        """RGB in [0, 1], a square."""
        return render(*self._vectors(), size)[0].astype(np.float32) / np.float32(255)

    def fingerprint(self) -> str:
        """Of the person, the seed and the smile."""
        return by_config(self)

    def landmarks(self, size: int) -> Landmarks:
        """Five points, see :class:`FaceImageSource`."""
        points, _ = landmarks(*self._vectors(), size)
        return points[0].astype(np.float64) - 0.5

    def _vectors(self) -> tuple[np.ndarray, np.ndarray]:
        identity, _ = Faces(people=self.person + 1, images=1, seed=self.seed).vectors(np.array([self.person]))
        return identity, Nuisance(smile=self.smile).vector()
