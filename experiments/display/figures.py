"""Figures of a run: pure functions from arrays to a :class:`matplotlib.figure.Figure`, with no global state.

Colors are Okabe and Ito's, told apart by people with any color vision; blue is "same person", orange "different people".
Matplotlib is imported when something is drawn, so that commands that draw nothing do not wait for it.
"""

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

from likeness.experiments.display.lettering import write_readably
from likeness.research.files import write_atomically
from likeness.research.metrics.identification import Cmc
from likeness.research.metrics.random_galleries import RandomGalleries
from likeness.research.metrics.verification import RocBand

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
INK, PALE = "#333333", "#B8B8B8"
PIXELS_PER_INCH = 150


def roc(bands: RocBand | Mapping[str, RocBand]) -> "Figure":
    """Draws true-accept rate over false-accept rate, on a log axis, with the 95 % band.

    Args:
        bands: From :func:`likeness.research.metrics.verification.roc_band`; several by name share the axes.
    """
    from matplotlib.ticker import FixedLocator, NullLocator

    curves = {"": bands} if isinstance(bands, RocBand) else dict(bands)
    figure, axes = _canvas(6.0, 4.4)
    lowest = min((float(curve.far[0]) for curve in curves.values()), default=1e-3)
    floor = min((float(curve.low.min()) for curve in curves.values()), default=0.0)
    for (name, curve), color in zip(curves.items(), _colors(len(curves)), strict=True):
        axes.fill_between(curve.far, curve.low, curve.high, step="post", color=color, alpha=0.18, linewidth=0)
        axes.step(curve.far, curve.tar, where="post", color=color, linewidth=2, label=name or None)
    axes.set_xscale("log")
    axes.set_xlim(lowest, 1)
    bottom = max(0.0, np.floor(10 * floor - 1e-9) / 10)
    axes.set_ylim(bottom, 1 + 0.02 * (1 - bottom))
    if bottom == 0:
        chance = np.geomspace(lowest, 1, 100)
        axes.plot(chance, chance, color=PALE, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1, label="chance")
    decades = 10.0 ** np.arange(np.ceil(np.log10(lowest) - 1e-9), 1)
    axes.xaxis.set_major_locator(FixedLocator(list(decades)))
    axes.xaxis.set_minor_locator(NullLocator())
    _percent(axes, "x")
    _percent(axes, "y")
    _titles(axes, "Verification: ROC with 95 % band", "False-accept rate", "True-accept rate")
    if any(curves) or bottom == 0:
        _legend(axes)
    return figure


def distances(distances: Float[np.ndarray, "n"], same: Bool[np.ndarray, "n"], tau: float | None = None) -> "Figure":
    """Draws how the distances of both kinds of pair are spread, and where τ cuts them.

    Each histogram shows shares of its own kind of pair, since different-person pairs are many more.

    Args:
        distances: Smaller means more alike.
        same: Whether the pair shows one person.
        tau: The threshold; pairs at or below it are called the same person.
    """
    d, s = np.asarray(distances, np.float64), np.asarray(same, bool)
    shown = d[np.isfinite(d)]
    figure, axes = _canvas(6.0, 4.0)
    if len(shown):
        # Few pairs deserve few bars.
        scarce = max(1, min(int(s.sum()) or len(d), int((~s).sum()) or len(d)))
        bins = np.histogram_bin_edges(shown, int(np.clip(2 * np.sqrt(scarce), 8, 60)))
        kinds = ((s, BLUE, "same person"), (~s, ORANGE, "different people"))
        for kind, color, name in kinds:
            if not kind.any():
                continue
            share = np.histogram(d[kind], bins)[0] / kind.sum()
            axes.stairs(share, bins, fill=True, color=color, alpha=0.25)
            axes.stairs(share, bins, color=color, linewidth=1.6, label=_described(name, d[kind], kind is s, tau))
        axes.set_ylim(0, 1.1 * axes.get_ylim()[1])
        _legend(axes)
    if tau is not None:
        axes.axvline(tau, color=INK, linewidth=1.4)
        axes.annotate(
            f"τ = {tau:.3g}",
            (tau, 1),
            (0, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            color=INK,
            fontsize=10,
        )
    _percent(axes, "y")
    _titles(axes, "Distances of pairs of images", "Distance", "Share of the pairs", pad=22)
    return figure


def mistakes(
    first: Shaped[np.ndarray, "n h w c"],
    second: Shaped[np.ndarray, "n h w c"],
    distances: Float[np.ndarray, "n"],
    same: Bool[np.ndarray, "n"],
    tau: float | None = None,
) -> "Figure":
    """Draws the hardest pairs: same-person pairs by falling distance, different-person pairs by rising distance.

    Pairs that τ gets wrong have an orange frame and say so.

    Args:
        first: One image of each pair, gray or RGB, uint8 or float in [0, 1].
        second: The other.
        distances: Of the pairs.
        same: Whether the pair shows one person.
        tau: The threshold, to mark which pairs are mistakes.
    """
    d, s = np.asarray(distances, np.float64), np.asarray(same, bool)
    positives, negatives = np.flatnonzero(s), np.flatnonzero(~s)
    blocks = (
        ("One person, farthest apart", positives[np.argsort(-d[positives], kind="stable")], "told apart"),
        ("Two people, closest", negatives[np.argsort(d[negatives], kind="stable")], "taken for one"),
    )
    columns = int(np.clip(max(len(positives), len(negatives)), 3, 6))
    rows = [max(1, -(-len(chosen) // columns)) for _, chosen, _ in blocks]
    aspect = first.shape[1] / max(1, 2 * first.shape[2]) if len(first) else 0.5
    tile = 1.75
    heights = [0.5 + count * (tile * aspect + 0.25) for count in rows]
    figure = _figure(tile * columns + 0.3, sum(heights))
    parts = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, (title, chosen, verdict), count in zip(parts, blocks, rows, strict=True):
        title = title if tau is None else f"{title} (τ = {tau:.3g})"
        part.suptitle(title, x=0.012, ha="left", fontsize=12, color=INK, fontweight="bold")
        grid = part.subplots(count, columns, squeeze=False).ravel()
        for axes in grid[len(chosen) :]:
            axes.set_axis_off()
        if not len(chosen):
            grid[0].text(0.05, 0.8, "no such pairs", color="#767676", fontsize=10, va="center")
        for axes, pair in zip(grid, chosen, strict=False):
            wrong = tau is not None and (d[pair] <= tau) != s[pair]
            _pair(axes, first[pair], second[pair], f"{d[pair]:.3g}", verdict if wrong else "")
    return figure


def training_curves(records: Sequence[Mapping[str, Any]], metric: str | None = None) -> "Figure":
    """Draws the training loss over the steps and, below it, how the validation people are evaluated.

    Args:
        records: The lines of ``metrics.jsonl``: ``{"step", "split", name: value}``; a value may be a number or an
            estimate ``{"value", "low", "high", "n"}``, whose interval becomes a band.
        metric: The validation metric to draw; by default the equal error rate, the one-shot error, or else the first.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

    losses = _series([r for r in records if r.get("split") == "train"], "loss")
    ends = stage_ends(records)
    evaluated = [r for r in records if r.get("split") != "train"]
    names = list(dict.fromkeys(name for r in evaluated for name in r if name not in ("step", "split")))
    wanted = [metric] if metric else ["verification/eer", "one_shot/error", *names]
    chosen = next((name for name in wanted if len(_series(evaluated, name))), None)
    figure = _figure(6.4, 5.2 if chosen else 3.4)
    grid = figure.subplots(2 if chosen else 1, 1, sharex=True, squeeze=False)[:, 0]
    _style(grid[0])
    _titles(grid[0], "Training loss", "" if chosen else "Step", "")
    if len(losses):
        values, many = losses[:, 1], len(losses) > 30
        for part in _in_stages(losses, ends):
            grid[0].plot(
                part[:, 0],
                part[:, 1],
                color=BLUE,
                linewidth=1 if many else 2,
                alpha=0.35 if many else 1,
                marker="" if many else "o",
                markersize=4,
            )
            if many:
                grid[0].plot(part[:, 0], _smoothed(part[:, 1]), color=BLUE, linewidth=2)
        if values.min() > 0 and values.max() > 30 * values.min():
            grid[0].set_yscale("log")
    else:
        grid[0].text(0.5, 0.5, "nothing recorded yet", transform=grid[0].transAxes, ha="center", color="#767676")
    if chosen:
        series = _series(evaluated, chosen)
        _style(grid[1])
        _titles(grid[1], f"Validation: {chosen}", "Step", "")
        for part in _in_stages(series, ends):
            grid[1].fill_between(part[:, 0], part[:, 2], part[:, 3], color=GREEN, alpha=0.18, linewidth=0)
            grid[1].plot(part[:, 0], part[:, 1], color=GREEN, linewidth=2, marker="o", markersize=4)
        if np.all((series[:, 1] >= 0) & (series[:, 1] <= 1)):
            _percent(grid[1], "y")
            if series[:, 2].min() < 0.5 * series[:, 3].max():
                grid[1].set_ylim(bottom=0)
    for number, end in enumerate(ends, 2):
        for axes in grid:
            axes.axvline(end, color=PALE, linewidth=1.2, linestyle=(0, (4, 3)))
        grid[0].annotate(
            f"stage {number}",
            (end, 1),
            (0, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            fontsize=9.5,
            color="#767676",
        )
    drawn = np.unique(np.concatenate([losses[:, 0], *([_series(evaluated, chosen)[:, 0]] if chosen else [])]))
    grid[-1].xaxis.set_major_locator(FixedLocator(drawn.tolist()) if len(drawn) == 1 else MaxNLocator(6, integer=True))
    grid[-1].xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
    return figure


def stage_ends(records: Sequence[Mapping[str, Any]]) -> list[float]:
    """The steps at which one stage of a run ended and the next began, from the lines of ``metrics.jsonl``."""
    stages = [(record.get("stage"), float(record["step"])) for record in records]
    numbered = [(stage, step) for stage, step in stages if isinstance(stage, int)]
    last = {stage: max(step for other, step in numbered if other == stage) for stage, _ in numbered}
    return sorted(last.values())[:-1]


def _in_stages(series: Float[np.ndarray, "n columns"], ends: Sequence[float]) -> list[Float[np.ndarray, "m columns"]]:
    """The rows of each stage; one at an end is of the stage that ends."""
    stage = np.searchsorted(np.asarray(ends), series[:, 0], side="left")
    return [series[stage == number] for number in np.unique(stage)]


def cmc(curve: Cmc) -> "Figure":
    """Draws how often the right person is among the nearest, rank by rank, with the 95 % band.

    Args:
        curve: From :func:`likeness.research.metrics.identification.cmc`.
    """
    from matplotlib.ticker import MaxNLocator

    figure, axes = _canvas(6.0, 4.0)
    axes.fill_between(curve.rank, curve.low, curve.high, color=BLUE, alpha=0.18, linewidth=0)
    axes.plot(curve.rank, curve.rate, color=BLUE, linewidth=2, marker="o", markersize=4)
    axes.set_xlim(0.5, len(curve.rank) + 0.5)
    bottom = max(0.0, np.floor(10 * float(curve.low.min()) - 1e-9) / 10)
    axes.set_ylim(bottom, 1 + 0.02 * (1 - bottom))
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    _percent(axes, "y")
    _titles(axes, f"The right person among the nearest ({curve.n:,} probes)", "Rank", "Probes")
    return figure


def random_galleries(found: Mapping[str, RandomGalleries]) -> "Figure":
    """Draws the error of identification over the number of people, measured and as independent answers would give it.

    Args:
        found: From :func:`likeness.research.metrics.random_galleries.in_random_galleries`, each a panel under its name.
    """
    from matplotlib.ticker import FuncFormatter

    figure = _figure(5.0 * max(1, len(found)), 5.0)
    panels = figure.subplots(1, max(1, len(found)), squeeze=False, sharey=True)[0]
    for axes, (name, each) in zip(panels, found.items(), strict=False):
        _style(axes)
        kinds = (
            (each.verified, each.verified_if_independent, ORANGE, "K verifications by τ", "1 - (1 - FNMR)(1 - FMR)ᴷ⁻¹"),
            (each.nearest, each.nearest_if_independent, BLUE, "the nearest of K", "1 - (1 - e)ᴷ⁻¹, e among two people"),
        )
        for measured, law, color, label, formula in kinds:
            low, high = np.array([rate.interval for rate in measured]).T
            axes.fill_between(each.sizes, low, high, color=color, alpha=0.18, linewidth=0)
            axes.plot(each.sizes, law, color=color, linewidth=1.6, linestyle=(0, (4, 3)), label=formula)
            values = [rate.value for rate in measured]
            axes.plot(each.sizes, values, color=color, linewidth=2, marker="o", markersize=4, label=f"{label}, measured")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size:,.0f}"))
        axes.set_ylim(0, 1.02)
        _percent(axes, "y")
        _titles(axes, name, "K people, of whom the probe's is one", "Wrong identifications" if axes is panels[0] else "")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=min(2, len(found)), fontsize=10, frameon=False)
    return figure


def side_by_side(images: Mapping[str, Float[np.ndarray, "h w 3"]]) -> "Figure":
    """Draws images in one row, all as high as the first, each under its title.

    Args:
        images: RGB in [0, 1], by title; sizes may differ.
    """
    ratios = [image.shape[1] / image.shape[0] for image in images.values()]
    height = 3.2
    figure = _figure(height * sum(ratios), height + 0.3)
    grid = figure.add_gridspec(1, len(ratios), width_ratios=ratios, wspace=0.02)
    for column, (title, image) in enumerate(images.items()):
        axes = figure.add_subplot(grid[0, column])
        axes.imshow(image, interpolation="lanczos")
        axes.set_axis_off()
        axes.set_title(title, fontsize=10, color=INK)
    return figure


def save(figure: "Figure", path: str | os.PathLike[str]) -> Path:
    """Writes a figure, whole or not at all, and returns where it is.

    Names in it may be of any script, see :mod:`likeness.experiments.display.lettering`. It is written beside its place and then
    moved there, so a reader never sees half an image. Missing folders are made.
    """
    target, drawn = Path(path), io.BytesIO()
    write_readably(figure)
    figure.savefig(drawn, format=target.suffix.lstrip(".") or "png", dpi=PIXELS_PER_INCH, facecolor="white")
    write_atomically(target, drawn.getvalue())
    return target


def _canvas(width: float, height: float) -> "tuple[Figure, Axes]":
    figure = _figure(width, height)
    axes = figure.subplots()
    _style(axes)
    return figure, axes


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
    return Figure(figsize=(width, height), dpi=PIXELS_PER_INCH, layout=layout)


def _style(axes: "Axes") -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(PALE)
    axes.grid(color="#ECECEC", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(color=PALE, labelcolor=INK, labelsize=10)


def _titles(axes: "Axes", title: str, x: str, y: str, pad: float = 10) -> None:
    axes.set_title(title, loc="left", fontsize=12, color=INK, fontweight="bold", pad=pad)
    axes.set_xlabel(x, fontsize=10.5, color=INK)
    axes.set_ylabel(y, fontsize=10.5, color=INK)


def _legend(axes: "Axes") -> None:
    axes.legend(
        loc="best", fontsize=10, handlelength=1.4, labelspacing=0.7, facecolor="white", edgecolor="white", framealpha=0.85
    )


def _percent(axes: "Axes", which: str) -> None:
    from matplotlib.ticker import FuncFormatter

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(lambda rate, _: f"{100 * rate:.6g} %"))


def _colors(count: int) -> list[str]:
    palette = [BLUE, ORANGE, GREEN, PURPLE, "#E69F00", "#56B4E9", INK]
    return [palette[i % len(palette)] for i in range(count)]


def _described(name: str, distances: np.ndarray, positive: bool, tau: float | None) -> str:
    if tau is None:
        return f"{name} ({len(distances):,})"
    rate = float((distances > tau).mean() if positive else (distances <= tau).mean())
    return f"{name} ({len(distances):,})\n{100 * rate:.2g} % {'rejected' if positive else 'accepted'}"


def _pair(axes: "Axes", first: np.ndarray, second: np.ndarray, distance: str, verdict: str) -> None:
    gap = np.ones((first.shape[0], max(1, first.shape[1] // 24), first.shape[2]))
    image = np.concatenate([_unit(first), gap, _unit(second)], axis=1)
    axes.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=1)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(ORANGE if verdict else PALE)
    axes.spines[:].set_linewidth(1.8 if verdict else 0.8)
    axes.set_anchor("N")
    label = f"{distance}, {verdict}" if verdict else distance
    axes.set_xlabel(label, fontsize=9.5, color=ORANGE if verdict else INK, labelpad=4)


def _unit(image: np.ndarray) -> np.ndarray:
    scale = 255.0 if np.issubdtype(image.dtype, np.integer) else 1.0
    return np.clip(image.astype(np.float64) / scale, 0, 1)


def _series(records: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    rows = []
    for record in records:
        value = record.get(name)
        estimate = value if isinstance(value, Mapping) else {"value": value}
        number = estimate.get("value")
        if not isinstance(number, (int, float)) or not np.isfinite(number):
            continue
        low, high = estimate.get("low"), estimate.get("high")
        rows.append((record["step"], number, number if low is None else low, number if high is None else high))
    return np.asarray(sorted(rows), np.float64).reshape(-1, 4)


def _smoothed(values: np.ndarray) -> np.ndarray:
    width = max(3, len(values) // 20)
    kernel = np.ones(width)
    return np.convolve(values, kernel, "same") / np.convolve(np.ones(len(values)), kernel, "same")
