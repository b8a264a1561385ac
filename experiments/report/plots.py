"""Plots that answer to the pointer, by Bokeh, whose code travels in the page."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image
from scipy import stats

from likeness.experiments.report.maps import projections
from likeness.experiments.report.runs import ReportedRun, read_arrays
from likeness.experiments.report.template import Html, part
from likeness.experiments.storage.workdir import Workdir

_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9", "#8a8f98")
_MARKERS = ("circle", "square", "triangle", "diamond", "inverted_triangle", "hex", "star")
_RATES = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99)
_IMAGE = """
<div style="font:13px system-ui,sans-serif;max-width:180px">
  <img src="@image" alt="" style="display:block;height:72px;image-rendering:auto;margin-bottom:4px">@name<br><b>@person</b>
</div>
"""
_Curves = Mapping[str, Mapping[str, np.ndarray]]


def library() -> str:
    """Bokeh's code for browsers, without its widgets: what goes into a page with plots."""
    from bokeh.resources import Resources

    return "\n".join(Resources(mode="inline", components=["bokeh"]).js_raw)


def rates(run: ReportedRun, number: int, problems: list[str]) -> Html | None:
    """ROC and DET of all that was evaluated, with their bands; None where the run keeps no ``roc.npz``."""
    path = Workdir(run.root).arrays("roc")
    points = read_arrays(path, problems)
    names = list(dict.fromkeys(name.rpartition("/")[0] for name in points))
    try:
        curves = {name: {part: points[f"{name}/{part}"] for part in ("far", "tar", "low", "high")} for name in names}
    except KeyError as error:
        problems.append(f"{path} lacks {error}: its curves are not drawn.")
        return None
    if not curves:
        return None
    panels = {"ROC": _held(_roc(curves)), "DET": _held(_det(curves))}
    words = (
        "Curves with their 95 % bands. Point at one to read off rates; a name in the legend hides its curve and shows it again."
    )
    return part("plot", words, part("tabs", f"run-{number}-rates", "Curves of verification", panels))


def embedding_map(run: ReportedRun, problems: list[str]) -> Html | None:
    """Who lies near whom, with images under the pointer; None where the run keeps no ``embeddings.npz``."""
    path = Workdir(run.root).arrays("embeddings")
    kept = read_arrays(path, problems)
    if not kept:
        return None
    missing = {"embeddings", "people", "names", "images", "of"} - set(kept)
    if missing:
        problems.append(f"{path} lacks {', '.join(sorted(missing))}: no map is drawn.")
        return None
    drawn = projections(kept["embeddings"])
    if not drawn:
        return None
    people = list(dict.fromkeys(kept["people"].tolist()))
    words = (
        f"{len(kept['people'])} of the {int(kept['of']):,} images that were evaluated, of {len(people)} people, each with a "
        "color and a shape. Point at one to see the image; with the tool for boxes choose some, to find them on the other. "
        + " ".join(f"{each.name}: {each.note}." for each in drawn)
    )
    return part("plot", words, _held(_maps(kept, people, drawn)))


def _held(model: Any) -> Html:
    """A plot as data, which the page's script hands to Bokeh."""
    from bokeh.embed import json_item

    return part("data", json_item(model))


def _canvas(**options: Any) -> Any:
    from bokeh.plotting import figure

    canvas = figure(
        sizing_mode="stretch_width",
        height=420,
        toolbar_location="above",
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        **options,
    )
    canvas.toolbar.logo = None
    # On a phone a finger over a plot must be able to move the page.
    canvas.toolbar.active_drag = None
    for axis in canvas.axis:
        axis.axis_line_alpha, axis.minor_tick_line_color = 0.4, None
    return canvas


def _roc(curves: _Curves) -> Any:
    lowest = min(float(curve["far"][curve["far"] > 0].min(initial=1.0)) for curve in curves.values())
    canvas = _canvas(x_axis_type="log", x_range=(lowest, 1.0), tools="pan,box_zoom,wheel_zoom,reset,save")
    for number, (name, curve) in enumerate(curves.items()):
        shown = curve["far"] > 0
        far, tar, low, high = (curve[part][shown] for part in ("far", "tar", "low", "high"))
        _line(canvas, name, number, far, tar, low, high)
    _named(canvas, "False-accept rate", "True-accept rate", "bottom_right")
    _percent(canvas.xaxis[0])
    _percent(canvas.yaxis[0])
    return _read_off(canvas, curves, "true accepts")


def _det(curves: _Curves) -> Any:
    """Both rates of error on axes of normal deviates, on which two normal distributions give a line (Martin et al. 1997)."""
    canvas = _canvas(tools="pan,box_zoom,wheel_zoom,reset,save")
    for number, (name, curve) in enumerate(curves.items()):
        inside = (curve["far"] > 0) & (curve["far"] < 1) & (curve["tar"] < 1) & (curve["tar"] > 0)
        miss, high, low = (1 - curve[part][inside] for part in ("tar", "low", "high"))
        _line(canvas, name, number, curve["far"][inside], miss, low, high, _deviates)
    for axis in canvas.axis:
        places = _deviates(np.array(_RATES)).tolist()
        axis.ticker = places
        axis.major_label_overrides = {place: f"{100 * rate:g} %" for place, rate in zip(places, _RATES, strict=True)}
    _named(canvas, "False-accept rate", "False-reject rate", "top_right")
    return _read_off(canvas, curves, "false rejects")


def _deviates(rates: np.ndarray) -> np.ndarray:
    return stats.norm.ppf(np.clip(rates, 1e-6, 1 - 1e-6))


def _line(
    canvas: Any,
    name: str,
    number: int,
    far: np.ndarray,
    rate: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    placed: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> None:
    from bokeh.models import ColumnDataSource

    rates = {"far": far, "rate": rate, "low": low, "high": high}
    places = {f"at_{part}": placed(values) for part, values in rates.items()}
    source = ColumnDataSource({"name": [name] * len(far), **rates, **places})
    look = {"source": source, "color": _COLORS[number % len(_COLORS)], "legend_label": name}
    canvas.varea("at_far", "at_low", "at_high", alpha=0.16, **look)
    canvas.line("at_far", "at_rate", width=2, name="curve", **look)


def _read_off(canvas: Any, curves: _Curves, says: str) -> Any:
    from bokeh.models import HoverTool

    tips = [("", "@name"), ("false accepts", "@far{0.000 %}"), (says, "@rate{0.0 %} (@low{0.0 %} to @high{0.0 %})")]
    canvas.add_tools(
        HoverTool(tooltips=tips, renderers=canvas.select(name="curve"), mode="vline" if len(curves) < 4 else "mouse")
    )
    return canvas


def _named(canvas: Any, x: str, y: str, place: str) -> None:
    canvas.xaxis.axis_label, canvas.yaxis.axis_label = x, y
    canvas.legend.location, canvas.legend.click_policy = place, "hide"
    canvas.legend.background_fill_alpha, canvas.legend.border_line_color = 0.0, None


def _percent(axis: Any) -> None:
    from bokeh.models import NumeralTickFormatter

    axis.formatter = NumeralTickFormatter(format="0.[000] %")


def _maps(kept: Mapping[str, np.ndarray], people: Sequence[str], drawn: Sequence[Any]) -> Any:
    """The same images on every map: what is chosen on one is chosen on the others."""
    from bokeh.layouts import row
    from bokeh.models import ColumnDataSource, HoverTool

    place = {person: number for number, person in enumerate(people)}
    numbers = [place[person] for person in kept["people"].tolist()]
    columns = {
        "person": kept["people"].tolist(),
        "name": kept["names"].tolist(),
        "image": [_uri(image) for image in kept["images"]],
        "color": [_COLORS[number % len(_COLORS)] for number in numbers],
        "marker": [_MARKERS[number // len(_COLORS) % len(_MARKERS)] for number in numbers],
    }
    for number, each in enumerate(drawn):
        columns |= {f"x{number}": each.points[:, 0], f"y{number}": each.points[:, 1]}
    source, plots = ColumnDataSource(columns), []
    for number, each in enumerate(drawn):
        canvas = _canvas(title=each.name, match_aspect=True, tools="pan,box_select,wheel_zoom,reset,save", min_width=300)
        points = {"size": 9, "fill_color": "color", "line_color": "color", "fill_alpha": 0.55, "marker": "marker"}
        canvas.scatter(f"x{number}", f"y{number}", source=source, nonselection_alpha=0.08, **points)
        canvas.add_tools(HoverTool(tooltips=_IMAGE))
        canvas.axis.visible = canvas.grid.visible = False
        plots.append(canvas)
    return row(*plots, sizing_mode="stretch_width", styles={"flex-wrap": "wrap"})


def _uri(image: np.ndarray) -> str:
    written = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(written, "webp", quality=70, method=4)
    return f"data:image/webp;base64,{base64.b64encode(written.getvalue()).decode()}"
