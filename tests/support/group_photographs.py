"""Photographs of procedural faces side by side, and a detector that knows where they are."""

from pathlib import Path

import numpy as np
from PIL import Image

from likeness.experiments.recognition.photographs import SeenPhotograph
from likeness.research.faces import PhotographFaces
from likeness.research.faces.face_crop import no_face
from likeness.research.images.portraits import ProceduralFace
from likeness.research.images.reading import read_image


def group(people: int, side: int = 64) -> np.ndarray:
    """Procedural faces side by side, uint8 (side, people · side, 3)."""
    faces = [ProceduralFace(person=person).open(side) for person in range(people)]
    return np.round(255 * np.concatenate(faces, axis=1)).astype(np.uint8)


def points_of(people: int, side: int = 64) -> np.ndarray:
    """(x, y) of five points of each, from the center of the first pixel: (people, 5, 2)."""
    return np.stack([ProceduralFace(person=person).landmarks(side) + np.array([side * person, 0]) for person in range(people)])


def seen(name: str, landmarks: np.ndarray, size: tuple[int, int], turned: int = 0) -> PhotographFaces:
    """What a detector says of faces with these landmarks, from the center of the first pixel, in a photograph of this size."""
    count = len(landmarks)
    corners = np.concatenate([landmarks.min(axis=1), landmarks.max(axis=1)], axis=1) if count else np.zeros((0, 4))
    return PhotographFaces(
        size=size,
        xyxy=corners.astype(np.float32),
        confidence=np.full(count, 0.95, np.float32),
        landmarks=(landmarks + 0.5).astype(np.float32),
        misfit=np.zeros(count, np.float32),
        crops=np.zeros((count, 112, 112, 3), np.uint8),
        scale=np.ones(count, np.float32),
        turned=turned,
    )


def detector(monkeypatch, landmarks: np.ndarray, turned: int = 0, only: str = "") -> None:
    """From now on these faces are found in every photograph, or in those whose name has ``only`` in it, and none in others."""

    def look(crop, paths, face="largest", *, most=64, skip=None):
        assert face == "all"
        for path in paths:
            image = np.round(255 * read_image(path).pixels).astype(np.uint8)
            found = seen(str(path), landmarks if only in Path(path).name else landmarks[:0], image.shape[:2], turned)
            if len(found):
                yield SeenPhotograph(str(path), image, found, tuple(range(len(found))))
            else:
                skip(str(path), no_face(str(path), found))

    monkeypatch.setattr("likeness.experiments.style.sitters.look_for_faces", look)
    monkeypatch.setattr("likeness.experiments.style.sitters._crop", lambda portrait: None)


def write(path: str, pixels: np.ndarray) -> str:
    """Writes an image, and says where."""
    Image.fromarray(pixels).save(path)
    return path
