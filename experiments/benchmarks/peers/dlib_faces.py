"""Faces found and embedded by ``face_recognition``, which calls dlib."""

import numpy as np
from face_recognition import face_encodings, face_locations  # pyright: ignore[reportMissingImports]

from likeness.experiments.benchmarks.protocol import Work


def embeddings(images: list[np.ndarray]) -> Work:
    """An embedding of each face in images, with the library's defaults: oriented gradients, five landmarks, no jitter."""

    def embedded() -> list[np.ndarray]:
        return [code for image in images for code in face_encodings(image, face_locations(image))]

    return Work(lambda: embedded() is None or None, answer=lambda: (np.array(len(embedded())),))
