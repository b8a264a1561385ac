"""Photographs of any size, read for the faces in them: several tries for an image in which none is found at first."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from likeness.research.data.paths import printable
from likeness.research.detectors.protocol import canvases_together
from likeness.research.encoders.mtcnn import MTCNN
from likeness.research.encoders.yunet import YuNet
from likeness.research.errors import UserError
from likeness.research.faces.finder import FaceFinder, FoundFaces
from likeness.research.geometry.placement import Placement, Size
from likeness.research.geometry.resampling import place_image
from likeness.research.ops.vectors import wide_vectors
from likeness.research.types import AnyArray, Float, PyTree, UInt8
from likeness.research.weights import named

__all__ = ["FaceReader", "PhotographFaces"]

_SURE = 0.9
"""A confidence from which on a photograph is looked at no other way. Of the 13,233 images of Labeled Faces in the Wild 40
have a lower one, and of photographs that lie on a side or upside down nearly all."""
_SURER = 0.02
"""By so much another way has to be surer than the one before it."""


class _Try(NamedTuple):
    """How an image is looked at."""

    shrink: float
    """How many times smaller than it would it lies on its canvas."""
    turns: int
    """Quarter turns, counterclockwise, before it is looked at."""


_TRIES = (_Try(1.0, 0), _Try(2.0, 0), _Try(4.0, 0), _Try(1.0, 1), _Try(1.0, 3), _Try(1.0, 2))
"""As it is; smaller, since a face that fills a large image is found only so; and lying on a side or upside down."""


@dataclasses.dataclass(frozen=True, eq=False)
class PhotographFaces:
    """The faces that were found in one photograph, the wanted ones first."""

    size: Size
    """Height and width of the photograph."""
    xyxy: Float[np.ndarray, "n 4"]
    """Their boxes, in its pixels."""
    confidence: Float[np.ndarray, "n"]
    """How sure the detector is of each."""
    landmarks: Float[np.ndarray, "n 5 2"]
    """(x, y) of eyes, nose and corners of the mouth, in its pixels."""
    misfit: Float[np.ndarray, "n"]
    """Of the landmarks from those of a face that looks ahead: of faces from the side about 0.4, of anything but a face more."""
    crops: UInt8[np.ndarray, "n H W 3"]
    """Laid over the template."""
    scale: float = 1.0
    """How many pixels of what was looked at a pixel of the photograph is, at most 1."""
    turned: int = 0
    """By how many degrees, counterclockwise, the photograph was turned for its faces to be found: 0, 90, 180 or 270."""

    def __len__(self) -> int:
        return len(self.xyxy)

    @property
    def surest(self) -> float:
        """The confidence of the surest face, 0 if there is none."""
        return float(self.confidence.max(initial=0.0))

    @property
    def eye_distance(self) -> Float[np.ndarray, "n"]:
        """Between the eyes of each, in pixels of what was looked at: the photograph, or a smaller copy of a large one."""
        return self.scale * np.linalg.norm(self.landmarks[:, 1] - self.landmarks[:, 0], axis=-1)


@dataclasses.dataclass(frozen=True, eq=False)
class FaceReader:
    """A face finder with its weights, and the program that both are compiled to."""

    finder: FaceFinder
    variables: PyTree
    _program: Callable[[AnyArray, AnyArray], FoundFaces]

    @classmethod
    def load(cls, finder: FaceFinder, weights: str = "yunet") -> "FaceReader":
        """Reads the detector's published weights; the same again for the same arguments.

        Raises:
            UserError: they are not on this machine, or do not fit.
        """
        return _loaded(finder, weights)

    def __call__(self, images: Sequence[UInt8[np.ndarray, "_h _w 3"]]) -> list[PhotographFaces]:
        """Finds the faces of photographs, as they are.

        Where none is found, or none surely, they are looked at smaller and turned too, and the way is taken in which the surest
        face is surer than in those before. A detector finds a face that lies on its side, but not where its eyes are.

        Args:
            images: RGB, upright as far as their files say.
        """
        found = [_nothing((image.shape[0], image.shape[1]), self.finder) for image in images]
        doubtful = list(range(len(images)))
        for one in _TRIES:
            for number, faces in zip(doubtful, self._look([images[number] for number in doubtful], one), strict=True):
                if faces.surest > found[number].surest + _SURER:
                    found[number] = faces
            doubtful = [number for number in doubtful if found[number].surest < _SURE]
            if not doubtful:
                break
        return found

    def _look(self, images: list[np.ndarray], how: _Try) -> list[PhotographFaces]:
        turned = [np.rot90(image, how.turns) for image in images]
        placements = [self.finder.placement((image.shape[0], image.shape[1]), how.shrink) for image in turned]
        found: dict[int, PhotographFaces] = {}
        for rows in _together([placement.target for placement in placements]):
            canvases = np.stack([place_image(turned[row], placements[row], fill=0) for row in rows])
            shown = np.array([placements[row].frame[2:] for row in rows], np.float32)
            for row, faces in zip(rows, self._run(canvases, shown), strict=True):
                found[row] = _of_image(faces, placements[row], images[row], how.turns)
        return [found[row] for row in range(len(images))]

    def _run(self, canvases: np.ndarray, shown: np.ndarray) -> Iterator[FoundFaces]:
        # Filled up to a power of two, so that few programs serve all numbers of images.
        count = len(canvases)
        more = (1 << (count - 1).bit_length()) - count
        canvases = np.concatenate([canvases, np.zeros((more, *canvases.shape[1:]), np.uint8)])
        shown = np.concatenate([shown, np.zeros((more, 2), np.float32)])
        found = jax.device_get(self._program(canvases, shown))
        for row in range(count):
            valid = found.valid[row]
            yield FoundFaces(*(column[row][valid] for column in found))


@functools.lru_cache(maxsize=2)
def _read(network: Any, weights: str) -> PyTree:
    published = named(weights)
    if not isinstance(published.encoder, YuNet | MTCNN):
        raise UserError(f"The weights {printable(weights)} are of no detector of faces: give yunet, yunet_s or mtcnn.")
    return published.load(network)[0]


@functools.lru_cache(maxsize=8)
def _loaded(finder: FaceFinder, weights: str) -> FaceReader:
    network: Any = finder.detector.network
    variables = _read(network, weights)
    # Part of the program, which then folds batch normalization into them.
    program: Any = jax.jit(functools.partial(finder, variables), compiler_options=wide_vectors())
    return FaceReader(finder, variables, program)


def _together(sizes: list[Size]) -> Iterator[list[int]]:
    """Which images are looked at together: those whose canvases have one size, some at a time."""
    groups: dict[Size, list[int]] = {}
    for row, size in enumerate(sizes):
        groups.setdefault(size, []).append(row)
    for size, rows in groups.items():
        most = canvases_together(size)
        yield from (rows[start : start + most] for start in range(0, len(rows), most))


def _of_image(found: FoundFaces, placement: Placement, image: np.ndarray, turns: int) -> PhotographFaces:
    """In pixels of the photograph, which was turned and laid on a canvas."""
    back = placement.inverse()
    boxes = np.asarray(back.boxes(np.asarray(found.boxes, np.float64))).reshape(-1, 2, 2)
    landmarks = np.asarray(back.points(np.asarray(found.landmarks, np.float64)))
    height, width = image.shape[:2]
    corners = np.sort(_turned_back(boxes, (height, width), turns), axis=1).reshape(-1, 4)
    return PhotographFaces(
        size=(height, width),
        xyxy=corners.astype(np.float32),
        confidence=np.asarray(found.scores, np.float32),
        landmarks=_turned_back(landmarks, (height, width), turns).astype(np.float32),
        misfit=np.asarray(found.misfit, np.float32),
        crops=np.asarray(found.crops).astype(np.uint8),
        scale=min(1.0, abs(placement.determinant) ** 0.5),
        turned=90 * turns,
    )


def _turned_back(points: np.ndarray, size: Size, turns: int) -> np.ndarray:
    """Points (…, 2) of ``np.rot90(image, turns)`` in pixels of the image of that size."""
    height, width = size
    x, y = points[..., 0], points[..., 1]
    match turns % 4:
        case 1:
            return np.stack([width - y, x], axis=-1)
        case 2:
            return np.stack([width - x, height - y], axis=-1)
        case 3:
            return np.stack([y, height - x], axis=-1)
        case _:
            return points


def _nothing(size: Size, finder: FaceFinder) -> PhotographFaces:
    empty = functools.partial(np.zeros, dtype=np.float32)
    crops = np.zeros((0, *finder.template.size, 3), np.uint8)
    return PhotographFaces(size, empty((0, 4)), empty(0), empty((0, 5, 2)), empty(0), crops)
