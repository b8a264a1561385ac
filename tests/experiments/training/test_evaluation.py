"""The last word of a run: everything that an evaluation holds is in the working directory, and the summary names it."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy import Toy, toy_run

from likeness.experiments.config import load, to_json
from likeness.experiments.display import figures
from likeness.experiments.experiment import Evaluation, Variables
from likeness.experiments.fingerprints import ChangedInputs, Fingerprints
from likeness.experiments.run import Checkpoints
from likeness.experiments.storage.workdir import Workdir
from likeness.experiments.training.evaluation import check_inputs, evaluate, evaluate_run, read_run, restore
from likeness.experiments.training.trainer import train
from likeness.research.errors import UserError
from likeness.research.metrics.intervals import Estimate

RED, BLUE = (np.tile(np.float32(color), (4, 6, 1)) for color in ((1, 0, 0), (0, 0, 1)))


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Full(Toy):
    """An evaluation that has something of everything."""

    def evaluate(self, data, params, state, part):
        return Evaluation(
            metrics={"a/b": 0.25, "a/c": Estimate(0.5, 0.4, 0.6, 9), "part": float(part == "test")},
            columns={"": "all of them"},
            figures={"spread": figures.distances(np.array([0.1, 0.2, 0.8]), np.array([True, True, False]))},
            artifacts={"threshold": {"tau": 0.75}},
            arrays={"embeddings": {"rows": np.arange(6.0).reshape(2, 3), "names": np.array(["a", "b"])}},
            images={"painting": RED},
            examples={"rows/first": BLUE},
            notes=("One of its own.",),
        )


def test_everything_is_written_and_the_summary_names_it(tmp_path):
    files = Workdir(tmp_path)
    run = toy_run(experiment=Full())
    lines = [{"step": step, "split": "train", "loss": 1.0 / step} for step in (1, 2, 3)]
    files.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    evaluated = evaluate_run(run, files, "data", Variables({}, {}), step=5, seconds=1.23456, notes=("One more.",))
    assert evaluated.metrics["part"] == 1.0
    assert evaluated.notes == ("One of its own.", "One more.")
    assert json.loads((tmp_path / "threshold.json").read_text()) == {"tau": 0.75}
    with np.load(tmp_path / "embeddings.npz") as arrays:
        np.testing.assert_array_equal(arrays["rows"], [[0, 1, 2], [3, 4, 5]])
        assert list(arrays["names"]) == ["a", "b"]
    np.testing.assert_array_equal(pixels(tmp_path / "images" / "painting.png"), 255 * RED)
    np.testing.assert_array_equal(pixels(tmp_path / "figures" / "rows" / "first.png"), 255 * BLUE)
    for name in ("spread", "curves"):
        drawn = pixels(tmp_path / "figures" / f"{name}.png")
        assert min(drawn.shape[:2]) > 100 and drawn.std() > 5
    summary = json.loads(files.summary.read_text())
    assert summary["metrics"]["a/b"] == 0.25
    assert summary["metrics"]["a/c"]["value"] == 0.5
    assert {name: summary[name] for name in ("columns", "notes", "seconds", "steps", "figures", "images")} == {
        "columns": {"": "all of them"},
        "notes": ["One of its own.", "One more."],
        "seconds": 1.235,
        "steps": 5,
        "figures": ["figures/curves.png", "figures/spread.png"],
        "images": ["images/painting.png"],
    }


def test_of_a_run_without_a_log_no_curves_are_drawn(tmp_path):
    evaluate_run(toy_run(), Workdir(tmp_path), "data", Variables({"weights": np.ones((2, 3))}, {}), step=1, seconds=0.0)
    assert json.loads((tmp_path / "summary.json").read_text())["figures"] == []
    assert not (tmp_path / "figures").exists()


BEFORE = Fingerprints(training={"images": "1"}, validation={"held out": "1"}, test={"strangers": "1"})


def test_only_what_was_trained_on_must_be_the_same(tmp_path):
    assert not check_inputs(tmp_path, BEFORE.to_json(), BEFORE)
    evaluated_otherwise = dataclasses.replace(BEFORE, validation={"held out": "2"}, test={})
    changes = check_inputs(tmp_path, BEFORE.to_json(), evaluated_otherwise)
    assert (changes.training, changes.beside_training) == ((), ("held out", "strangers"))
    with pytest.raises(ChangedInputs, match="images changed since .* was trained"):
        check_inputs(tmp_path, BEFORE.to_json(), dataclasses.replace(BEFORE, training={"images": "2"}))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Read(Toy):
    """It has read what the file says."""

    path: str

    def fingerprints(self, data):
        trained, evaluated = Path(self.path).read_text().split()
        return Fingerprints(training={"images": trained}, test={"strangers": evaluated})


@pytest.mark.slow
@pytest.mark.end_to_end
def test_what_was_read_otherwise_is_noted_or_refused(tmp_path):
    path, place = tmp_path / "read", tmp_path / "run"
    path.write_text("1 1")
    trained = train(toy_run(experiment=Read(path=str(path)), steps=2), place)
    assert evaluate(place).notes == ()
    note = "{} changed since this was trained: the numbers do not compare with those before"
    path.write_text("1 2")
    again = evaluate(place)
    assert (again.notes, again.metrics) == ((note.format("strangers"),), trained.evaluation.metrics)
    path.write_text("2 2")
    with pytest.raises(ChangedInputs, match="images changed"):
        evaluate(place)
    assert evaluate(place, accept_changed_inputs=True).notes == (note.format("images and strangers"),)
    # What it took to train is in the summary only.
    assert json.loads((place / "summary.json").read_text())["seconds"] == pytest.approx(trained.seconds, abs=1e-3)
    (place / "summary.json").unlink()
    evaluate(place, accept_changed_inputs=True)
    assert json.loads((place / "summary.json").read_text())["seconds"] == 0.0


def test_a_directory_without_a_whole_checkpoint_is_said_to_be_one(tmp_path):
    for make in (lambda: None, (tmp_path / "checkpoints").mkdir):
        make()
        with pytest.raises(UserError, match="holds no whole checkpoint: train it"):
            restore(tmp_path, toy_run())


@pytest.mark.end_to_end
def test_the_best_is_restored_where_it_decides_and_the_run_is_read_back(tmp_path):
    policy = Checkpoints(every=1, keep_last=9, best_metric="toy/score")
    run = toy_run(experiment=Toy(curve=(9.0, 3.0, 1.0, 2.0, 4.0)), steps=4, evaluate_every=1, checkpoints=policy)
    train(run, tmp_path)
    assert read_run(tmp_path) == run
    step, variables = restore(tmp_path, run)
    assert (step, int(variables.state["steps"])) == (2, 2)
    step, variables = restore(tmp_path, dataclasses.replace(run, checkpoints=Checkpoints()))
    assert (step, int(variables.state["steps"])) == (4, 4)


def test_who_evaluates_is_told_where_missing_data_were_named(tmp_path, monkeypatch):
    """From another directory a relative path leads nowhere, and no flag of this command named it."""
    run = load("detection/folder_scratch")
    data = dataclasses.replace(run.experiment.data, path="cards")
    run = dataclasses.replace(run, experiment=dataclasses.replace(run.experiment, data=data))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text(json.dumps(to_json(run)))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^cards does not exist.* run/config\.json names the data"):
        evaluate("run")
