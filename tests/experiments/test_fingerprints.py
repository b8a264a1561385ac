import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from likeness.experiments.fingerprints import ChangedInputs, Changes, Fingerprints, listed, of_arrays
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.run import Run
from likeness.experiments.training.evaluation import evaluate
from likeness.experiments.training.following import follow
from likeness.experiments.training.trainer import train
from tests.support import pixels


@dataclasses.dataclass(frozen=True, kw_only=True)
class FromFile(pixels.Pixels):
    """Its target is in a file, and so is something that only evaluations read."""

    folder: str

    def open(self) -> np.ndarray:
        return np.load(Path(self.folder) / "target.npy")

    def fingerprints(self, data: np.ndarray) -> Fingerprints:
        looked_at = {name: {name: (Path(self.folder) / name).read_text()} for name in ("validation", "test")}
        return Fingerprints(training={"target": of_arrays(data)}, **looked_at)


class Told:
    """A reporter that keeps what it is warned of."""

    def __init__(self) -> None:
        self.warned: list[str] = []

    def say(self, text: str) -> None: ...
    def advance(self, step: int, metrics: Any) -> None: ...
    def show(self, name: str, image: Any) -> None: ...
    def warn(self, text: str) -> None:
        self.warned.append(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "data"
    place.mkdir()
    write(place, 0)
    return place


def write(folder: Path, seed: int, validation: str = "v", test: str = "t") -> None:
    np.save(folder / "target.npy", np.random.default_rng(seed).uniform(size=(1, 8, 8, 3)).astype(np.float32))
    (folder / "validation").write_text(validation)
    (folder / "test").write_text(test)


def a_run(folder: Path, steps: int = 4, **changes: Any) -> Run:
    optimizer = Adam(schedule=Constant(peak_lr=0.05))
    return pixels.eight_steps(optimizer=optimizer, experiment=FromFile(folder=str(folder)), steps=steps, **changes)


@pytest.mark.slow
def test_a_run_goes_on_only_with_what_it_was_trained_on(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "run"
    train(a_run(folder), place, until=2)
    write(folder, 1)
    with pytest.raises(ChangedInputs, match="has come to step 2 with other inputs: target changed since then"):
        train(a_run(folder), place)
    write(folder, 0)
    train(a_run(folder), place, until=3)
    write(folder, 1)
    train(a_run(folder), place, accept_changed_inputs=True)
    (line,) = map(json.loads, (place / "changes.jsonl").read_text().splitlines())
    assert line["step"] == 3 and line["changed"][0].startswith("inputs.training.target: ")
    kept = json.loads((place / "provenance.json").read_text())
    assert kept["inputs"] == FromFile(folder=str(folder)).fingerprints(FromFile(folder=str(folder)).open()).to_json()
    # Accepted once, it is what the run has from then on.
    train(a_run(folder, steps=5), place)


@pytest.mark.slow
def test_a_finished_run_is_not_evaluated_on_what_it_was_not_trained_on(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "run"
    train(a_run(folder), place)
    write(folder, 1)
    with pytest.raises(ChangedInputs, match="target changed"):
        train(a_run(folder), place)
    with pytest.raises(ChangedInputs, match="target changed"):
        evaluate(place)
    with pytest.raises(ChangedInputs, match="target changed"):
        next(follow(place))
    noted = evaluate(place, accept_changed_inputs=True).notes
    assert noted[-1].startswith("target changed since this was trained")
    assert json.loads((place / "summary.json").read_text())["notes"] == list(noted)


@pytest.mark.slow
def test_other_evaluation_data_are_said_and_refused_where_they_decide(folder: Path, tmp_path: Path) -> None:
    place, told = tmp_path / "run", Told()
    train(a_run(folder), place, until=2)
    write(folder, 0, validation="w", test="u")
    train(a_run(folder), place, reporter=told)
    (warning,) = told.warned
    assert warning.startswith("validation and test changed since this directory's last launch")
    assert "inputs.test.test: t → u" in (place / "changes.jsonl").read_text()
    write(folder, 0, validation="w", test="s")
    assert evaluate(place).notes[-1].startswith("test changed since this was trained")

    deciding = a_run(folder).checkpoints
    deciding = dataclasses.replace(deciding, best_metric="pixels/rmse")
    run = a_run(folder, checkpoints=deciding, evaluate_every=1)
    train(run, tmp_path / "best", until=2)
    write(folder, 0, validation="v", test="s")
    with pytest.raises(ChangedInputs, match="validation changed"):
        train(run, tmp_path / "best")


def test_what_has_come_and_what_has_gone_are_changes_and_an_old_record_has_none() -> None:
    now = Fingerprints(training={"style 1": "a", "style 2": "b"}, test={"images": "c"})
    assert not now.since(now.to_json()) and not now.since({})
    before = {"training": {"style 1": "a", "region of style 1": "r"}, "validation": {}, "test": {"images": "d"}}
    changes = now.since(before)
    assert changes == Changes(training=("region of style 1", "style 2"), test=("images",))
    assert changes.described(before, now) == [
        "inputs.training.region of style 1: r → nothing",
        "inputs.training.style 2: nothing → b",
        "inputs.test.images: d → c",
    ]
    assert listed(changes.training) == "region of style 1 and style 2"
    assert listed([str(n) for n in range(7)]) == "0, 1, 2, 3, 4 and 2 more"
    assert now.digest != Fingerprints(training={"style 1": "a", "style 2": "b"}).digest


def test_arrays_are_told_by_values_shape_type_and_name() -> None:
    zeros = np.zeros(4, np.float32)
    others = [{"b": zeros}, {"a": zeros.reshape(2, 2)}, {"a": zeros.astype(np.int32)}, {"a": zeros + 1}]
    assert of_arrays({"a": zeros}) == of_arrays({"a": zeros.copy()})
    assert len({of_arrays(each) for each in ({"a": zeros}, *others)}) == 5
