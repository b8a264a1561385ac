"""What a working directory tells, read leniently: what is missing or damaged is said in the report, and the rest is shown."""

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from likeness.experiments.storage.metrics_log import read_lines
from likeness.experiments.storage.workdir import Workdir, read_json
from likeness.research.data.npz import read_npz
from likeness.research.data.regular import open_regular
from likeness.research.errors import UserError

_IMAGES = (".png", ".jpg", ".jpeg", ".webp")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportedRun:
    """One run as its report shows it."""

    name: str
    """The end of its path, as much as tells it from the others."""
    root: Path
    config: Mapping[str, Any]
    provenance: Mapping[str, Any]
    summary: Mapping[str, Any]
    threshold: Mapping[str, Any]
    records: Sequence[Mapping[str, Any]]
    """Of ``metrics.jsonl``."""
    system: Sequence[Mapping[str, Any]]
    """Of ``system.jsonl``."""
    evaluations: Sequence[Mapping[str, Any]]
    """Of ``evaluations.jsonl``."""
    changes: Sequence[Mapping[str, Any]]
    """Of ``changes.jsonl``: from which steps on the config was another one."""
    figures: Sequence[Path]
    units: Sequence[Path]
    """Sheets of what units see, a layer each."""
    images: Sequence[Path]
    problems: Sequence[str]
    """What a reader must know before the numbers, a sentence each."""

    @property
    def reached(self) -> int:
        """The last step of which something is written down."""
        steps = [record["step"] for record in self.records]
        return max([*steps, _whole(self.summary.get("steps"))], default=0)

    @property
    def wanted(self) -> int:
        """Steps of the config; 0 where it cannot be read."""
        return _whole(self.config.get("steps"))

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Of the last evaluation, by their path: numbers, or an estimate's value with its interval."""
        found = self.summary.get("metrics")
        return {str(name): value for name, value in found.items() if is_metric(value)} if isinstance(found, Mapping) else {}

    @property
    def columns(self) -> Mapping[str, str]:
        """The titles of tables' columns, see :attr:`likeness.experiments.experiment.Evaluation.columns`."""
        found = self.summary.get("columns")
        return {str(front): str(title) for front, title in found.items()} if isinstance(found, Mapping) else {}

    @property
    def title(self) -> str:
        """What kind of experiment it is."""
        return kind(self.config.get("experiment")) or "unknown experiment"


def is_metric(value: Any) -> bool:
    """Whether a value of a summary is a finite number, or an estimate, which may be unresolvable."""
    if isinstance(value, Mapping):
        ends = [value.get(name) for name in ("value", "low", "high")]
        return all(end is None for end in ends) or all(finite(end) for end in ends)
    return finite(value)


def kind(value: Any) -> str:
    """The class of a part of a written config, without its module."""
    return str(value["type"]).rpartition(".")[2] if isinstance(value, Mapping) and "type" in value else ""


def read_runs(workdirs: Sequence[str | Path]) -> list[ReportedRun]:
    """Reads working directories, in order.

    Raises:
        UserError: when one is no working directory, or is given twice.
    """
    roots = [Path(workdir) for workdir in workdirs]
    for number, root in enumerate(roots):
        if not root.is_dir():
            raise UserError(f"There is no working directory {root}: train a config first, with `likeness train`.")
        if not Workdir(root).config.exists():
            raise UserError(
                f"{root} holds no config.json, so it is not the working directory of a run: give a folder that "
                "`likeness train` made, such as runs/recognition/quickstart."
            )
        if any(root.resolve() == other.resolve() for other in roots[:number]):
            raise UserError(f"{root} is given twice: give each working directory once.")
    return [_read(root, name) for root, name in zip(roots, _names(roots), strict=True)]


def _names(roots: Sequence[Path]) -> list[str]:
    """The shortest ends of paths that tell them apart; of one alone the last two parts."""
    parts = [root.resolve().parts for root in roots]
    for length in range(2 if len(roots) == 1 else 1, max(map(len, parts)) + 1):
        names = ["/".join(each[-length:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    return [str(root) for root in roots]


def _read(root: Path, name: str) -> ReportedRun:
    files, problems = Workdir(root), []
    config, provenance = _mapping(files.config, problems), _mapping(files.provenance, problems)
    summary = _mapping(files.summary, problems) if files.summary.exists() else {}
    run = ReportedRun(
        name=name,
        root=root,
        config=config,
        provenance=provenance,
        summary=summary,
        threshold=_mapping(files.artifact("threshold"), problems) if files.artifact("threshold").exists() else {},
        records=_lines(files.metrics, problems),
        system=_lines(files.system, problems),
        evaluations=_lines(files.evaluations, problems),
        changes=_lines(files.changes, problems),
        # In folders are what units see, and the images of which a figure is made.
        figures=[path for path in _images(files.figures) if path.parent == files.figures],
        # layers.png is the other sheets, one below the other.
        units=[path for path in _images(files.figures / "units") if path.name != "layers.png"],
        images=_images(files.images),
        problems=problems,
    )
    problems += _unfinished(run, files)
    return run


def _unfinished(run: ReportedRun, files: Workdir) -> list[str]:
    far = f"It reached step {run.reached:,} of {run.wanted:,}" if run.wanted else f"It reached step {run.reached:,}"
    again = "launch the same `likeness train` again and it goes on where it stopped."
    if not files.summary.exists():
        return [f"This run is unfinished: there is no summary.json. {far}; {again}"]
    if not run.summary:
        return ["Its numbers cannot be shown; `likeness evaluate` evaluates the model again and writes a new summary.json."]
    dropped = _dropped(run.summary)
    said = [f"summary.json holds what is no number under {', '.join(dropped)}: it is left out."] if dropped else []
    if run.records and run.wanted and run.reached < run.wanted:
        said.append(
            f"This run is unfinished: {far.lower()}; the numbers are of step {run.summary.get('steps')}. To go on, {again}"
        )
    return said


def _dropped(summary: Mapping[str, Any]) -> list[str]:
    metrics = summary.get("metrics")
    if not isinstance(metrics, Mapping):
        return ["metrics"]
    return [str(name) for name, value in metrics.items() if not is_metric(value)]


def read_arrays(path: Path, problems: list[str]) -> Mapping[str, np.ndarray]:
    """The arrays of a file; none where there is no file, or none that can be read, which is said."""
    if not path.exists():
        return {}
    try:
        with open_regular(path) as file:
            return read_npz(file)
    except (OSError, ValueError) as error:
        problems.append(f"{path} cannot be read ({error}): what it holds is not shown; `likeness evaluate` writes it anew.")
        return {}


def _mapping(path: Path, problems: list[str]) -> Mapping[str, Any]:
    try:
        value = read_json(path)
    except UserError as error:
        problems.append(str(error))
        return {}
    if isinstance(value, Mapping):
        return value
    problems.append(f"{path} holds a {type(value).__name__} where an object was expected: it is left out.")
    return {}


def _lines(path: Path, problems: list[str]) -> list[Mapping[str, Any]]:
    """The lines of a log; those that cannot be read are counted and left out."""
    kept, bad = [], []
    try:
        for number, record in enumerate(read_lines(path), start=1):
            if record is None:
                bad.append(number)
            else:
                kept.append(record)
    except UserError as error:
        problems.append(str(error))
    if bad:
        shown = ", ".join(map(str, bad[:5])) + (", …" if len(bad) > 5 else "")
        problems.append(f"{path} cannot be read in line {shown} ({len(bad)} in all): left out.")
    return kept


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in _IMAGES and path.is_file())


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= sys.float_info.max else 0


def finite(value: Any) -> bool:
    """Whether a value out of JSON is a number that can be drawn and printed."""
    # JSON knows whole numbers that no float holds.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
