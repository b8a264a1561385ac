"""Sixteen runs as one program beside one after the other: seconds of a step of all of them, and the ratio.

    python -m likeness.experiments.benchmarks.sweeps
    python -m likeness.experiments.benchmarks.sweeps --quick
    python -m likeness.experiments.benchmarks.sweeps conv-4
    python -m likeness.experiments.benchmarks.sweeps --whole

The runs differ in their learning rate, margin and seed. A head is one small network on 128 numbers an image, as it is trained
on a frozen encoder's embeddings; Conv-4 is trained from pixels. Style is one image painted at sixteen strengths. Steps are
timed without compiling, which one after the other is done sixteen times: it is printed beside them. What ``--vmap auto``
would choose for a run of 500 steps comes last.

With ``--whole``, whole sweeps are timed instead, from nothing to the last evaluation, compiling included: together, alone, and
as ``auto`` chooses, which pays for trying both. Heads take 500 steps, the others 60 and 20.
"""

import dataclasses
import statistics
import sys
import tempfile
import time
from pathlib import Path

import flax.linen as nn
import jax

from likeness.experiments.display.progress import Quiet
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.own_code import Code
from likeness.experiments.recognition import Recognition
from likeness.experiments.run import Run
from likeness.experiments.style import Stylization
from likeness.experiments.style.image import StyleImage
from likeness.experiments.sweeps.members import Member
from likeness.experiments.sweeps.overrides import LogUniform, Uniform, apply, sample, zip_
from likeness.experiments.sweeps.runner import Mode, make_runs
from likeness.experiments.sweeps.timing import Timed, sequential_steps, timed_steps, vmapped_steps
from likeness.experiments.sweeps.vmapped import vmap_runs
from likeness.research.data import CountSplit, Faces, IdentityBatches
from likeness.research.encoders import Conv4
from likeness.research.images.sources import Painting, Photograph
from likeness.research.losses import BatchAll, Triplet
from likeness.research.synthetic.styles import CurlStrokes
from likeness.research.types import Activations, ImagesFloat

RUNS, STEPS, ROUNDS = 16, 500, 3
WHOLE = {"head": 500, "conv-4": 60, "style": 20}


class Head(nn.Module):
    """Two dense layers on the first 128 numbers of an image, which stand for an embedding."""

    width: int = 64
    dimension: int = 32

    @nn.compact
    def __call__(self, images: ImagesFloat, train: bool = False) -> Activations:
        del train
        embedding = images.reshape((len(images), -1))[:, :128]
        return {"embedding": nn.Dense(self.dimension)(nn.relu(nn.Dense(self.width)(embedding)))}


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
        content=Photograph(name="china"), styles=(StyleImage(image=Painting(style=CurlStrokes())),), size=size
    )
    base = Run(experiment=experiment, steps=STEPS, optimizer=Adam(schedule=WarmupCosine(peak_lr=0.03)))
    return [apply(base, {"experiment.objective.beta": 0.1 * 1.5**number}) for number in range(count)]


def timed(kind: list[Run], rounds: int) -> tuple[Timed, float]:
    """Seconds a step, the median over rounds in which both ways alternate; and those of compiling all together."""
    vmapped = vmap_runs(kind)
    ways = {"vmapped": vmapped_steps(vmapped), "sequential": sequential_steps(vmapped)}
    first: dict[str, float] = {}
    steps: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, (state, step) in ways.items():
            # What is timed must not be donated away.
            compiled, median = timed_steps(jax.tree.map(lambda leaf: leaf.copy(), state), step)
            first.setdefault(way, compiled)
            steps[way].append(median)
    medians = {way: statistics.median(taken) for way, taken in steps.items()}
    one = Timed(len(kind), STEPS, medians["vmapped"], medians["sequential"], first["sequential"])
    return one, first["vmapped"]


def whole(kind: list[Run], steps: int, way: Mode) -> tuple[float, str]:
    """Seconds of a whole sweep, and how its runs were trained."""
    with tempfile.TemporaryDirectory() as folder:
        members = [
            Member(f"{number}", {}, dataclasses.replace(run, steps=steps), Path(folder) / f"{number}", Code())
            for number, run in enumerate(kind)
        ]
        began = time.perf_counter()
        make_runs(members, Path(folder), vmap=way, jobs=1, say=Quiet())
        seconds = time.perf_counter() - began
        if failed := [member.why for member in members if member.status != "finished"]:
            raise RuntimeError(f"{len(failed)} runs did not end, the first because {failed[0]}")
        return seconds, members[0].how


def main(arguments: list[str]) -> None:
    """Prints a line for each kind of runs, or for those named."""
    quick = "--quick" in arguments
    count, rounds = (4, 1) if quick else (RUNS, ROUNDS)
    print(f"{jax.devices()[0].device_kind}, {count} runs, batches of 32, median of {rounds} rounds")
    kinds = {
        "head": runs(Head(), count),
        "conv-4": runs(Conv4(width=8 if quick else 32, dimension=32), count),
        "style": strengths(count, 48 if quick else 128),
    }
    named = [name for name in arguments if not name.startswith("--")]
    chosen_kinds = {name: kind for name, kind in kinds.items() if not named or name in named}
    if "--whole" in arguments:
        for name, kind in chosen_kinds.items():
            taken = {way: whole(kind, WHOLE[name], way) for way in ("yes", "no", "auto")}
            best = min(taken["yes"][0], taken["no"][0])
            print(
                f"{name:<7} {WHOLE[name]} steps: together {taken['yes'][0]:.1f} s, alone {taken['no'][0]:.1f} s, auto "
                f"{taken['auto'][0]:.1f} s ({taken['auto'][1]}), {taken['auto'][0] / best:.2f} of the better",
                flush=True,
            )
        return
    for name, kind in chosen_kinds.items():
        measured, compiling = timed(kind, rounds)
        alone = count * measured.sequential_step
        chosen = "together" if measured.vmapped_is_faster else "one after the other"
        print(
            f"{name:<7} a step of all together {1e3 * measured.vmapped_step:8.2f} ms, one by one {1e3 * alone:8.2f} ms"
            f"   {alone / measured.vmapped_step:5.2f} x as fast   compiling {compiling:.1f} s and {count} x "
            f"{measured.sequential_first:.1f} s   auto: {chosen} ({measured.vmapped:.1f} s against {measured.sequential:.1f} s)"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
