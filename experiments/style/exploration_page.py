"""The page of an exploration: a file that opens from a disk and asks no network for anything."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from likeness.experiments.report.embedded import embed
from likeness.experiments.report.template import page, template_text
from likeness.experiments.style.exploration import Explored
from likeness.experiments.style.judged_paintings import Series
from likeness.research.errors import UserError, require
from likeness.research.files import write_atomically

__all__ = ["exploration_page", "write_exploration"]

LARGEST = 10_000_000
"""Bytes of a page."""
_IMAGES = 5_400_000
"""Bytes of its images, before they are written as text."""
_COMPRESSED = (
    "The images of this page are compressed, and lose a little by it. The painting that the command has written, and those in "
    "the working directories, lose nothing."
)
_SHARP = 1200
"""The longer side at which a style is shown that nothing has changed: its pieces are enlarged."""
_FULL = 65535


def write_exploration(explored: Explored, path: Path) -> None:
    """Makes the page and writes it, whole or not at all.

    Raises:
        UserError: the ``report`` extra is not installed, or the page would be larger than 10 MB.
    """
    write_atomically(path, exploration_page(explored))


def exploration_page(explored: Explored) -> str:
    """The page, as HTML.

    Raises:
        UserError: the ``report`` extra is not installed, or the page would be larger than 10 MB.
    """
    require("jinja2", "report", "An exploration")
    experiment = explored.experiment
    shown = {f"painting {number}": painting.pixels for number, painting in enumerate(explored.paintings)}
    embedded = embed({**_looks(explored), "content": explored.original, **shown}, _IMAGES)
    if embedded.problems:
        raise UserError(
            f"The images of the exploration do not fit into a page of 10 MB: give a smaller --size. ({embedded.problems[0]})"
        )
    images = embedded.images
    titles = [style.image.title for style in experiment.styles]
    said = [f"{_factor(one.factor)} × the strength asked for, beta {one.beta:.4g}" for one in explored.paintings]
    chosen = int(np.argmin([abs(np.log(painting.factor)) for painting in explored.paintings]))
    heading = f"{experiment.content.title} in the look of {' and '.join(titles)}"
    given = {
        "title": f"{heading} · Likeness",
        "heading": heading,
        "content": experiment.content.title,
        "summary": _summary(explored),
        "problems": (),
        "chosen": chosen,
        "width": explored.grid.width,
        "height": explored.grid.height,
        "columns": explored.grid.columns,
        "rows_of_cells": explored.grid.rows,
        "original": images["content"],
        "paintings": [{"said": words, "image": images[f"painting {number}"]} for number, words in enumerate(said)],
        "styles": [
            {"title": title, "image": images[f"style {number}"], "width": pixels.shape[1], "height": pixels.shape[0]}
            for number, (title, pixels) in enumerate(zip(titles, explored.styles, strict=True))
        ],
        "layers": [{"name": layer.name, "sees": f"sees {layer.field.size} px"} for layer in explored.layers],
        "judged": [_card(series) for series in explored.judged.series],
        "missing": explored.judged.missing,
        "notes": (*explored.notes, _COMPRESSED),
        "heads": ["strength", *(series.name for series in explored.judged.series)],
        "rows": [
            [words, *(_text(series, series.values[number]) for series in explored.judged.series)]
            for number, words in enumerate(said)
        ],
        "data": _data(explored, said, titles),
    }
    made = page("explore.html", given, [template_text("explore.js")])
    if len(made.encode()) > LARGEST:
        raise UserError(
            f"The page would have {len(made.encode()) / 1e6:.1f} MB, and at most 10 are allowed: give a smaller --size, or "
            "fewer --style-layers."
        )
    return made


def _looks(explored: Explored) -> dict[str, np.ndarray]:
    """The styles; what nothing has changed is shown larger than it was painted from, since pieces of it are enlarged."""
    found = {}
    content = explored.original
    for number, (style, pixels) in enumerate(zip(explored.experiment.styles, explored.styles, strict=True)):
        longer = max(pixels.shape[:2])
        same = style.fit == "longer side" and longer < _SHARP and np.array_equal(style.open(content), pixels)
        found[f"style {number}"] = style.image.open(_SHARP) if same else pixels
    return found


def _summary(explored: Explored) -> str:
    first, last = explored.paintings[0], explored.paintings[-1]
    grid, count = explored.grid, len(explored.paintings)
    return (
        f"{count} paintings of {grid.width} × {grid.height} pixels, {explored.run.steps} steps each, from "
        f"{_factor(first.factor)} to {_factor(last.factor)} times the strength of the style that was asked for (beta "
        f"{first.beta:.4g} to {last.beta:.4g}){_ratio(explored)}. "
        f"{grid.rows} × {grid.columns} places of every one are explained."
    )


def _ratio(explored: Explored) -> str:
    """By how much one strength is stronger than the one before, where that is the same for all."""
    ratios = np.diff(np.log([painting.factor for painting in explored.paintings]))
    same = len(ratios) > 0 and np.allclose(ratios, ratios[0])
    return f", each {float(np.exp(ratios[0])):.3g} times the one before" if same else ""


def _factor(factor: float) -> str:
    return f"{factor:.3g}"


def _text(series: Series, value: float) -> str:
    return f"{100 * value:.3g} %" if series.percent else f"{value:.3g}"


def _card(series: Series) -> dict[str, Any]:
    """A small curve over the strengths, 160 wide and 40 high."""
    values = [*series.values, *([] if series.line is None else [series.line])]
    low, high = min(values), max(values)
    span = high - low or 1.0

    def height(value: float) -> float:
        return round(37 - 34 * (value - low) / span, 2)

    step = 160 / max(1, len(series.values) - 1)
    return {
        "name": series.name,
        "words": series.words,
        "points": [(round(step * number, 2), height(value)) for number, value in enumerate(series.values)],
        "threshold": None if series.line is None else height(series.line),
    }


def _data(explored: Explored, said: Sequence[str], titles: Sequence[str]) -> dict[str, Any]:
    """What the page's script reads. Arrays go by painting, layer and cell: 16-bit numbers, the lowest byte first, in Base64."""
    paintings = explored.paintings
    reach = [2.0 if layer.metric == "cosine" else float(np.sqrt(3)) for layer in explored.layers]
    gradients = np.stack([painting.gradients for painting in paintings]).astype(np.float64)
    whole = gradients.sum(axis=1, keepdims=True)
    # Where nothing is asked for, all layers ask alike.
    shares = np.where(whole > 0, gradients / np.where(whole > 0, whole, 1.0), 1.0 / len(explored.layers))
    distances = [
        [partner.distance / far for partner, far in zip(painting.partners, reach, strict=True)] for painting in paintings
    ]
    arrays = {
        "share": _words(_FULL * shares),
        "distance": _words(_FULL * np.clip(distances, 0, 1)),
        "row": _words([[partner.row for partner in painting.partners] for painting in paintings]),
        "column": _words([[partner.column for partner in painting.partners] for painting in paintings]),
    }
    if len(titles) > 1:
        arrays["style"] = _words([[partner.style for partner in painting.partners] for painting in paintings])
    grid = explored.grid
    return {
        "rows": grid.rows,
        "columns": grid.columns,
        "height": grid.height,
        "width": grid.width,
        "at": grid.rows // 3 * grid.columns + grid.columns // 2,
        "strengths": list(said),
        "layers": [
            {
                "name": layer.name,
                "size": layer.field.size,
                "stride": layer.field.stride,
                "offset": layer.field.offset,
                "metric": layer.metric,
                "reach": far,
                "size_of_map": list(layer.map),
            }
            for layer, far in zip(explored.layers, reach, strict=True)
        ],
        "styles": [
            {"title": title, "height": pixels.shape[0], "width": pixels.shape[1]}
            for title, pixels in zip(titles, explored.styles, strict=True)
        ],
        "judged": [
            {"percent": series.percent, "line": series.line, "values": list(series.values)} for series in explored.judged.series
        ],
        "arrays": arrays,
    }


def _words(values: Any) -> str:
    return base64.b64encode(np.ascontiguousarray(np.rint(np.asarray(values)), "<u2").tobytes()).decode()
