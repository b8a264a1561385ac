"""The tables of a report: what came out, and what it came from."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from likeness.experiments.display.glossary import head, meaning, placed
from likeness.experiments.report.curves import show
from likeness.experiments.report.runs import ReportedRun, finite, is_metric, kind
from likeness.experiments.report.template import Html, part
from likeness.experiments.report.words import headlines

MISSING = "not recorded"
"""What stands where a run has not written down what it was."""


def cards(run: ReportedRun) -> Html | None:
    """The few numbers to be read first."""
    names = headlines([name for name in run.metrics if name.count("/") < 2])
    if not names:
        return None
    shown = [
        {
            "name": name,
            "value": _value(run.metrics[name]),
            "interval": _interval(run.metrics[name]),
            "meaning": meaning(name),
        }
        for name in names
    ]
    return part("cards", shown)


def _threshold(run: ReportedRun) -> str | None:
    """Where the run's τ comes from."""
    tau, far = run.threshold.get("tau"), run.threshold.get("far")
    if not isinstance(tau, float) or not isinstance(far, Mapping) or not is_metric(far) or far.get("value") is None:
        return None
    words = f"τ = {tau:.4g}, chosen on {run.threshold.get('people')} validation people, of whom it accepts wrongly "
    return f"{words}{_value(far)} {_interval(far)}."


def numbers(run: ReportedRun, *, opened: bool) -> Html:
    """All that came out: the few numbers to be read first, where the run's τ comes from, notes, and every number."""
    notes = run.summary.get("notes")
    return part("numbers", cards(run), _threshold(run), notes if isinstance(notes, list) else [], single_table(run), opened)


def single_table(run: ReportedRun) -> Html:
    """All numbers of one run; baselines, whose metrics carry their name in front, get a column each."""
    cells: dict[str, dict[str, Any]] = {}
    for path, value in run.metrics.items():
        embedder, name = placed(path, run.columns)
        cells.setdefault(name, {})[embedder] = value
    embedders = sorted({embedder for each in cells.values() for embedder in each}, key=lambda name: (name != "", name))
    heads = {embedder: head(embedder, run.columns) for embedder in embedders}
    return _metric_table(cells, heads, "Every number of the last evaluation")


def compared_table(runs: Sequence[ReportedRun]) -> Html:
    """The numbers of several runs side by side."""
    cells: dict[str, dict[str, Any]] = {}
    for number, run in enumerate(runs):
        for name, value in run.metrics.items():
            cells.setdefault(name, {})[str(number)] = value
    heads = {str(number): run.name for number, run in enumerate(runs)}
    return _metric_table(cells, heads, "Numbers of the last evaluation, side by side")


def _metric_table(cells: Mapping[str, Mapping[str, Any]], heads: Mapping[str, str], title: str) -> Html:
    rows = []
    for name, values in cells.items():
        estimates = [value for value in values.values() if isinstance(value, Mapping) and value.get("value") is not None]
        low, high = (min(e["low"] for e in estimates), max(e["high"] for e in estimates)) if estimates else (0, 1)
        shown = [None if values.get(key) is None else _cell(values[key], low, high) for key in heads]
        rows.append({"name": name, "meaning": meaning(name), "cells": shown})
    return part("metrics", title, ["metric", *heads.values()], rows)


def _cell(value: Any, low: float, high: float) -> dict[str, Any]:
    """A number, and where its interval lies between two ends, from 2 to 118."""
    estimate = isinstance(value, Mapping)
    missing = estimate and value.get("value") is None
    whisker = None
    if estimate and not missing and high > low:
        whisker = [round(2 + 116 * (float(value[end]) - low) / (high - low), 1) for end in ("low", "value", "high")]
    return {"value": _value(value), "interval": _interval(value), "missing": missing, "whisker": whisker}


def _value(value: Any) -> str:
    if not isinstance(value, Mapping):
        return show(float(value))
    return (
        f"unresolvable: {value.get('why', '')}".rstrip(": ") if value.get("value") is None else f"{100 * value['value']:.2f} %"
    )


def _interval(value: Any) -> str:
    if not isinstance(value, Mapping) or value.get("value") is None:
        return ""
    counted = f" (n = {value['n']:,})" if isinstance(value.get("n"), int) else ""
    return f"[{100 * value['low']:.1f}, {100 * value['high']:.1f}]{counted}"


def origin(run: ReportedRun) -> dict[str, str]:
    """What a run was made with, by what a reader calls it."""
    from_ = run.provenance
    argv, versions = from_.get("argv"), from_.get("versions")
    devices, experiment = from_.get("devices"), run.config.get("experiment")
    facts = {
        "command": shlex.join(map(str, argv)) if isinstance(argv, list) else MISSING,
        "working directory": str(run.root),
        "experiment": kind(experiment) or MISSING,
    }
    if isinstance(experiment, Mapping):
        facts |= {name: brief(value) for name, value in experiment.items() if isinstance(value, Mapping)}
    seconds = run.summary.get("seconds")
    facts |= {
        "optimizer": brief(run.config.get("optimizer")),
        "steps": f"{run.reached:,} of {run.wanted:,}, evaluated at step {run.summary.get('steps', '—')}",
        "time": f"{seconds:,.0f} s of training" if finite(seconds) else MISSING,
        "data fingerprint": str(from_.get("data", MISSING)),
        "seed": str(from_.get("seed", MISSING)),
        "git": str(from_.get("git", MISSING)),
        "code of one's own": _own_code(from_.get("code")),
        "devices": ", ".join(map(str, devices)) if isinstance(devices, list) else MISSING,
        "processes": str(from_.get("processes", MISSING)),
        "CPU cores": str(from_.get("cpus", MISSING)),
    }
    for change in run.changes:
        changed = change.get("changed")
        if isinstance(changed, list):
            name, more = f"changed at step {change['step']:,}", "; ".join(map(str, changed))
            facts[name] = f"{facts[name]}; then {more}" if name in facts else more
    facts["versions"] = ", ".join(f"{k} {v}" for k, v in versions.items()) if isinstance(versions, Mapping) else MISSING
    return facts


def _own_code(value: Any) -> str:
    """Its digest, its files and its revisions in one line."""
    if not isinstance(value, Mapping):
        return MISSING
    files, git = value.get("files"), value.get("git")
    named = f" ({', '.join(map(str, files))})" if isinstance(files, Mapping) else ""
    revisions = f", git {', '.join(map(str, git.values()))}" if isinstance(git, Mapping) and git else ""
    return f"{str(value.get('digest', MISSING))[:12]}{named}{revisions}"


def origin_list(run: ReportedRun) -> Html:
    """What was run, with what, on what, and the whole config below it."""
    return part("origin", origin(run), json.dumps(run.config, indent=2, ensure_ascii=False))


def brief(value: Any, most: int = 240) -> str:
    """A part of a written config in one line: the class with its plain fields."""
    text = _brief(value)
    return text if len(text) <= most else text[: most - 1] + "…"


def _brief(value: Any) -> str:
    if isinstance(value, Mapping):
        fields = [f"{name}={_brief(field)}" for name, field in value.items() if name != "type"]
        return f"{kind(value)}({', '.join(fields)})"
    if isinstance(value, list):
        return f"[{', '.join(map(_brief, value))}]"
    return json.dumps(value, ensure_ascii=False)
