"""What a measuring process asks of its machine: clocks, memory, and how fast it can be at most."""

import os
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

_TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds() -> float:
    """What this process and those that it has started have used, those that still run among them."""
    own, ended = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime + sum(map(_used, _children(os.getpid())))


def _children(process: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            found += [int(child) for child in task.read_text().split()]
        except OSError:
            continue
    return [each for child in found for each in (child, *_children(child))]


def _used(process: int) -> float:
    try:
        # The name, in brackets, may hold blanks.
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    # Its own time, and that of its children that have ended.
    return sum(map(int, fields[11:15])) / _TICKS


def resident() -> int:
    """Bytes of memory that this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def forget_peak() -> None:
    """Forgets the peak so far: compiling may have held more than running does."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """The most bytes that this process held since :func:`forget_peak`, or since it began.

    What getrusage tells is inherited from the process that started it.
    """
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def processor_name() -> str:
    """As Linux calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def matrix_rate(threads: int, side: int = 1536, rounds: int = 5) -> float:
    """Floating-point operations a second of a float32 matrix product: NumPy's or JAX's, whichever is faster."""
    import jax
    import jax.numpy as jnp

    matrix = np.random.default_rng(0).random((side, side), np.float32)
    ours, product = jnp.asarray(matrix), jax.jit(jnp.matmul)
    ways: tuple[Callable[[], object], ...] = (
        lambda: matrix @ matrix,
        lambda: jax.block_until_ready(product(ours, ours)),
    )
    return 2.0 * side**3 / min(_fastest(way, rounds, threads) for way in ways)


def copy_rate(megabytes: int = 256, rounds: int = 5) -> float:
    """Bytes a second that copying an array reads and writes on one thread; it is far larger than the caches."""
    source = np.ones(megabytes << 18, np.float32)
    target = np.zeros_like(source)
    return 2.0 * source.nbytes / _fastest(lambda: np.copyto(target, source), rounds, 1)


def _fastest(work: Callable[[], object], rounds: int, threads: int) -> float:
    """The least seconds of several rounds on a machine that does nothing else: the processor's, shared by the threads."""
    work()
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        taken.append((time.process_time() - began) / threads)
    return min(taken)


def middle(numbers: Sequence[float]) -> tuple[float, float, float]:
    """The median, and the quartiles below and above it."""
    if len(numbers) < 2:
        return numbers[0], numbers[0], numbers[0]
    low, median, high = statistics.quantiles(numbers, n=4, method="inclusive")
    return median, low, high
