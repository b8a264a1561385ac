"""How long people wait for a command's answer, and for training to begin."""

import contextlib
import functools
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from likeness.experiments.benchmarks.protocol import OURS, Contender, Goal, Row, Size, Work
from likeness.experiments.commands.main import COMMANDS

QUICK, LINE, COLD, WARM, WHOLE = 0.5, 1.0, 8.0, 4.0, 75.0
"""Seconds that may pass until help, until training's first line, until its first step without and with kept programs, and until
the quickstart's last figure on two cores."""
_TABLES = (("configs",), ("weights", "list"), ("enroll", "list", "--gallery", "none.sqlite"))
_TRAIN = ("train", "recognition/quickstart", "--log-every", "1")
_ANYTHING, _STEP, _LAST = r"\S", r"step \d", r"summary +\S"


def rows(size: Size) -> tuple[Row, ...]:
    """Commands that answer at once, and the quickstart from launch to its first line, its first step and, if large, its end."""
    if size == "tiny":
        return (_row("likeness --help", functools.partial(_commands, (("--help",),)), QUICK),)
    whole = _row("quickstart, to its last figure", functools.partial(_training, _LAST, warm=False), WHOLE)
    return (
        *((whole,) if size == "large" else ()),
        _row(
            f"--help, the slowest of {len(COMMANDS)} commands",
            functools.partial(_commands, tuple((name, "--help") for name in COMMANDS)),
            QUICK,
        ),
        *(_row(f"likeness {' '.join(line[:2])}", functools.partial(_commands, (line,)), QUICK) for line in _TABLES),
        _row("quickstart, first line", functools.partial(_training, _ANYTHING, warm=True), LINE),
        _row("quickstart, first step, nothing compiled", functools.partial(_training, _STEP, warm=False), COLD),
        _row("quickstart, first step, with kept programs", functools.partial(_training, _STEP, warm=True), WARM),
    )


def _row(name: str, build: "functools.partial[Work]", seconds: float) -> Row:
    return Row(name, (Contender(OURS, build),), Goal(seconds=seconds), clock="wall", rounds=5, memory=False)


def _commands(lines: Sequence[Sequence[str]]) -> Work:
    """Several command lines, of which the slowest counts."""

    def once() -> float:
        with tempfile.TemporaryDirectory() as folder:
            return max(_seconds_of(line, Path(folder)) for line in lines)

    return Work(once)


def _seconds_of(line: Sequence[str], folder: Path) -> float:
    began = time.perf_counter()
    subprocess.run(_command(line), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - began


def _training(words: str, *, warm: bool) -> Work:
    """From launch to the first line of output that begins with some words; then the process is killed."""
    kept = tempfile.TemporaryDirectory()

    def once() -> float:
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as held:
            programs = kept.name if warm else held.enter_context(tempfile.TemporaryDirectory())
            return _until(words, (*_TRAIN, "--workdir", f"{folder}/run"), Path(folder), programs)

    if warm:
        with tempfile.TemporaryDirectory() as folder:
            _until(_STEP, (*_TRAIN, "--workdir", f"{folder}/run"), Path(folder), kept.name)
    return Work(once)


def _until(words: str, line: Sequence[str], folder: Path, programs: str) -> float:
    environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": programs}
    began = time.perf_counter()
    with _killed(_command(line), folder, environment) as process:
        seen = []
        for text in process.stdout or ():
            if re.match(words, text):
                return time.perf_counter() - began
            seen.append(text)
    raise RuntimeError(f"likeness {' '.join(line)} never said {words!r}; it said: {' '.join(seen[-5:])}")


@contextlib.contextmanager
def _killed(command: Sequence[str], folder: Path, environment: dict[str, str]) -> "Iterator[subprocess.Popen[str]]":
    """A process with all that it prints, which is killed in the end."""
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _command(line: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "likeness.experiments.commands.main", *line]
