"""Every shipped config on one page, with an image, what came out, what it cost, and the command."""

from pathlib import Path
from typing import Any

from PIL import Image

from likeness.experiments.config import describe_changes, load, to_json
from likeness.experiments.report.embedded import EmbeddedImages, Source, embed
from likeness.experiments.report.images import progress
from likeness.experiments.report.numbers import cards
from likeness.experiments.report.runs import ReportedRun, finite, read_runs
from likeness.experiments.report.template import page
from likeness.experiments.report.words import caption, rank
from likeness.experiments.shipped import ROOT, docstring, shipped
from likeness.experiments.storage.workdir import Workdir, read_json, write_json
from likeness.research.errors import UserError, require
from likeness.research.files import write_atomically

KEPT = ROOT / "gallery"
"""What comes with Likeness of a run of each config: enough of its working directory for the page."""
_SIDE, _QUALITY = 800, 82
_SHEETS = ("side_by_side", "synthesis", "inversion")


def gallery(runs: Path) -> str:
    """The page.

    Args:
        runs: holds working directories by the name of their config, as ``likeness train`` makes them. Where it holds none of a
            config, what the repository keeps is shown.
    """
    require("jinja2", "report", "A page of configs")
    names = shipped()
    found = {name: run for name in names if (run := _run_of(name, runs)) is not None}
    sources: dict[str, Source] = {name: image for name, run in found.items() if (image := _image(run)) is not None}
    embedded = embed(sources)
    families: dict[str, list[dict[str, Any]]] = {}
    for name in names:
        families.setdefault(name.partition("/")[0], []).append(_entry(name, found.get(name), embedded))
    return page("gallery.html", {"title": "Configs · Likeness", "problems": embedded.problems, "families": families})


def keep(run: Path, name: str, kept: Path = KEPT) -> None:
    """Keeps what the page needs of a run, small enough to lie in a repository.

    Raises:
        UserError: the run is unfinished, or is not one of that config as it is shipped.
    """
    read = read_runs([run])[0]
    if not read.summary:
        raise UserError(f"{run} has no summary.json: let it end, and keep it then.")
    if changed := _changed(name, read):
        raise UserError(f"{run} is no run of {name} as it is shipped: {changed[0]}. Keep a run without other settings.")
    place = Workdir(kept / name)
    for path in (place.config, place.summary):
        write_json(path, read_json(run / path.name))
    # Paths of whoever ran it are nobody else's.
    told = ("git", "versions", "devices", "cpus", "seed")
    write_json(place.provenance, {name: read.provenance[name] for name in told if name in read.provenance})
    if (source := _image(read)) is not None:
        image = Image.open(source).convert("RGB")
        image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
        folder = place.figures if source in read.figures else place.images
        folder.mkdir(parents=True, exist_ok=True)
        image.save(folder / f"{source.stem}.webp", quality=_QUALITY, method=6)


def write_gallery(path: Path, runs: Path) -> None:
    """Writes the page, whole or not at all."""
    write_atomically(path, gallery(runs))


def _run_of(name: str, runs: Path) -> ReportedRun | None:
    for root in (runs / name, KEPT / name):
        if Workdir(root).summary.is_file() and Workdir(root).config.is_file():
            return read_runs([root])[0]
    return None


def _image(run: ReportedRun) -> Path | None:
    """The sheet of what came out, the image itself, or the figure that says most."""
    sheets = [path for name in _SHEETS for path in run.figures if path.stem == name]
    made = [series[-1][1] for series in progress(run).values()]
    for path in (*sheets, *made):
        return path
    return min(run.figures, key=lambda path: (rank(path.stem), path.name), default=None)


def _changed(name: str, run: ReportedRun) -> list[str]:
    return describe_changes(to_json(load(name)), run.config)


def _entry(name: str, run: ReportedRun | None, embedded: EmbeddedImages) -> dict[str, Any]:
    """What the page says of a config."""
    words = docstring(name)
    label, _, rest = words.partition("\n")
    source = None if run is None else _image(run)
    return {
        "name": name,
        "label": label,
        "image": embedded.images.get(name),
        "caption": None if run is None or source is None else _caption(source, run),
        "cards": None if run is None else cards(run),
        "cost": None if run is None else _cost(name, run),
        "command": _command(name, words),
        "words": rest.strip("\n"),
    }


def _caption(source: Path, run: ReportedRun) -> str:
    return caption(source.stem) if source in run.figures else f"What came out after {run.reached:,} steps"


def _command(name: str, words: str) -> str:
    """The line of its own words that a shell takes."""
    lines = (line.strip() for line in words.splitlines())
    return next((line for line in lines if line.startswith("likeness ") and name in line), f"likeness train {name}")


def _cost(name: str, run: ReportedRun) -> str:
    said = []
    seconds = run.summary.get("seconds")
    if seconds is not None and finite(seconds):
        said.append(f"{_time(float(seconds))} of training")
    said.append(f"{run.reached:,} steps")
    cores, devices = run.provenance.get("cpus"), run.provenance.get("devices")
    if isinstance(devices, list) and devices:
        said.append(f"{cores} cores" if "cpu" in str(devices[0]).lower() and cores else ", ".join(map(str, devices)))
    changed = _changed(name, run)
    settings = f"; with other settings than the config's: {'; '.join(changed[:3])}" if changed else ""
    return f"{', '.join(said)}{settings}."


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
