"""``likeness benchmark``: from a suite to a table, a page and a figure."""

import importlib
import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest
from PIL import Image

from likeness.experiments.benchmarks import running
from likeness.experiments.commands.benchmark import SUITES

SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture
def suite(monkeypatch):
    """The fake suite, where the processes that measure find it too."""
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT.parent))
    monkeypatch.syspath_prepend(SUPPORT.parent)
    return "support.fake_suite"


REAL_DATA = ("detectors", "photographs")
QUICK = ("--rounds", "3", "--seconds", "1")


@pytest.mark.slow
@pytest.mark.end_to_end
def test_from_a_suite_to_a_table_a_page_and_a_figure(likeness, suite, tmp_path):
    names = {kind: tmp_path / f"found.{kind}" for kind in ("json", "html", "md", "png")}
    files = ("--json", names["json"], "--html", names["html"], "--markdown", names["md"], "--figure", names["png"])
    said = likeness("benchmark", suite, "--only", "sl", *QUICK, *files)
    assert said.code == 0, said.err
    assert "support.fake_suite: sleep · 1 thread, wall time" in said.out
    assert re.search(r"Bound .*\d\.\d\d× \[", said.out)
    assert re.search(r"goal: ≥ 2\.00× Bound; found: \d+\.\d\d×; met", said.out)
    assert re.search(r"goal: ≤ 1\.00 ms; found: [\d.]+ ms; missed", said.out)
    page = names["html"].read_text()
    assert "Goals that are missed" in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    assert "**missed**" in names["md"].read_text()
    with Image.open(names["png"]) as drawn:
        assert drawn.width > 500
    kept = json.loads(names["json"].read_text())
    assert [one["row"] for one in kept] == ["sleep", "slow"]
    # Shown again without measuring, and what is measured again is replaced.
    again = likeness("benchmark", "--rounds", "0", "--json", names["json"])
    assert again.code == 0
    assert "support.fake_suite: slow" in again.out
    assert likeness("benchmark", suite, "--only", "slow", *QUICK, "--json", names["json"]).code == 0
    replaced = json.loads(names["json"].read_text())
    assert replaced[0] == kept[0]
    assert replaced[1]["contenders"] != kept[1]["contenders"]


@pytest.mark.slow
@pytest.mark.end_to_end
def test_memory_is_that_of_each_contender(likeness, suite, tmp_path):
    said = likeness("benchmark", suite, "--only", "memory", *QUICK, "--json", tmp_path / "found.json")
    assert said.code == 0, said.err
    ours, half = (one["memory"] / 2**20 for one in json.loads((tmp_path / "found.json").read_text())[0]["contenders"])
    assert 60 < ours < 80
    assert 30 < half < 50


@pytest.mark.end_to_end
def test_what_goes_wrong_in_the_other_process_is_said_here(likeness, suite):
    said = likeness("benchmark", suite, "--only", "answers", *QUICK)
    assert said.code == 2
    assert "answers: Likeness and Other do not compute the same" in said.err
    said = likeness("benchmark", suite, "--only", "dies", *QUICK)
    assert said.code == 2
    assert "the machine is on fire" in said.err
    assert len(said.err.strip().splitlines()) <= 3


def test_without_peers_ours_is_measured_alone(suite):
    rows = {row.name: row for row in running.rows_of(suite, running.Plan())}
    assert [each.name for each in rows["peer"].contenders] == ["Likeness"]
    assert rows["peer"].goal is None
    assert [each.name for each in rows["sleep"].contenders] == ["Likeness", "Bound"]
    assert rows["sleep"].goal is not None


def test_a_peer_that_is_missing_is_named_before_anything_is_measured(likeness, suite, monkeypatch):
    def find(name, *rest):
        return None if name == "torch" else found(name, *rest)

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", find)
    said = likeness("benchmark", suite, "--peers", *QUICK)
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert "torch, which is not installed: run pip install 'likeness-jax[peers]'" in said.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("trainin",), "There is no suite 'trainin': choose one of training"),
        (("--threads", "4096"), "--threads 4096: this process may use"),
        (("--threads", "0"), "--threads 0"),
        (("--rounds", "0"), "--rounds 0 measures nothing: name by --json FILE"),
        (("--rounds", "-1"), "--rounds is -1"),
        (("--html", "page.txt"), "--html is page.txt: give a name that ends in .html or .htm"),
        (("--figure", "bars.jpg"), "--figure is bars.jpg"),
        (("training", "--only", "no such row"), "no row's name holds that"),
    ],
)
def test_mistakes_are_said_in_a_line(likeness, arguments, words):
    said = likeness("benchmark", *arguments)
    assert said.code == 2
    assert words in said.err


def test_a_figure_without_peers_says_what_is_missing(likeness, tmp_path):
    (tmp_path / "none.json").write_text("[]")
    said = likeness("benchmark", "--rounds", "0", "--json", tmp_path / "none.json", "--figure", tmp_path / "bars.png")
    assert said.code == 2
    assert "no row was measured beside another contender" in said.err


@pytest.mark.parametrize("name", SUITES)
def test_each_suite_has_a_module_and_help(name, likeness):
    module = importlib.import_module(f"{running.SUITES}.{name}")
    for size in ("tiny", "usual", "large"):
        rows = module.rows(size)
        assert rows
        assert len({row.name for row in rows}) == len(rows)
    assert name in likeness("benchmark", "--help").out
    assert "torch" not in sys.modules or importlib.util.find_spec("torch")


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.data] if name in REAL_DATA else []) for name in SUITES])
def test_each_suite_runs_when_it_is_tiny(name, likeness, tmp_path):
    peers = ("--peers",) if importlib.util.find_spec("torch") else ()
    said = likeness("benchmark", name, "--size", "tiny", *QUICK, *peers, "--json", tmp_path / "found.json")
    assert said.code == 0, said.err
