"""Published recognizers on the 6,000 pairs of Labeled Faces in the Wild, from image files to the report.

    python -m likeness.experiments.benchmarks.lfw_verification

View 2 of Huang et al. 2007: the threshold of each of ten folds is the one that is best on the other nine. Faces are laid over
the template by the landmarks in ``landmarks5_center160.txt``, or by those that the recognizer's own detector finds.
"""

import dataclasses
import io
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import jax
import numpy as np
import tyro

from likeness.experiments.benchmarks.lfw_faces import Faces
from likeness.experiments.display.phases import tracked, watched
from likeness.experiments.display.progress import Phases
from likeness.experiments.host_memory import keep_freed_memory
from likeness.experiments.recognition.published import PUBLISHED, published
from likeness.experiments.recognition.recognizer import Recognizer
from likeness.research.data import Decode
from likeness.research.data.paths import expand_path
from likeness.research.faces import FaceCrop
from likeness.research.files import write_atomically
from likeness.research.geometry import align, warp
from likeness.research.metrics.folds import FoldAccuracy, contiguous_folds, kfold_accuracy
from likeness.research.metrics.intervals import Estimate
from likeness.research.metrics.verification import rate_name, verification
from likeness.research.types import Float, UInt8

Landmarks = Literal["detector", "file"]
_BATCH = 64
_FARS = (1e-2, 1e-3)


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """What to measure."""

    models: tuple[str, ...] = tuple(one.name for one in PUBLISHED)
    """Names of published recognizers."""
    lfw: str = "$LIKENESS_DATA/lfw"
    """The folder of Labeled Faces in the Wild, with pairs.txt and landmarks5_center160.txt."""
    landmarks: tuple[Landmarks, ...] = ("file", "detector")
    """By which faces are aligned."""
    mirror: bool = True
    """Whether the detector looks at the mirror image too."""
    write: str | None = None
    """A folder to write the embeddings of all images to, instead of measuring: MODEL_LANDMARKS.npz, which
    ``likeness.experiments.benchmarks.lfw_protocols`` reads."""


@dataclasses.dataclass(frozen=True)
class Verified:
    """What was measured."""

    accuracy: FoldAccuracy
    rates: Mapping[str, Estimate]
    """Of verification over the pairs, by name."""
    without: int
    """Images in which no face was found; the middle of the image was taken."""
    seconds: float
    """From files to numbers."""


def crops_by_file(crop: FaceCrop, faces: Faces, paths: Sequence[str]) -> UInt8[np.ndarray, "n h w 3"]:
    """Crops by the landmarks of the file."""
    template, decode = crop.finder.template, Decode()
    cut = jax.jit(lambda images, marks: warp(images, align(marks, template.array()).maps[:, None], template.size)[:, 0])
    made = []
    for start in tracked("aligning faces", range(0, len(paths), _BATCH)):
        some = paths[start : start + _BATCH]
        images = np.stack([decode(faces.root / path) for path in some])
        marks = np.array([faces.landmarks[path].points for path in some], np.float32)
        made.append(np.clip(np.round(np.asarray(cut(images, marks))), 0, 255).astype(np.uint8))
    return np.concatenate(made)


def crops_by_detector(crop: FaceCrop, faces: Faces, paths: Sequence[str]) -> tuple[UInt8[np.ndarray, "n h w 3"], int]:
    """Crops of the face in the middle of each image, and in how many images none was found."""
    reader, decode, (height, width) = crop.reader, Decode(), crop.size
    made, without = [], 0
    for start in tracked("finding faces", range(0, len(paths), _BATCH)):
        images = [decode(faces.root / path) for path in paths[start : start + _BATCH]]
        for image, found in zip(images, reader(images), strict=True):
            without += not len(found)
            top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
            made.append(found.crops[0] if len(found) else image[top : top + height, left : left + width])
    return np.stack(made), without


def embedded(
    recognizer: Recognizer, faces: Faces, paths: Sequence[str], landmarks: Landmarks, *, mirror: bool = True
) -> tuple[Float[np.ndarray, "n d"], int]:
    """Embeddings of images, and in how many of them no face was found; the arguments as of :func:`verified`."""
    crop = recognizer.inputs.of_files()
    assert isinstance(crop, FaceCrop)
    finder = dataclasses.replace(crop.finder, choice="central", score_threshold=0.3, mirror=mirror)
    if landmarks == "file":
        crops, without = crops_by_file(crop, faces, paths), 0
    else:
        crops, without = crops_by_detector(dataclasses.replace(crop, finder=finder), faces, paths)
    codes = [recognizer.embed(crops[i : i + 256]) for i in tracked("embedding", range(0, len(crops), 256))]
    return np.concatenate(codes), without


def verified(recognizer: Recognizer, faces: Faces, landmarks: Landmarks, *, mirror: bool = True) -> Verified:
    """Measures a recognizer of photographs.

    Args:
        recognizer: with a crop that finds faces.
        faces: the folder.
        landmarks: by which faces are aligned.
        mirror: whether the detector looks at the mirror image too.
    """
    began = time.perf_counter()
    pairs, same = faces.pairs(())
    paths = sorted({path for pair in pairs for path in pair})
    row = {path: number for number, path in enumerate(paths)}
    codes, without = embedded(recognizer, faces, paths, landmarks, mirror=mirror)
    rows = np.array([(row[a], row[b]) for a, b in pairs])
    distances = np.asarray(recognizer.distance.paired(codes[rows[:, 0]], codes[rows[:, 1]]))
    people = np.unique([path.split("/")[0] for path in paths], return_inverse=True)[1][rows]
    return Verified(
        accuracy=kfold_accuracy(distances, same, contiguous_folds(len(same), 10)),
        rates=verification(distances, same, people, _FARS),
        without=without,
        seconds=time.perf_counter() - began,
    )


def _write(folder: Path, name: str, faces: Faces, landmarks: Landmarks, *, mirror: bool) -> None:
    paths = sorted(faces.landmarks)
    with Phases() as phases, watched(phases.tell):
        codes, _ = embedded(Recognizer.published(name), faces, paths, landmarks, mirror=mirror)
    stored = io.BytesIO()
    np.savez(stored, embeddings=codes, files=np.array(paths))
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{name}_{landmarks}.npz"
    write_atomically(place, stored.getvalue())
    print(f"{len(codes):,} embeddings written to {place}")


def main() -> None:
    """Measures and prints a row for each recognizer and kind of landmarks."""
    keep_freed_memory()
    asked = tyro.cli(Benchmark, description=__doc__)
    faces = Faces(Path(expand_path(asked.lfw, "--lfw")))
    for name in asked.models:
        for landmarks in asked.landmarks:
            if asked.write is not None:
                _write(Path(asked.write), name, faces, landmarks, mirror=asked.mirror)
                continue
            with Phases() as phases, watched(phases.tell):
                found = verified(Recognizer.published(published(name).name), faces, landmarks, mirror=asked.mirror)
            accuracy = found.accuracy
            tars = [f"{far:g} " + found.rates[f"verification/tar@far={rate_name(far)}"].text() for far in _FARS]
            print(
                f"{name}, landmarks of the {landmarks}: {100 * accuracy.mean:.2f} % (standard error "
                f"{100 * accuracy.standard_error:.2f}, deviation of folds {100 * accuracy.fold_deviation:.2f}; 95 % "
                f"{accuracy.estimate.text()}), TAR at FAR {'; at FAR '.join(tars)}; no face in {found.without} images; "
                f"{found.seconds:.0f} s from files to here"
            )


if __name__ == "__main__":
    main()
