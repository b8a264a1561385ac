"""Which triplets to learn from: one encoder and one budget of steps, trained with each selection rule.

    python -m likeness.experiments.benchmarks.mining

Every rule starts from the same weights and sees the same batches of procedural faces; the loss is the mean over active
triplets. Printed are the equal error rate of verification of people who are not trained on, at each quarter of the budget, the
last with its 95 % interval (over people; another ``--seed`` shows what the start does), and of the batches before the last: how
many triplets a rule selects and the fraction of them that cost anything. Rules that look for triplets inside the margin select
no others. The faces are synthetic: the numbers say nothing of real people.

A budget this short disfavors rules that take the hardest triplets: those of an untrained encoder pull all embeddings together
at first (Schroff et al. 2015, section 3.2), where the gradient of squared distances vanishes (Hermans et al. 2017).
"""

import dataclasses
import tempfile
import time
from pathlib import Path

import tyro

from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.recognition import Recognition
from likeness.experiments.recognition.protocols import Verification
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.storage.metrics_log import read_metrics
from likeness.experiments.storage.workdir import Workdir
from likeness.experiments.training.trainer import train
from likeness.research.data import CountSplit, Faces, IdentityBatches
from likeness.research.encoders import Conv4
from likeness.research.losses import (
    AddonsSemiHard,
    AnchorSemiHard,
    BandSemiHard,
    BatchAll,
    BatchHard,
    FaceNetSemiHard,
    MarginViolating,
    RandomTriplets,
    SelectionRule,
    Triplet,
)

RULES: tuple[SelectionRule, ...] = (
    RandomTriplets(),
    BatchAll(),
    BatchHard(),
    FaceNetSemiHard(),
    FaceNetSemiHard(choice="hardest"),
    AddonsSemiHard(),
    BandSemiHard(),
    AnchorSemiHard(),
    MarginViolating(),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Benchmark:
    """What is trained, and for how long."""

    steps: int = 200
    """Batches of 16 people with 4 images each."""
    people: int = 400
    """People to learn from."""
    evaluated: int = 100
    """People to evaluate by."""
    margin: float = 0.2
    """α, of squared distances between vectors of unit length."""
    seed: int = 0
    """Of the weights, the batches and the rules that draw."""

    def __post_init__(self) -> None:
        if self.steps < 4:
            raise ValueError(f"Benchmark.steps is {self.steps}: give 4 or more, since each quarter of them is evaluated")

    def run(self, rule: SelectionRule) -> Run:
        """The run of one rule."""
        verification = Verification(fars=(), max_pairs=20_000)
        return Run(
            experiment=Recognition(
                data=Faces(people=self.people + self.evaluated, images=8, size=32, channels=1),
                split=CountSplit(validation=self.evaluated, test=0),
                batches=IdentityBatches(people=16, images=4),
                encoder=Conv4(width=16, dimension=64),
                loss=Triplet(margin=self.margin, rule=rule, reduction="mean_active"),
                validation=(verification,),
                test=(verification,),
            ),
            steps=self.steps,
            optimizer=Adam(schedule=WarmupCosine(peak_lr=2e-3, warmup_share=0.1)),
            log_every=max(1, self.steps // 20),
            evaluate_every=self.steps // 4,
            checkpoints=Checkpoints(every=self.steps),
            seed=self.seed,
        )


def row(options: Benchmark, rule: SelectionRule) -> str:
    """Trains with one rule; its line of the table."""
    start = time.process_time()
    with tempfile.TemporaryDirectory() as workdir:
        trained = train(options.run(rule), workdir)
        records = read_metrics(Workdir(Path(workdir)).metrics)
    curve = [record["verification/eer"]["value"] for record in records if record["split"] == "validation"]
    end = [record for record in records if record["split"] == "train"][-1]
    rates = "".join(f"{100 * rate:7.1f} %" for rate in curve[:3])
    eer = trained.evaluation.metrics["verification/eer"]
    name = str(rule).removesuffix("()")
    seconds = time.process_time() - start
    return f"{name:<34}{rates}   {eer.text():<31}{end['triplets']:>9.0f}{end['active_fraction']:>9.2f}{seconds:>9.0f}"  # pyright: ignore


def main() -> None:
    """Train with every rule and print the table."""
    options = tyro.cli(Benchmark, description=__doc__)
    quarters = "".join(f"{part * (options.steps // 4):>9}" for part in (1, 2, 3))
    print(f"equal error rate after so many of {options.steps} steps; triplets and the active fraction of the last ones")
    print(f"{'rule':<34}{quarters}   {options.steps:<31}{'triplets':>9}{'active':>9}{'seconds':>9}")
    for rule in RULES:
        print(row(options, rule), flush=True)


if __name__ == "__main__":
    main()
