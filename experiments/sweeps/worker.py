"""One run of a sweep in a process of its own: ``python -m likeness.experiments.sweeps.worker TASK.json``."""

import dataclasses
import os
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

from likeness.experiments.config import from_json, to_json
from likeness.experiments.display.progress import Quiet, Reporter
from likeness.experiments.own_code import Code, trust_code
from likeness.experiments.own_code.classes import RunCode
from likeness.experiments.run import Run
from likeness.experiments.storage.trackers import TrackerName
from likeness.experiments.storage.workdir import metric_json, read_json, write_json
from likeness.experiments.sweeps.members import Member, note_rung, sentence
from likeness.experiments.training.interruption import Interrupted
from likeness.research.errors import UserError

DONE, FAILED, MISTAKE, AGAIN = 0, 1, 2, 75


def write_task(path: Path, member: Member, root: Path, until: int | None, trackers: tuple[TrackerName, ...]) -> None:
    """Writes down what a worker is to do.

    Args:
        path: where.
        member: the run.
        root: the sweep's directory, which keeps the code of the run.
        until: the rung up to which it is trained; None for its end.
        trackers: where metrics go beside ``metrics.jsonl``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    task = {
        "run": to_json(member.run),
        "workdir": str(member.workdir.resolve()),
        "code": {"root": str(root.resolve()), "digest": member.code.digest},
        "until": until,
        "trackers": list(trackers),
    }
    write_json(path, task)


def train_member(
    run: Run, workdir: Path, code: Code, until: int | None, trackers: tuple[TrackerName, ...], say: Reporter
) -> None:
    """Trains one run of a sweep by itself, in its directory, and writes down what it comes to at a rung.

    Args:
        run: what to train.
        workdir: its directory.
        code: of one's own, that it is made with.
        until: the step of the rung; None for the run's end.
        trackers: where metrics go beside ``metrics.jsonl``.
        say: told how it goes.
    """
    # It needs JAX, which the sweep that only writes tasks must not start.
    from likeness.experiments.training.trainer import train

    trained = train(run, workdir, reporter=say, trackers=trackers, until=until, code=code)
    if until is not None and until < run.steps:
        note_rung(workdir, until, metric_json(trained.evaluation.metrics), trained.seconds)


def work(path: Path) -> tuple[int, str]:
    """Trains what is written down.

    Returns:
        The exit code that ``likeness train`` would have had, and the last words: empty where all went well.
    """
    try:
        task = read_json(path)
        kept = RunCode(Path(task["code"]["root"]), task["code"]["digest"])
        # The sweep that asks for this work has written it, and its user has named the config.
        trust_code(kept.root)
        run = from_json(task["run"], kept)
        train_member(run, Path(task["workdir"]), kept.code, task["until"], tuple(task["trackers"]), Quiet())
    except Interrupted as stop:
        return AGAIN, str(stop)
    except UserError as error:
        return MISTAKE, str(error)
    except Exception as error:
        traceback.print_exc()
        return FAILED, sentence(error)
    return DONE, ""


@dataclasses.dataclass(frozen=True)
class QueuedTask:
    """The same as a job of submitit: calling it does the work."""

    path: Path

    def __call__(self) -> tuple[int, str]:
        warned: list[int] = []

        def warn(number: int, frame: FrameType | None) -> None:
            del frame
            # The time is nearly up, or the place is wanted: the trainer writes a checkpoint first, and is then put back.
            warned.append(number)
            os.kill(os.getpid(), signal.SIGTERM)

        requeue = signal.signal(signal.SIGUSR2, warn)
        code, words = work(self.path)
        if code == AGAIN and warned and callable(requeue):
            requeue(warned[0], None)
        return code, words

    def checkpoint(self) -> Any:
        """What submitit puts back into the queue."""
        from submitit.helpers import DelayedSubmission  # pyright: ignore[reportMissingImports]

        return DelayedSubmission(self)


def main(arguments: list[str]) -> int:
    """Does the work and answers as ``likeness train`` does; the last words are the last line."""
    code, words = work(Path(arguments[0]))
    sys.stderr.flush()
    if words:
        print(words)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
