"""What the trainer adds to a step: its loop beside a bare ``jax.jit`` step of the same network, alternating in one process.

    python -m likeness.experiments.benchmarks.dispatch

The network is so small that the time of a step is mostly the cost of starting it. The bare step is what a researcher would
write by hand: the same encoder, loss and optimizer under one ``jax.jit`` with donated state, fed from the same stream, its
loss fetched once per log interval. The trainer's step does the same and checks every leaf for NaN, takes the gradient's norm,
watches for collapse, keeps metrics, and looks at the clock and at signals.
"""

import dataclasses
import itertools
import statistics
import tempfile
import time
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import optax

from likeness.experiments.experiment import Experiment
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.recognition import Recognition
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.training.trainer import train
from likeness.research.data import CountSplit, Digits, IdentityBatches, to_unit
from likeness.research.encoders import Conv4
from likeness.research.losses import Triplet

STEPS, EVERY, ROUNDS = 500, 50, 3


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


def of_trainer(run: Run) -> float:
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as workdir:
        train(run, workdir, reporter=watch)
    return per_step(watch.times)


def bare(experiment: Recognition, optimizer: Any, seed: int) -> float:
    """The loop that one writes by hand."""
    data = experiment.open()
    stream = experiment.stream(data, seed)

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
    batch = next(stream)
    params, state = jax.jit(experiment.init)(jax.random.key(seed), {}, batch)
    optimizer_state = jax.jit(optimizer.init)(params)
    root, losses, times = jax.random.key(seed), [], []
    for index in range(STEPS):
        params, state, optimizer_state, value = jitted(
            params, state, optimizer_state, next(stream), jax.random.fold_in(root, index)
        )
        losses.append(value)
        if (index + 1) % EVERY == 0:
            jax.device_get(losses)
            losses.clear()
            times.append(time.perf_counter())
    return per_step(times)


def main() -> None:
    experiment = Recognition(
        data=Digits(scale=2),
        split=CountSplit(validation=2, test=2),
        batches=IdentityBatches(people=4, images=2),
        encoder=Conv4(width=4, dimension=8),
        loss=Triplet(),
        test=(),
        validation=(),
    )
    assert isinstance(experiment, Experiment)
    optimizer = Adam()
    run = Run(experiment=experiment, steps=STEPS, optimizer=optimizer, log_every=EVERY, checkpoints=Checkpoints(every=STEPS))
    unevaluated = dataclasses.replace(run, experiment=dataclasses.replace(experiment, split=CountSplit(validation=0, test=1)))
    pairs = [(of_trainer(unevaluated), bare(experiment, optimizer.transformation(STEPS), 0)) for _ in range(ROUNDS)]
    ours, by_hand = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"jax {jax.__version__}, {jax.devices()[0].device_kind}; a batch of 8 images 16×16, {ROUNDS} rounds of {STEPS} steps")
    print(f"trainer  {1e6 * ours:8.0f} µs a step")
    print(f"by hand  {1e6 * by_hand:8.0f} µs a step")
    print(f"ratio    {ratio:8.2f}   (rounds: {', '.join(f'{a / b:.2f}' for a, b in pairs)})")


if __name__ == "__main__":
    main()
