"""Is anything lost, whatever happens to a run? Runs that are stopped, killed, starved of disk and damaged, again and again.

    python -m likeness.experiments.benchmarks.chaos --runs 30

Each run is hurt at a random moment by a random one of: SIGTERM; SIGKILL; SIGKILL of one process of two; a full disk (a tmpfs of
its own, where ``unshare`` may make one); SIGKILL and then a file of a checkpoint cut short. Then the same command is launched
again until it ends. It must end with the parameters and the log of a run that nobody has disturbed, to the bit, or say what to
do; what it says is then done. Writes chaos.md below ``--out`` and ends with 1 if a run has lost anything.
"""

import dataclasses
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import tyro

from likeness.experiments.run import Checkpoints
from likeness.experiments.storage.checkpoints import CheckpointStore
from likeness.experiments.storage.metrics_log import read_metrics
from likeness.research.files import write_atomically

STEPS, TRIES = 60, 6
KINDS = ("SIGTERM", "SIGKILL", "SIGKILL of one of two", "full disk", "checkpoint cut short")
CONFIG = f'''"""Digits, in a few steps."""

from likeness.experiments.recognition import Recognition
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data import Augmentation, CountSplit, Digits, IdentityBatches
from likeness.research.encoders import Conv4
from likeness.research.losses import BatchHard, Triplet


def get_config():
    return Run(
        experiment=Recognition(
            data=Digits(scale=2),
            split=CountSplit(validation=2, test=2),
            batches=IdentityBatches(people=4, images=4),
            augmentation=Augmentation(rotate=10.0),
            encoder=Conv4(width=4, dimension=8),
            loss=Triplet(rule=BatchHard(), reduction="mean"),
            test=(),
        ),
        steps={STEPS},
        ema_decay=0.9,
        log_every=1,
        checkpoints=Checkpoints(every=5),
    )
'''


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chaos:
    """How much of it."""

    runs: int = 30
    """Runs to hurt."""
    seed: int = 0
    """Decides how and when."""
    out: str = "runs/chaos"
    """Where they are; emptied first."""


@dataclasses.dataclass(frozen=True)
class Fate:
    """What happened to a run."""

    kind: str
    step: int
    """That it had logged when it was hurt."""
    launches: int
    said: str
    """Why it could not go on by itself, if so."""
    same: bool
    """Whether it has ended as if nothing had happened."""


class Field:
    """The folder where runs are hurt, and the runs that were not, to compare with."""

    def __init__(self, out: Path) -> None:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        self.out = out.absolute()
        (self.out / "digits.py").write_text(CONFIG)
        self._whole: dict[int, tuple[list[np.ndarray], list[tuple[int, float]]]] = {}

    def launch(self, run: Path, processes: int) -> list[subprocess.Popen[str]]:
        """Starts the processes of a run."""
        with socket.create_server(("", 0)) as server:
            port = server.getsockname()[1]
        started = []
        for process in range(processes):
            command = self.command(run)
            if processes > 1:
                command += ["--coordinator", f"localhost:{port}", "--process", str(process), "--processes", str(processes)]
                command += ["--hang-after", "60"]
            started.append(
                subprocess.Popen(
                    command, cwd=self.out, env=self.environment, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
                )
            )
        return started

    def command(self, run: Path) -> list[str]:
        return [sys.executable, "-m", "likeness.experiments.commands.main", "train", "digits.py", "--workdir", str(run)]

    @property
    def environment(self) -> dict[str, str]:
        cache = {"JAX_COMPILATION_CACHE_DIR": str(self.out / "compiled"), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2"}
        return dict(os.environ) | {"JAX_PLATFORMS": "cpu"} | cache

    def end(self, run: Path, processes: int) -> tuple[int, str]:
        """Launches a run until it ends or cannot go on by itself; how often, and what it said last if so."""
        said = ""
        for launches in range(1, TRIES + 1):
            started = self.launch(run, processes)
            messages = [process.communicate(timeout=600)[1] for process in started]
            if not any(process.returncode for process in started):
                return launches, said
            said = messages[0].strip().splitlines()[-1] if messages[0].strip() else "nothing"
            if damaged := re.search(r"The checkpoint (\S+) is damaged .*: move that directory away", said):
                shutil.move(damaged.group(1), f"{damaged.group(1)}-away-{run.name}")
        return TRIES, f"gave up: {said}"

    def is_whole(self, run: Path, processes: int) -> bool:
        """Whether a run has ended as one that nobody disturbed."""
        if processes not in self._whole:
            whole = self.out / f"whole-{processes}"
            _, said = self.end(whole, processes)
            assert not said, said
            self._whole[processes] = _read(whole)
        arrays, curve = self._whole[processes]
        ours, our_curve = _read(run)
        return curve == our_curve and all(np.array_equal(a, b) for a, b in zip(arrays, ours, strict=True))


def hurt(field: Field, run: Path, kind: str, rng: random.Random) -> Fate:
    """Launches a run, hurts it once, and brings it to its end."""
    if kind == "full disk":
        return _starved(field, run, rng)
    processes = 2 if kind == "SIGKILL of one of two" else 1
    moment, started = rng.randint(1, STEPS - 5), field.launch(run, processes)
    deadline = time.monotonic() + 300
    while _logged(run) < moment and time.monotonic() < deadline and all(process.poll() is None for process in started):
        time.sleep(0.01)
    time.sleep(rng.uniform(0.0, 0.2))
    step = _logged(run)
    rng.choice(started).send_signal(signal.SIGTERM if kind == "SIGTERM" else signal.SIGKILL)
    for process in started:
        process.communicate(timeout=300)
    if kind == "checkpoint cut short":
        files = [path for path in (run / "checkpoints").rglob("*") if path.is_file() and path.stat().st_size]
        if files:
            victim = rng.choice(files)
            victim.write_bytes(victim.read_bytes()[: rng.randrange(victim.stat().st_size)])
    launches, said = field.end(run, processes)
    return Fate(kind, step, 1 + launches, said, field.is_whole(run, processes))


def _starved(field: Field, run: Path, rng: random.Random) -> Fate:
    """On a file system of the run's own, which fills up and is then made larger."""
    disk = field.out / f"disk-{run.name}"
    disk.mkdir()
    train, small = " ".join(field.command(disk / "run")), rng.randint(40, 400)
    script = (
        f"mount -t tmpfs -o size={small}k tmpfs {disk} || exit 99; {train}; code=$?; wc -l < {disk}/run/metrics.jsonl; "
        f"mount -o remount,size=64m {disk}; [ $code -eq 2 ] && {train} > /dev/null; code=$?; cp -r {disk}/run {run}; exit $code"
    )
    command = ["unshare", "-rm", "sh", "-c", script]
    done = subprocess.run(command, cwd=field.out, env=field.environment, capture_output=True, text=True, check=False)
    if done.returncode == 99:
        return Fate("full disk (not possible here)", 0, 0, "nobody may mount a file system here", same=True)
    full = [line for line in done.stderr.splitlines() if "the disk is full" in line]
    lines = [line for line in done.stdout.split() if line.isdigit()]
    said = re.sub(r"/\S+/run/", "", full[0].removeprefix("likeness: ")) if full else ""
    return Fate("full disk", int(lines[0]) if lines else 0, 2 if full else 1, said, field.is_whole(run, 1))


def _logged(run: Path) -> int:
    try:
        return len(read_metrics(run / "metrics.jsonl"))
    except OSError:
        return 0


def _read(run: Path) -> tuple[list[np.ndarray], list[tuple[int, float]]]:
    store = CheckpointStore(run / "checkpoints", Checkpoints(), reading=True)
    try:
        leaves = jax.tree.leaves(store.load_variables(STEPS))
    finally:
        store.close()
    curve = [(record["step"], record["loss"]) for record in read_metrics(run / "metrics.jsonl")]
    return [np.asarray(leaf) for leaf in leaves], curve


def table(fates: list[Fate]) -> str:
    """The fates in Markdown, and what they come to."""
    lines = ["| run | hurt by | at step | launches | it said | ends as if undisturbed |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {number} | {fate.kind} | {fate.step} | {fate.launches} | {fate.said} | {'yes' if fate.same else '**NO**'} |"
        for number, fate in enumerate(fates, 1)
    ]
    return "\n".join([*lines, "", f"{sum(fate.same for fate in fates)} of {len(fates)} end as if undisturbed.", ""])


def main() -> int:
    options = tyro.cli(Chaos, description=__doc__)
    field, rng, fates = Field(Path(options.out)), random.Random(options.seed), []
    for number in range(1, options.runs + 1):
        fate = hurt(field, field.out / f"run-{number}", rng.choice(KINDS), rng)
        fates.append(fate)
        print(f"{number:3} of {options.runs}: {fate}", flush=True)
        write_atomically(field.out / "chaos.md", table(fates))
    print(table(fates))
    return 0 if all(fate.same for fate in fates) else 1


if __name__ == "__main__":
    sys.exit(main())
