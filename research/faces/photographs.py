"""Photographs of any size, read for the faces in them: several tries for an image in which none is found at first."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from likeness.research.data.paths import printable
from likeness.research.detectors.canvases import canvas_batches
from likeness.research.encoders.mtcnn import MTCNN
from likeness.research.encoders.yunet import YuNet
from likeness.research.errors import UserError
from likeness.research.faces.finder import FaceFinder, FoundFaces
from likeness.research.faces.panorama import cut_off, distinct_faces, panorama_slices
from likeness.research.geometry.placement import Placement, Size
from likeness.research.ops.vectors import wide_vectors
from likeness.research.types import AnyArray, Float, Int, PyTree, UInt8
from likeness.research.weights import named

__all__ = ["FaceReader", "PhotographFaces"]

_SURE = 0.9
"""A confidence from which on a photograph is looked at no other way. Of the 13,233 images of Labeled Faces in the Wild 40
have a lower one, and of photographs that lie on a side or upside down nearly all."""
_SURER = 0.02
"""By so much another way has to be surer than the one before it."""
_MANY = 64
"""Faces in a slice of a panorama, at most."""
_COLUMNS = ("xyxy", "confidence", "landmarks", "misfit", "crops", "scale")
"""Of the faces of a photograph, what has a row for each."""


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
    scale: Float[np.ndarray, "n"]
    """How many pixels of what was looked at a pixel of the photograph is, at most 1, at each face."""
    turned: int = 0
    """By how many degrees, counterclockwise, the photograph was turned for its faces to be found: 0, 90, 180 or 270."""

    def __len__(self) -> int:
        return len(self.xyxy)

    def of_rows(self, rows: Sequence[int] | Int[np.ndarray, "k"]) -> "PhotographFaces":
        """Some of the faces, in the order of their rows."""
        some = np.asarray(rows, np.int64)
        return dataclasses.replace(self, **{name: getattr(self, name)[some] for name in _COLUMNS})

    def moved(self, corner: Int[np.ndarray, "2"], size: Size) -> "PhotographFaces":
        """The same faces in the pixels of a photograph of this size, of which this one is a part that begins at x and y."""
        shift = np.asarray(corner, np.float32)
        return dataclasses.replace(self, size=size, xyxy=self.xyxy + np.tile(shift, 2), landmarks=self.landmarks + shift)

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
        face is surer than in those before. A detector finds a face that lies on its side, but not where its eyes are. A
        panorama is looked at in slices that overlap, too, since in the whole of it faces are small.

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
        for number, image in enumerate(images):
            if len(windows := panorama_slices((image.shape[0], image.shape[1]))):
                found[number] = self._panorama(image, windows, found[number])
        return found

    def _panorama(
        self, image: UInt8[np.ndarray, "h w 3"], windows: Int[np.ndarray, "n 4"], whole: PhotographFaces
    ) -> PhotographFaces:
        """What was found in the whole of a panorama, with what is found in slices of it."""
        cuts = [image[top:bottom, left:right] for left, top, right, bottom in windows.tolist()]
        seen = self._slices._look(cuts, _Try(1.0, whole.turned // 90))
        for turns in (one.turns for one in _TRIES if one.shrink == 1.0):
            surest = max(one.surest for one in (whole, *seen))
            if surest >= _SURE:
                break
            if turns == whole.turned // 90:
                continue
            found = self._slices._look(cuts, _Try(1.0, turns))
            if max(one.surest for one in found) > surest + _SURER:
                whole, seen = _nothing(whole.size, self.finder, 90 * turns), found
        moved = [one.moved(window[:2], whole.size) for one, window in zip(seen, windows, strict=True)]
        # What is whole in a slice is seen best there, and what no slice has room for in the whole photograph.
        preferred = [
            np.where(cut_off(one.xyxy, window, whole.size), 0.0, one.scale) for one, window in zip(moved, windows, strict=True)
        ]
        every = _joined([whole, *moved])
        kept = np.flatnonzero(distinct_faces(every.xyxy, every.confidence, np.concatenate([whole.scale, *preferred])))
        size = np.array([whole.size[::-1]], np.float32)
        wanted = np.asarray(self.finder.wanted(every.xyxy[None, kept], every.confidence[None, kept], size))[0]
        return every.of_rows(kept[np.argsort(-wanted, kind="stable")][: self.finder.faces])

    @functools.cached_property
    def _slices(self) -> "FaceReader":
        """Finds faces in slices: many, since the one that is wanted of all of them need not be wanted of its slice."""
        return _compiled(dataclasses.replace(self.finder, faces=max(_MANY, self.finder.faces)), self.variables)

    def _look(self, images: list[np.ndarray], how: _Try) -> list[PhotographFaces]:
        turned = [np.rot90(image, how.turns) for image in images]
        placements = [self.finder.placement((image.shape[0], image.shape[1]), how.shrink) for image in turned]
        found: dict[int, PhotographFaces] = {}
        for batch in canvas_batches(turned, placements, 0):
            # Of the rows that fill up nothing is shown.
            shown = np.array([one.frame[2:] for one in batch.placements], np.float32) * batch.real[:, None]
            faces = jax.device_get(self._program(batch.canvases, shown))
            for number, row in enumerate(batch.rows):
                valid = faces.valid[number]
                one = FoundFaces(*(column[number][valid] for column in faces))
                found[row] = _of_image(one, placements[row], images[row], how.turns)
        return [found[row] for row in range(len(images))]


@functools.lru_cache(maxsize=2)
def _read(network: Any, weights: str) -> PyTree:
    published = named(weights)
    if not isinstance(published.encoder, YuNet | MTCNN):
        raise UserError(f"The weights {printable(weights)} are of no detector of faces: give yunet, yunet_s or mtcnn.")
    return published.load(network)[0]


@functools.lru_cache(maxsize=8)
def _loaded(finder: FaceFinder, weights: str) -> FaceReader:
    network: Any = finder.detector.network
    return _compiled(finder, _read(network, weights))


def _compiled(finder: FaceFinder, variables: PyTree) -> FaceReader:
    # Part of the program, which then folds batch normalization into them.
    program: Any = jax.jit(functools.partial(finder, variables), compiler_options=wide_vectors())
    return FaceReader(finder, variables, program)


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
        scale=np.full(len(corners), min(1.0, abs(placement.determinant) ** 0.5), np.float32),
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


def _nothing(size: Size, finder: FaceFinder, turned: int = 0) -> PhotographFaces:
    empty = functools.partial(np.zeros, dtype=np.float32)
    crops = np.zeros((0, *finder.template.size, 3), np.uint8)
    return PhotographFaces(size, empty((0, 4)), empty(0), empty((0, 5, 2)), empty(0), crops, empty(0), turned)


def _joined(parts: Sequence[PhotographFaces]) -> PhotographFaces:
    """The faces of several views of one photograph, in its pixels."""
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
    return dataclasses.replace(parts[0], **columns)
