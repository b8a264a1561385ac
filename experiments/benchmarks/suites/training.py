"""A training step of each encoder with triplets and Adam: the trainer's own step beside PyTorch's in channels last.

Both learn as many parameters, and a test with copied weights holds that they compute the same embeddings. Ours is what
``likeness train`` runs: it also looks for numbers that are not finite, takes the gradient's norm and watches for collapse.
"""

import functools
import time
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from likeness.experiments.benchmarks.protocol import OURS, Contender, Goal, Row, Size, Work
from likeness.experiments.distributed.cores import a_device_for_each_core
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.recognition import Recognition
from likeness.experiments.run import Run
from likeness.experiments.scaling.accelerators import as_on_accelerators
from likeness.experiments.training.program import build
from likeness.research.data import CountSplit, Faces, IdentityBatches
from likeness.research.encoders import Conv4, MobileFaceNet, NN4Small2, iresnet18
from likeness.research.losses import BatchHard, Triplet

TORCH = "PyTorch channels_last"
IMAGES, MARGIN, RATE, STEPS = 4, 0.2, 1e-3, 1000
TWO_THREADS = 1.6


def rows(size: Size) -> tuple[Row, ...]:
    """A row an encoder."""
    if size == "tiny":
        return (_row("Conv-4, 16×16×1, batch 8, width 4", Conv4(width=4), (16, 1), 8, "Conv4", 0.9),)
    return (
        _row("Conv-4, 28×28×1, batch 160, width 64", Conv4(width=64), (28, 1), 160, "Conv4", 0.9),
        _row("Conv-4, 48×48×3, batch 64, width 32", Conv4(width=32), (48, 3), 64, "Conv4", 0.9),
        _row("Conv-4, 64×64×3, batch 64, width 64", Conv4(width=64), (64, 3), 64, "Conv4", 0.9),
        _row("nn4.small2, 96×96×3, batch 32", NN4Small2(), (96, 3), 32, "NN4Small2", 0.9),
        _row("IResNet-18, 112×112×3, batch 8", iresnet18(), (112, 3), 8, "IResNet", 0.9),
        _row("MobileFaceNet, 112×112×3, batch 16", MobileFaceNet(), (112, 3), 16, "MobileFaceNet", 0.9),
    )


def _row(name: str, encoder: nn.Module, shape: tuple[int, int], batch: int, peer: str, speed: float) -> Row:
    ours = Contender(OURS, functools.partial(_ours, encoder, shape, batch), ("jax",))
    theirs = Contender(TORCH, functools.partial(_theirs, peer, encoder, shape, batch), ("torch",), peer=True)
    return Row(name, (ours, theirs), Goal(TORCH, speed), two_threads=TWO_THREADS)


def examples(shape: tuple[int, int], batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise of so many people, :data:`IMAGES` of each."""
    side, channels = shape
    images = np.random.default_rng(0).integers(0, 256, (batch, side, side, channels), np.uint8)
    return images, (np.arange(batch) // IMAGES).astype(np.int32)


def _ours(encoder: nn.Module, shape: tuple[int, int], batch: int) -> Work:
    # As the commands do.
    a_device_for_each_core()
    images, labels = examples(shape, batch)
    # Nothing is read of the source: the batch is given.
    experiment = Recognition(
        data=Faces(),
        split=CountSplit(validation=1, test=1),
        batches=IdentityBatches(people=batch // IMAGES, images=IMAGES),
        encoder=encoder,
        loss=Triplet(margin=MARGIN, rule=BatchHard(), reduction="mean"),
    )
    run = Run(experiment=experiment, steps=STEPS, optimizer=Adam(schedule=WarmupCosine(peak_lr=RATE)))
    given = {"images": images, "labels": labels}
    program = build(run, (), given)
    key = program.key(0)
    fixed = program.put(given)
    state: Any = program.init(key, (), fixed)
    step: Any = program.step
    began = time.perf_counter()
    compiled = step.lower(state, (), fixed, key).compile()
    compiling = time.perf_counter() - began

    def once() -> None:
        nonlocal state
        state, report = compiled(state, (), fixed, key)
        jax.block_until_ready((state, report))

    defined: Any = build(run, (), given, as_on_accelerators).step
    operations = (defined.lower(program.state, (), fixed, key).cost_analysis() or {}).get("flops")
    learned = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    moved = (compiled.cost_analysis() or {}).get("bytes accessed")
    return Work(once, compiling, operations, moved, lambda: (np.asarray(learned),))


def _theirs(peer: str, encoder: Any, shape: tuple[int, int], batch: int) -> Work:
    from likeness.experiments.benchmarks.peers import torch_encoders as peers
    from likeness.experiments.benchmarks.peers.torch_training import training_step

    side, channels = shape
    makers: dict[str, Callable[[], Any]] = {
        "Conv4": lambda: peers.Conv4(channels, side, encoder.width),
        "NN4Small2": peers.NN4Small2,
        "IResNet": lambda: peers.IResNet(side),
        "MobileFaceNet": peers.MobileFaceNet,
    }
    return training_step(makers[peer](), *examples(shape, batch), MARGIN, RATE)
