"""Makes runs of a sweep as a job array of Slurm, through submitit.

What is in the queue is written down in ``slurm/jobs.json`` of the sweep's directory, so the command that has submitted an array
need not stay: the same command, given again, takes in what has come out, and submits what is left. A run whose process was
killed or crashed goes back into the queue and goes on from its newest checkpoint, a few times; after that it has failed.
"""

import contextlib
import dataclasses
import importlib.util
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from likeness.experiments.display.progress import Reporter
from likeness.experiments.storage.trackers import TrackerName
from likeness.experiments.storage.workdir import read_json, write_json
from likeness.experiments.sweeps.members import Member, isolated
from likeness.experiments.sweeps.worker import QueuedTask, write_task
from likeness.experiments.training.interruption import Interrupted
from likeness.research.errors import UserError, how_to_install

_SHARED = ("name", "timeout_min", "mem_gb", "cpus_per_task", "gpus_per_node", "stderr_to_stdout")
_MOST_RESTARTS = 3
_AFTER = f"""code=$?
# 0 to 2 are answers, and after 255 submitit has put it back into the queue itself. Else it was killed or has crashed.
case "$code" in
    0 | 1 | 2 | 255) ;;
    *)
        if [ "${{SLURM_RESTART_COUNT:-0}}" -lt {_MOST_RESTARTS} ]; then
            scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
        fi
        ;;
esac"""
_ONE = ("nodes", "tasks_per_node", "slurm_nodes", "slurm_ntasks_per_node", "slurm_array")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SlurmArray:
    """How jobs are asked for, and whether to wait for them."""

    parameters: dict[str, Any]
    """Of submitit: ``timeout_min``, ``gpus_per_node``, ``cpus_per_task``, ``mem_gb``, and what else ``sbatch`` takes, such as
    ``partition``."""
    detach: bool = False
    """Leave once everything is submitted."""
    poll: float = 10.0
    """Seconds between two looks at the jobs."""

    def __post_init__(self) -> None:
        if not self.poll > 0:
            raise ValueError(f"SlurmArray.poll is {self.poll}: give seconds, above 0")
        if "timeout_min" not in self.parameters:
            raise ValueError(
                "the jobs have no time limit, and submitit would ask for five minutes: give timeout_min=MINUTES. A run that "
                "does not come to its end by then writes a checkpoint and goes back into the queue"
            )
        if several := [name for name in self.parameters if name in _ONE or f"slurm_{name}" in _ONE]:
            raise ValueError(f"{several[0]} is not for a sweep, where each run is one task of one job array: leave it out")

    def check(self) -> None:
        """Finds out before anything is written that jobs cannot be submitted.

        Raises:
            UserError: submitit is not installed, here is no Slurm, or a parameter does not exist.
        """
        if importlib.util.find_spec("submitit") is None:
            raise UserError(
                f"--slurm submits through submitit, which is not installed: {how_to_install('slurm')}, where the sweep is "
                "launched and where the jobs run. Without it, `--jobs` trains several runs at a time on this machine."
            )
        self._executor(Path("slurm"))

    def make(
        self, waiting: Sequence[Member], root: Path, until: int | None, trackers: tuple[TrackerName, ...], say: Reporter
    ) -> None:
        """Trains each run up to a rung or its end, and notes in it what became of it, or that it is under way.

        Raises:
            Interrupted: SIGINT while it waits; the jobs go on.
        """
        queue = _Queue(root / "slurm")
        # What an earlier launch has left comes first: a run must not be trained by two jobs.
        self._collect(waiting, queue, root, say)
        left = [member for member in waiting if member.status == "not started" and not member.reached(until)]
        if left:
            self._submit(left, queue, root, until, trackers, say)
            self._collect(left, queue, root, say)

    def _executor(self, folder: Path) -> Any:
        from submitit import AutoExecutor  # pyright: ignore[reportMissingImports]

        try:
            executor = AutoExecutor(folder=folder.resolve(), cluster="slurm")
            named = {"name": "likeness", **self.parameters}
            # Whoever gives commands for after the run has them done after these, and the exit code stays the run's.
            own = named.pop("teardown", None) or named.pop("slurm_teardown", None) or []
            named["teardown"] = [_AFTER, *own, 'exit "$code"']
            executor.update_parameters(
                **{name if name in _SHARED or name.startswith("slurm_") else f"slurm_{name}": named[name] for name in named}
            )
        except RuntimeError as error:
            raise UserError(
                f"--slurm finds no Slurm here ({error}): launch the sweep on a login node of the cluster."
            ) from error
        except (NameError, ValueError, AssertionError) as error:
            raise UserError(f"--slurm: {' '.join(str(error).split())[:600]}") from error
        return executor

    def _submit(
        self,
        left: Sequence[Member],
        queue: "_Queue",
        root: Path,
        until: int | None,
        trackers: tuple[TrackerName, ...],
        say: Reporter,
    ) -> None:
        tasks = []
        for member in left:
            path = (root / "logs" / f"{member.name}.json").resolve()
            write_task(path, member, root, until, trackers)
            tasks.append(QueuedTask(path))
        executor = self._executor(queue.folder)
        try:
            # A config file of one's own found its neighbours by this process's path, and a job has this environment.
            with _environment("PYTHONPATH", os.pathsep.join(filter(None, sys.path))), executor.batch():
                jobs = [executor.submit(task) for task in tasks]
        except Exception as error:
            raise UserError(f"Slurm did not take the job array: {' '.join(str(error).split())[:500]}.") from error
        queue.write(queue.read() | {member.name: job.job_id for member, job in zip(left, jobs, strict=True)})
        upto = "" if until is None else f", up to step {until}"
        say.say(f"{len(left)} runs are job {jobs[0].job_id.split('_')[0]}{upto}; what they say goes to {queue.folder}")

    def _collect(self, some: Sequence[Member], queue: "_Queue", root: Path, say: Reporter) -> None:
        """Waits for the jobs of some runs, unless it is to detach, and takes in what has come out."""
        recorded = queue.read()
        jobs = {member.name: queue.job(recorded[member.name]) for member in some if member.name in recorded}
        said = ""
        try:
            while not self.detach and any(not job.done() for job in jobs.values()):
                if (now := _states(jobs)) != said:
                    said = now
                    say.say(said)
                time.sleep(self.poll)
        except KeyboardInterrupt:
            raise Interrupted(
                f"The jobs go on without this command: give it again to collect what comes out. {queue.folder}/jobs.json lists "
                "them, and `scancel NUMBER` ends one."
            ) from None
        for member in some:
            if member.name not in jobs:
                continue
            job = jobs[member.name]
            if not job.done(force_check=True):
                member.status, member.how = "under way", f"in job {job.job_id}"
                continue
            member.how = f"in job {job.job_id}"
            with isolated(member, root):
                queue.write({name: number for name, number in queue.read().items() if name != member.name})
                _take_in(job)
        if self.detach and jobs:
            say.say(_states(jobs))


def _take_in(job: Any) -> None:
    """Raises what the job has failed of."""
    logs = f"what it said is in {job.paths.stdout} and {job.paths.stderr}"
    # A job that was killed has left no answer, and submitit waits for one.
    if not job.paths.result_pickle.exists() and job.state in ("OUT_OF_MEMORY", "NODE_FAIL", "TIMEOUT", "FAILED", "CANCELLED"):
        raise UserError(f"job {job.job_id} ended as {job.state} and left no answer; {logs}")
    if (failure := job.exception()) is not None:
        lines = str(failure).strip().splitlines()
        trace = [line for line in lines if not line.startswith("-----")]
        said = next((line for line in reversed(trace) if re.match(r"[\w.]+(Error|Exception)\b", line)), trace[0])
        raise UserError(f"job {job.job_id}: {said}; {logs}")
    code, words = job.result()
    if code != 0:
        raise UserError(f"{words} (exit code {code}; {logs})")


def _states(jobs: dict[str, Any]) -> str:
    """How many jobs are how far, in one line."""
    states = Counter("done" if job.done() else job.state.split()[0].lower() for job in jobs.values())
    arrays = sorted({job.job_id.split("_")[0] for job in jobs.values()})
    said = f"job {', '.join(arrays)}: {', '.join(f'{count} {state}' for state, count in states.items())}"
    lost = " (if Slurm has forgotten a job, remove it from slurm/jobs.json, and it is submitted again)"
    return said + (lost if "unknown" in states else "")


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@dataclasses.dataclass(frozen=True)
class _Queue:
    """The jobs of a sweep."""

    folder: Path

    def read(self) -> dict[str, str]:
        """The numbers of the jobs that are not taken in yet, by the names of their runs."""
        path = self.folder / "jobs.json"
        return read_json(path) if path.exists() else {}

    def write(self, jobs: dict[str, str]) -> None:
        write_json(self.folder / "jobs.json", jobs)

    def job(self, number: str) -> Any:
        from submitit import SlurmJob  # pyright: ignore[reportMissingImports]

        return SlurmJob(folder=self.folder.resolve(), job_id=number)
