"""Who sits for a portrait: the faces in a photograph, found by a detector, as far as an encoder of faces can use them."""

import dataclasses
import math
from pathlib import Path

import numpy as np

from likeness.experiments.recognition.face_crops import Landmarks, align_landmarks
from likeness.experiments.recognition.photographs import SeenPhotograph, look_for_faces
from likeness.experiments.style.portrait import Portrait
from likeness.research.data.decode import BadImage
from likeness.research.detectors import MTCNNDetector
from likeness.research.errors import UserError, how_to_install
from likeness.research.faces import FaceCrop, FaceFinder
from likeness.research.weights import Pretrained
from likeness.research.weights.release import megabytes
from likeness.research.weights.releases import released

__all__ = ["LEAST", "Sitters", "find_sitters"]

LEAST = 10.0
"""Pixels between the eyes, in the photograph and in the painting, below which MobileFaceNet cannot be asked: with so many it
still knows nine of ten people again, and takes one in a hundred for another (``python -m
likeness.experiments.benchmarks.small_faces``)."""
_MOST = 64
"""Faces in a photograph, at most."""
_ELSE = (
    "Give a photograph in which both eyes of somebody can be seen, or say where the face is by --face, or paint this one by a "
    "preset that asks for no face, such as `--preset stylization/quickstart`."
)


@dataclasses.dataclass(frozen=True)
class Sitters:
    """The faces of a photograph that a painting of it can hold to their people."""

    faces: tuple[Landmarks, ...]
    """From left to right."""
    remarks: tuple[str, ...]
    """What there is to know of them, and of those that are left out, as sentences."""


def find_sitters(portrait: Portrait, path: str | Path, size: int) -> Sitters:
    """Finds the faces of a photograph that is to be painted: all that the portrait's encoder can use.

    Args:
        portrait: the encoder of faces, and the template that it takes them in.
        path: the photograph.
        size: the longer side of the painting, in pixels.

    Raises:
        UserError: the weights of the encoder or of a detector are not on this machine; no face is found, or none that is large
            enough; the file cannot be read.
    """
    crop = _crop(portrait)
    unusable: list[BadImage] = []
    seen = next(look_for_faces(crop, [path], "all", most=_MOST, skip=lambda _, error: unusable.append(error)), None)
    if seen is not None:
        return _usable(portrait, seen, size)
    (error,) = unusable
    if not error.why.startswith("no face"):
        raise error
    raise UserError(f"The preset holds faces to their people, and {error.name} shows none: {error.why}. {_ELSE}")


def _usable(portrait: Portrait, seen: SeenPhotograph, size: int) -> Sitters:
    height, width = seen.image.shape[:2]
    shrunk = size / max(height, width)
    found: list[Landmarks] = []
    remarks: list[str] = []
    for points in seen.found.landmarks.astype(np.float64) - 0.5:
        apart = float(np.linalg.norm(points[1] - points[0]))
        where = "the face" if len(seen.found) == 1 else f"the face at ({points[:, 0].mean():.0f}, {points[:, 1].mean():.0f})"
        if min(apart, shrunk * apart) < LEAST:
            remarks.append(f"{where} is not held to its person: {_too_small(apart, shrunk, max(height, width))}")
            continue
        try:
            align_landmarks(points, portrait.template)
        except UserError:
            remarks.append(f"{where} is not held to its person: it looks away, is half hidden, or is no face")
            continue
        found.append(Landmarks(points=tuple((float(x), float(y)) for x, y in points), size=(width, height)))
    if not found:
        raise UserError(f"The preset holds faces to their people, and in {seen.name} {'; '.join(remarks)}. {_ELSE}")
    count = "one face is" if len(found) == 1 else f"{len(found)} faces are"
    each = "it stays the same person" if len(found) == 1 else "each stays the same person, counted from the left"
    if seen.found.turned:
        remarks.insert(0, f"the photograph lies {'upside down' if seen.found.turned == 180 else 'on its side'}")
    return Sitters(tuple(found), (f"{count} found in {seen.name}, and painted so that {each}", *remarks))


def _too_small(apart: float, shrunk: float, longest: int) -> str:
    """Why a face is too small, and at which size it is not."""
    least = f"the encoder of faces needs {LEAST:.0f}"
    if apart < LEAST:
        return f"it has {apart:.1f} pixels between the eyes, and {least}"
    larger = math.ceil(LEAST / apart * longest)
    return f"painted it has {shrunk * apart:.1f} pixels between the eyes, and {least}; --size {larger} or more gives it so many"


def _crop(portrait: Portrait) -> FaceCrop:
    """What finds the faces that the portrait's encoder takes: by YuNet, or by MTCNN where only that is on this machine.

    Raises:
        UserError: a template that no detector fits, or weights that are not on this machine.
    """
    template = portrait.template
    if len(template.points) != 5:
        raise UserError(
            f"The portrait's template has {len(template.points)} points, and detectors find five of a face: say where they "
            "are, in a config by face=Landmarks(points=((x, y), …), size=(width, height))."
        )
    weights, lacking = portrait.encoder.weights, []
    if isinstance(weights, Pretrained) and not weights.path and released(weights.name).find() is None:
        size = megabytes(released(weights.name).size)
        lacking.append(f"an encoder of faces: run `likeness weights fetch {weights.name}` ({size})")
    detectors = {"yunet": FaceFinder(template=template)}
    detectors["mtcnn"] = dataclasses.replace(detectors["yunet"], detector=MTCNNDetector(longest=None))
    chosen = next((name for name in detectors if released(name).find() is not None), None)
    if chosen is None:
        lacking.append(f"a detector of faces: run `{how_to_install('faces')}`, which brings MTCNN")
    if lacking or chosen is None:
        raise UserError(
            "The preset finds the faces in a photograph and holds them to their people, and for that this machine lacks "
            f"{', and '.join(lacking)}. `likeness weights list` says how these, and the detector YuNet, are had without a "
            "network. With --face, which says where the faces are, no detector is needed."
        )
    return FaceCrop(size=template.size, finder=detectors[chosen], weights=chosen)
