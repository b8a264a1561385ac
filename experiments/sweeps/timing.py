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

from likeness.experiments.sweeps.together import Incompatible, Together

STEPS, SECONDS = 6, 5.0
"""How many steps are tried after the first, and for how long at most, at least two."""


@dataclasses.dataclass(frozen=True)
class Timed:
    """Seconds of both ways."""

    runs: int
    steps: int
    together_step: float
    """A step of all."""
    alone_step: float
    """A step of one."""
    alone_first: float
    """The first step of one, which every run alone waits for. Together it is behind already."""

    @property
    def together(self) -> float:
        """What is still to come, trained together."""
        return self.steps * self.together_step

    @property
    def alone(self) -> float:
        """The same, one run after the other."""
        return self.runs * (self.alone_first + self.steps * self.alone_step)

    @property
    def together_is_faster(self) -> bool:
        return self.together < self.alone

    def __str__(self) -> str:
        return (
            f"{self.steps} steps are expected to take {self.together:,.1f} s together, which is compiled by now, and "
            f"{self.alone:,.1f} s one after the other, of which {self.runs} times {self.alone_first:.3g} s for compiling (a "
            f"step of all: {1e3 * self.together_step:.3g} ms and {1e3 * self.runs * self.alone_step:.3g} ms)"
        )


def time_both(together: Together, steps: int | None = None) -> Timed:
    """Takes a few steps of all runs together, and of the first alone. Neither leaves a trace.

    Args:
        together: the runs.
        steps: how many each has still to take; None for all of a run.

    Raises:
        Apart: all runs together do not fit into memory.
    """
    run = together.runs[0]
    positions = [stream.get_state() for stream in together.streams]
    with jax.default_matmul_precision(run.matmul_precision):
        try:
            _, of_all = timed_steps(*steps_together(together))
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            raise Incompatible("together they need more memory than there is") from error
        first, of_one = timed_steps(*steps_alone(together))
        for stream, position in zip(together.streams, positions, strict=True):
            stream.set_state(position)
    return Timed(len(together.runs), run.steps if steps is None else steps, of_all, of_one, first)


def steps_together(together: Together) -> tuple[Any, Callable[[Any], Any]]:
    """A state, and a function that takes one step of all runs."""
    keys, rows = together.keys(), together.rows
    return together.start(), lambda state: together.step(state, together.constants, together.batch(), keys, rows)[0]


def steps_alone(together: Together) -> tuple[Any, Callable[[Any], Any]]:
    """A state, and a function that takes one step of the first run."""
    program, stream = together.alone, together.streams[0]
    key = program.key(together.runs[0].seed)
    # Its own program for the beginning would be compiled for this only.
    state = jax.device_put(together.row(together.start(), 0), jax.tree.map(lambda leaf: leaf.sharding, program.state))
    return state, lambda state: program.step(state, program.constants, program.put(next(stream)), key)[0]


def timed_steps(state: Any, step: Callable[[Any], Any]) -> tuple[float, float]:
    """Seconds of the first step, which is compiled, and the median of some more."""
    taken: list[float] = []
    while len(taken) < 3 or (len(taken) <= STEPS and sum(taken[1:]) < SECONDS):
        began = time.perf_counter()
        state = jax.block_until_ready(step(state))
        taken.append(time.perf_counter() - began)
    return taken[0], statistics.median(taken[1:])
