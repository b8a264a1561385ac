"""What the trainer adds to a step: its loop beside a bare ``jax.jit`` step of the same network.

The network is so small that the time of a step is mostly the cost of starting it. The bare step is what a researcher would
write by hand: the same encoder, loss and optimizer under one ``jax.jit`` with donated state, fed from the same stream, its
loss fetched once per log interval. The trainer's step does the same and checks every leaf for NaN, takes the gradient's norm,
watches for collapse, keeps metrics, and looks at the clock and at signals.
"""

import functools
import itertools
import statistics
import tempfile
import time
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import optax

from likeness.experiments.benchmarks.protocol import OURS, Contender, Goal, Row, Size, Work
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.recognition import Recognition
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.training.trainer import train
from likeness.research.data import CountSplit, Digits, IdentityBatches, to_unit
from likeness.research.encoders import Conv4
from likeness.research.losses import Triplet

BARE = "bare jax.jit"
EVERY = 50
"""Steps of a log interval."""


def rows(size: Size) -> tuple[Row, ...]:
    """One row: seconds a step, the median over the intervals of one training."""
    steps = 200 if size == "tiny" else 500
    contenders = (
        Contender(OURS, functools.partial(_trainer, steps), ("jax",)),
        Contender(BARE, functools.partial(_by_hand, steps), ("jax",)),
    )
    # At most 1.3 times the time of a bare step.
    goal = Goal(BARE, 1 / 1.3)
    return (Row("a step of 8 images 16×16", contenders, goal, clock="wall", rounds=5, memory=False),)


class Stopwatch:
    """A reporter that notes when each log interval ends."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def say(self, text: str) -> None:
        del text

    def warn(self, text: str) -> None:
        del text

    def advance(self, step: int, metrics: Mapping[str, float]) -> None:
        del step, metrics
        self.times.append(time.perf_counter())

    def show(self, name: str, image: np.ndarray) -> None:
        del name, image


def per_step(times: list[float]) -> float:
    """Seconds a step: the median over the intervals after the first two, which hold the compilation."""
    return statistics.median(b - a for a, b in itertools.pairwise(times[2:])) / EVERY


def _experiment() -> Recognition:
    return Recognition(
        data=Digits(scale=2),
        split=CountSplit(validation=0, test=1),
        batches=IdentityBatches(people=4, images=2),
        encoder=Conv4(width=4, dimension=8),
        loss=Triplet(),
        test=(),
        validation=(),
    )


def _trainer(steps: int) -> Work:
    run = Run(experiment=_experiment(), steps=steps, log_every=EVERY, checkpoints=Checkpoints(every=steps))

    def once() -> float:
        watch = Stopwatch()
        with tempfile.TemporaryDirectory() as workdir:
            train(run, workdir, reporter=watch)
        return per_step(watch.times)

    return Work(once)


def _by_hand(steps: int) -> Work:
    experiment = _experiment()
    optimizer = Adam().transformation(steps)
    data = experiment.open()

    def step(params: Any, state: Any, optimizer_state: Any, batch: Any, key: Any) -> Any:
        def cost(params: Any) -> Any:
            images = to_unit(batch["images"])
            activations, changed = experiment.encoder.apply(
                {"params": params["encoder"], **state}, images, train=True, mutable=["batch_stats"]
            )
            value, _ = experiment.loss.value_and_diagnostics(params["loss"], activations["embedding"], batch["labels"], key)
            return value, changed

        (value, changed), gradients = jax.value_and_grad(cost, has_aux=True)(params)
        updates, optimizer_state = optimizer.update(gradients, optimizer_state, params)
        return optax.apply_updates(params, updates), dict(changed), optimizer_state, value

    jitted = jax.jit(step, donate_argnums=(0, 1, 2))

    def once() -> float:
        stream = experiment.stream(data, 0)
        params, state = jax.jit(experiment.init)(jax.random.key(0), {}, next(stream))
        optimizer_state = jax.jit(optimizer.init)(params)
        root, losses, times = jax.random.key(0), [], []
        for index in range(steps):
            params, state, optimizer_state, value = jitted(
                params, state, optimizer_state, next(stream), jax.random.fold_in(root, index)
            )
            losses.append(value)
            if (index + 1) % EVERY == 0:
                jax.device_get(losses)
                losses.clear()
                times.append(time.perf_counter())
        return per_step(times)

    return Work(once)
