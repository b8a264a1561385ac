"""A run's working directory: its files by name, written whole or not at all, and held by one process."""

import contextlib
import fcntl
import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likeness.research.data.regular import NotAFile, read_regular
from likeness.research.errors import UserError
from likeness.research.files import cannot_write, parse_json, write_atomically

if TYPE_CHECKING:
    import numpy as np


def read_json(path: Path) -> Any:
    """Reads a JSON file of a working directory.

    Raises:
        UserError: when it is missing, cannot be opened, is no file, or is not JSON.
    """
    if not os.path.lexists(path):
        raise UserError(f"{path} is missing: {path.parent} is not the working directory of a run that got this far.")
    try:
        return parse_json(read_regular(path))
    except NotAFile as error:
        raise UserError(f"{path} cannot be read: {error.why}. Restore it, or start over elsewhere.") from error
    except ValueError as error:
        raise UserError(f"{path} is not readable as JSON ({error}): restore it, or start over elsewhere.") from error


def write_json(path: Path, value: Any) -> None:
    """Writes JSON atomically. NaN and infinity are refused, since no JSON reader must accept them."""
    write_atomically(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_arrays(path: Path, arrays: "Mapping[str, np.ndarray]") -> None:
    """Writes arrays by name atomically, to be read with ``numpy.load``, compressed."""
    import numpy as np

    written = io.BytesIO()
    np.savez_compressed(written, allow_pickle=False, **arrays)
    write_atomically(path, written.getvalue())


class Workdir:
    """Names the files of a working directory; see the table in CONTRIBUTING.md."""

    def __init__(self, root: str | Path) -> None:
        """Of a directory.

        Raises:
            UserError: it is an address in an object store.
        """
        self.root = Path(root)
        # A path has one slash of the two.
        if address := re.match(r"(\w{2,}):/{1,2}(?=\w)", str(root)):
            raise UserError(
                f"{address[1]}://{str(root)[address.end() :]} lies in an object store, in which only `likeness train CONFIG "
                "--workdir` and `likeness evaluate` can work: copy the directory to a disk and give that."
            )

    def check_run(self) -> None:
        """Finds out that no run is here.

        Raises:
            UserError: there is no such directory, or it holds a sweep, or something else.
        """
        if not self.root.is_dir():
            raise UserError(f"There is no working directory {self.root}: train a config first, with `likeness train`.")
        if (self.root / "sweep.json").is_file() and not self.config.is_file():
            raise UserError(f"{self.root} holds a sweep: give the directory of one of its runs, which are in it.")
        if not self.config.is_file():
            raise UserError(f"{self.root} is no working directory: it has no config.json. Give one that `likeness train` made.")

    @property
    def config(self) -> Path:
        return self.root / "config.json"

    @property
    def changes(self) -> Path:
        """From which steps on the config was another one."""
        return self.root / "changes.jsonl"

    @property
    def provenance(self) -> Path:
        return self.root / "provenance.json"

    @property
    def metrics(self) -> Path:
        return self.root / "metrics.jsonl"

    @property
    def system(self) -> Path:
        """What the run spent its time on."""
        return self.root / "system.jsonl"

    @property
    def profile(self) -> Path:
        return self.root / "profile"

    @property
    def evaluations(self) -> Path:
        """What a process beside the training has found of each checkpoint."""
        return self.root / "evaluations.jsonl"

    @property
    def summary(self) -> Path:
        return self.root / "summary.json"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def figures(self) -> Path:
        return self.root / "figures"

    @property
    def images(self) -> Path:
        return self.root / "images"

    def artifact(self, name: str) -> Path:
        return self.root / f"{name}.json"

    def arrays(self, name: str) -> Path:
        return self.root / f"{name}.npz"

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Makes the directory and keeps other trainers out of it for as long as the context lasts.

        Raises:
            UserError: when it cannot be made or another process holds it.
        """
        made = [folder for folder in (self.root, *self.root.parents) if not os.path.lexists(folder)]
        file = self.root / ".lock"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = file.open("w")
        except OSError as error:
            _remove_empty(made)
            raise cannot_write(self.root, error) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(
                    f"Another process is training in {self.root}: wait for it, or give another --workdir."
                ) from None
            try:
                yield
            except BaseException:
                # A launch that failed before it wrote anything leaves nothing behind.
                if made and list(self.root.iterdir()) == [file]:
                    file.unlink()
                    _remove_empty(made)
                raise


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def fresh_directory(root: Path) -> Path:
    """The first of ``root``, ``root-2``, ``root-3``, … that does not exist."""
    candidate, number = root, 1
    while candidate.exists():
        number += 1
        candidate = root.with_name(f"{root.name}-{number}")
    return candidate


def plain_metrics(values: Mapping[str, Any]) -> dict[str, float]:
    """Metrics as numbers, from their JSON: of an estimate its value; those that could not be resolved are left out."""
    numbers = {name: value.get("value") if isinstance(value, Mapping) else value for name, value in values.items()}
    return {name: float(value) for name, value in numbers.items() if value is not None}


def metric_json(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Metrics as JSON: plain numbers, or an estimate's value with its interval."""
    return {name: value if isinstance(value, float | int) else value.to_json() for name, value in metrics.items()}
