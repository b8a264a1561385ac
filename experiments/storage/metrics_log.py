"""What a run leaves to read: metrics, a line at a time."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from likeness.experiments.distributed import processes
from likeness.experiments.storage.trackers import Tracker, TrackerName, open_tracker
from likeness.experiments.storage.workdir import Workdir
from likeness.research.data.regular import NotAFile, read_regular
from likeness.research.errors import UserError
from likeness.research.files import cannot_write, parse_json, write_atomically

# More than any run takes, and few enough for whatever counts or draws them.
_MOST_STEPS = 2**53


class Metrics:
    """Everything that metrics of a run are written to: its lines, and whatever trackers were asked for.

    Of several processes the first writes, and the others nothing.
    """

    def __init__(self, files: Workdir, trackers: tuple[TrackerName, ...], resume_from: int) -> None:
        """Opens them for a run that goes on after a step.

        Raises:
            UserError: when one cannot be written.
        """
        self._writers: list[MetricsFile | Tracker] = []
        if processes.first():
            self._writers.append(MetricsFile(files.metrics, resume_from))
            try:
                for name in trackers:
                    self._writers.append(open_tracker(name, files, resume_from))
            except BaseException:
                self.close()
                raise

    def write(self, step: int, split: str, values: Mapping[str, Any]) -> None:
        for writer in self._writers:
            writer.write(step, split, values)

    def finish(self, config: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
        """The run is done: trackers get its config and what came out."""
        for writer in self._writers:
            if not isinstance(writer, MetricsFile):
                writer.finish(config, metrics)

    def __enter__(self) -> "Metrics":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        for writer in self._writers:
            writer.close()


class MetricsFile:
    """``metrics.jsonl``: one JSON object a line, ``{"step", "split", name: value}``."""

    def __init__(self, path: Path, resume_from: int) -> None:
        """Opens the file and drops what an earlier process wrote after the step that the run resumes from."""
        self.path = path
        kept = [json.dumps(record) + "\n" for record in read_metrics(path) if record["step"] <= resume_from]
        write_atomically(path, "".join(kept))
        self._file = path.open("a")

    def write(self, step: int, split: str, values: Mapping[str, Any]) -> None:
        """Appends a line and hands it to the system, so that killing the process loses nothing."""
        try:
            self._file.write(json.dumps({"step": step, "split": split, **values}) + "\n")
            self._file.flush()
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def __enter__(self) -> "MetricsFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()


def read_metrics(path: str | Path) -> list[dict[str, Any]]:
    """Reads ``metrics.jsonl``; a line that is no record with its step, such as a last one that a crash cut short, is left out.

    Args:
        path: the file, or the working directory that it is in.

    Raises:
        UserError: the file cannot be read.
    """
    file = Workdir(path).metrics if Path(path).is_dir() else Path(path)
    return [record for record in read_lines(file) if record is not None]


def read_lines(path: Path) -> Iterator[dict[str, Any] | None]:
    """Reads a file of one JSON object a line, each with its ``"step"``; None for a line that is anything else.

    Raises:
        UserError: the file cannot be read.
    """
    if not path.exists():
        return
    try:
        content = read_regular(path)
    except NotAFile as error:
        raise UserError(f"{path} cannot be read: {error.why}. Restore it, or train again with --fresh.") from error
    # Only "\n" ends a line here; a name in a record may hold other ends.
    for line in content.removesuffix(b"\n").split(b"\n") if content else ():
        yield _record(line)


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = parse_json(line)
    except ValueError:
        return None
    step = record.get("step") if isinstance(record, dict) else None
    return record if isinstance(step, int) and 0 <= step < _MOST_STEPS and not isinstance(step, bool) else None
