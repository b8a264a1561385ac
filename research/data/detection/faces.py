"""Drawn faces as a source of annotated images: one face in each, with its box and five landmarks."""

import dataclasses
from typing import ClassVar, Literal

import numpy as np

from likeness.research.data.detection.examples import DetectionExamples, detection_examples
from likeness.research.data.detection.records import Part
from likeness.research.data.synthetic_faces import Faces

__all__ = ["FACE_POINT_ORDER", "DrawnFaces"]

FACE_POINT_ORDER = (1, 0, 2, 4, 3)
"""Which landmark takes each place in the mirror: the eye on the left becomes that on the right."""

_CHUNK = 256


@dataclasses.dataclass(frozen=True, kw_only=True)
class DrawnFaces:
    """Synthetic portraits of as many people as there are images, with the box of the face and five landmarks.

    These are the eye on the left of the image, that on the right, the tip of the nose, and the corners of the mouth, left and
    right. Faces are drawn as by :class:`~likeness.research.data.Faces`. Nobody is in two parts.

    Raises:
        ValueError: a field is out of range.

    Example:
        >>> examples = DrawnFaces(train=2, validation=1, test=1, size=32).open()
        >>> len(examples), examples.points.shape, examples.class_names
        (4, (4, 5, 2), ('face',))
    """

    synthetic: ClassVar[bool] = True
    """No number measured on them says anything of real people."""

    train: int = 4000
    """Images to learn from."""
    validation: int = 300
    """Images to decide by."""
    test: int = 1000
    """Images to be evaluated by."""
    size: int = 64
    """Pixels on a side."""
    channels: Literal[1, 3] = 3
    """3 for color, 1 for gray."""
    placement: float = 2.0
    """Strength of scale and shift: 1 is up to 8 % and 3 % of the image."""
    occlusion: float = 0.15
    """Probability of something blurred in front of the face."""
    seed: int = 0
    """Decides all images."""

    def __post_init__(self) -> None:
        if min(self.train, self.validation, self.test) < 1:
            raise ValueError(f"{self}: each part needs at least one image.")
        self._faces(1)

    def open(self) -> DetectionExamples:
        """Draws all images."""
        sizes: dict[Part, int] = {"test": self.test, "validation": self.validation, "train": self.train}
        # The test comes first, so that more images to learn from leave it as it is.
        count = sum(sizes.values())
        faces = self._faces(count).open()
        images = np.concatenate([faces.read(np.arange(at, min(at + _CHUNK, count))) for at in range(0, count, _CHUNK)])
        boxes = np.clip(faces.extras["boxes"], 0, self.size)
        none = np.zeros(1, np.int32)
        examples = detection_examples(
            images, list(boxes[:, None]), [none] * count, ("face",), points=list(faces.extras["landmarks"][:, None])
        )
        examples = dataclasses.replace(examples, parts=tuple(part for part, size in sizes.items() for _ in range(size)))
        # Those to learn from first, as others have it.
        return examples.select(np.roll(np.arange(count), self.train))

    def _faces(self, people: int) -> Faces:
        return Faces(
            people=people,
            images=1,
            size=self.size,
            channels=self.channels,
            placement=self.placement,
            occlusion=self.occlusion,
            seed=self.seed,
            cache=0,
        )
