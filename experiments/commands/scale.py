"""``likeness scale CONFIG``: what more devices would bring: bytes sent and step time for 1 to 512, without any of them."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from likeness.experiments.commands.choose import parse
from likeness.experiments.commands.train import default_workdir
from likeness.research.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from likeness.experiments.run import Run
    from likeness.experiments.scaling.counting import Counts

MOST = 1024


@dataclasses.dataclass(frozen=True)
class Options:
    """Predict what more devices would bring, from programs compiled for 1 to 64."""

    compiled: int = 64
    """Compile a step for 1, 2, 4, … up to so many devices of the CPU, which takes seconds to a minute each."""
    devices: int = 512
    """Extrapolate to so many."""
    batch: Literal["grows", "stays"] = "grows"
    """Whether the config's batch is that of each device and grows with them, or stays the batch of all together."""
    rounds: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="(default: the positives of an anchor)")] = None
    """How often a loop runs whose length is known only when it runs; by default the positives of an anchor in a batch."""
    output: Annotated[str | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="(default: runs/<config name>/scaling)")] = (
        None
    )
    """Where scaling.md, scaling.json and scaling.png are written."""


def main(arguments: list[str]) -> int:
    name, options, run = parse("scale", Options, arguments)
    if not 1 <= options.compiled <= MOST or options.devices < 1 or (options.rounds is not None and options.rounds < 1):
        raise UserError(
            f"--compiled is {options.compiled}, --devices {options.devices} and --rounds {options.rounds}: each must be 1 or "
            f"more, and --compiled at most {MOST}."
        )
    from rich.console import Console

    from likeness.experiments.display import figures
    from likeness.experiments.scaling.report import (
        MACHINES,
        assumptions,
        counted,
        figure,
        markdown,
        notes,
        predicted,
        scaled,
        to_json,
    )
    from likeness.research.files import write_atomically

    console = Console(highlight=False, soft_wrap=True)
    counts = _count(run, options, console)
    scaling = scaled(counts, options.devices)
    _show(console, "what a step costs each device", counted(scaling))
    for machine in MACHINES:
        _show(console, f"predicted on {machine.name}: milliseconds", predicted(scaling, machine))
    for sentence in notes(scaling):
        console.print(sentence, markup=False)
    root = Path(options.output) if options.output else default_workdir(name) / "scaling"
    write_atomically(root / "scaling.md", markdown(scaling, name))
    write_atomically(root / "scaling.json", json.dumps(to_json(scaling, name), indent=2) + "\n")
    drawn = figures.save(figure(scaling, name), root / "scaling.png")
    console.print(
        f"\n{len(assumptions(scaling))} assumptions are written beside the tables in {root / 'scaling.md'}", markup=False
    )
    console.print(f"figure: {drawn}", markup=False)
    return 0


def _count(run: "Run", options: Options, console: "Console") -> "Counts":
    import jax

    from likeness.experiments.scaling.counting import count, numbers_of_devices

    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", options.compiled)
    first = next(run.experiment.stream(run.experiment.open(), run.seed))
    rows = jax.tree.leaves(first)[0].shape[0]
    numbers = numbers_of_devices(run, rows, options.batch, options.compiled)
    if numbers[-1] * 2 <= options.compiled:
        console.print(f"the batch of {rows} rows can be shared by {numbers[-1]} devices at most")
    say = console.print if sys.stdout.isatty() else lambda text: print(text, file=sys.stderr)
    return count(run, options.batch, numbers, options.rounds, say)


def _show(console: "Console", title: str, rows: list[list[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left", title_style="bold")
    for name in rows[0]:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows[1:]:
        table.add_row(*row)
    # A line that is too long for a terminal can still be read, a cell that is cut off cannot.
    needed = sum(3 + max(len(row[column]) for row in rows) for column in range(len(rows[0])))
    Console(highlight=False, width=max(console.width, needed)).print(table)
