"""The images of a report: figures that can be enlarged, what came out step by step, and before beside after."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from likeness.experiments.config import from_json
from likeness.experiments.experiment import Experiment, Originals
from likeness.experiments.own_code.classes import RunCode
from likeness.experiments.report.embedded import Embedded, EmbeddedImages, Source
from likeness.experiments.report.runs import ReportedRun
from likeness.experiments.report.template import Html, part
from likeness.experiments.report.words import caption, rank
from likeness.research.errors import UserError

_FRAMES = 24
"""Images of a progress slider; of more, evenly spaced ones are shown."""


def sources(run: ReportedRun, number: int) -> dict[str, Source]:
    """The images of a run that its report needs, by key, the most important first."""
    found: dict[str, Source] = {}
    for series in progress(run).values():
        found[_key(number, series[-1][1])] = series[-1][1]
    for path in sorted(run.figures, key=lambda path: (rank(path.stem), path.name)):
        found[_key(number, path)] = path
    found |= {_key(number, path): path for path in run.units}
    for series in progress(run).values():
        found |= {_key(number, path): path for _, path in _shown(series)}
    return found


def originals(run: ReportedRun, number: int) -> tuple[dict[str, Source], list[str]]:
    """What the images of a run were made of, read anew, and why that could not be."""
    if not run.images:
        return {}, []
    try:
        experiment = from_json(run.config.get("experiment"), RunCode(run.root))
        made = experiment.originals() if isinstance(experiment, Experiment) else Originals({})
    except (UserError, ValueError) as error:
        return {}, [f"What the images were made of cannot be shown beside them: {error}"]
    found: dict[str, Source] = {_before(number, name): np.asarray(one, np.float32) for name, one in made.before.items()}
    found |= {f"{number}:style:{i}": np.asarray(style, np.float32) for i, style in enumerate(made.styles)}
    return found, []


def progress(run: ReportedRun) -> dict[str, list[tuple[int, Path]]]:
    """Images by name, with the step of each: ``images/NAME_000050.png``; that without a number is the last."""
    series: dict[str, list[tuple[int, Path]]] = {}
    for path in run.images:
        found = re.fullmatch(r"(.+)_(\d{6,})", path.stem)
        name, step = (found[1], int(found[2])) if found else (path.stem, run.reached)
        series.setdefault(name, []).append((step, path))
    for name, paths in series.items():
        paths.sort(key=lambda entry: (entry[0], entry[1].name))
        # The result is written once more under its plain name.
        numbered = {step for step, path in paths if path.stem != name}
        if len(paths) > 1 and run.reached in numbered:
            paths[:] = [(step, path) for step, path in paths if path.stem != name]
    return series


def _shown(series: Sequence[tuple[int, Path]]) -> list[tuple[int, Path]]:
    if len(series) <= _FRAMES:
        return list(series)
    return [series[round(place)] for place in np.linspace(0, len(series) - 1, _FRAMES)]


def _key(number: int, path: Path) -> str:
    return f"{number}:{path}"


def _before(number: int, name: str) -> str:
    return f"{number}:before:{name}"


def painted(run: ReportedRun, number: int, embedded: EmbeddedImages) -> Html | None:
    """What came out: before beside after, and step by step."""
    series = progress(run)
    if not series:
        return None
    parts: list[Html] = []
    for place, (name, paths) in enumerate(series.items()):
        last = embedded.images.get(_key(number, paths[-1][1]))
        if last is None:
            continue
        key = f"run-{number}-image-{place}"
        before = embedded.images.get(_before(number, name))
        if before is not None:
            parts.append(part("compare", key, name, before, last, run.name, paths[-1][0]))
        frames = [
            (step, embedded.images[_key(number, path)]) for step, path in _shown(paths) if _key(number, path) in embedded.images
        ]
        if len(frames) > 1:
            left_out = f", {len(frames)} of {len(paths)} images" if len(frames) < len(paths) else ""
            parts.append(part("progress", key, f"{name}, step by step{left_out}", frames, f"{name} of {run.name}"))
        elif before is None:
            parts.append(figure(last, f"{name} of {run.name}", f"{name} at step {paths[-1][0]:,}"))
    styles = [(key, image) for key, image in embedded.images.items() if key.startswith(f"{number}:style:")]
    parts += [figure(image, f"Style image {i + 1} of {run.name}", f"Style {i + 1}") for i, (_, image) in enumerate(styles)]
    return part("gallery", parts) if parts else None


def figure(image: Embedded, alt: str, title: str) -> Html:
    """An image with its caption; a press shows it in its own size."""
    return part("figure", image, alt, title)


def figures(run: ReportedRun, number: int, embedded: EmbeddedImages, drawn: Collection[str]) -> Html | None:
    """The figures that the run drew, but for those by whose name the page has a plot."""
    shown = []
    left = [path for path in run.figures if path.stem not in drawn]
    for path in sorted(left, key=lambda path: (rank(path.stem), path.name)):
        if (image := embedded.images.get(_key(number, path))) is not None:
            words = caption(path.stem)
            shown.append(figure(image, f"{words}; {run.name}", words))
    return part("gallery", shown) if shown else None


def units(run: ReportedRun, number: int, embedded: EmbeddedImages) -> Html | None:
    """What the units of each layer see, a tab for each layer."""
    panels: Mapping[str, Html] = {
        path.stem: figure(embedded.images[_key(number, path)], f"What units of {path.stem} see; {run.name}", path.stem)
        for path in run.units
        if _key(number, path) in embedded.images
    }
    return part("tabs", f"run-{number}-units", "Layers", panels) if panels else None
