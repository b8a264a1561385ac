"""How many objects of real images are among the regions that selective search proposes.

    python -m likeness.experiments.benchmarks.region_proposals
    python -m likeness.experiments.benchmarks.region_proposals --data '$LIKENESS_DATA/BCCD' --search.longest 240

Every image is searched at its own size, whatever its part, and recall at k counts an object as found if one of the first k
regions of its image overlaps it by an IoU of 0.5 or more.
"""

import dataclasses
import time

import numpy as np
import tyro

from likeness.experiments.detection.evaluation import truths_of
from likeness.experiments.display.phases import tracked, watched
from likeness.experiments.display.progress import Phases
from likeness.experiments.host_memory import keep_freed_memory
from likeness.research.data.detection import DetectionFolder
from likeness.research.data.paths import printable
from likeness.research.geometry import SelectiveSearch
from likeness.research.metrics.detection.proposals import proposal_recall
from likeness.research.metrics.detection.truths import Predictions
from likeness.research.metrics.intervals import Estimate
from likeness.research.types import Float


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """What to measure."""

    data: tuple[str, ...] = ("$LIKENESS_DATA/BCCD", "$LIKENESS_DATA/playing_cards")
    """Folders of annotated images."""
    search: SelectiveSearch = SelectiveSearch()
    """How regions are found."""
    images: int | None = None
    """Only the first so many images of each; by default all."""
    ks: tuple[int, ...] = (10, 30, 100, 300, 1000)
    """After how many regions recall is measured."""


def predictions_of(boxes: Float[np.ndarray, "n 4"]) -> Predictions:
    """Proposals as an evaluator takes them: the first are the surest."""
    return Predictions(boxes, -np.arange(len(boxes), dtype=np.float64), np.zeros(len(boxes), int))


def lines_of(asked: Benchmark, folder: str) -> list[str]:
    """Searches the images of a folder.

    Args:
        asked: how.
        folder: where they are.

    Returns:
        What to print: a line for each k.
    """
    examples = DetectionFolder(folder).open()
    examples = examples.select(np.arange(len(examples))[: asked.images])
    began, rows = time.process_time(), range(len(examples))
    proposals = [predictions_of(asked.search(examples.read(row))) for row in tracked("searching images", rows)]
    seconds = (time.process_time() - began) / len(examples)
    found = proposal_recall(truths_of(examples), proposals, asked.ks)
    counts = [len(each) for each in proposals]
    first = (
        f"{printable(folder)}: {len(examples):,} images with {len(examples.boxes):,} objects, {np.mean(counts):.0f} regions an "
        f"image, {seconds * 1e3:.0f} ms of processor time each"
    )
    return [first, *(f"  recall@{k:<4} {_said(found.at_half[k])}, AR@{k:<4} {_said(found.average[k])}" for k in asked.ks)]


def _said(found: Estimate) -> str:
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def main() -> None:
    """Measures and prints."""
    keep_freed_memory()
    asked = tyro.cli(Benchmark, description=__doc__)
    for folder in asked.data:
        with Phases() as phases, watched(phases.tell):
            lines = lines_of(asked, folder)
        print("\n".join(lines))


if __name__ == "__main__":
    main()
