"""What a grid of paintings comes to: means, a table, a contact sheet, and content error against style error."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from likeness.experiments.display.contact_sheet import Tile, as_figure, sheet
from likeness.experiments.display.figures import BLUE, GREEN, INK, ORANGE, PALE, PIXELS_PER_INCH, PURPLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNPAINTED = "unpainted"
"""The method that paints nothing."""
CONTENT, STYLE = "held_out/content/relative", "held_out/style/relative"
"""The two errors by an encoder that did not paint."""

_COLORS = (BLUE, ORANGE, GREEN, PURPLE, "#E69F00", "#56B4E9", "#8B6B3E", "#6F6F6F")
_MARKS = "os^DvP*X"


@dataclasses.dataclass(frozen=True)
class Work:
    """One painted image."""

    method: str
    content: str
    style: str
    seed: int
    pixels: np.ndarray
    """(h, w, 3), RGB in [0, 1]."""
    metrics: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class ShownGrid:
    """The images of a grid by title, and what was painted, method by method in one order of the images."""

    contents: Mapping[str, np.ndarray]
    styles: Mapping[str, np.ndarray]
    works: tuple[Work, ...]


def means(works: Sequence[Work]) -> dict[str, float]:
    """``METHOD/…``: every metric of a method, its mean over the method's images."""
    found = {}
    for method, its in _by_method(works).items():
        for name in its[0].metrics:
            found[f"{method}/{name}"] = float(np.mean([work.metrics[name] for work in its]))
    return found


def entry(work: Work) -> dict[str, Any]:
    """An image's line in ``grid.json``."""
    fields = {name: getattr(work, name) for name in ("method", "content", "style", "seed")}
    return {**fields, "metrics": dict(work.metrics)}


def table(works: Sequence[Work]) -> str:
    """Markdown: a row for each image, of each method its errors of content and of style; the last row has the means."""
    methods = _by_method(works)
    seeded = len({work.seed for work in works}) > 1
    heads = ["content", "style", *(["seed"] if seeded else []), *methods]
    rows = []
    for same in zip(*methods.values(), strict=True):
        names = [same[0].content, same[0].style, *([str(same[0].seed)] if seeded else [])]
        rows.append([*names, *(_errors([work]) for work in same)])
    rows.append(["**mean**", "", *([""] if seeded else []), *(_errors(its) for its in methods.values())])
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    cells = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in (heads, *rows)]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join([f"Error of content · error of style by an encoder that did not paint ({CONTENT}, {STYLE}):", "", *lines])


def contact_sheet(shown: ShownGrid) -> "Figure":
    """A row for each content, style and seed: both images, then what each method made of them, with its two errors."""
    methods = _by_method(shown.works)
    seeded = len({work.seed for work in shown.works}) > 1
    rows = []
    for same in zip(*methods.values(), strict=True):
        nearest = min(work.metrics[STYLE] for work in same)
        named = f"{same[0].content}, seed {same[0].seed}" if seeded else same[0].content
        tiles = [Tile(shown.contents[same[0].content], named), Tile(shown.styles[same[0].style], same[0].style)]
        tiles += [Tile(w.pixels, _errors([w]), BLUE if w.metrics[STYLE] == nearest else INK) for w in same]
        rows.append(tiles)
    caption = (
        "Below each painting: error of content · error of style, by an encoder that did not paint; 0 is perfect.",
        "Blue: nearest to the style in its row.",
    )
    return as_figure(sheet(rows, heads=("content", "style", *methods), caption=caption))


def scatter(works: Sequence[Work], unpainted: Sequence[Work]) -> "Figure":
    """Error of the content against error of the style: a mark for each image, a cross for each method's mean.

    Both errors are those by an encoder that did not paint. Nearer to the lower left is better.

    Args:
        works: what was painted.
        unpainted: the contents as they came, whose error of the content is 0.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    figure = Figure(figsize=(8.4, 5.0), dpi=PIXELS_PER_INCH, layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    axes = figure.subplots()
    marks = {style: _MARKS[i % len(_MARKS)] for i, style in enumerate(dict.fromkeys(work.style for work in works))}
    legend: list[Any] = []
    for work in unpainted:
        axes.plot(0.0, work.metrics[STYLE], marker=marks[work.style], color="none", markeredgecolor=PALE, markersize=7)
    for (method, its), color in zip(_by_method(works).items(), _cycled(works), strict=True):
        places = np.array([(work.metrics[CONTENT], work.metrics[STYLE]) for work in its])
        for work, (x, y) in zip(its, places, strict=True):
            axes.plot(x, y, marker=marks[work.style], color=color, alpha=0.55, markersize=6, linewidth=0, markeredgewidth=0)
        axes.plot(*places.mean(0), marker="P", color=color, markersize=13, markeredgecolor="white", linewidth=0)
        legend.append(Line2D([], [], marker="P", color=color, linewidth=0, markersize=9, label=f"{method}, mean"))
    legend += [Line2D([], [], marker=mark, color=PALE, linewidth=0, label=style) for style, mark in marks.items()]
    if unpainted:
        legend.append(Line2D([], [], marker="o", color="none", markeredgecolor=PALE, label="content, unpainted"))
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(PALE)
    axes.grid(color="#ECECEC", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(color=PALE, labelcolor=INK, labelsize=10)
    axes.set_title(
        "What is kept and what is taken on: less is better",
        loc="left",
        fontsize=12,
        color=INK,
        fontweight="bold",
        pad=10,
    )
    axes.set_xlabel("Error of the content", fontsize=10.5, color=INK)
    axes.set_ylabel("Error of the style", fontsize=10.5, color=INK)
    axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda error, _: f"{error:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    figure.legend(handles=legend, loc="outside right upper", fontsize=10, frameon=False, labelspacing=0.6)
    return figure


def _by_method(works: Sequence[Work]) -> dict[str, list[Work]]:
    found: dict[str, list[Work]] = {}
    for work in works:
        found.setdefault(work.method, []).append(work)
    return found


def _errors(works: Sequence[Work]) -> str:
    content, style = (float(np.mean([work.metrics[name] for work in works])) for name in (CONTENT, STYLE))
    # Styles are met much more closely than contents.
    return f"{content:.2f} · {style:.3f}"


def _cycled(works: Sequence[Work]) -> list[str]:
    return [_COLORS[i % len(_COLORS)] for i in range(len(_by_method(works)))]
