"""What a benchmark is: a row is one piece of work, done by several contenders that alternate in one process.

A suite is a module of :mod:`likeness.experiments.benchmarks.suites` with a function ``rows(size)``. Likeness comes first in
each row, then other libraries, then perhaps a lower bound, such as a bare ``jax.jit``.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np

Size: TypeAlias = Literal["tiny", "usual", "large"]
"""``tiny`` finds out whether everything runs, and its figures mean nothing; ``large`` adds what takes minutes."""
Clock: TypeAlias = Literal["processor", "wall"]

OURS = "Likeness"


@dataclasses.dataclass
class Work:
    """What a contender has made ready: one call of ``once`` is the work that is timed."""

    once: Callable[[], float | None]
    """Does the work and returns when it is done. A number that it returns counts in place of the seconds that it took, such as
    those until a program that it started said a word."""
    compiling: float | None = None
    """Seconds that compiling took, which are not part of the work."""
    operations: float | None = None
    """Floating-point operations of the work as it is defined, however it is computed."""
    moved: float | None = None
    """Bytes that the compiled program reads and writes, as its compiler counts them."""
    answer: Callable[[], tuple[np.ndarray, ...]] | None = None
    """What all contenders must agree on before their times are compared, such as a cost and its gradient."""


@dataclasses.dataclass(frozen=True)
class Contender:
    """Who does the work."""

    name: str
    build: Callable[[], Work]
    """Called in the process that measures, after the packages are imported and the threads are pinned."""
    packages: tuple[str, ...] = ()
    """What it imports. Memory is counted from after that."""
    peer: bool = False
    """Whether it is another library, which takes part with ``--peers`` only."""


@dataclasses.dataclass(frozen=True)
class Goal:
    """What a row is to show: a speed beside another contender's, or a time."""

    against: str = ""
    """The contender whose speed is compared with."""
    speed: float | None = None
    """How many times as fast as that Likeness is to be, at least."""
    seconds: float | None = None
    """How long it may take, at most."""

    def __post_init__(self) -> None:
        if (self.speed is None) == (self.seconds is None) or (self.speed is None) != (not self.against):
            raise ValueError(f"A goal is a speed against somebody or a time, and not {self}.")


@dataclasses.dataclass(frozen=True)
class Row:
    """One piece of work and those who do it."""

    name: str
    contenders: tuple[Contender, ...]
    """Likeness first."""
    goal: Goal | None = None
    clock: Clock | None = None
    """By which the contenders are compared; by default processor time on one thread, and wall time on more."""
    two_threads: float | None = None
    """How many times as fast as on one thread Likeness is to be on two, at least."""
    rounds: int | None = None
    """The most rounds that are worth it, where one takes long."""
    memory: bool = True
    """Whether memory is measured, for each contender in a process of its own."""
    tolerance: tuple[float, ...] = (0.0,)
    """By how much each part of the answers may be apart, as a share of the norm of ours."""

    def __post_init__(self) -> None:
        names = [contender.name for contender in self.contenders]
        if not names or self.contenders[0].peer or len(set(names)) < len(names):
            raise ValueError(f"The row {self.name!r} has contenders {names}: each needs its own name, and the first is ours.")
        if self.goal is not None and self.goal.against and self.goal.against not in names:
            raise ValueError(f"The goal of the row {self.name!r} is against {self.goal.against!r}, who is not in it.")


@dataclasses.dataclass(frozen=True)
class Times:
    """Seconds that the work took, a number a round."""

    processor: tuple[float, ...]
    wall: tuple[float, ...]
    told: bool = False
    """Whether the work says itself what counts: ``wall`` is that then, and ``processor`` of all that was done for it."""


@dataclasses.dataclass(frozen=True)
class Measured:
    """A contender's results in a row."""

    name: str
    peer: bool
    times: Times
    compiling: float | None = None
    operations: float | None = None
    moved: float | None = None
    memory: int | None = None
    """Bytes, at most and beyond those after the imports; None where they were not measured."""

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> "Measured":
        """Of plain lists and dictionaries."""
        times = Times(tuple(given["times"]["processor"]), tuple(given["times"]["wall"]), given["times"]["told"])
        return cls(**{**given, "times": times})


@dataclasses.dataclass(frozen=True)
class Machine:
    """Where a row was measured, and what that machine can do at most on as many threads."""

    processor: str
    threads: int
    versions: dict[str, str]
    operations: float
    """Floating-point operations a second of a float32 matrix product."""
    moved: float
    """Bytes a second that copying reads and writes on one thread."""


@dataclasses.dataclass(frozen=True)
class Result:
    """A measured row."""

    suite: str
    row: str
    clock: Clock
    goal: Goal | None
    two_threads: float | None
    contenders: tuple[Measured, ...]
    machine: Machine
    date: str

    @property
    def key(self) -> tuple[str, str, int]:
        """What is measured again replaces what has the same key."""
        return self.suite, self.row, self.machine.threads

    def to_json(self) -> dict[str, Any]:
        """As plain lists and dictionaries."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> "Result":
        """The inverse of :meth:`to_json`."""
        goal = None if given["goal"] is None else Goal(**given["goal"])
        contenders = tuple(Measured.from_json(one) for one in given["contenders"])
        return cls(**{**given, "goal": goal, "contenders": contenders, "machine": Machine(**given["machine"])})
