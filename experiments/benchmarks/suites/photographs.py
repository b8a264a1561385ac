"""From photographs to an embedding of each face, beside ``face_recognition``, which runs dlib's own detector and network.

The faces are those of Labeled Faces in the Wild: one in each image, or 24 in one picture, as a group photograph has them. Each
library finds the faces, lays them over its template and embeds them, from uint8 images, in the way it does unless it is told
otherwise. Ours looks at the mirror image of every photograph and of every face too, so that it runs each network twice.
Detectors differ, so the faces that each finds are counted, and a row whose counts differ by more than a tenth fails.

``face_recognition`` takes part where it is installed. It is in no extra, since its dependency dlib is compiled for minutes;
this does without::

    pip install --no-deps face_recognition face_recognition_models dlib-bin && pip install click "setuptools<81"
"""

import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np

from likeness.experiments.benchmarks.protocol import OURS, Contender, Goal, Row, Size, Work
from likeness.experiments.recognition.recognizer import Recognizer
from likeness.research.data import Decode
from likeness.research.data.paths import expand_path
from likeness.research.errors import UserError
from likeness.research.faces import FaceCrop

PEER, SAME_NETWORK = "face_recognition", "Likeness, dlib's network"
ACROSS, DOWN = 6, 4
"""Of the group photograph."""
_MISSED = 0.1
"""The share of the faces that a detector may miss or add."""


def rows(size: Size) -> tuple[Row, ...]:
    """Photographs of one person, and one of many."""
    if size == "tiny":
        return (_row("2 photographs of 160×160", functools.partial(portraits, 2)),)
    return (
        _row("32 photographs of 160×160, one face each", functools.partial(portraits, 32)),
        _row(f"a photograph of {160 * ACROSS}×{160 * DOWN} with {ACROSS * DOWN} faces", group),
    )


def _row(name: str, images: Callable[[], list[np.ndarray]]) -> Row:
    contenders = [Contender(OURS, functools.partial(_ours, "mobilefacenet", images), ("jax",))]
    if importlib.util.find_spec("face_recognition") is None:
        return Row(name, tuple(contenders))
    contenders.append(Contender(SAME_NETWORK, functools.partial(_ours, "dlib", images), ("jax",)))
    contenders.append(Contender(PEER, functools.partial(_theirs, images), ("face_recognition",), peer=True))
    return Row(name, tuple(contenders), Goal(PEER, 1.0), tolerance=(_MISSED,))


def portraits(count: int) -> list[np.ndarray]:
    """Images of people with a name that begins with A, uint8 (160, 160, 3).

    Raises:
        UserError: Labeled Faces in the Wild is not on this machine.
    """
    root = Path(expand_path("$LIKENESS_DATA/lfw", "the folder of the benchmark"))
    files = sorted(root.glob("A*/*_0001.jpg"))[:count]
    if len(files) < count:
        raise UserError(f"{root} has {len(files)} photographs of people whose names begin with A, and {count} are needed.")
    return [Decode()(file) for file in files]


def group() -> list[np.ndarray]:
    """One picture made of portraits."""
    each = np.stack(portraits(ACROSS * DOWN))
    return [each.reshape(DOWN, ACROSS, *each.shape[1:]).swapaxes(1, 2).reshape(DOWN * 160, ACROSS * 160, 3)]


def _ours(name: str, images: Callable[[], list[np.ndarray]]) -> Work:
    recognizer, shown = Recognizer.published(name), images()
    crop = recognizer.inputs.of_files()
    assert isinstance(crop, FaceCrop)
    reader = crop.of_several(64 if len(shown) == 1 else 1).reader

    def embedded() -> np.ndarray:
        return recognizer.embed(np.concatenate([found.crops for found in reader(shown)]))

    return Work(lambda: embedded() is None or None, answer=lambda: (np.array(len(embedded())),))


def _theirs(images: Callable[[], list[np.ndarray]]) -> Work:
    from likeness.experiments.benchmarks.peers.dlib_faces import embeddings

    return embeddings(images())
