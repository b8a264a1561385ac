"""Photographs that a recognizer is asked about: which faces are in them, and which of these are looked at."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from likeness.experiments.display.boxes import draw_boxes
from likeness.research.data.decode import BadImage, open_image
from likeness.research.data.paths import printable
from likeness.research.errors import UserError
from likeness.research.faces import FaceCrop, PhotographFaces
from likeness.research.faces.face_crop import no_face
from likeness.research.geometry.detections import Detections
from likeness.research.types import Float, UInt8

__all__ = ["FaceAsked", "SeenPhotograph", "asked_face", "look_for_faces"]

FaceAsked: TypeAlias = Literal["largest", "all"] | int
"""Which faces of a photograph are looked at: the largest, all, or the one of a number, counted from the left from 1 on."""

_FEW_PIXELS = 20
"""Between the eyes; below it a face is said to be small."""
_AWAY = 0.25
"""The misfit of a face above which it is said to look away. Of the 13,233 images of Labeled Faces in the Wild one in a hundred
is above."""
_GROUP = 16
"""Photographs that are held at once."""


def asked_face(text: str) -> FaceAsked:
    """Reads ``largest``, ``all`` or a number.

    Raises:
        UserError: it is something else.
    """
    if text in ("largest", "all"):
        return "largest" if text == "largest" else "all"
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise UserError(f"--face is {text!r}: give largest, all, or a number, counted from the left from 1 on.")


@dataclasses.dataclass(frozen=True, eq=False)
class SeenPhotograph:
    """A photograph with its faces, from left to right."""

    name: str
    """Its file, for people."""
    image: UInt8[np.ndarray, "h w 3"]
    """Upright, RGB."""
    found: PhotographFaces
    """All of its faces, from left to right."""
    chosen: tuple[int, ...]
    """Rows of those that are looked at."""
    norms: Float[np.ndarray, "n"] | None = None
    """Lengths of the embeddings of those that are looked at, before they are normalized: the longer, the better a face is seen
    (Meng et al., MagFace, CVPR 2021). None where nothing is known of them."""
    least_norm: float = 0.0
    """A length below which few good images of faces are."""

    @property
    def crops(self) -> UInt8[np.ndarray, "n H W 3"]:
        """Of the faces that are looked at."""
        return self.found.crops[list(self.chosen)]

    def title(self, row: int) -> str:
        """What a face is called: the file, and its number where there are several."""
        return self.name if len(self.found) == 1 else f"{self.name}, face {row + 1}"

    @property
    def remarks(self) -> tuple[str, ...]:
        """What there is to know before an answer about it is believed, as sentences."""
        said = []
        found = self.found
        if len(found) > len(self.chosen):
            row = self.chosen[0]
            said.append(
                f"{self.name} shows {len(found)} faces, and number {row + 1} from the left is looked at: --face says another."
            )
        if found.turned:
            side = "upside down" if found.turned == 180 else "on its side"
            said.append(f"{self.name} lies {side}: its faces were found after a turn by {found.turned}°.")
        for number, row in enumerate(self.chosen):
            pixels, title = float(found.eye_distance[row]), self.title(row)
            if pixels < _FEW_PIXELS:
                said.append(f"{title} is small, with {pixels:.0f} pixels between the eyes: an answer about it is less sure.")
            if found.misfit[row] > _AWAY:
                said.append(f"{title} looks away, is half hidden or distorted: an answer about it is less sure.")
            if self.norms is not None and self.norms[number] < self.least_norm:
                said.append(
                    f"{title} is blurred, dark or hardly a face: the rates of τ do not hold for it, since two such faces are "
                    "often taken for one person."
                )
        return tuple(said)

    def drawn(self, texts: Sequence[str], classes: Sequence[int] | None = None) -> UInt8[np.ndarray, "h w 3"]:
        """The photograph with a box around each face that is looked at.

        Args:
            texts: what is written at each.
            classes: which color each has.
        """
        rows, found = list(self.chosen), self.found
        boxes = Detections(
            xyxy=found.xyxy[rows],
            confidence=found.confidence[rows],
            class_id=np.array(classes if classes is not None else [0] * len(rows), np.int64),
            class_names=(),
            landmarks=found.landmarks[rows],
        )
        return draw_boxes(self.image, boxes, texts=texts)


def look_for_faces(
    crop: FaceCrop,
    paths: Sequence[str | Path],
    face: FaceAsked = "largest",
    *,
    most: int = 64,
    skip: Callable[[str, BadImage], None] | None = None,
) -> Iterator[SeenPhotograph]:
    """Finds the faces in files, one photograph after the other in their order.

    Args:
        crop: how faces are found and laid over a template.
        paths: the files.
        face: which are looked at.
        most: faces that are found in a photograph, at most: with 1 many photographs take a third of the time, and of others
            than the first nothing is known.
        skip: told of each file that cannot be used or shows no face, which is then left out; without it that is an error.

    Raises:
        BadImage: a file cannot be read, or no face is found in it.
        UserError: a photograph has no face of the number asked for.
    """
    reader = crop.of_several(max(crop.finder.faces, most)).reader
    for start in range(0, len(paths), _GROUP):
        read: list[tuple[str | Path, np.ndarray]] = []
        for path in paths[start : start + _GROUP]:
            try:
                with open_image(path) as file:
                    read.append((path, crop.photograph(file, printable(path))))
            except BadImage as error:
                if skip is None:
                    raise
                skip(str(path), error)
        for (path, image), found in zip(read, reader([image for _, image in read]), strict=True):
            if not len(found):
                error = no_face(printable(path), found)
                if skip is None:
                    raise error
                skip(str(path), error)
                continue
            yield _seen(printable(path), image, found, face)


def _seen(name: str, image: np.ndarray, found: PhotographFaces, face: FaceAsked) -> SeenPhotograph:
    order = np.argsort(found.xyxy[:, 0] + found.xyxy[:, 2], kind="stable")
    largest = int(np.flatnonzero(order == 0)[0])
    if isinstance(face, int) and face > len(found):
        count = "1 face" if len(found) == 1 else f"{len(found)} faces"
        raise UserError(f"{name} shows {count}, and --face {face} is none of them.")
    chosen = tuple(range(len(found))) if face == "all" else (largest,) if face == "largest" else (face - 1,)
    return SeenPhotograph(name, image, found.of_rows(order), chosen)
