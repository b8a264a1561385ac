"""Working directories whose files are damaged or made up: what is rebuilt from them, and what a report says of them."""

import json
import os

import odd_runs
import pytest

from likeness.experiments.config import load
from likeness.experiments.report.page import report
from likeness.experiments.storage.metrics_log import read_metrics
from likeness.experiments.storage.workdir import read_json
from likeness.experiments.training.evaluation import read_run
from likeness.research.errors import UserError


@pytest.fixture
def root(tmp_path):
    return odd_runs.make(tmp_path / "run")


def test_a_whole_run_has_no_problems(root):
    (problem,) = report([root]).problems
    assert "lacks images, names, of, people: no map is drawn" in problem
    assert read_run(root) == load("recognition/quickstart")


def replaced(root, name, value):
    path = root / "config.json"
    written = json.loads(path.read_text())
    at = written
    *way, last = name.split(".")
    for part in way:
        at = at[part]
    at[last] = value
    path.write_text(json.dumps(written))


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("steps", 0, "Run.steps is 0: give 1 or more"),
        ("steps", "many", "steps is 'many', and int is expected"),
        ("steps", 2.5, "steps is 2.5, and int is expected"),
        ("steps", True, "steps is True, and int is expected"),
        ("steps", None, "steps is nothing, and int is expected"),
        ("experiment", None, "experiment is nothing, and Experiment is expected"),
        ("experiment", 7, "experiment is 7, and Experiment is expected"),
        ("experiment", {"type": "likeness.experiments.run.Checkpoints"}, "experiment is a Checkpoints"),
        ("experiment", {"type": "..os.path"}, r"'\.\.os\.path'"),
        ("experiment", {"type": "os.path.join"}, "os.path.join"),
        ("experiment", {"type": ""}, "''"),
        ("experiment", {"type": ["a"]}, "'a'"),
        ("experiment", {}, "''|None"),
        ("experiment", [1, 2], r"experiment is \(1, 2\)"),
        ("experiment.loss.margin", "wide", "margin is 'wide'"),
        ("experiment.encoder.width", [], r"width is \(\)"),
        ("optimizer", {"type": "likeness.experiments.optim.optimizers.Adam", "moments": 1}, "Adam"),
        ("seed", -1, "Run.seed is -1: give a whole number from 0 to 2147483647"),
        ("seed", 2**31, "Run.seed is 2147483648: give a whole number from 0"),
        ("ema_decay", 2, "Run.ema_decay is 2"),
        ("matmul_precision", "lower", "matmul_precision is 'lower'"),
        ("checkpoints.every", -1, "Checkpoints.every is -1"),
    ],
)
def test_a_config_that_fits_no_run(root, name, value, why):
    replaced(root, name, value)
    with pytest.raises(UserError, match=why) as refused:
        read_run(root)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[" * 100_000, "nested more than 100 deep"),
        (b'{"type":' * 2000 + b"1" + b"}" * 2000, "nested more than 100 deep"),
        (b"", "not readable as JSON"),
        (b"\xff\xfe", "not readable as JSON"),
        (b"9" * 5000, "not readable as JSON"),
        (b"null", "does not describe a run"),
        (b"[]", "does not describe a run"),
        (b'{"type": "likeness.experiments.run.Mesh"}', "run.Mesh|does not describe a run"),
    ],
)
def test_a_config_that_is_none(root, content, why):
    (root / "config.json").write_bytes(content)
    with pytest.raises(UserError, match=why):
        read_run(root)


@pytest.mark.parametrize("name", odd_runs.FILES)
@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b"",
        b"null",
        b"[1, 2]",
        b"\xff\x00",
        b'{"step": 1e400, "metrics": NaN, "versions": 3, "argv": {}, "tau": -Infinity, "experiment": []}',
        b'{"step": 9, "steps": 9, "seconds": 9, "tau": 1, "metrics": {"a/b": 9}}'.replace(b"9", b"9" * 400),
        b'{"metrics": {"a": {"value": "x"}, "b": {"value": 1, "low": null}, "c": [], "": {}, "a/b/c/d": 1}, "notes": 5}',
        b'{"step": 5, "changed": 7, "split": [], "loss": {"value": 1, "low": 0, "high": 2, "n": "x"}, "": 1e308, "x": -1e308}',
    ],
    ids=range(9),
)
def test_a_report_says_what_it_cannot_read(root, name, content):
    (root / name).write_bytes(content)
    made = report([root])
    assert "</html>" in made.page
    if content != b"" or name.endswith(".json"):
        assert any(name in problem for problem in made.problems) or content.startswith((b"{", b"[1", b"null"))
    report([root, odd_runs.make(root.parent / "other")])


@pytest.mark.parametrize("name", [*odd_runs.FILES, "embeddings.npz"])
def test_a_pipe_in_a_working_directory(root, name):
    (root / name).unlink()
    os.mkfifo(root / name)
    assert any(name in problem and "pipe" in problem for problem in report([root]).problems)


def test_a_damaged_line_costs_that_line_only(root):
    path = root / "metrics.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3] = b"[" * 100_000 + b"\n"
    path.write_bytes(b"".join(lines) + b'{"step": 320, "spl')
    assert len(read_metrics(path)) == len(lines) - 1
    assert any(f"cannot be read in line 4, {len(lines) + 1} (2 in all)" in problem for problem in report([root]).problems)


def test_what_is_missing_is_said(root):
    with pytest.raises(UserError, match="is missing"):
        read_json(root / "none.json")
    with pytest.raises(UserError, match="a folder, a pipe or a device"):
        read_json(root)
