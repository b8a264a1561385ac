"""Plots of a report: what is drawn from a run's arrays, and that it works in a browser."""

import json
import re
from pathlib import Path

import chromium
import numpy as np
import pytest

from likeness.experiments.config import load, to_json
from likeness.experiments.report.maps import projections
from likeness.experiments.report.page import report, write_report
from likeness.experiments.storage.workdir import write_arrays, write_json

HOSTILE = "</script><script>alert(1)</script>"


def clusters(people: int = 6, each: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(people), each)
    return np.eye(people, 16)[labels] + 0.02 * rng.normal(size=(len(labels), 16)), labels


def evaluated(root: Path) -> Path:
    """The working directory of a run that was evaluated, with arrays only."""
    embeddings, labels = clusters()
    write_json(root / "config.json", to_json(load("recognition/quickstart")))
    write_json(root / "provenance.json", {"seed": 0})
    write_json(root / "summary.json", {"metrics": {"verification/eer": 0.1}, "steps": 250})
    far = np.array([0.0, 0.001, 0.01, 0.1, 1.0])
    tar = np.array([0.1, 0.3, 0.6, 0.9, 1.0])
    bands = {"far": far, "tar": tar, "low": tar * 0.9, "high": np.minimum(1.0, tar * 1.05)}
    write_arrays(root / "roc.npz", {f"{name}/{part}": band for name in ("trained", HOSTILE) for part, band in bands.items()})
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 12, 10, 3), np.uint8)
    kept = {
        "embeddings": embeddings.astype(np.float32),
        "people": np.array([f"{HOSTILE}{label}" for label in labels]),
        "names": np.array([f"{row}.png" for row in range(len(labels))]),
        "images": images,
        "of": np.array(900),
    }
    write_arrays(root / "embeddings.npz", kept)
    return root


@pytest.mark.slow
def test_near_stays_near_on_both_maps_and_drawing_again_changes_nothing():
    embeddings, labels = clusters()
    for first, again in zip(projections(embeddings), projections(embeddings), strict=True):
        np.testing.assert_array_equal(first.points, again.points)
        apart = np.linalg.norm(first.points[:, None] - first.points[None], axis=-1) + np.diag(np.full(len(labels), np.inf))
        assert (labels[apart.argmin(1)] == labels).mean() > 0.9, first.name


@pytest.mark.parametrize("embeddings", [np.zeros((4, 3)), np.zeros((9, 1)), np.full((9, 3), np.nan)])
def test_what_has_no_map_gets_none(embeddings):
    assert projections(embeddings) == []


def test_plots_travel_as_data_that_cannot_leave_its_element(tmp_path):
    made = report([evaluated(tmp_path / "run")])
    assert made.problems == ()
    found = re.findall(r'<script type="application/json">(.*?)</script>', made.page, re.S)
    plots = [json.loads(text) for text in found]
    assert len(plots) == 3
    assert all(plot["version"] for plot in plots)
    assert HOSTILE in json.dumps(plots)
    assert HOSTILE not in made.page
    assert "48 of the 900 images that were evaluated, of 6 people" in made.page
    assert len(made.page) < 5_000_000


def test_without_arrays_there_is_no_library_in_the_page(tmp_path):
    root = evaluated(tmp_path / "run")
    for name in ("roc", "embeddings"):
        (root / f"{name}.npz").unlink()
    assert len(report([root]).page) < 100_000


@pytest.mark.parametrize("wrong", ["cut", "text", "lacking"])
def test_damaged_arrays_are_said_and_the_rest_is_shown(tmp_path, wrong):
    root = evaluated(tmp_path / "run")
    for name in ("roc", "embeddings"):
        path = root / f"{name}.npz"
        whole = path.read_bytes()
        path.write_bytes({"cut": whole[: len(whole) // 2], "text": b"not an archive", "lacking": whole}[wrong])
        if wrong == "lacking":
            with np.load(path) as file:
                arrays = {key: file[key] for key in list(file.files)[:-1]}
            write_arrays(path, arrays)
    made = report([root])
    assert len(made.problems) == 2
    for name, problem in zip(("roc", "embeddings"), made.problems, strict=True):
        assert f"{name}.npz {'lacks' if wrong == 'lacking' else 'cannot be read'}" in problem
    assert "equal error rate" in made.page


@pytest.mark.slow
@pytest.mark.end_to_end
def test_in_a_browser_plots_are_drawn_and_show_images(tmp_path):
    browser = chromium.find() or pytest.skip("Chromium is not installed: apt-get install chromium")
    page = tmp_path / "page.html"
    write_report([evaluated(tmp_path / "run")], page)
    with chromium.Chromium(browser, tmp_path / "profile", width=390, dark=True) as window:
        window.open(page)
        window.evaluate("var drawn = () => Bokeh.index.roots.filter(view => view.model.type !== 'Notifications')")
        assert window.until("drawn().length === 3 && drawn().every(view => view.has_finished())")
        ink = window.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--ink').trim()")
        assert window.until("models.filter(model => model.type === 'Legend').length === 2")
        assert window.evaluate("models.find(model => model.type === 'Legend').label_text_color") == ink
        assert window.evaluate("document.documentElement.scrollWidth") <= 390

        window.evaluate("var map = drawn().find(view => view.model.type === 'Row').child_views[1]")
        window.evaluate("map.el.scrollIntoView({ block: 'center' })")
        # Where the sixth image is: its place in the frame of the plot, and the frame's in the window.
        window.evaluate("var [x, y] = ['x1', 'y1'].map(name => map.model.renderers[0].data_source.data[name][5])")
        place = window.evaluate(
            "(() => { const box = map.el.getBoundingClientRect(), frame = map.frame; return "
            "[box.left + frame.x_scale.compute(x), box.top + frame.y_scale.compute(y)]; })()"
        )
        window.point(*place)
        # Everything under a node, what lies in shadows too.
        window.evaluate(
            "var all = node => [node, ...[...node.children, ...(node.shadowRoot?.children ?? [])].flatMap(all)];"
            "var seen = () => all(document.body).filter(node => node.tagName === 'IMG' && /^data:image.webp/.test(node.src) "
            "&& node.naturalWidth === 10 && node.checkVisibility())"
        )
        assert window.until("seen().length > 0")
        assert window.errors == []
