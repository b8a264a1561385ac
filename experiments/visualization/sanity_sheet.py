"""Checks of saliency as images: curves of what is left of the maps, and the maps themselves."""

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from likeness.experiments.display.contact_sheet import Tile, sheet
from likeness.experiments.display.figures import BLUE, GREEN, INK, ORANGE, PALE, PURPLE
from likeness.experiments.visualization.sanity import MEASURES, Checked
from likeness.research.visualization import without_rounding

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLORS = (BLUE, "#56B4E9", GREEN, "#E69F00", INK, PALE, ORANGE, PURPLE, "#8C564B")
_MARKERS = "osD^vPX*p"
_TITLES = {"rank_absolute": "rank correlation, absolute", "rank_signed": "rank correlation, signed", "ssim": "SSIM, absolute"}
_SMALLEST = 136


def curves(checked: Checked) -> "Figure":
    """What is left of each method's maps, layer by layer: above with random weights from the top on, below in one layer."""
    from matplotlib.figure import Figure

    wide = max(3.2, 0.42 * len(checked.layers) + 1.2)
    figure = Figure(figsize=(3 * wide + 2.2, 6.4), layout="constrained")
    grid = figure.subplots(2, 3, sharey=True, sharex=True)
    places = np.arange(len(checked.layers) + 1)
    for row, (order, methods) in enumerate(checked.similarity.items()):
        for column, measure in enumerate(MEASURES):
            axes = grid[row, column]
            axes.axhline(0, color=PALE, linewidth=1)
            for number, (method, measures) in enumerate(methods.items()):
                values = measures[measure]
                mean, error = values.mean(axis=1), values.std(axis=1, ddof=1) / np.sqrt(values.shape[1])
                color = _COLORS[number % len(_COLORS)]
                line = np.concatenate([[1.0], mean])
                axes.fill_between(places[1:], mean - 2 * error, mean + 2 * error, color=color, alpha=0.12, linewidth=0)
                style = {"marker": _MARKERS[number % len(_MARKERS)], "markersize": 4, "linewidth": 1.6}
                axes.plot(places, line, color=color, label=method.replace("_", " "), **style)
            axes.set_title(f"{_TITLES[measure]}: {order}", loc="left", fontsize=10, color=INK, fontweight="bold")
            axes.set_xticks(places, ["trained", *checked.layers], rotation=60, ha="right", fontsize=8, color=INK)
            axes.spines[["top", "right"]].set_visible(False)
            axes.spines[["left", "bottom"]].set_color(PALE)
            axes.grid(color="#ECECEC", linewidth=0.8)
            axes.tick_params(color=PALE, labelcolor=INK)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize=9, frameon=False)
    many = len(checked.images)
    title = f"What is left of the maps when layers get random weights ({many} images, band: two standard errors)"
    figure.suptitle(title, fontsize=12, color=INK, fontweight="bold", x=0.01, ha="left")
    return figure


def maps(checked: Checked) -> Image.Image:
    """The first image's maps, a method in each row: of the trained network, then with one more layer random in each column.

    Below each stands the rank correlation of its absolute values with those of the trained network.
    """
    side = checked.images.shape[1]
    times = max(1, -(-_SMALLEST // side))
    image = np.broadcast_to(checked.images[0], (*checked.images.shape[1:3], 3))
    rows = []
    for method, found in checked.maps.items():
        kept = checked.similarity["cascading"][method]["rank_absolute"][:, 0]
        words = ["trained", *(f"{value:.2f}" for value in kept)]
        tiles = [Tile(_enlarged(image, times), method.replace("_", " "))]
        shown = without_rounding(found, np.full(len(found), found[0].sum()))
        tiles += [Tile(_enlarged(_gray(each), times), word) for each, word in zip(shown, words, strict=True)]
        rows.append(tiles)
    heads = ["", "", *(f"- {layer}" for layer in checked.layers)]
    return sheet(rows, heads=heads)


def _gray(values: np.ndarray) -> np.ndarray:
    largest = np.quantile(values, 0.99) or values.max() or 1.0
    return np.repeat(np.clip(values / largest, 0, 1)[..., None], 3, axis=-1)


def _enlarged(image: np.ndarray, times: int) -> np.ndarray:
    return np.repeat(np.repeat(image, times, axis=0), times, axis=1)
