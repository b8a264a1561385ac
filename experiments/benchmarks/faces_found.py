"""How many faces of Labeled Faces in the Wild YuNet finds, and how far its landmarks are from those of another detector.

    python -m likeness.experiments.benchmarks.faces_found

Each of the 13,233 images shows one person in its middle. ``landmarks5_center160.txt`` has five points of each face that MTCNN's
last network set, so that a distance is that of two detectors and not an error.
"""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tyro

from likeness.experiments.benchmarks.lfw_faces import Faces
from likeness.experiments.detection.detector import Detector
from likeness.experiments.display.phases import watched
from likeness.experiments.display.progress import Phases
from likeness.experiments.host_memory import keep_freed_memory
from likeness.research.data.paths import expand_path
from likeness.research.types import Float


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """What to measure."""

    lfw: str = "$LIKENESS_DATA/lfw"
    """The folder of Labeled Faces in the Wild, with landmarks5_center160.txt."""
    model: str = "yunet"
    """A detector of faces with five landmarks."""
    score_threshold: float = 0.3
    """What scores this or less is no face."""
    images: int | None = None
    """Only the first so many images; by default all."""


@dataclasses.dataclass(frozen=True)
class FacesFound:
    """What was found, of the surest face of each image."""

    images: int
    found: int
    """Images with a face in them."""
    least: float
    """The lowest score of a surest face."""
    distances: Float[np.ndarray, "n 5"]
    """In pixels, of each landmark of the surest face to that in the file."""
    seconds: float

    @property
    def median(self) -> float:
        """Of the images' mean distances, in pixels."""
        return float(np.median(self.distances.mean(axis=1)))


def faces_found(detector: Detector, faces: Faces, paths: Sequence[str], score_threshold: float) -> FacesFound:
    """Looks at images of a folder.

    Args:
        detector: of faces with five landmarks.
        faces: the folder.
        paths: of images in it.
        score_threshold: what scores this or less is no face.
    """
    began = time.perf_counter()
    distances, scores = [], []
    rule = detector.rule(score_threshold)
    for seen in detector.look([faces.root / path for path in paths], rule):
        if len(seen.detections) and seen.detections.landmarks is not None:
            truth = np.array(faces.landmarks[paths[seen.number]].points)
            distances.append(np.linalg.norm(seen.detections.landmarks[0] - truth, axis=-1))
            scores.append(float(seen.detections.confidence[0]))
    return FacesFound(
        images=len(paths),
        found=len(scores),
        least=min(scores, default=0.0),
        distances=np.array(distances).reshape(-1, 5),
        seconds=time.perf_counter() - began,
    )


def main() -> None:
    """Measures and prints."""
    keep_freed_memory()
    asked = tyro.cli(Benchmark, description=__doc__)
    faces = Faces(Path(expand_path(asked.lfw, "--lfw")))
    paths = sorted(faces.landmarks)[: asked.images]
    with Phases() as phases, watched(phases.tell):
        found = faces_found(Detector.load(asked.model), faces, paths, asked.score_threshold)
    parts = ", ".join(f"{part:.1f}" for part in np.median(found.distances, axis=0))
    print(f"{asked.model}: a face in {found.found:,} of {found.images:,} images above {asked.score_threshold:g}")
    print(f"the surest face of an image scores {found.least:.3f} or more")
    print(f"landmarks are {found.median:.2f} px apart (median; of eyes, nose and corners of the mouth {parts})")
    print(f"{found.images / found.seconds:.0f} images a second, decoding and compiling included")


if __name__ == "__main__":
    main()
