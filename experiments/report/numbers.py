"""The tables of a report: what came out, and what it came from."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from likeness.experiments.display.glossary import head, meaning, placed
from likeness.experiments.report.curves import show
from likeness.experiments.report.html import Html, breakable, element, joined, rows
from likeness.experiments.report.runs import ReportedRun, finite, is_metric, kind
from likeness.experiments.report.words import headlines

MISSING = "not recorded"
"""What stands where a run has not written down what it was."""


def cards(run: ReportedRun) -> Html | None:
    """The few numbers to be read first."""
    names = headlines([name for name in run.metrics if name.count("/") < 2])
    if not names:
        return None
    shown = [
        element(
            "li",
            {},
            element("span", {"class": "muted"}, breakable(name)),
            element("strong", {}, _value(run.metrics[name])),
            element("span", {"class": "muted"}, _interval(run.metrics[name])),
            element("span", {"class": "small"}, meaning(name)),
        )
        for name in names
    ]
    return element("ul", {"class": "cards"}, *shown)


def threshold(run: ReportedRun) -> Html | None:
    """Where the run's τ comes from."""
    tau, far = run.threshold.get("tau"), run.threshold.get("far")
    if not isinstance(tau, float) or not isinstance(far, Mapping) or not is_metric(far) or far.get("value") is None:
        return None
    words = f"τ = {tau:.4g}, chosen on {run.threshold.get('people')} validation people, of whom it accepts wrongly "
    return element("p", {}, words, f"{_value(far)} {_interval(far)}.")


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
    body = []
    for name, values in cells.items():
        ends = [
            end
            for value in values.values()
            if isinstance(value, Mapping) and value.get("value") is not None
            for end in (value["low"], value["high"])
        ]
        row = [element("th", {"scope": "row"}, breakable(name), element("span", {"class": "small"}, meaning(name)))]
        for key in heads:
            value = values.get(key)
            row.append(element("td", {}, *(() if value is None else _cell(value, min(ends, default=0), max(ends, default=1)))))
        body.append(element("tr", {}, *row))
    above = element(
        "tr", {}, element("th", {"scope": "col"}, "metric"), *(element("th", {"scope": "col"}, h) for h in heads.values())
    )
    return table(title, above, body)


def table(title: str, above: Html, body: Sequence[Html]) -> Html:
    """A table that scrolls by itself where the screen is narrow."""
    whole = element(
        "table", {}, element("caption", {}, title), element("thead", {}, above), element("tbody", {}, joined(*body))
    )
    return element("div", {"class": "scroll", "tabindex": "0", "role": "region", "aria-label": title}, whole)


def _cell(value: Any, low: float, high: float) -> list[Html]:
    parts = [element("span", {"class": "number"}, _value(value)), element("span", {"class": "interval"}, _interval(value))]
    if isinstance(value, Mapping) and value.get("value") is None:
        return [element("span", {"class": "muted"}, _value(value))]
    if isinstance(value, Mapping) and high > low:
        at = [round(2 + 116 * (float(value[end]) - low) / (high - low), 1) for end in ("low", "value", "high")]
        whisker = element(
            "svg",
            {"class": "whisker", "viewBox": "0 0 120 10", "aria-hidden": "true"},
            element("line", {"class": "grid", "x1": 2, "x2": 118, "y1": 5, "y2": 5}),
            element("line", {"class": "line s0", "x1": at[0], "x2": at[2], "y1": 5, "y2": 5}),
            element("circle", {"class": "dot s0", "cx": at[1], "cy": 5, "r": 3.5}),
        )
        parts.append(whisker)
    return parts


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
    facts = {name: element("code", {}, value) for name, value in origin(run).items()}
    whole = json.dumps(run.config, indent=2, ensure_ascii=False)
    config = element(
        "details", {}, element("summary", {}, "The whole config"), element("pre", {"tabindex": "0"}, element("code", {}, whole))
    )
    return joined(rows(facts), config)


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


def notes(run: ReportedRun) -> Html | None:
    """What the evaluation remarked."""
    found = run.summary.get("notes")
    if not isinstance(found, list) or not found:
        return None
    return element("ul", {}, *(element("li", {}, note) for note in found))
