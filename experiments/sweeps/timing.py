"""Whether training together pays: both ways are tried for a few steps.

It is a matter of fact: on a CPU a ``vmap``ped convolution becomes a grouped one, which is slower, while small dense layers
become one larger product; a GPU that one run leaves idle gains most.
"""

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax

from likeness.experiments.sweeps.vmapped import Incompatible, VmappedRuns

STEPS, SECONDS = 6, 5.0
"""How many steps are tried after the first, and for how long at most, at least two."""


@dataclasses.dataclass(frozen=True)
class Timed:
    """Seconds of both ways."""

    runs: int
    steps: int
    vmapped_step: float
    """A step of all."""
    sequential_step: float
    """A step of one."""
    sequential_first: float
    """The first step of one, which every run alone waits for. Together it is behind already."""

    @property
    def vmapped(self) -> float:
        """What is still to come, trained together."""
        return self.steps * self.vmapped_step

    @property
    def sequential(self) -> float:
        """The same, one run after the other."""
        return self.runs * (self.sequential_first + self.steps * self.sequential_step)

    @property
    def vmapped_is_faster(self) -> bool:
        return self.vmapped < self.sequential

    def __str__(self) -> str:
        return (
            f"{self.steps} steps are expected to take {self.vmapped:,.1f} s together, which is compiled by now, and "
            f"{self.sequential:,.1f} s one after the other, of which {self.runs} times {self.sequential_first:.3g} s for "
            f"compiling (a step of all: {1e3 * self.vmapped_step:.3g} ms and {1e3 * self.runs * self.sequential_step:.3g} ms)"
        )


def time_both(vmapped: VmappedRuns, steps: int | None = None) -> Timed:
    """Takes a few steps of all runs together, and of the first alone. Neither leaves a trace.

    Args:
        vmapped: the runs.
        steps: how many each has still to take; None for all of a run.

    Raises:
        Incompatible: all runs together do not fit into memory.
    """
    run = vmapped.runs[0]
    positions = [stream.get_state() for stream in vmapped.streams]
    with jax.default_matmul_precision(run.matmul_precision):
        try:
            _, of_all = timed_steps(*vmapped_steps(vmapped))
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            raise Incompatible("together they need more memory than there is") from error
        first, of_one = timed_steps(*sequential_steps(vmapped))
        for stream, position in zip(vmapped.streams, positions, strict=True):
            stream.set_state(position)
    return Timed(len(vmapped.runs), run.steps if steps is None else steps, of_all, of_one, first)


def vmapped_steps(vmapped: VmappedRuns) -> tuple[Any, Callable[[Any], Any]]:
    """A state, and a function that takes one step of all runs."""
    return vmapped.start(), lambda state: vmapped.step(state, vmapped.put(vmapped.draw()))[0]


def sequential_steps(vmapped: VmappedRuns) -> tuple[Any, Callable[[Any], Any]]:
    """A state, and a function that takes one step of the first run."""
    first = vmapped.stages[0]
    # Its own program for the beginning would be compiled for this only.
    state = jax.device_put(vmapped.row(vmapped.start(), 0), jax.tree.map(lambda leaf: leaf.sharding, first.program.state))
    return state, lambda state: first.step(state, first.put(first.draw()))[0]


def timed_steps(state: Any, step: Callable[[Any], Any]) -> tuple[float, float]:
    """Seconds of the first step, which is compiled, and the median of some more."""
    taken: list[float] = []
    while len(taken) < 3 or (len(taken) <= STEPS and sum(taken[1:]) < SECONDS):
        began = time.perf_counter()
        state = jax.block_until_ready(step(state))
        taken.append(time.perf_counter() - began)
    return taken[0], statistics.median(taken[1:])
