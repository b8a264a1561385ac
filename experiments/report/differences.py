"""In what runs differ, field by field, with what is unlike the first run highlighted."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from likeness.experiments.config import describe_changes
from likeness.experiments.report.numbers import MISSING, brief, origin
from likeness.experiments.report.runs import ReportedRun
from likeness.experiments.report.template import Html, part

_MOST = 2000
"""Characters of a value: it is read to the end, for it may differ at its end."""


def differences(runs: Sequence[ReportedRun]) -> Html:
    """A table of every field in which a config or an origin differs from those of the first run."""
    configs = [run.config for run in runs]
    changed = dict.fromkeys(line.partition(": ")[0] for other in configs[1:] for line in describe_changes(configs[0], other))
    fields = [field for path in changed for field in _deeper(path, [_at(config, path) for config in configs])]
    rows = [(path or "the whole config", [brief(value, _MOST) for value in values]) for path, values in fields]
    origins = [_comparable(run) for run in runs]
    for name in dict.fromkeys(itertools.chain(*origins)):
        values = [each.get(name, MISSING) for each in origins]
        if len(set(values)) > 1:
            rows.append((name, values))
    if not rows:
        return part("sentence", "The runs have the same config, code, versions, devices and data.")
    return part("differences", "In what the runs differ", ["field", *(run.name for run in runs)], rows)


def _deeper(path: str, values: Sequence[Any]) -> Iterator[tuple[str, Sequence[Any]]]:
    """The innermost fields that differ, where lists are as long and classes the same."""
    first = values[0]
    if all(value == first for value in values):
        return
    if all(isinstance(value, list) and len(value) == len(first) for value in values):
        for number, inner in enumerate(zip(*values, strict=True)):
            yield from _deeper(f"{path}[{number}]", inner)
    elif all(
        isinstance(value, Mapping) and value.keys() == first.keys() and value.get("type") == first.get("type")
        for value in values
    ):
        for name in first:
            yield from _deeper(f"{path}.{name}", [value[name] for value in values])
    else:
        yield path, values


def _at(config: Any, path: str) -> Any:
    for name in path.split(".") if path else []:
        config = config.get(name) if isinstance(config, Mapping) else None
    return config


def _comparable(run: ReportedRun) -> dict[str, str]:
    facts = origin(run)
    named = {name: facts[name] for name in ("data fingerprint", "git", "code of one's own", "devices", "processes")}
    versions = run.provenance.get("versions")
    return named | ({f"version of {k}": str(v) for k, v in versions.items()} if isinstance(versions, Mapping) else {})
