import json
import sys
import types

import pytest
from pixels import Pixels

from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.storage import trackers
from likeness.experiments.storage.workdir import plain_metrics, read_json
from likeness.experiments.training.trainer import train
from likeness.research.errors import UserError

RUN = Run(experiment=Pixels(), steps=6, log_every=2, evaluate_every=3, checkpoints=Checkpoints(every=2))


def scalars(folder):
    """What TensorBoard would read, by tag and step, with what was purged gone."""
    from tensorboardX import proto  # noqa: F401
    from tensorboardX.event_file_writer import EventFileWriter  # noqa: F401
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for path in sorted(folder.rglob("events.out.*")):
        data, at = path.read_bytes(), 0
        while at < len(data):
            length = int.from_bytes(data[at : at + 8], "little")
            event = Event.FromString(data[at + 12 : at + 12 + length])
            at += 12 + length + 4
            if event.session_log.status:
                found = {key: value for key, value in found.items() if key[1] < event.step}
            for value in event.summary.value:
                found[value.tag, event.step] = value.simple_value
    return found


@pytest.mark.end_to_end
def test_tensorboard_gets_what_the_lines_hold_and_the_hyperparameters(tmp_path):
    train(RUN, tmp_path, trackers=("tensorboard",))
    found = scalars(tmp_path / "tensorboard")
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    expected = {
        (f"{line['split']}/{name}", line["step"]): value
        for line in lines
        for name, value in line.items()
        if name not in ("split", "step")
    }
    written = {key: value for key, value in found.items() if key in expected}
    assert written == pytest.approx(expected, rel=1e-6)
    final = [value for (tag, _), value in found.items() if tag == "final/pixels/rmse"]
    assert final == pytest.approx([read_json(tmp_path / "summary.json")["metrics"]["pixels/rmse"]])
    assert any("hparams" in tag for tag, _ in found)


@pytest.mark.end_to_end
def test_a_run_of_weights_and_biases_stays_one_run(tmp_path, monkeypatch):
    runs = {}

    class FakeRun:
        def __init__(self, number):
            self.logged, self.config, self.summary, self.finished = [], {}, {}, 0
            runs[number] = self

        def log(self, values):
            self.logged.append(values)

        def finish(self):
            self.finished += 1

    class Config(dict):
        def update(self, values, allow_val_change):
            assert allow_val_change
            super().update(values)

    def init(**given):
        run = runs.get(given["id"]) or FakeRun(given["id"])
        run.config = Config()
        return run

    fake = types.ModuleType("wandb")
    fake.init = init
    fake.util = types.SimpleNamespace(generate_id=lambda: f"number{len(runs)}")
    fake.__spec__ = types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    train(RUN, tmp_path, trackers=("wandb",))
    train(RUN, tmp_path, trackers=("wandb",))
    assert list(runs) == ["number0"]
    (run,) = runs.values()
    assert run.finished == 2
    assert [entry["step"] for entry in run.logged if "train/loss" in entry] == [2, 4, 6]
    assert run.config["steps"] == 6
    assert run.summary["final/pixels/rmse"] > 0


def test_a_board_that_is_not_installed_is_told_before_training(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        UserError, match=r"--log-to wandb needs wandb, which is not installed: pip install 'likeness-jax\[wandb\]'"
    ):
        trackers.check_trackers(("wandb",))


def test_a_config_is_flat_for_a_table():
    nested = {"steps": 3, "loss": {"margin": 0.2, "rule": {"class": "BatchHard"}}, "box": [0.0, 1.0], "best": None}
    assert trackers.flat(nested) == {
        "steps": 3,
        "loss.margin": 0.2,
        "loss.rule.class": "BatchHard",
        "box": "[0.0, 1.0]",
        "best": "null",
    }
    assert plain_metrics({"a": 1.0, "b": {"value": 0.5, "n": 3}, "c": {"value": None}}) == {"a": 1.0, "b": 0.5}
