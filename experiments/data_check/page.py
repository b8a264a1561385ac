"""The doctor's page: what was found, how often, what to do, and the suspects as images. It needs no network."""

from pathlib import Path

import numpy as np

from likeness.experiments.data_check.findings import DataReport, Finding, Suspect
from likeness.experiments.data_check.pictures import picture
from likeness.experiments.report.embedded import EmbeddedImages, Source, embed
from likeness.experiments.report.template import page
from likeness.research.data.decode import BadImage
from likeness.research.errors import require
from likeness.research.files import write_atomically

_SHOWN = 12
"""Suspects of a kind that are shown as images; all are told."""


def data_page(report: DataReport) -> str:
    """The page.

    Raises:
        UserError: the ``report`` extra is not installed.
    """
    require("jinja2", "report", "A page about data")
    sources: dict[str, Source] = {}
    for level in ("error", "warning", "note"):
        for finding in report.of(level):
            for number, suspect in enumerate(finding.suspects[:_SHOWN]):
                sources |= _pictures(report, f"{finding.kind}:{number}", suspect)
    embedded = embed(sources)
    return page(
        "data.html",
        {
            "title": f"{report.source} · Likeness",
            "report": report,
            "problems": embedded.problems,
            "findings": [_entry(finding, embedded) for level in ("error", "warning", "note") for finding in report.of(level)],
        },
    )


def write_page(report: DataReport, path: Path) -> None:
    """Writes the page, whole or not at all."""
    write_atomically(path, data_page(report))


def _pictures(report: DataReport, key: str, suspect: Suspect) -> dict[str, np.ndarray]:
    found = {}
    for place, name in enumerate((suspect.name, *suspect.others)):
        try:
            found[f"{key}:{place}"] = picture(report.read(name), suspect if place == 0 else Suspect(name))
        # What cannot be read is told in words.
        except (BadImage, KeyError, OSError):
            continue
    return found


def _entry(finding: Finding, embedded: EmbeddedImages) -> dict[str, object]:
    shown = []
    for number, suspect in enumerate(finding.suspects[:_SHOWN]):
        for place, name in enumerate((suspect.name, *suspect.others)):
            if (image := embedded.images.get(f"{finding.kind}:{number}:{place}")) is not None:
                shown.append((image, name, suspect.text if place == 0 else "beside it"))
    return {"finding": finding, "images": shown}
