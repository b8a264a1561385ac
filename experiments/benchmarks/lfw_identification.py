"""From the error of one comparison to that of identification among K people, on embeddings of Labeled Faces in the Wild.

    python -m likeness.experiments.benchmarks.lfw_verification --landmarks detector --write embeddings
    python -m likeness.experiments.benchmarks.lfw_identification --embeddings embeddings/mobilefacenet_detector.npz

A verifier of error e that is asked about each of K people is expected to err with probability 1 - (1 - e)^K. Measured is how
often it does, and how often the nearest of K people is another than the probe's own, over all galleries at once
(:mod:`likeness.research.metrics.random_galleries`). Ten seconds on one core.
"""

import dataclasses

import tyro

from likeness.experiments.display import figures
from likeness.experiments.display.phases import tracked, watched
from likeness.experiments.display.progress import Phases
from likeness.experiments.recognition.protocols import open_embeddings
from likeness.experiments.recognition.published import published
from likeness.research.metrics.random_galleries import SIZES, RandomGalleries, in_random_galleries


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """What to measure."""

    embeddings: tuple[str, ...]
    """Files with embeddings and files, as `lfw_verification --write` and `likeness embed` write them."""
    models: tuple[str, ...] = ("mobilefacenet",)
    """The published recognizers that made them, one for each file, by whose distances they are compared."""
    sizes: tuple[int, ...] = SIZES
    """People in a gallery."""
    figure: str | None = None
    """Where to draw it."""


def show(name: str, found: RandomGalleries) -> None:
    """Prints a table."""
    print(f"\n{name}: τ {found.threshold:.4g}, FNMR {found.missed.text()}, FMR {found.accepted.text()}")
    print(f"one other person is nearer: {found.other_nearer.text()}")
    print(f"{'K':>6}  {'K verifications by τ':<36}{'1-(1-e)^K':>10}  {'the nearest of K':<36}{'1-(1-e)^(K-1)':>13}")
    laws = zip(found.verified_if_independent, found.nearest_if_independent, strict=True)
    for size, verified, nearest, (first, second) in zip(found.sizes, found.verified, found.nearest, laws, strict=True):
        print(f"{size:>6}  {verified.text():<36}{100 * first:>8.2f} %  {nearest.text():<36}{100 * second:>11.2f} %")


def main() -> None:
    """Measures one file after another."""
    options = tyro.cli(Benchmark, description=__doc__)
    measured = {}
    for path, model in zip(options.embeddings, options.models, strict=True):
        recognizer = published(model)
        evaluated = open_embeddings(path, recognizer.distance)
        with Phases() as phases, watched(phases.tell):
            found = in_random_galleries(
                evaluated.embeddings, evaluated.images.labels, evaluated.compared_by, sizes=options.sizes, track=tracked
            )
        show(f"{model}, {len(evaluated.images):,} images of {len(evaluated.images.people):,} people", found)
        measured[model] = found
    if options.figure is not None:
        print(f"\nfigure  {figures.save(figures.random_galleries(measured), options.figure)}")


if __name__ == "__main__":
    main()
