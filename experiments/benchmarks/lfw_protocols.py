"""The protocols of Labeled Faces in the Wild on embeddings of its images: View 2, deepface's 1,000 pairs, BLUFR, all pairs.

    likeness embed "$LIKENESS_DATA/lfw" -o lfw.npz
    python -m likeness.experiments.benchmarks.lfw_protocols --embeddings lfw.npz

Each part says how long it took and how much memory the process has had at most.
"""

import dataclasses
import resource
import time
from pathlib import Path

import tyro

from likeness.experiments.display.phases import watched
from likeness.experiments.display.progress import Phases
from likeness.experiments.recognition.protocols import (
    Blufr,
    EvaluatedSet,
    EvaluationProtocol,
    EveryPair,
    GallerySizes,
    ListedPairs,
    Retrieval,
    open_embeddings,
)
from likeness.experiments.recognition.published import published
from likeness.research.data.paths import expand_path
from likeness.research.metrics.intervals import Estimate


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """What to measure."""

    embeddings: str
    """An .npz file with embeddings and files, as `likeness embed` writes it."""
    model: str = "mobilefacenet"
    """The published recognizer that made them, by whose distance they are compared."""
    lfw: str = "$LIKENESS_DATA/lfw"
    """The folder with pairs.txt, pairsDevTrain.txt, pairsDevTest.txt and blufr_lfw_config.mat."""


def protocols(lfw: Path) -> dict[str, EvaluationProtocol]:
    """What is measured, by title."""
    pairs, train, test = (str(lfw / f"{name}.txt") for name in ("pairs", "pairsDevTrain", "pairsDevTest"))
    return {
        "View 2, restricted": ListedPairs(pairs=pairs, name="lfw"),
        "View 2, unrestricted": ListedPairs(pairs=pairs, name="lfw", setting="unrestricted"),
        "deepface's 1,000 pairs": ListedPairs(pairs=test, name="dev", threshold_from=train),
        "BLUFR": Blufr(lists=str(lfw / "blufr_lfw_config.mat")),
        "all pairs": EveryPair(),
        "retrieval": Retrieval(),
        "galleries of several sizes": GallerySizes(sizes=(100, 1_000, 3_000)),
    }


def measure(title: str, protocol: EvaluationProtocol, evaluated: EvaluatedSet) -> None:
    """Prints what a protocol says, and what it took."""
    began, worked = time.monotonic(), time.process_time()
    with Phases() as phases, watched(phases.tell):
        found = protocol.metrics(evaluated)
    # Linux counts kilobytes.
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    seconds, work = time.monotonic() - began, time.process_time() - worked
    print(f"\n{title}: {seconds:.1f} s, {work:.1f} s of CPU, at most {megabytes:.0f} MB")
    for name, rate in found.items():
        print(f"  {name:<36}{rate.text('auc' not in name) if isinstance(rate, Estimate) else f'{rate:.6g}'}", flush=True)


def main() -> None:
    """Measures one after another."""
    options = tyro.cli(Benchmark)
    evaluated = open_embeddings(options.embeddings, published(options.model).distance)
    print(f"{len(evaluated.images):,} embeddings of {len(evaluated.images.people):,} people")
    for title, protocol in protocols(expand_path(options.lfw, "lfw")).items():
        measure(title, protocol, evaluated)


if __name__ == "__main__":
    main()
