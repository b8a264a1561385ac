"""Do several processes train what one does? Every loss, in 1, 2 and 4 processes that talk to each other.

    python -m likeness.experiments.benchmarks.many_processes
    python -m likeness.experiments.benchmarks.many_processes --counts 1 2 --only margin style --steps 10

Conv-4 on the bundled digits with each loss and each rule of mining, and an image painted in tiles. Prints for each how far the
losses of all steps, and the parameters after the last, are from those of one process: the largest difference as a share of the
largest number. Sums over more devices are rounded otherwise; under a rule that takes triplets up to a bound, one that lies on
it to the last digit is in on one side and out on the other, and from there on the two are different runs.

Processes are of this machine's CPU and talk by Gloo. Goes on where it was stopped; writes processes.md below ``--out``.
"""

import dataclasses
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import tyro

from likeness.experiments.distributed.processes import Processes
from likeness.experiments.experiment import Experiment
from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.recognition import Recognition
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.storage.checkpoints import CheckpointStore
from likeness.experiments.storage.metrics_log import read_metrics
from likeness.experiments.storage.workdir import Workdir
from likeness.experiments.style import StyleObjective, Stylization
from likeness.experiments.style.image import StyleImage
from likeness.experiments.style.terms import Term
from likeness.experiments.training.trainer import train
from likeness.research.data import Augmentation, CountSplit, Digits, IdentityBatches
from likeness.research.encoders import Conv4, Vgg
from likeness.research.errors import UserError
from likeness.research.files import write_atomically
from likeness.research.images.sources import Painting, Photograph
from likeness.research.losses import (
    AddonsSemiHard,
    AnchorSemiHard,
    BandSemiHard,
    BatchAll,
    BatchHard,
    Content,
    Contrastive,
    FaceNetSemiHard,
    Gram,
    MarginSoftmax,
    MarginViolating,
    Prototypical,
    RandomTriplets,
    RecognitionLoss,
    Siamese,
    Triplet,
)
from likeness.research.synthetic.styles import VoronoiMosaic


@dataclasses.dataclass(frozen=True, kw_only=True)
class Benchmark:
    """What is compared."""

    counts: tuple[int, ...] = (1, 2, 4)
    """Numbers of processes; all are compared with the first."""
    steps: int = 50
    """Of each run."""
    only: tuple[str, ...] = ()
    """Parts of names of losses; all without any."""
    out: str = "runs/many_processes"
    """Where the runs are."""
    worker: tuple[int, int, int] | None = None
    """Internal: port, number of this process, and how many there are."""


def losses() -> dict[str, RecognitionLoss]:
    """By name, all that recognition is trained with."""
    rules = {
        "random": RandomTriplets(),
        "batch all": BatchAll(),
        "batch hard": BatchHard(),
        "FaceNet semi-hard, random": FaceNetSemiHard(choice="random"),
        "FaceNet semi-hard, hardest": FaceNetSemiHard(choice="hardest"),
        "addons semi-hard": AddonsSemiHard(),
        "band semi-hard": BandSemiHard(),
        "anchor semi-hard": AnchorSemiHard(),
        "margin-violating": MarginViolating(),
    }
    triplets: dict[str, RecognitionLoss] = {
        f"triplet, {name}": Triplet(rule=rule, reduction="mean") for name, rule in rules.items()
    }
    return triplets | {
        "Siamese, absolute": Siamese(feature="absolute"),
        "Siamese, chi-square": Siamese(feature="chi_square"),
        "contrastive": Contrastive(),
        "prototypical": Prototypical(),
        "margin softmax": MarginSoftmax(classes=8),
    }


def runs(steps: int, only: tuple[str, ...] = ()) -> dict[str, Run]:
    """By name, what is trained."""
    tiny = Vgg(convolutions=(1, 1), widths=(8, 16), pooling="average", preprocessing="torchvision")
    experiments: dict[str, Experiment] = {
        name: Recognition(
            data=Digits(scale=2),
            split=CountSplit(validation=0, test=2),
            batches=IdentityBatches(people=4, images=4),
            augmentation=Augmentation(rotate=10.0),
            encoder=Conv4(width=8, dimension=8),
            loss=loss,
            test=(),
        )
        for name, loss in losses().items()
    }
    experiments["style, in tiles"] = Stylization(
        content=Photograph(name="china"),
        styles=(StyleImage(image=Painting(style=VoronoiMosaic())),),
        objective=StyleObjective(
            encoder=FrozenEncoder(encoder=tiny),
            content_terms=(Term(loss=Content(layers=("relu2_1",))),),
            style_terms=(Term(loss=Gram(layers=("relu1_1", "relu2_1"))),),
        ),
        size=96,
        tile=32,
    )
    chosen = {name: each for name, each in experiments.items() if not only or any(part in name for part in only)}
    if not chosen:
        raise UserError(f"No loss has {' or '.join(only)} in its name: choose of {'; '.join(experiments)}.")
    return {
        name: Run(experiment=each, steps=steps, log_every=1, checkpoints=Checkpoints(every=steps))
        for name, each in chosen.items()
    }


def folder(name: str) -> str:
    """A run's folder."""
    return "".join(character if character.isalnum() else "_" for character in name)


def work(asked: Benchmark, port: int, process: int, processes: int) -> None:
    """One process: trains all runs with the others."""
    if processes > 1:
        Processes(coordinator=f"localhost:{port}", process=process, processes=processes).join()
    for name, run in runs(asked.steps, asked.only).items():
        train(run, Path(asked.out) / str(processes) / folder(name))
        if process == 0:
            print(f"{processes} processes: {name}", flush=True)


def launch(asked: Benchmark, processes: int) -> None:
    """Trains all runs in so many processes.

    Raises:
        UserError: one of them failed.
    """
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
    arguments = ["--steps", str(asked.steps), "--out", asked.out, *(["--only", *asked.only] if asked.only else [])]
    command = [sys.executable, "-m", "likeness.experiments.benchmarks.many_processes", *arguments]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    members = [
        subprocess.Popen([*command, "--worker", str(port), str(process), str(processes)], env=environment)
        for process in range(processes)
    ]
    codes = [member.wait() for member in members]
    if any(codes):
        raise UserError(f"{processes} processes ended with {codes}: what they said stands above.")


def differences(asked: Benchmark, name: str, processes: int) -> tuple[float, float]:
    """Of the losses and of the parameters, the largest difference from the first count's as a share of the largest number."""
    first, other = (Workdir(Path(asked.out) / str(count) / folder(name)) for count in (asked.counts[0], processes))
    curves = [[line["loss"] for line in read_metrics(files.metrics)] for files in (first, other)]
    if {len(curve) for curve in curves} != {asked.steps}:
        raise UserError(f"{name} has logged {' and '.join(str(len(curve)) for curve in curves)} steps: remove {asked.out}.")
    params = []
    for files in (first, other):
        store = CheckpointStore(files.checkpoints, Checkpoints(), reading=True)
        params.append([np.asarray(leaf) for leaf in jax.tree.leaves(store.load_variables(asked.steps).params)])
        store.close()
    most = max(float(np.abs(leaf).max()) for leaf in params[0])
    apart = max(float(np.abs(one - two).max()) for one, two in zip(*params, strict=True))
    return float(np.max(np.abs(np.subtract(curves[0], curves[1]))) / np.max(np.abs(curves[0]))), apart / most


def main() -> None:
    asked = tyro.cli(Benchmark, description=__doc__)
    if asked.worker is not None:
        work(asked, *asked.worker)
        return
    named = Path(asked.out) / "steps"
    if not named.exists() or named.read_text() != str(asked.steps):
        shutil.rmtree(asked.out, ignore_errors=True)
        write_atomically(named, str(asked.steps))
    for count in asked.counts:
        launch(asked, count)
    others = asked.counts[1:]
    lines = [
        "| | " + " | ".join(f"losses, {count} processes | parameters" for count in others) + " |",
        "|---|" + "---|" * (2 * len(others)),
    ]
    for name in runs(asked.steps, asked.only):
        found = [value for count in others for value in differences(asked, name, count)]
        lines.append(f"| {name} | " + " | ".join(f"{value:.1e}" for value in found) + " |")
    text = "\n".join(lines) + "\n"
    write_atomically(Path(asked.out) / "processes.md", text)
    print(text)


if __name__ == "__main__":
    main()
