"""The process that measures one row: started by :mod:`likeness.experiments.benchmarks.running`, which reads its lines of JSON.

Threads are pinned before a library is imported that counts the cores.
"""

import contextlib
import dataclasses
import importlib
import importlib.metadata
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from likeness.experiments.benchmarks.pinning import pin
from likeness.experiments.host_memory import keep_freed_memory
from likeness.research.errors import UserError

if TYPE_CHECKING:
    from likeness.experiments.benchmarks.protocol import Row, Size

_VERSIONS = ("jax", "jaxlib", "numpy", "torch", "torchvision", "faiss-cpu", "pytorch-metric-learning", "onnxruntime")


@dataclasses.dataclass(frozen=True)
class Order:
    """What one process is to do."""

    suite: str
    """The suite's module."""
    row: str
    size: "Size"
    threads: int
    contenders: tuple[str, ...]
    """Who takes part."""
    rounds: int
    seconds: float
    memory: bool = False
    """Measure the memory of the only contender, and no time."""


def main() -> None:
    """Does what the order on the command line says."""
    order = Order(**json.loads(sys.argv[1]))
    # Lines that libraries print are not ours.
    lines = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def write(**said: Any) -> None:
        print(json.dumps(said), file=lines)

    try:
        write(done=_do(order, lambda text: write(told=text)))
    except UserError as error:
        write(mistake=str(error))


def _do(order: Order, tell: Any) -> Any:
    pin(order.threads)
    # Of whichever library: a step of each of them would pay for new pages.
    keep_freed_memory()
    from likeness.experiments.benchmarks.machine import copy_rate, matrix_rate, processor_name
    from likeness.experiments.benchmarks.measuring import alternate, build, memory
    from likeness.experiments.benchmarks.protocol import Machine, Measured

    row = row_of(order)
    taking_part = [contender for contender in row.contenders if contender.name in order.contenders]
    if order.memory:
        return memory(taking_part[0])
    for package in {package: None for contender in taking_part for package in contender.packages}:
        importlib.import_module(package)
    works = build(row, taking_part, tell)
    times = alternate(works, min(order.rounds, row.rounds or order.rounds), order.seconds, tell)
    measured = [
        Measured(
            name=contender.name,
            peer=contender.peer,
            times=times[contender.name],
            compiling=work.compiling,
            operations=work.operations,
            moved=work.moved,
        )
        for contender in taking_part
        for work in [works[contender.name]]
    ]
    tell("how fast the machine is at most")
    machine = Machine(processor_name(), order.threads, _versions(), matrix_rate(order.threads), copy_rate())
    return {"contenders": [dataclasses.asdict(one) for one in measured], "machine": dataclasses.asdict(machine)}


def row_of(order: Order) -> "Row":
    """The row that an order names."""
    rows: tuple[Row, ...] = importlib.import_module(order.suite).rows(order.size)
    return next(row for row in rows if row.name == order.row)


def _versions() -> dict[str, str]:
    found = {}
    for name in _VERSIONS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


if __name__ == "__main__":
    main()
