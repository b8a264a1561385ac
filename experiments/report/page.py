"""One page about one run or several: a file that opens from a disk, shows everything, and asks no network for anything."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from likeness.experiments.report.album import BUDGET, Album, Source, album
from likeness.experiments.report.curves import chart, curve, legend, metric_names
from likeness.experiments.report.differences import differences
from likeness.experiments.report.html import Html, element, joined, tabs
from likeness.experiments.report.images import figures, originals, painted, sources, units
from likeness.experiments.report.numbers import cards, compared_table, notes, origin_list, single_table, threshold
from likeness.experiments.report.plots import embedding_map, library, rates
from likeness.experiments.report.runs import ReportedRun, read_runs
from likeness.experiments.report.shell import page
from likeness.research.errors import require
from likeness.research.files import write_atomically


class Report(NamedTuple):
    """A page and what is wrong with what it is about."""

    page: str
    problems: tuple[str, ...]
    """A sentence each; the page says them as well."""


def report(workdirs: Sequence[str | Path]) -> Report:
    """Makes the page about some working directories.

    Raises:
        UserError: when one is no working directory, or is given twice, or the ``report`` extra is not installed.
    """
    require("bokeh", "report", "A report")
    runs = read_runs(workdirs)
    kept: dict[str, Source] = {}
    said = [list(run.problems) for run in runs]
    plots = [_plots(run, number, said[number]) for number, run in enumerate(runs)]
    code = library() if any(plots) else ""
    for number, run in enumerate(runs):
        found, why = originals(run, number)
        said[number] += why
        kept |= found | sources(run, number)
    taken = len(code) + sum(len(block) for drawn in plots for block in drawn.values())
    book = album(kept, budget=max(BUDGET - 3 * taken // 4, BUDGET // 4))
    parts = [_run(run, number, book, plots[number], said[number], alone=len(runs) == 1) for number, run in enumerate(runs)]
    head = _alone(runs[0]) if len(runs) == 1 else _together(runs)
    title = f"{', '.join(run.name for run in runs)} · Likeness"
    whole = page(title, joined(_problems(book.problems), head, *parts), [code] * bool(code))
    prefixed = [f"{run.name}: {problem}" for run, problems in zip(runs, said, strict=True) for problem in problems]
    return Report(whole, (*book.problems, *prefixed))


def write_report(workdirs: Sequence[str | Path], path: Path) -> Report:
    """Makes the page and writes it, whole or not at all."""
    made = report(workdirs)
    write_atomically(path, made.page)
    return made


def _plots(run: ReportedRun, number: int, problems: list[str]) -> dict[str, Html]:
    drawn = {"Verification": rates(run, number, problems), "Map of the embeddings": embedding_map(run, problems)}
    return {title: block for title, block in drawn.items() if block}


def _alone(run: ReportedRun) -> Html:
    return element("header", {}, element("p", {"class": "muted"}, f"Likeness · {run.title}"), element("h1", {}, run.name))


def _together(runs: Sequence[ReportedRun]) -> Html:
    links = [element("li", {}, element("a", {"href": f"#run-{number}"}, run.name)) for number, run in enumerate(runs)]
    header = element(
        "header",
        {},
        element("p", {"class": "muted"}, "Likeness · several runs"),
        element("h1", {}, f"{len(runs)} runs compared"),
        element("nav", {"aria-label": "Runs"}, element("ul", {}, *links)),
    )
    numbers = compared_table(runs) if any(run.metrics for run in runs) else element("p", {}, "No run has been evaluated yet.")
    return joined(
        header,
        _section("compared", "Numbers", numbers),
        _section("differences", "What differs", differences(runs)),
        _section("overlaid", "Curves", joined(legend(runs), _curves("all", runs))),
    )


def _run(
    run: ReportedRun, number: int, book: Album, plots: Mapping[str, Html], problems: Sequence[str], *, alone: bool
) -> Html:
    key = f"run-{number}"
    numbers = None
    if run.metrics:
        every = element("details", {"open": alone}, element("summary", {}, "Every number"), single_table(run))
        numbers = joined(cards(run), threshold(run), notes(run), every)
    blocks = {
        "Numbers": numbers,
        "Result": painted(run, number, book),
        "Curves": _curves(key, [run]) if alone else None,
        **plots,
        "Figures": figures(run, number, book, drawn={"roc"} if "Verification" in plots else set()),
        "What the units see": units(run, number, book),
        "What was run": origin_list(run),
    }
    shown = [
        _section(f"{key}-{place}", title, block, level="h2" if alone else "h3")
        for place, (title, block) in enumerate(blocks.items())
        if block
    ]
    name = None if alone else element("h2", {}, run.name)
    return element("main" if alone else "section", {"id": key}, name, _problems(problems), *shown)


def _section(key: str, title: str, block: Html, level: str = "h2") -> Html:
    return element("section", {"aria-labelledby": key}, element(level, {"id": key}, title), block)


def _problems(problems: Sequence[str]) -> Html | None:
    if not problems:
        return None
    return element("div", {"class": "problems", "role": "note"}, *(element("p", {}, problem) for problem in problems))


def _curves(key: str, runs: Sequence[ReportedRun]) -> Html | None:
    panels = {
        "Training": _charts(runs, [[record for record in run.records if record.get("split") == "train"] for run in runs]),
        "Validation": _charts(runs, [[record for record in run.records if record.get("split") != "train"] for run in runs]),
        "Evaluated beside the training": _charts(runs, [run.evaluations for run in runs]),
        "Time": _charts(runs, [run.system for run in runs]),
    }
    drawn = {title: panel for title, panel in panels.items() if panel}
    return tabs(f"{key}-curves", "Curves", drawn) if drawn else element("p", {}, "Nothing has been recorded yet.")


def _charts(runs: Sequence[ReportedRun], records: Sequence[Sequence[Mapping[str, Any]]]) -> Html | None:
    names = metric_names(record for each in records for record in each)
    charts = []
    for name in names:
        drawn = chart(name, [curve(run, i, each, name) for i, (run, each) in enumerate(zip(runs, records, strict=True))])
        if drawn is not None:
            charts.append(drawn)
    return element("div", {"class": "charts"}, *charts) if charts else None
