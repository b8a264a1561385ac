"""The triplet loss beside pytorch-metric-learning: time of value and gradient, and peak memory.

``python -m likeness.experiments.benchmarks.triplet`` times, alternating in one process and on pinned threads, batch-all
triplets with the hinge, squared distances and the mean over active terms: this project's jitted loss, and
pytorch-metric-learning (``peers`` extra) in both of its ways to list the triplets: the vectorized one, which it takes by itself
while b³ < 2³¹, and the loop over anchors, which it takes beyond. All three are first checked to give the same value and
gradient. Memory is measured in a fresh process each, as the peak of the resident set.
"""

import dataclasses
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from likeness.research.errors import UserError, how_to_install
from likeness.research.losses import Triplet

Contender: TypeAlias = Literal["likeness", "pml default", "pml loop"]
CONTENDERS: tuple[Contender, ...] = ("likeness", "pml default", "pml loop")
MARGIN = 0.2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Benchmark:
    """What to measure."""

    batches: tuple[int, ...] = (64, 256, 1024)
    """Batch sizes b."""

    images: tuple[int, ...] = (4, 16)
    """Images of each person, K."""

    dimension: int = 128
    """Embedding dimension."""

    threads: int = 1
    """Processor cores that either library may use."""

    repetitions: int = 25
    """Timed calls of each contender, at most."""

    seconds: float = 20.0
    """Stop repeating a case after this long (three calls of each are always timed)."""

    memory_of: Literal["", "likeness", "pml default", "pml loop"] = ""
    """Used by the benchmark itself: print one contender's memory, for the largest batch and the fewest images, and end."""


def main() -> None:
    """Run the benchmark and print its tables."""
    options = tyro.cli(Benchmark, description=__doc__)
    pin(options.threads)
    if options.memory_of:
        print(json.dumps(measure_memory(options.memory_of, options)))
        return
    print(f"{options.threads} thread(s), jax {jax.__version__}, d = {options.dimension}. Medians of value and gradient, in")
    print("milliseconds: wall / processor time. Other work on the machine lengthens the first, not the second.")
    columns = "".join(f"{name:>21}" for name in CONTENDERS)
    print(f"{'b':>5} {'K':>3} {'triplets':>10}{columns}{'default : likeness':>20}{'loop : likeness':>20}")
    for batch in options.batches:
        for images in options.images:
            print(time_row(batch, images, options), flush=True)
    batch, images = max(options.batches), min(options.images)
    print(f"\npeak memory above the baseline, b = {batch}, K = {images}, a fresh process each")
    for name in CONTENDERS:
        found = memory_in_fresh_process(name, options)
        program = f", XLA's plan {found['plan'] / 1e9:.3f} GB of temporaries and results" if found["plan"] else ""
        print(f"{name:>12}: {found['peak'] / 1e9:.3f} GB{program}")


def pin(threads: int) -> None:
    """Keep this process, and every thread pool made from now on, on the first cores it may use."""
    allowed = sorted(os.sched_getaffinity(0))[:threads]
    if len(allowed) < threads:
        raise UserError(f"--threads {threads}: this process may use {len(allowed)} core(s) only. Ask for no more than that.")
    os.sched_setaffinity(0, allowed)


def batch_of(batch: int, images: int, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors, loosely grouped by person, in random order."""
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.arange(batch) // images).astype(np.int32)
    x = generator.normal(size=(batch, dimension)) + 0.7 * generator.normal(size=(batch, dimension))[labels]
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), labels


def contender(name: Contender, x: np.ndarray, labels: np.ndarray, threads: int) -> Callable[[], tuple[float, np.ndarray]]:
    """A call that computes value and gradient once, compiled and warm."""
    if name == "likeness":
        loss = Triplet(margin=MARGIN, reduction="mean_active")
        arrays = (jnp.asarray(x), jnp.asarray(labels))
        compiled = jax.jit(jax.value_and_grad(loss.__call__)).lower(*arrays).compile()

        def ours() -> tuple[float, np.ndarray]:
            value, gradient = jax.block_until_ready(compiled(*arrays))
            return float(value), np.asarray(gradient)

        return ours
    try:
        import torch  # pyright: ignore[reportMissingImports]
        from pytorch_metric_learning import distances, losses  # pyright: ignore[reportMissingImports]
        from pytorch_metric_learning.utils import loss_and_miner_utils as listing  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError(
            f"The benchmark compares with pytorch-metric-learning, and {error.name} is not installed: run "
            f"{how_to_install('peers')}."
        ) from error
    torch.set_num_threads(threads)
    squared = distances.LpDistance(normalize_embeddings=False, p=2, power=2)
    criterion = losses.TripletMarginLoss(margin=MARGIN, distance=squared)
    rows, people = torch.from_numpy(x).requires_grad_(), torch.from_numpy(labels.astype(np.int64))

    def theirs() -> tuple[float, np.ndarray]:
        listed = None
        if name == "pml loop":
            listed = listing.get_all_triplets_indices_loop_method(people, *listing.get_matches_and_diffs(people))
        value = criterion(rows, people, listed)
        return value.item(), torch.autograd.grad(value, rows)[0].numpy()

    return theirs


def time_row(batch: int, images: int, options: Benchmark) -> str:
    """One line of the table: medians of alternating calls, and how many times longer the peers take."""
    x, labels = batch_of(batch, images, options.dimension)
    calls = [contender(name, x, labels, options.threads) for name in CONTENDERS]
    value, gradient = calls[0]()
    for name, call in zip(CONTENDERS[1:], calls[1:], strict=True):
        other_value, other_gradient = call()
        np.testing.assert_allclose(value, other_value, rtol=1e-4, err_msg=name)
        np.testing.assert_allclose(gradient, other_gradient, atol=1e-4 * np.abs(gradient).max(), err_msg=name)
    wall: list[list[float]] = [[] for _ in calls]
    processor: list[list[float]] = [[] for _ in calls]
    begin = time.perf_counter()
    for repetition in range(options.repetitions):
        if repetition >= 3 and time.perf_counter() - begin > options.seconds:
            break
        for index, call in enumerate(calls):
            start, start_processor = time.perf_counter(), time.process_time()
            call()
            processor[index].append(1e3 * (time.process_time() - start_processor))
            wall[index].append(1e3 * (time.perf_counter() - start))
    medians = [(statistics.median(w), statistics.median(p)) for w, p in zip(wall, processor, strict=True)]
    cells = "".join(f"{f'{w:.2f} / {p:.2f}':>21}" for w, p in medians)
    ours = medians[0]
    ratios = [f"{w / ours[0]:.1f}x / {p / ours[1]:.1f}x" for w, p in medians[1:]]
    triplets = batch * (images - 1) * (batch - images)
    return f"{batch:>5} {images:>3} {triplets:>10}{cells}{ratios[0]:>20}{ratios[1]:>20}"


def measure_memory(name: Contender, options: Benchmark) -> dict[str, int]:
    """Bytes by which one value and gradient raise this process's peak above what it held before."""
    x, labels = batch_of(max(options.batches), min(options.images), options.dimension)
    warm = batch_of(2 * min(options.images), min(options.images), options.dimension)
    contender(name, *warm, options.threads)()
    call = contender(name, x, labels, options.threads)
    before = resident()
    reset_peak()
    call()
    raised, plan = peak() - before, 0
    if name == "likeness":
        loss = Triplet(margin=MARGIN, reduction="mean_active")
        program = jax.jit(jax.value_and_grad(loss.__call__)).lower(jnp.asarray(x), jnp.asarray(labels)).compile()
        analysis = program.memory_analysis()
        plan = analysis.temp_size_in_bytes + analysis.output_size_in_bytes if analysis else 0
    return {"peak": raised, "plan": plan}


def memory_in_fresh_process(name: Contender, options: Benchmark) -> dict[str, int]:
    """The same, in a process that has done nothing else."""
    arguments = [sys.executable, "-m", "likeness.experiments.benchmarks.triplet", "--memory-of", name]
    arguments += ["--threads", str(options.threads), "--dimension", str(options.dimension)]
    arguments += ["--batches", str(max(options.batches)), "--images", str(min(options.images))]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    return json.loads(done.stdout)


def resident() -> int:
    """Bytes of memory this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def reset_peak() -> None:
    """Forget the peak so far (compiling may have held more than running does)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """The most bytes of memory this process held since the last reset."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
