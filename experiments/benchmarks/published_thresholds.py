"""The thresholds that come with the published recognizers: chosen on Labeled Faces in the Wild, and written into the project.

    python -m likeness.experiments.benchmarks.published_thresholds

Its 13,233 images show 5,749 people, each in the middle, so that the face in the middle is taken. All pairs of one person
count, and a million of the pairs of two. The same people are the cohort of the thresholds T(N) of galleries, which reach as
far as there are people. It takes five minutes on two cores.
"""

import dataclasses

import numpy as np
import tyro

from likeness.experiments.display.phases import tracked, watched
from likeness.experiments.display.progress import Phases
from likeness.experiments.host_memory import keep_freed_memory
from likeness.experiments.recognition.protocols import EvaluatedSet, Verification, evaluate
from likeness.experiments.recognition.published import PUBLISHED, PublishedRecognizer, published
from likeness.experiments.recognition.recognizer import Recognizer
from likeness.research.data import Images
from likeness.research.data.duplicates import Duplicates
from likeness.research.faces import FaceFolder
from likeness.research.gallery import GalleryThresholds, Threshold
from likeness.research.metrics.calibration import threshold_at_far
from likeness.research.metrics.sized_thresholds import thresholds_by_size

_EVERY = 4
"""Of so many images one's norm is measured."""


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """Whose threshold is chosen, and how."""

    models: tuple[str, ...] = tuple(one.name for one in PUBLISHED)
    """Names of published recognizers."""
    people: str = "$LIKENESS_DATA/lfw"
    """A folder with a folder of photographs for each person."""
    far: float = 1e-3
    """The false-accept rate that is aimed at."""
    pairs: int = 1_000_000
    """Pairs of two people, at most."""


def photographs(one: PublishedRecognizer, path: str) -> Images:
    """The images of a folder in which each shows somebody in its middle, as the recognizer's crops."""
    # One photograph under two names, which this data set has, is under one that is wrong.
    folder = FaceFolder(path, crop=one.in_the_middle, duplicates=Duplicates(across="drop"))
    return folder.open_tracked(tracked)


def choose(one: PublishedRecognizer, recognizer: Recognizer, evaluated: EvaluatedSet, far: float, most: int) -> Threshold:
    """τ for a false-accept rate, with the rates that come with it.

    Args:
        one: the published recognizer.
        recognizer: the same with its weights.
        evaluated: its crops of people, embedded.
        far: what is aimed at.
        most: pairs of two people, at most.
    """
    pairs = Verification(max_pairs=most).pairs(evaluated)
    found = threshold_at_far(pairs.distances, pairs.same, far, pairs.people)
    return Threshold(
        tau=found.threshold,
        target_far=far,
        far=found.far,
        tar=found.tar,
        people=len(evaluated.images.people),
        fingerprint=recognizer.fingerprint,
        distance=repr(one.distance),
    )


def choose_for_galleries(one: PublishedRecognizer, recognizer: Recognizer, evaluated: EvaluatedSet) -> GalleryThresholds:
    """T(N) from the same people, as :func:`choose` takes them."""
    labels = evaluated.images.labels
    return GalleryThresholds(
        people=len(np.unique(labels)),
        fingerprint=recognizer.fingerprint,
        distance=repr(one.distance),
        thresholds=thresholds_by_size(evaluated.embeddings, labels, one.distance, track=tracked),
    )


def main() -> None:
    """Chooses, writes and prints."""
    keep_freed_memory()
    asked = tyro.cli(Benchmark, description=__doc__)
    for name in asked.models:
        one, recognizer = published(name), Recognizer.published(name)
        with Phases() as phases, watched(phases.tell):
            images = photographs(one, asked.people)
            evaluated = evaluate(recognizer.embedder, images)
            threshold = choose(one, recognizer, evaluated, asked.far, asked.pairs)
            galleries = choose_for_galleries(one, recognizer, evaluated)
        one.threshold.parent.mkdir(exist_ok=True)
        threshold.save(one.threshold)
        galleries.save(one.gallery_thresholds)
        print(f"{name}: τ {threshold.tau:.4f}, {len(images):,} images of {threshold.people:,} people; false accepts", end=" ")
        print(f"{threshold.far.text()}, true accepts {threshold.tar.text()}; written to {one.threshold}")
        last = {each.fpir: each for each in galleries.thresholds}
        reach = ", ".join(f"T({each.size:,}) {each.tau:.4f} for FPIR {each.fpir:g}" for each in last.values())
        print(f"{name}: {reach}; written to {one.gallery_thresholds}")
        some = images.read(np.arange(0, len(images), _EVERY))
        print(f"{name}: one in a hundred has a norm below {np.quantile(recognizer.norms(some), 0.01):.2f}")


if __name__ == "__main__":
    main()
