"""For how long a save holds training up, what it slows down while it writes behind it included."""

import functools
import statistics
import tempfile

import flax.linen as nn

from likeness.experiments.benchmarks.protocol import OURS, Contender, Goal, Row, Size, Work
from likeness.experiments.benchmarks.suites.dispatch import Stopwatch
from likeness.experiments.recognition import Recognition
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.training.trainer import train
from likeness.research.data import CountSplit, Faces, IdentityBatches
from likeness.research.encoders import Conv4, iresnet18
from likeness.research.losses import BatchHard, Triplet

SHARE = 0.02
"""Of training with a checkpoint a minute that may be lost to them."""
BETWEEN, SAVES = 20, 4


def rows(size: Size) -> tuple[Row, ...]:
    """A small state and a large one."""
    if size == "tiny":
        return (_row("Conv-4, width 4", Conv4(width=4), 16, 8),)
    return (
        _row("Conv-4 of the quickstart, 1 MB with Adam's moments", Conv4(width=32), 48, 32),
        _row("IResNet-18, 140 MB with Adam's moments", iresnet18(), 32, 8),
    )


def _row(name: str, encoder: nn.Module, side: int, batch: int) -> Row:
    contenders = (Contender(OURS, functools.partial(_stall, encoder, side, batch), ("jax",)),)
    return Row(f"a save of {name}", contenders, Goal(seconds=60 * SHARE), clock="wall", rounds=3, memory=False)


def _stall(encoder: nn.Module, side: int, batch: int) -> Work:
    run = Run(
        experiment=Recognition(
            data=Faces(people=batch // 2, images=4, size=side, channels=3),
            split=CountSplit(validation=1, test=1),
            batches=IdentityBatches(people=batch // 4, images=4),
            encoder=encoder,
            loss=Triplet(rule=BatchHard()),
            validation=(),
            test=(),
        ),
        steps=BETWEEN * (SAVES + 1),
        log_every=1,
        checkpoints=Checkpoints(every=BETWEEN),
    )

    def once() -> float:
        watch = Stopwatch()
        with tempfile.TemporaryDirectory() as workdir:
            train(run, workdir, reporter=watch)
        return stall(watch.times, BETWEEN)

    return Work(once)


def stall(times: list[float], between: int) -> float:
    """Seconds that a save takes from training: by how much a stretch with one save is longer than as many usual steps.

    Args:
        times: when each step ended.
        between: steps from save to save.
    """
    # The first stretch compiles.
    steps = [after - before for before, after in zip(times[between:-1], times[between + 1 :], strict=True)]
    usual = statistics.median(steps)
    stretches = [steps[start : start + between] for start in range(0, len(steps) - between + 1, between)]
    return statistics.median(sum(stretch) - usual * between for stretch in stretches)
