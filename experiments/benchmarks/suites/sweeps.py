"""Sixteen runs as one program beside one after the other.

The runs differ in their learning rate, margin and seed. A head is one small network on 128 numbers an image, as it is trained
on a frozen encoder's embeddings; Conv-4 is trained from pixels. Style is one image painted at sixteen strengths. A step is one
of all runs; compiling, which one after the other is done sixteen times, is no part of it.

Of size ``large``, whole sweeps are timed too, from nothing to the last evaluation, compiling included: together, alone, and as
``--vmap auto`` chooses, which pays for trying both.
"""

import dataclasses
import functools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import flax.linen as nn
import jax

from likeness.experiments.benchmarks.protocol import OURS, Contender, Goal, Row, Size, Work
from likeness.experiments.display.progress import Quiet
from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.own_code import Code
from likeness.experiments.recognition import Recognition
from likeness.experiments.run import Run
from likeness.experiments.style import StyleObjective, Stylization
from likeness.experiments.style.image import StyleImage
from likeness.experiments.sweeps.members import Member
from likeness.experiments.sweeps.overrides import LogUniform, Uniform, apply, sample, zip_
from likeness.experiments.sweeps.runner import Mode, make_runs
from likeness.experiments.sweeps.timing import sequential_steps, vmapped_steps
from likeness.experiments.sweeps.vmapped import vmap_runs
from likeness.research.data import CountSplit, Faces, IdentityBatches
from likeness.research.encoders import Conv4
from likeness.research.images.sources import Painting, Photograph
from likeness.research.losses import BatchAll, Triplet
from likeness.research.synthetic.styles import CurlStrokes
from likeness.research.types import Activations, ImagesFloat

RUNS, STEPS = 16, 500
ALONE, TOGETHER = "one after the other", "together"


class Head(nn.Module):
    """Two dense layers on the first 128 numbers of an image, which stand for an embedding."""

    width: int = 64
    dimension: int = 32

    @nn.compact
    def __call__(self, images: ImagesFloat, train: bool = False) -> Activations:
        del train
        embedding = images.reshape((len(images), -1))[:, :128]
        return {"embedding": nn.Dense(self.dimension)(nn.relu(nn.Dense(self.width)(embedding)))}


def rows(size: Size) -> tuple[Row, ...]:
    """A row a kind of run."""
    if size == "tiny":
        return (_steps("a head", functools.partial(runs, Head(), 4)),)
    kinds: dict[str, tuple[Callable[[], list[Run]], int]] = {
        "a head, batch 32": (functools.partial(runs, Head(), RUNS), 500),
        "Conv-4, 28×28×1, batch 32, width 32": (functools.partial(runs, Conv4(width=32, dimension=32), RUNS), 60),
        "style, 128×128": (functools.partial(strengths, RUNS, 128), 20),
    }
    found = tuple(_steps(name, kind) for name, (kind, _) in kinds.items())
    if size == "large":
        found += tuple(_whole(f"{name}: whole sweep of {steps} steps", kind, steps) for name, (kind, steps) in kinds.items())
    return found


def _steps(name: str, kind: Callable[[], list[Run]]) -> Row:
    contenders = (
        Contender(OURS, functools.partial(_step, kind, together=True), ("jax",)),
        Contender(ALONE, functools.partial(_step, kind, together=False), ("jax",)),
    )
    return Row(name, contenders, Goal(ALONE, 1.0), memory=False)


def _whole(name: str, kind: Callable[[], list[Run]], steps: int) -> Row:
    ways: tuple[tuple[str, Mode], ...] = ((OURS, "auto"), (TOGETHER, "yes"), (ALONE, "no"))
    contenders = tuple(Contender(who, functools.partial(_sweep, kind, steps, way), ("jax",)) for who, way in ways)
    return Row(name, contenders, Goal(ALONE, 1.0), clock="wall", rounds=1, memory=False)


def runs(encoder: nn.Module, count: int) -> list[Run]:
    """Runs of one encoder with drawn numbers."""
    base = Run(
        experiment=Recognition(
            data=Faces(people=40, images=8, size=28, channels=1),
            split=CountSplit(validation=4, test=4),
            batches=IdentityBatches(people=8, images=4),
            encoder=encoder,
            loss=Triplet(rule=BatchAll(), reduction="mean_active"),
        ),
        steps=STEPS,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=1e-3, warmup_share=20 / STEPS)),
    )
    drawn = sample(
        count, 0, {"optimizer.schedule.peak_lr": LogUniform(1e-4, 1e-2), "experiment.loss.margin": Uniform(0.1, 1.0)}
    )
    seeds = zip_({"seed": range(count)})
    return [apply(base, {**numbers, **seed}) for numbers, seed in zip(drawn, seeds, strict=True)]


def strengths(count: int, size: int) -> list[Run]:
    """One image in one style, from faint to strong."""
    experiment = Stylization(
        content=Photograph(name="china"),
        styles=(StyleImage(image=Painting(style=CurlStrokes())),),
        objective=StyleObjective(encoder=FrozenEncoder()),
        size=size,
    )
    base = Run(experiment=experiment, steps=STEPS, optimizer=Adam(schedule=WarmupCosine(peak_lr=0.03)))
    return [apply(base, {"experiment.objective.beta": 0.1 * 1.5**number}) for number in range(count)]


def _step(kind: Callable[[], list[Run]], *, together: bool) -> Work:
    members = kind()
    vmapped = vmap_runs(members)
    state, step = (vmapped_steps if together else sequential_steps)(vmapped)
    began = time.perf_counter()
    state = jax.block_until_ready(step(state))
    compiling = time.perf_counter() - began

    def once() -> None:
        nonlocal state
        for _ in range(1 if together else len(members)):
            state = step(state)
        jax.block_until_ready(state)

    return Work(once, compiling)


def _sweep(kind: Callable[[], list[Run]], steps: int, way: Mode) -> Work:
    # What one of them kept, the next would not have to compile.
    jax.config.update("jax_compilation_cache_dir", None)

    def once() -> None:
        # Each compiles its programs anew, as the first sweep of its kind does.
        jax.clear_caches()
        with tempfile.TemporaryDirectory() as folder:
            members = [
                Member(f"{number}", {}, dataclasses.replace(run, steps=steps), Path(folder) / f"{number}", Code())
                for number, run in enumerate(kind())
            ]
            make_runs(members, Path(folder), vmap=way, jobs=1, say=Quiet())
            if failed := [member.why for member in members if member.status != "finished"]:
                raise RuntimeError(f"{len(failed)} runs did not end, the first because {failed[0]}")

    return Work(once)
