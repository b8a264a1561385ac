"""What a recognizer bears, drawn: the sweep with a face at each step, and error versus reject."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from likeness.experiments.recognition.robustness import AS_THEY_ARE, MADE_WORSE, QualityCurve, Robustness
from likeness.research.metrics.intervals import Estimate
from likeness.research.types import UInt8

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["rejection_figure", "robustness_figure"]


def robustness_figure(measured: Robustness, title: str) -> "Figure":
    """True and false accepts at τ over the steps of each kind, with their intervals and with a face at each step above them; on
    the left the images as they are."""
    from matplotlib.figure import Figure

    from likeness.experiments.display.figures import BLUE, INK, ORANGE

    kinds = list(dict.fromkeys(one.kind for one in measured.steps if one.kind))
    columns = min(3, len(kinds))
    rows = -(-len(kinds) // columns)
    figure = Figure(figsize=(4.0 * columns, 3.3 * rows + 0.8), layout="constrained")
    grid = figure.add_gridspec(2 * rows, columns, height_ratios=[1.0, 2.6] * rows)
    panel: Axes | None = None
    for number, kind in enumerate(kinds):
        chosen = [each for each, one in enumerate(measured.steps) if one.kind in ("", kind)]
        steps = [measured.steps[each] for each in chosen]
        row, column = divmod(number, columns)
        faces = figure.add_subplot(grid[2 * row, column])
        panel = figure.add_subplot(grid[2 * row + 1, column])
        _strip(faces, [measured.example[each] for each in chosen])
        faces.set_title(kind, fontsize=11, color=INK, loc="left", fontweight="bold")
        _curve(panel, range(len(steps)), [one.tar for one in steps], BLUE, "one person: true accepts")
        _curve(panel, range(len(steps)), [one.far for one in steps], ORANGE, "two people: false accepts")
        names = ["none", *(one.title.removeprefix(kind).removeprefix("JPEG quality").strip() for one in steps[1:])]
        panel.set_xticks(range(len(steps)), names, fontsize=8)
        panel.set_xlim(-0.5, len(steps) - 0.5)
        panel.set_ylim(-4, 104)
        _plain(panel)
        if not column:
            panel.set_ylabel("accepted at τ, %", fontsize=9, color=INK)
    if panel is not None:
        handles, labels = panel.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    figure.suptitle(f"What {title} bears", fontsize=12, color=INK, fontweight="bold")
    return figure


def rejection_figure(measured: Robustness, title: str) -> "Figure":
    """Both errors at τ over the share of images that is rejected, by each quality; below them faces from the last that are
    rejected to the first."""
    from matplotlib.figure import Figure

    from likeness.experiments.display.figures import BLUE, GREEN, INK, PALE, PURPLE

    looks = {
        "norm": (BLUE, "the length of the embedding"),
        "sharpness": (GREEN, "sharpness"),
        "the errors themselves": (PURPLE, "the errors themselves, which nobody knows"),
    }
    figure = Figure(figsize=(9.6, 7.6), layout="constrained")
    grid = figure.add_gridspec(3, 2, height_ratios=[3.0, 3.0, 1.1])
    first: Axes | None = None
    for column, images in enumerate((AS_THEY_ARE, MADE_WORSE)):
        curves = [one for one in measured.qualities if one.images == images]
        errors = (("fnmr", "two images of one person:\ntaken for two, %"), ("fmr", "images of two people:\ntaken for one, %"))
        for row, (rate, said) in enumerate(errors):
            axes = figure.add_subplot(grid[row, column])
            first = first or axes
            for one in curves:
                color, label = looks[one.quality]
                if one.quality != "the errors themselves" or rate == "fnmr":
                    _curve(axes, 100 * one.curve.reject, getattr(one.curve, rate), color, label, filled=one.quality == "norm")
            if (level := _kept(curves, rate)) is not None:
                axes.axhline(100 * level, color=PALE, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1, label="chance")
            axes.set_ylim(bottom=0)
            _plain(axes)
            if not row:
                axes.set_title(f"images {images}", fontsize=10, color=INK, loc="left", fontweight="bold")
            else:
                axes.set_xlabel("images rejected, %", fontsize=9, color=INK)
            if not column:
                axes.set_ylabel(said, fontsize=9, color=INK)
    strip = figure.add_subplot(grid[2, :])
    _strip(strip, measured.falling)
    strip.set_title("from the longest embedding to the shortest, which is rejected first", fontsize=9, color=INK, loc="left")
    if first is not None:
        handles, labels = first.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    figure.suptitle(f"Does {title} know which images it errs on?", fontsize=12, color=INK, fontweight="bold")
    return figure


def _kept(curves: Sequence[QualityCurve], rate: str) -> float | None:
    """An error before anything is rejected, which a quality that knows nothing leaves as it is."""
    return getattr(curves[0].curve, rate)[0].value if curves else None


def _curve(
    axes: "Axes", x: Sequence[float] | np.ndarray, rates: Sequence[Estimate], color: str, label: str, *, filled: bool = True
) -> None:
    values, lows, highs = (
        [100 * (default if number is None else number) for number in numbers]
        for numbers, default in (
            ([one.value for one in rates], np.nan),
            ([one.low for one in rates], 0.0),
            ([one.high for one in rates], 1.0),
        )
    )
    if filled:
        axes.fill_between(x, lows, highs, color=color, alpha=0.18, linewidth=0)
    axes.plot(x, values, color=color, marker="o", markersize=4, linewidth=2, label=label)


def _plain(axes: "Axes") -> None:
    from likeness.experiments.display.figures import INK

    axes.tick_params(labelsize=8, colors=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _strip(axes: "Axes", images: Sequence[UInt8[np.ndarray, "h w c"]]) -> None:
    """Images side by side, one around each whole number."""
    axes.set_axis_off()
    if not len(images):
        return
    half, ratio = 0.46, images[0].shape[0] / images[0].shape[1]
    for place, image in enumerate(images):
        pixels = np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image
        axes.imshow(pixels, extent=(place - half, place + half, -half * ratio, half * ratio), interpolation="nearest")
    axes.set_xlim(-0.5, len(images) - 0.5)
    axes.set_ylim(-half * ratio, half * ratio)
    axes.set_aspect("equal", anchor="S")
