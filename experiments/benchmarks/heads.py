"""Three heads on one encoder: triplets, logistic regression on |f1 - f2|, and logistic regression on the χ² feature.

    python -m likeness.experiments.benchmarks.heads
    python -m likeness.experiments.benchmarks.heads --data omniglot

Each head trains the same network from the same initial weights on the same batches, once for each seed, and is evaluated on the
same pairs of people whom none has seen. Equal error rates of each run, and of each two heads the paired difference, with the
people drawn alike for both. Triplets compare codes of unit length, as their paper has it; the two logistic heads weigh the
dimensions of the codes as they come. Without an argument the faces are procedural; Omniglot is read from ``$LIKENESS_DATA``.
"""

import dataclasses
import itertools
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import tyro

from likeness.experiments.display import figures
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.recognition import Recognition
from likeness.experiments.recognition.protocols import Verification, evaluate
from likeness.experiments.recognition.recognizer import Recognizer
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.training.trainer import train
from likeness.research.data import CountSplit, Faces, IdentityBatches, Omniglot
from likeness.research.encoders import Conv4
from likeness.research.losses import BatchAll, RecognitionLoss, Siamese, Triplet
from likeness.research.metrics.paired import RateDifference, paired_eer
from likeness.research.metrics.pairs import Pairs
from likeness.research.metrics.roc import eer, roc

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Data = Literal["faces", "omniglot"]


@dataclasses.dataclass(frozen=True)
class Head:
    """What compares two codes, and teaches the encoder by it."""

    name: str
    loss: RecognitionLoss
    unit_length: bool
    """Whether it compares codes of unit length."""


HEADS = (
    Head("triplet", Triplet(margin=0.2, rule=BatchAll(), reduction="mean_active"), unit_length=True),
    Head("|f1 - f2|", Siamese(feature="absolute", initial_bias=4.0), unit_length=False),
    Head("χ²", Siamese(feature="chi_square", initial_bias=4.0), unit_length=False),
)


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """What to measure."""

    data: Data = "faces"
    """Procedural faces of 600 people, or the 964 characters of Omniglot's background set."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of the initial weights and of the batches; each head is trained once with each."""
    split: int = 0
    """Seed of the choice of people who are evaluated by."""
    steps: int = 300
    """Steps of training."""
    figure: str | None = None
    """Where to draw it."""


def run_of(head: Head, options: Benchmark, seed: int) -> Run:
    """The training run of a head: everything but the head is the same for all three."""
    data = Faces(people=600, images=8, size=48) if options.data == "faces" else Omniglot(size=28)
    return Run(
        experiment=Recognition(
            data=data,
            split=CountSplit(validation=60, test=200, seed=options.split),
            batches=IdentityBatches(people=16, images=4),
            encoder=Conv4(width=32, dimension=128, normalize=head.unit_length),
            loss=head.loss,
            test=(Verification(),),
        ),
        steps=options.steps,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=2e-3, warmup_share=0.1)),
        seed=seed,
        log_every=50,
        checkpoints=Checkpoints(every=options.steps),
    )


def trained_pairs(head: Head, options: Benchmark, seed: int) -> Pairs:
    """The test pairs with the distances of a head that was trained with a seed."""
    run = run_of(head, options, seed)
    with tempfile.TemporaryDirectory() as workdir:
        train(run, Path(workdir) / "run", reporter=None)
        recognizer = Recognizer.load(Path(workdir) / "run")
        return Verification().pairs(evaluate(recognizer.embedder, run.experiment.open().test))


def equal_error(pairs: Pairs) -> float:
    """The equal error rate of a run."""
    return float(eer(roc(pairs.distances, pairs.same)))


def differences(pairs: Mapping[str, Sequence[Pairs]]) -> dict[tuple[str, str], RateDifference]:
    """Of each two heads, over all of their runs."""
    return {(one, other): paired_eer(pairs[one], pairs[other]) for one, other in itertools.combinations(pairs, 2)}


def drawn(pairs: Mapping[str, Sequence[Pairs]], found: Mapping[tuple[str, str], RateDifference], title: str) -> "Figure":
    """The equal error of each run, seeds joined by lines, and the paired differences with their intervals."""
    from matplotlib.figure import Figure

    names = list(pairs)
    rates = np.array([[equal_error(each) for each in runs] for runs in pairs.values()])
    figure = Figure(figsize=(10, 3.8), dpi=figures.PIXELS_PER_INCH, layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(names, 100 * rates, color=figures.PALE, linewidth=1)
    for name, row in zip(names, rates, strict=True):
        left.scatter([name] * len(row), 100 * row, color=figures.BLUE, zorder=3)
    left.set_ylim(bottom=0)
    left.set_ylabel("equal error rate, %")
    left.set_title(f"{title}: each run", loc="left", fontweight="bold", color=figures.INK)
    places = np.arange(len(found))[::-1]
    for place, each in zip(places, found.values(), strict=True):
        right.plot([100 * each.low, 100 * each.high], [place, place], color=figures.INK, linewidth=2)
        right.scatter([100 * each.value], [place], color=figures.INK, zorder=3)
    right.axvline(0, color=figures.PALE, linewidth=1)
    right.set_yticks(places, [f"{one} less {other}" for one, other in found])
    right.set_ylim(-0.6, len(found) - 0.4)
    right.set_xlabel("difference of equal error rates, points of a percent")
    right.set_title("paired, 95 % intervals over people", loc="left", fontweight="bold", color=figures.INK)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    """Trains, compares and prints."""
    options = tyro.cli(Benchmark, description=__doc__)
    pairs: dict[str, list[Pairs]] = {}
    for head in HEADS:
        pairs[head.name] = [trained_pairs(head, options, seed) for seed in options.seeds]
        rates = [100 * equal_error(each) for each in pairs[head.name]]
        each = ", ".join(f"{rate:.2f}" for rate in rates)
        print(f"{head.name:<10} EER {np.mean(rates):.2f} % (seeds {each})", flush=True)
    found = differences(pairs)
    for (one, other), difference in found.items():
        less = sum(equal_error(a) < equal_error(b) for a, b in zip(pairs[one], pairs[other], strict=True))
        print(f"{one} less {other}: {difference.text()}; {one} errs less with {less} of {len(options.seeds)} seeds")
    first = pairs[HEADS[0].name][0]
    print(f"{first.same.sum():,} pairs of one and {(~first.same).sum():,} of two, of {len(np.unique(first.people))} people")
    if options.figure is not None:
        title = {"faces": "Procedural faces", "omniglot": "Omniglot"}[options.data]
        print(f"figure  {figures.save(drawn(pairs, found, title), options.figure)}")


if __name__ == "__main__":
    main()
