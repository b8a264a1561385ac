"""One page about one run or several: a file that opens from a disk, shows everything, and asks no network for anything."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from likeness.experiments.report.curves import chart, curve, legend, metric_names
from likeness.experiments.report.detections import SeenImages, boxes, shown_images, shown_of
from likeness.experiments.report.differences import differences
from likeness.experiments.report.embedded import BUDGET, EmbeddedImages, Source, embed
from likeness.experiments.report.images import figures, originals, painted, sources, units
from likeness.experiments.report.numbers import compared_table, numbers, origin_list
from likeness.experiments.report.plots import embedding_map, library, rates
from likeness.experiments.report.runs import ReportedRun, read_runs
from likeness.experiments.report.template import Html, page, part
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
    seen = [shown_of(run, said[number]) for number, run in enumerate(runs)]
    code = library() if any(plots) else ""
    for number, run in enumerate(runs):
        found, why = originals(run, number)
        said[number] += why
        kept |= found | sources(run, number)
    for number, run in enumerate(runs):
        kept |= shown_images(run, number, seen[number])
    taken = len(code) + sum(len(block) for drawn in plots for block in drawn.values())
    embedded = embed(kept, budget=max(BUDGET - 3 * taken // 4, BUDGET // 4))
    alone = len(runs) == 1
    given = {
        "title": f"{', '.join(run.name for run in runs)} · Likeness",
        "problems": embedded.problems,
        "compared": [] if alone else _compared(runs),
        "runs": [
            {
                "name": run.name,
                "kind": run.title,
                "problems": said[number],
                "blocks": _blocks(run, number, embedded, plots[number], seen[number], alone=alone),
            }
            for number, run in enumerate(runs)
        ],
    }
    whole = page("report.html", given, [code] * bool(code))
    prefixed = [f"{run.name}: {problem}" for run, problems in zip(runs, said, strict=True) for problem in problems]
    return Report(whole, (*embedded.problems, *prefixed))


def write_report(workdirs: Sequence[str | Path], path: Path) -> Report:
    """Makes the page and writes it, whole or not at all."""
    made = report(workdirs)
    write_atomically(path, made.page)
    return made


def _plots(run: ReportedRun, number: int, problems: list[str]) -> dict[str, Html]:
    drawn = {"Verification": rates(run, number, problems), "Map of the embeddings": embedding_map(run, problems)}
    return {title: block for title, block in drawn.items() if block}


def _compared(runs: Sequence[ReportedRun]) -> list[tuple[str, str, Html]]:
    """What is said of several runs together: the id, the title and the content of each section."""
    evaluated = any(run.metrics for run in runs)
    return [
        ("compared", "Numbers", compared_table(runs) if evaluated else part("sentence", "No run has been evaluated yet.")),
        ("differences", "What differs", differences(runs)),
        ("overlaid", "Curves", legend(runs) + _curves("all", runs)),
    ]


def _blocks(
    run: ReportedRun,
    number: int,
    embedded: EmbeddedImages,
    plots: Mapping[str, Html],
    seen: SeenImages | None,
    *,
    alone: bool,
) -> dict[str, Html | None]:
    """What is said of one run, by the title of its section."""
    return {
        # What was painted is what its report is opened for.
        "Result": painted(run, number, embedded),
        "Numbers": numbers(run, opened=alone) if run.metrics else None,
        "Curves": _curves(f"run-{number}", [run]) if alone else None,
        **plots,
        "Images with boxes": boxes(number, seen, embedded),
        "Figures": figures(run, number, embedded, drawn={"roc"} if "Verification" in plots else set()),
        "What the units see": units(run, number, embedded),
        "What was run": origin_list(run),
    }


def _curves(key: str, runs: Sequence[ReportedRun]) -> Html:
    panels = {
        "Training": _charts(runs, [[record for record in run.records if record.get("split") == "train"] for run in runs]),
        "Validation": _charts(runs, [[record for record in run.records if record.get("split") != "train"] for run in runs]),
        "Evaluated beside the training": _charts(runs, [run.evaluations for run in runs]),
        "Time": _charts(runs, [run.system for run in runs]),
    }
    drawn = {title: panel for title, panel in panels.items() if panel}
    return part("tabs", f"{key}-curves", "Curves", drawn) if drawn else part("sentence", "Nothing has been recorded yet.")


def _charts(runs: Sequence[ReportedRun], records: Sequence[Sequence[Mapping[str, Any]]]) -> Html | None:
    names = metric_names(record for each in records for record in each)
    charts = []
    for name in names:
        drawn = chart(name, [curve(run, i, each, name) for i, (run, each) in enumerate(zip(runs, records, strict=True))])
        if drawn is not None:
            charts.append(drawn)
    return part("charts", charts) if charts else None
