"""Figures of a classification."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from likeness.experiments.display.figures import INK, PALE, PIXELS_PER_INCH

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["confusion"]


def confusion(counts: Int[np.ndarray, "k k"], classes: Sequence[str]) -> "Figure":
    """Draws what the examples of each class were taken for: the share of the row as color, and in print with the count.

    Args:
        counts: of examples, by true class (rows) and predicted one (columns).
        classes: their names.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    k = len(classes)
    side = max(3.2, 0.95 * k)
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
    figure = Figure(figsize=(side + 1.8, side + 1.2), dpi=PIXELS_PER_INCH, layout=layout)
    axes = figure.subplots()
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        if counts[row, column]:
            text = f"{100 * share:.1f} %\n{counts[row, column]:,}"
            axes.text(column, row, text, ha="center", va="center", fontsize=9.5, color="white" if share > 0.5 else INK)
    names = [name.replace(" ", "\n") for name in classes]
    axes.set_xticks(range(k), names, fontsize=9.5, color=INK)
    axes.set_yticks(range(k), names, fontsize=9.5, color=INK)
    axes.set_xticks(np.arange(1, k) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, k) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_color(PALE)
    axes.set_xlabel("taken for", fontsize=10.5, color=INK)
    axes.set_ylabel("is", fontsize=10.5, color=INK)
    right = int(np.trace(counts))
    title = f"{right:,} of {int(counts.sum()):,} right"
    axes.set_title(title, loc="left", fontsize=12, color=INK, fontweight="bold", pad=10)
    return figure
