"""Makes the runs of a sweep: what is finished is left as it is, what was interrupted goes on, what fails stands alone."""

import contextlib
import dataclasses
import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Literal

from experiments.config import describe_changes, to_json
from experiments.interruption import Interrupted
from experiments.progress import Named, Reporter
from experiments.run import Run
from experiments.sweep import Override, apply, names
from experiments.sweep_numbers import Path as FieldPath
from experiments.sweep_numbers import structure
from experiments.workdir import Workdir, read_json, write_json
from research.errors import UserError
from research.files import write_atomically

Mode = Literal["yes", "no", "auto"]
Status = Literal["finished", "failed", "not started"]


@dataclasses.dataclass
class Member:
    """One run of a sweep, and what became of it."""

    name: str
    override: Override
    run: Run
    workdir: Path
    status: Status = "not started"
    how: str = ""
    """Together with how many, alone, or finished before."""
    why: str = ""
    """It failed."""

    @property
    def finished(self) -> bool:
        """Whether the working directory holds the last word of this very run."""
        files = Workdir(self.workdir)
        last = files.checkpoints / str(self.run.steps)
        return files.summary.exists() and last.is_dir() and read_json(files.config) == to_json(self.run)

    @property
    def latest(self) -> int:
        """The step of the newest whole checkpoint; 0 for none."""
        folder = Workdir(self.workdir).checkpoints
        return max((int(path.name) for path in folder.glob("*") if path.name.isdigit()), default=0)

    def check(self) -> None:
        """Refuses a directory in which something else was trained."""
        files = Workdir(self.workdir)
        if files.config.exists() and (changes := describe_changes(read_json(files.config), to_json(self.run))):
            raise UserError(
                f"{self.workdir} holds a run of another config ({'; '.join(changes[:3])}): give the sweep another --workdir, "
                "or remove that directory."
            )


def members(run: Run, overrides: Sequence[Override], root: Path) -> list[Member]:
    """The runs of a sweep, each with a directory of its name in ``root``.

    Raises:
        UserError: there are none, two are the same, or an override does not fit the run.
    """
    if not overrides:
        raise UserError("The sweep has no runs: sweep() returned nothing, or a path was given no values.")
    made = [
        Member(name, override, apply(run, override), root / name)
        for name, override in zip(names(overrides), overrides, strict=True)
    ]
    for one, other in itertools.combinations(made, 2):
        if one.run == other.run:
            raise UserError(f"The runs {one.name} and {other.name} of the sweep are the same: leave one of the two out.")
    return made


def sweep(made: Sequence[Member], root: Path, *, together: Mode, jobs: int, say: Reporter) -> None:
    """Makes all runs that are not finished and notes in each what became of it.

    Args:
        made: the runs.
        root: where the traces of failures go, below ``failures``.
        together: train as one program what can be; ``auto`` where that is faster.
        jobs: processes at a time. With more than one nothing is trained together.
        say: told how it goes.

    Raises:
        Interrupted: SIGTERM or SIGINT; the same sweep goes on.
    """
    waiting = []
    for member in made:
        with _isolated(member, root):
            member.check()
            if member.finished:
                member.status, member.how = "finished", "before"
            else:
                waiting.append(member)
    if before := sum(member.how == "before" for member in made):
        say.say(f"{before} of {len(made)} runs are finished already")
    if jobs > 1:
        _in_processes(waiting, root, jobs, say)
        return
    for group in _grouped(waiting) if together != "no" else [[member] for member in waiting]:
        _make(group, root, together, say)


def _grouped(waiting: Sequence[Member], told_apart: frozenset[FieldPath] = frozenset()) -> list[list[Member]]:
    """Those of one structure that have come to the same step."""
    groups: dict[object, list[Member]] = {}
    for member in waiting:
        groups.setdefault((structure(member.run, told_apart), member.latest), []).append(member)
    return list(groups.values())


def _make(
    group: Sequence[Member], root: Path, mode: Mode, say: Reporter, told_apart: frozenset[FieldPath] = frozenset()
) -> None:
    if len(group) == 1:
        _alone(group[0], root, say)
        return
    # They need JAX, and a sweep in other processes must leave the devices to those.
    from experiments.sweep_lockstep import train_together
    from experiments.sweep_timing import time_both
    from experiments.together import Apart, put_together

    try:
        ready = put_together([member.run for member in group])
        timed = time_both(ready) if mode == "auto" else None
        if timed is not None and not timed.together_is_faster:
            raise Apart(str(timed))
        if timed is not None:
            say.say(f"{len(group)} runs are trained together: {timed}")
    except Apart as apart:
        smaller = _grouped(group, told_apart | apart.paths) if apart.paths else [[member] for member in group]
        if len(smaller) == 1:
            smaller = [[member] for member in group]
        how = "one after the other" if len(smaller) == len(group) else f"in {len(smaller)} groups"
        say.say(f"{len(group)} runs are trained {how}, since {apart.reason}")
        for part in smaller:
            _make(part, root, mode, say, told_apart | apart.paths)
        return
    except Exception as error:
        say.warn(f"{len(group)} runs cannot be put together ({_sentence(error)}): each is trained alone")
        for member in group:
            _alone(member, root, say)
        return
    try:
        failures = train_together(ready, [member.workdir for member in group], say)
    except Interrupted:
        raise
    except Exception as error:
        failures = [error] * len(group)
    for member, failure in zip(group, failures, strict=True):
        member.how = f"together with {len(group) - 1}"
        with _isolated(member, root):
            if failure is not None:
                raise failure
            member.status = "finished"


def _alone(member: Member, root: Path, say: Reporter) -> None:
    from experiments.trainer import train

    say.say(f"training {member.name}")
    member.how = "alone"
    with _isolated(member, root):
        train(member.run, member.workdir, reporter=Named(member.name, say.warn))
        member.status = "finished"


def _sentence(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text[:300]}"


@contextlib.contextmanager
def _isolated(member: Member, root: Path) -> Iterator[None]:
    """What goes wrong here is noted in the run, with its trace in a file, and nothing else stops for it."""
    try:
        yield
    except Interrupted:
        raise
    except Exception as error:
        member.status, member.why = "failed", _sentence(error)
        write_atomically(root / "failures" / f"{member.name}.txt", "".join(traceback.format_exception(error)))


def _in_processes(waiting: Sequence[Member], root: Path, jobs: int, say: Reporter) -> None:
    """Each run in a process of its own, some at a time; where there are GPUs they take turns on them."""
    gpus = _gpus()
    slots: SimpleQueue[int] = SimpleQueue()
    for slot in range(jobs):
        slots.put(slot)
    children: set[subprocess.Popen[bytes]] = set()
    stopped = threading.Event()

    def make(member: Member) -> None:
        slot = slots.get()
        try:
            if not stopped.is_set():
                # A config file of one's own found its neighbours by this process's path.
                environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
                if gpus:
                    environment["CUDA_VISIBLE_DEVICES"] = gpus[slot % len(gpus)]
                    sharing = -(-jobs // len(gpus))
                    if sharing > 1:
                        environment.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", f"{0.9 / sharing:.3f}")
                say.say(f"training {member.name}")
                with _isolated(member, root):
                    _in_process(member, root, environment, children)
        finally:
            slots.put(slot)

    with ThreadPoolExecutor(jobs) as pool:
        try:
            list(pool.map(make, waiting))
        except BaseException:
            # A signal of the terminal reaches the children too; one of a scheduler may not.
            stopped.set()
            for child in list(children):
                child.terminate()
            raise


def _in_process(member: Member, root: Path, environment: dict[str, str], children: set[subprocess.Popen[bytes]]) -> None:
    asked, log = root / "logs" / f"{member.name}.json", root / "logs" / f"{member.name}.txt"
    asked.parent.mkdir(parents=True, exist_ok=True)
    write_json(asked, to_json(member.run))
    member.how = "in a process"
    command = [sys.executable, "-m", "experiments.sweep_worker", str(asked), str(member.workdir)]
    with log.open("w") as output:
        child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        children.add(child)
        code = child.wait()
        children.discard(child)
    if code != 0:
        lines = log.read_text(errors="replace").strip().splitlines()
        raise UserError(f"{lines[-1] if lines else 'no word of it'} (exit code {code}; all it said is in {log})")
    member.status = "finished"


def _gpus() -> list[str]:
    """What NVIDIA GPUs this process may use, without touching one."""
    if os.environ.get("JAX_PLATFORMS") == "cpu":
        return []
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name for name in visible.split(",") if name]
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return [str(number) for number, line in enumerate(listed.stdout.splitlines()) if line.startswith("GPU ")]


def write_results(made: Sequence[Member], root: Path) -> Path:
    """Writes ``sweep.json``: every run, what it has otherwise, what became of it and what came out."""
    path = root / "sweep.json"
    records = [
        {
            "name": member.name,
            "override": {path: to_json(value) for path, value in member.override.items()},
            "workdir": str(member.workdir),
            "status": member.status,
            "how": member.how,
            "why": member.why,
            **outcome(member),
        }
        for member in made
    ]
    write_json(path, {"runs": records})
    return path


def outcome(member: Member) -> dict[str, object]:
    """The metrics on the test part and the seconds of training, of a run that is finished."""
    if member.status != "finished":
        return {"metrics": {}, "seconds": None}
    summary = read_json(Workdir(member.workdir).summary)
    return {"metrics": summary["metrics"], "seconds": summary["seconds"]}


def read_results(root: Path) -> list[dict[str, object]]:
    """What :func:`write_results` wrote."""
    return list(json.loads((root / "sweep.json").read_text())["runs"])
