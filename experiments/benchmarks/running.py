"""Has each row measured by a process of its own, one after the other, and collects what they say."""

import dataclasses
import datetime
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from likeness.experiments.benchmarks.pinning import check_threads
from likeness.experiments.benchmarks.protocol import Contender, Machine, Measured, Result, Row, Size
from likeness.experiments.benchmarks.worker import Order
from likeness.research.errors import UserError, how_to_install

SUITES = "likeness.experiments.benchmarks.suites"
"""Where a suite of a bare name is."""
_DISTRIBUTIONS = {"faiss": "faiss-cpu", "pytorch_metric_learning": "pytorch-metric-learning"}


@dataclasses.dataclass(frozen=True)
class Plan:
    """How rows are measured."""

    size: Size = "usual"
    peers: bool = False
    threads: int = 1
    rounds: int = 7
    seconds: float = 40.0
    memory: bool = True


def rows_of(suite: str, plan: Plan, only: str = "") -> list[Row]:
    """The rows of a suite, with those who take part.

    Args:
        suite: its bare name, or the name of a module with dots.
        plan: how they are measured.
        only: a part of the names of those wanted.

    Raises:
        UserError: a peer's package is not installed.
    """
    rows: tuple[Row, ...] = importlib.import_module(_module(suite)).rows(plan.size)
    chosen = [row for row in rows if only.lower() in row.name.lower()]
    if not plan.peers:
        return [dataclasses.replace(row, contenders=_without_peers(row), goal=_goal_without_peers(row)) for row in chosen]
    for package in sorted({package for row in chosen for each in row.contenders if each.peer for package in each.packages}):
        if importlib.util.find_spec(package) is None:
            raise UserError(
                f"--peers: the suite {suite} compares with {_DISTRIBUTIONS.get(package, package)}, which is not installed: run "
                f"{how_to_install('peers')}, or leave --peers out and measure Likeness alone."
            )
    return chosen


def measure(suite: str, row: Row, plan: Plan, tell: Callable[[str], None]) -> Result:
    """Measures a row.

    Args:
        suite: as in :func:`rows_of`.
        row: one of its rows.
        plan: how.
        tell: told what is done now.

    Raises:
        UserError: there are fewer cores than threads; contenders do not agree; or the process failed.
    """
    check_threads(plan.threads)
    with tempfile.TemporaryDirectory(prefix="likeness-benchmark-") as cache:
        order = Order(
            suite=_module(suite),
            row=row.name,
            size=plan.size,
            threads=plan.threads,
            contenders=tuple(contender.name for contender in row.contenders),
            rounds=plan.rounds,
            seconds=plan.seconds,
        )
        found = _obey(order, Path(cache), tell)
        measured = [Measured.from_json(one) for one in found["contenders"]]
        if plan.memory and row.memory:
            for index, contender in enumerate(row.contenders):
                tell(f"{contender.name}: memory")
                alone = dataclasses.replace(order, contenders=(contender.name,), memory=True)
                measured[index] = dataclasses.replace(measured[index], memory=_obey(alone, Path(cache), tell))
    return Result(
        suite=suite,
        row=row.name,
        clock=row.clock or ("processor" if plan.threads == 1 else "wall"),
        goal=row.goal,
        two_threads=row.two_threads,
        contenders=tuple(measured),
        machine=Machine(**found["machine"]),
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def _obey(order: Order, cache: Path, tell: Callable[[str], None]) -> Any:
    """What a process says that does what the order wants."""
    # Compiled programs are kept for the processes of this row, so that the first of them compiles and the others need not.
    kept = {
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    command = [sys.executable, "-m", "likeness.experiments.benchmarks.worker", json.dumps(dataclasses.asdict(order))]
    with tempfile.TemporaryFile("w+", errors="replace") as complaints:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=complaints, text=True, env={**os.environ, **kept}
        ) as process:
            try:
                for line in process.stdout or ():
                    said = json.loads(line)
                    if "told" in said:
                        tell(said["told"])
                    elif "mistake" in said:
                        raise UserError(said["mistake"])
                    else:
                        return said["done"]
                code = process.wait()
            finally:
                # Whoever interrupts this waits for nothing.
                process.terminate()
        complaints.seek(0)
        last = " ".join(complaints.read().split()[-60:])
        raise UserError(
            f"{order.row}: the process that measures it ended with {code} before it was done. Its last words were: "
            f"{last or 'none'}. It is run again by {sys.executable} -m likeness.experiments.benchmarks.worker "
            f"'{json.dumps(dataclasses.asdict(order))}'."
        )


def _module(suite: str) -> str:
    return suite if "." in suite else f"{SUITES}.{suite}"


def _without_peers(row: Row) -> tuple[Contender, ...]:
    return tuple(contender for contender in row.contenders if not contender.peer)


def _goal_without_peers(row: Row) -> Any:
    """None where the goal is against one of the peers."""
    names = {contender.name for contender in _without_peers(row)}
    return row.goal if row.goal is None or not row.goal.against or row.goal.against in names else None


def read_results(path: Path) -> list[Result]:
    """The results that a file keeps; none if there is no such file.

    Raises:
        UserError: the file holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    try:
        return [Result.from_json(one) for one in json.loads(text)]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} holds no results of `likeness benchmark` that this version reads ({type(error).__name__}): name another "
            "file."
        ) from error


def merged(before: Sequence[Result], new: Sequence[Result]) -> list[Result]:
    """What was measured again replaces what was measured before, in its place."""
    found = {result.key: result for result in (*before, *new)}
    return list(found.values())
