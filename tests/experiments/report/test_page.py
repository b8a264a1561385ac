import json
import shutil
import sys
from pathlib import Path

import chromium
import pytest
from report_pages import HOSTILE, checked, image, rate, written
from small_style import PRESET

from likeness.experiments.commands.main import run as likeness
from likeness.experiments.config import load, to_json
from likeness.experiments.report.embedded import embed
from likeness.experiments.report.page import report, write_report
from likeness.research.errors import UserError


def recognition(root: Path, steps: int = 4, seed: int = 0, eer: float = 0.04) -> Path:
    config = to_json(load("recognition/quickstart")) | {"steps": steps, "seed": seed}
    metrics = {
        "verification/eer": rate(eer, 0.03, 0.05),
        "raw_pixels/verification/eer": rate(0.32, 0.29, 0.34),
        "verification/tar@far=1e-5": {"value": None, "low": None, "high": None, "n": 5, "why": "too few pairs"},
        f"odd/{HOSTILE}": 3.0,
    }
    written(root, config, metrics)
    for number, name in enumerate(("roc", "distances", "mistakes", HOSTILE.replace("/", "_"), "units/conv1", "units/conv2")):
        image(root / "figures" / f"{name}.png", number)
    return root


@pytest.fixture
def style(tmp_path: Path) -> Path:
    preset = tmp_path / "tiny_style_of_a_report.py"
    preset.write_text(PRESET)
    root = written(tmp_path / "style", to_json(load(str(preset))), {"content/relative": 0.04, "style/relative": 0.006})
    for number, name in enumerate(("image_000001", "image_000002", "image_000003", "image")):
        image(root / "images" / f"{name}.png", number)
    return root


def test_one_run_is_told_whole(tmp_path: Path) -> None:
    made = report([recognition(tmp_path / "runs" / "faces")])
    page = checked(made.page)
    assert made.problems == ()
    assert len(page.all("img")) == 6
    for words in ("runs/faces", "Recognition", "4.00 %", "[3.0, 5.0] (n = 840)", "raw pixels", "unresolvable: too few pairs"):
        assert words in page.text
    for words in ("abc", "cpu:0 cpu", "python 3.11.7", "12 s of training", "4 of 4", "Conv4(", "Faces("):
        assert words in page.text
    assert {"Training", "Validation", "Time", "conv1", "conv2"} <= set(page.words)
    charts = [json.loads(figure["data-chart"] or "") for figure in page.all("figure") if "data-chart" in figure]
    assert charts[0]["curves"] == [{"run": "runs/faces", "points": [[1, 1.0], [2, 0.5], [3, 1 / 3], [4, 0.25]]}]


def test_what_others_have_written_is_text(tmp_path: Path) -> None:
    page = checked(report([recognition(tmp_path / "<img src=x onerror=alert(1)>\udce9")]).page)
    assert "".join(page.words).count(HOSTILE) >= 3
    assert "<img src=x onerror=alert(1)>\\udce9" in page.text


def test_runs_are_compared_and_what_differs_is_marked(tmp_path: Path) -> None:
    roots = [recognition(tmp_path / "a"), recognition(tmp_path / "b", steps=8, seed=3, eer=0.045)]
    config = json.loads((roots[1] / "config.json").read_text())
    config["experiment"]["loss"]["margin"] = 0.7
    (roots[1] / "config.json").write_text(json.dumps(config))
    config["experiment"]["test"][0]["fars"][2] = 0.002
    (roots[1] / "config.json").write_text(json.dumps(config))
    page = checked(report(roots).page)
    assert sorted(page.marked) == ["0.002", "0.7", "3", "8"]
    for words in ("experiment.loss.margin", "experiment.test[0].fars[2]", "4.00 %", "4.50 %"):
        assert words in "".join(page.words)
    charts = [json.loads(figure["data-chart"] or "") for figure in page.all("figure") if "data-chart" in figure]
    assert [curve["run"] for curve in charts[0]["curves"]] == ["a", "b"]
    assert [len(curve["points"]) for curve in charts[0]["curves"]] == [4, 8]


@pytest.mark.parametrize(
    "values",
    [[0.0], [5.0, 5.0], [1e-15, 3e-15], [-1e9, 1e9], [1e-8, 1.0, 1e8], [0.0, 0.0], [1e300, 1.1e300], list(range(1000))],
)
def test_whatever_the_values_a_chart_holds_them(tmp_path: Path, values: list[float]) -> None:
    root = recognition(tmp_path / "a")
    lines = [json.dumps({"step": 7 * i, "split": "train", "loss": value}) for i, value in enumerate(values)]
    (root / "metrics.jsonl").write_text("\n".join(lines))
    page = checked(report([root]).page)
    dots = [
        (float(dot["cx"] or ""), float(dot["cy"] or ""))
        for dot in page.all("circle")
        if (dot["class"] or "") == "dot s0" and dot["r"] == "2.4"
    ]
    lines = [tuple(map(float, point.split(","))) for line in page.all("polyline") for point in (line["points"] or "").split()]
    ticks = [(float(tick["x"] or ""), float(tick["y"] or "")) for tick in page.all("text")]
    assert dots or lines
    assert len(lines) <= 400
    assert len(ticks) < 30
    for x, y in [*dots, *lines, *ticks]:
        assert 0 <= x <= 360
        assert 0 <= y <= 190


def test_where_a_stage_begins_the_curve_breaks(tmp_path: Path) -> None:
    root = recognition(tmp_path / "a")
    lines = [{"step": s, "split": "train", "loss": 1.0 + (s > 4), "stage": 1 + (s > 4)} for s in range(1, 9)]
    lines.append({"step": 9, "split": "train", "loss": 2.0, "stage": {"of": "no kind"}})
    (root / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    page = checked(report([root]).page)
    curves = [line for line in page.all("polyline") if line["class"] == "line s0"]
    assert [len((line["points"] or "").split()) for line in curves] == [4, 5]
    (mark,) = [line for line in page.all("line") if line["class"] == "stage"]
    assert mark["x1"] == (curves[0]["points"] or "").split()[-1].split(",")[0]


def test_the_same_twice_differs_in_nothing(tmp_path: Path) -> None:
    page = checked(report([recognition(tmp_path / "a"), recognition(tmp_path / "b")]).page)
    assert page.marked == []
    assert "same config" in page.text


def test_what_was_changed_on_the_way_is_said(tmp_path: Path) -> None:
    root = recognition(tmp_path / "a")
    line = '{"step": 2, "changed": ["seed: %s", "steps: 3 → 4"]}\n'
    (root / "changes.jsonl").write_text(line % "2 → 1" + line % "1 → 0")
    page = checked(report([root]).page)
    assert "changed at step 2" in page.text and "seed: 2 → 1; steps: 3 → 4; then seed: 1 → 0" in page.text


def test_a_stylization_has_sliders(style: Path) -> None:
    page = checked(report([style]).page)
    cut, progress = page.all("input")
    assert (cut["type"], progress["type"], progress["max"]) == ("range", "range", "2")
    alts = [img["alt"] or "" for img in page.all("img")]
    assert sum("at step" in alt for alt in alts) == 3
    assert any("before" in alt for alt in alts)
    assert any("Style image 1" in alt for alt in alts)


def test_an_unfinished_run_is_explained(tmp_path: Path) -> None:
    root = recognition(tmp_path / "a", steps=9)
    (root / "summary.json").unlink()
    lines = (root / "metrics.jsonl").read_text().splitlines()[:5]
    (root / "metrics.jsonl").write_text("\n".join(lines) + '\n{"step": 6, "sp')
    made = report([root])
    page = checked(made.page)
    assert "This run is unfinished" in page.text
    assert "step 5 of 9" in page.text
    assert "cannot be read in line 6" in page.text
    assert len(made.problems) == 2


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("summary.json", '{"metrics": {"verif', "not readable as JSON"),
        ("summary.json", "[1]", "holds a list"),
        ("summary.json", '{"metrics": {"loss": "low"}}', "no number under loss"),
        ("summary.json", '{"metrics": {"loss": NaN}}', "no number under loss"),
        ("provenance.json", "{", "not readable as JSON"),
        ("config.json", "\x00", "not readable as JSON"),
        ("figures/roc.png", "no image", "cannot identify image"),
        ("threshold.json", '{"tau": "x", "far": 3}', ""),
        (
            "metrics.jsonl",
            '[1]\n{"step": "x"}\n{"step": 3, "split": "train", "loss": NaN, "more": {"value": "x"}}\n',
            "line 1, 2",
        ),
    ],
)
def test_what_is_damaged_is_explained_and_the_rest_is_shown(tmp_path: Path, name: str, content: str, said: str) -> None:
    root = recognition(tmp_path / "a")
    (root / name).write_text(content)
    made = report([root])
    assert said in checked(made.page).text
    assert bool(made.problems) == bool(said)


def test_images_are_shown_without_a_config(style: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(style, tmp_path / "copied"))
    (root / "config.json").write_text("{")
    page = checked(report([root]).page)
    assert "not readable as JSON" in page.text and any("at step" in (img["alt"] or "") for img in page.all("img"))


def test_a_page_stays_small_whatever_is_in_it(tmp_path: Path) -> None:
    root = recognition(tmp_path / "a")
    for number in range(3):
        image(root / "figures" / f"large{number}.png", number, size=(250, 500))
    page = checked(report([root]).page)
    assert len(page.all("img")) == 9
    sources = {str(path): path for path in sorted((root / "figures").rglob("*.png"))}
    small = embed(sources, budget=200_000)
    assert len(small.images) == len(sources)
    assert max(image.width for image in small.images.values()) < 500
    smallest = embed(sources, budget=40_000)
    assert 0 < len(smallest.images) < len(sources)
    assert "left out" in smallest.problems[0]


def test_the_command_writes_the_page_where_it_belongs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = recognition(tmp_path / "a"), recognition(tmp_path / "b")
    assert likeness(["report", str(a)]) == 0
    assert str(a / "report.html") in capsys.readouterr().out
    checked((a / "report.html").read_text())
    assert likeness(["report", str(a), str(b)]) == 2
    assert "--out FILE.html" in capsys.readouterr().err
    assert likeness(["report", str(a), str(b), "--out", str(a / "config.json")]) == 2
    assert likeness(["report", str(a), str(b), "--out", str(tmp_path / "both.html")]) == 0
    assert sorted(path.name for path in a.iterdir() if path.name.startswith(".")) == []


def test_a_report_asks_for_its_extra_before_it_reads_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bokeh", None)
    with pytest.raises(UserError, match=r"A report needs bokeh, which is not installed: pip install 'likeness-jax\[report\]'"):
        report([tmp_path])


@pytest.mark.parametrize("wrong", ["missing", "empty", "twice"])
def test_what_is_no_working_directory_is_refused(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "empty").mkdir()
    root = recognition(tmp_path / "a")
    given = [root, tmp_path / "b" / ".." / "a"] if wrong == "twice" else [root, tmp_path / wrong]
    (tmp_path / "b").mkdir()
    with pytest.raises(UserError, match="is given twice|holds no config|There is no working"):
        report(given)


@pytest.fixture
def browser() -> str:
    return chromium.find() or pytest.skip("Chromium is not installed: apt-get install chromium")


@pytest.mark.end_to_end
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_in_a_browser_everything_works_by_keyboard(style: Path, tmp_path: Path, browser: str, width: int, dark: bool) -> None:
    page = tmp_path / "page.html"
    write_report([recognition(tmp_path / "faces"), style], page)
    with chromium.Chromium(browser, tmp_path / "profile", width=width, dark=dark) as window:
        window.open(page)
        assert window.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
        assert window.evaluate("document.documentElement.scrollWidth") <= width
        assert window.evaluate("getComputedStyle(document.body).backgroundColor !== 'rgb(255, 255, 255)'") is dark

        window.evaluate("document.querySelector('[role=tab]').focus()")
        shown = "[...document.querySelectorAll('[id^=all-curves-panel]')].map(p => !p.hidden)"
        assert window.evaluate(shown) == [True, False, False]
        window.press("ArrowRight")
        assert window.evaluate(shown) == [False, True, False]
        assert window.evaluate("document.activeElement.textContent") == "Validation"
        window.press("ArrowLeft")
        window.press("Tab")
        assert window.evaluate("document.activeElement.tagName") == "svg"
        window.press("ArrowRight")
        reading = "document.activeElement.closest('figure').querySelector('output').value"
        assert window.evaluate(reading) == "step 1: faces: 1\nstyle: 1"
        window.press("End")
        assert window.evaluate(reading) == "step 4: faces: 0.25"

        window.evaluate("document.querySelector('.compare input').focus()")
        window.press("End")
        assert window.evaluate("document.querySelector('.stack').style.getPropertyValue('--cut')") == "100%"
        window.press("ArrowLeft")
        assert window.evaluate("document.querySelector('.stack').style.getPropertyValue('--cut')") == "99%"

        frames = "[...document.querySelectorAll('.frame')].map(frame => frame.checkVisibility())"
        assert window.evaluate(frames) == [False, False, True]
        window.evaluate("document.querySelector('.progress input').focus()")
        window.press("Home")
        assert window.evaluate(frames) == [True, False, False]
        assert window.evaluate("document.querySelector('.bar output').value") == "step 1"

        window.evaluate("document.querySelector('.enlarge').focus()")
        window.press("Enter")
        assert window.evaluate("document.querySelector('dialog').open && document.querySelector('dialog img').complete")
        window.press("Escape")
        assert not window.evaluate("document.querySelector('dialog').open")
        assert window.evaluate("document.activeElement.className") == "enlarge"
        assert window.errors == []
