"""Makes runs of a sweep in processes of their own, some at a time; where there are GPUs the processes take turns on them."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from types import FrameType

from likeness.experiments.display.progress import Reporter
from likeness.experiments.distributed.cores import MOST, cores
from likeness.experiments.storage.trackers import TrackerName
from likeness.experiments.sweeps.members import Member, isolated
from likeness.experiments.sweeps.worker import AGAIN, write_task
from likeness.experiments.training.interruption import Interrupted
from likeness.research.errors import UserError


def make_in_processes(
    waiting: Sequence[Member], root: Path, jobs: int, until: int | None, trackers: tuple[TrackerName, ...], say: Reporter
) -> None:
    """Trains each run up to a rung or its end, and notes in it what became of it.

    Raises:
        Interrupted: after SIGTERM, which is passed on.
    """
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
                else:
                    environment.setdefault("JAX_NUM_CPU_DEVICES", str(max(1, min(MOST, cores() // jobs))))
                say.say(f"training {member.name}")
                with isolated(member, root):
                    _in_process(member, root, until, trackers, environment, children, stopped)
        finally:
            slots.put(slot)

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        raise Interrupted(f"Stopped by {signal.Signals(number).name}: the same command goes on.")

    before = signal.signal(signal.SIGTERM, stop) if threading.current_thread() is threading.main_thread() else None
    try:
        with ThreadPoolExecutor(jobs) as pool:
            try:
                list(pool.map(make, waiting))
            except BaseException:
                # A signal of the terminal reaches the children too; one of a scheduler may not.
                stopped.set()
                for child in list(children):
                    child.terminate()
                raise
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _in_process(
    member: Member,
    root: Path,
    until: int | None,
    trackers: tuple[TrackerName, ...],
    environment: dict[str, str],
    children: set[subprocess.Popen[bytes]],
    stopped: threading.Event,
) -> None:
    task, log = root / "logs" / f"{member.name}.json", root / "logs" / f"{member.name}.txt"
    write_task(task, member, root, until, trackers)
    member.how = "in a process"
    with log.open("w") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "likeness.experiments.sweeps.worker", str(task)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
        children.add(child)
        code = child.wait()
        children.discard(child)
    # Who was asked to stop has done so, and has not failed.
    if code != 0 and not (code == AGAIN and stopped.is_set()):
        lines = log.read_text(errors="replace").strip().splitlines()
        raise UserError(f"{lines[-1] if lines else 'no word of it'} (exit code {code}; all it said is in {log})")


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
