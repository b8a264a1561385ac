"""Drawn faces as sources of annotated images, with their boxes and landmarks: one in each, or scenes of several."""

import dataclasses
from typing import ClassVar, Literal

import numpy as np

from likeness.research.data.detection.drawn import Drawing, check_scenes, open_in_parts
from likeness.research.data.detection.examples import DetectionExamples, detection_examples
from likeness.research.data.detection.records import Part
from likeness.research.data.synthetic_faces import Faces
from likeness.research.synthetic.faces.contours import contours
from likeness.research.synthetic.faces.crowd import draw_crowds

__all__ = ["CONTOUR_POINT_ORDER", "FACE_POINT_ORDER", "DrawnFaces", "FaceScenes"]

FACE_POINT_ORDER = (1, 0, 2, 4, 3)
"""Which landmark takes each place in the mirror: the eye on the left becomes that on the right."""

# fmt: off
CONTOUR_POINT_ORDER = (
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1),
)
# fmt: on
"""The same of the 68 points of the contours."""

_CHUNK = 256
_SCENES = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class DrawnFaces:
    """Synthetic portraits of as many people as there are images, with the box of the face and its landmarks.

    Five are the eye on the left of the image, that on the right, the tip of the nose, and the corners of the mouth, left and
    right; 68 are the points of all contours, in the order of :func:`likeness.research.synthetic.faces.contours`. Faces are
    drawn as by :class:`~likeness.research.data.Faces`. Nobody is in two parts.

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
    landmarks: Literal[5, 68] = 5
    """How many points of each face there are."""
    placement: float = 2.0
    """Strength of scale and shift: 1 is up to 8 % and 3 % of the image."""
    occlusion: float = 0.15
    """Probability of something blurred in front of the face."""
    seed: int = 0
    """Decides all images."""

    def __post_init__(self) -> None:
        if min(self.train, self.validation, self.test) < 1:
            raise ValueError(f"{self}: each part needs at least one image.")
        if self.landmarks not in (5, 68):
            raise ValueError(f"DrawnFaces.landmarks is {self.landmarks}: choose 5, or 68 for all contours.")
        self._faces(1)

    def open(self) -> DetectionExamples:
        """Draws all images."""
        sizes: dict[Part, int] = {"test": self.test, "validation": self.validation, "train": self.train}
        # The test comes first, so that more images to learn from leave it as it is.
        count = sum(sizes.values())
        source = self._faces(count)
        faces = source.open()
        images = np.concatenate([faces.read(np.arange(at, min(at + _CHUNK, count))) for at in range(0, count, _CHUNK)])
        boxes = np.clip(faces.extras["boxes"], 0, self.size)
        points = faces.extras["landmarks"]
        if self.landmarks == 68:
            points = contours(*source.vectors(np.arange(count)), self.size)
        none = np.zeros(1, np.int32)
        examples = detection_examples(images, list(boxes[:, None]), [none] * count, ("face",), points=list(points[:, None]))
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class FaceScenes:
    """Synthetic scenes of several people, or of none, before a ground with shapes on it: faces of several sizes, with the box
    of each and five landmarks.

    Who stands in front hides little of another's face; shoulders and hair may hide all else. Nobody is in two scenes. More
    images of a part leave those there were as they are.

    Raises:
        ValueError: a field is out of range.

    Example:
        >>> examples = FaceScenes(train=2, validation=1, test=1).open()
        >>> len(examples), examples.points.shape[1:], examples.class_names
        (4, (5, 2), ('face',))
    """

    synthetic: ClassVar[bool] = True
    """No number measured on them says anything of real people."""

    train: int = 8000
    """Images to learn from."""
    validation: int = 300
    """Images to decide by."""
    test: int = 1000
    """Images to be evaluated by."""
    size: int = 96
    """Side of an image in pixels."""
    most: int = 5
    """People in an image, at most."""
    sides: tuple[float, float] = (12.0, 40.0)
    """The smallest and the largest root of the area of a face's box in pixels."""
    seed: int = 0
    """Decides all images."""

    def __post_init__(self) -> None:
        check_scenes(self, 8, {"size": (32, 1024), "most": (1, 16), "seed": (0, 2**63 - 1)})

    def open(self) -> DetectionExamples:
        """Draws all images."""
        return open_in_parts(self, self._part, ("face",))

    def _part(self, part: int, count: int) -> Drawing:
        rng = np.random.default_rng((self.seed, part))
        # A few scenes at a time, always as many, so that more of them begin with these.
        people = Faces(people=10**7, images=1, size=self.size, placement=0.0, seed=(3 * self.seed + part) % 2**63, cache=0)
        scenes = []
        for start in range(0, count, _SCENES):
            rows = np.arange(start * self.most, (start + _SCENES) * self.most)
            identity, nuisance = (each.reshape(_SCENES, self.most, -1) for each in people.vectors(rows))
            scenes.append(draw_crowds(identity, nuisance, rng, self.size, self.sides))
        images, boxes, points, mask = (np.concatenate(parts)[:count] for parts in zip(*scenes, strict=True))
        return Drawing(images, boxes, np.zeros(mask.shape, np.int32), mask, points)
