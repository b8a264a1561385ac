"""Sliding windows through the one trainer."""

import dataclasses
import json

import numpy as np
import pytest

from likeness.experiments.config import from_json, to_json
from likeness.experiments.detection import WindowDetection
from likeness.experiments.detection.detector import Detector
from likeness.experiments.detection.windows import difference_of_forms
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.training.trainer import train
from likeness.research.data.detection import ObjectCrops, Shapes
from likeness.research.encoders import WindowNetwork

SMALL = WindowDetection(
    data=Shapes(train=30, validation=6, test=8, size=48, sides=(14.0, 20.0), most=2),
    size=(48, 48),
    network=WindowNetwork(window=24, widths=(4, 4), sides=(5, 3), pools=(2, 2), hidden=(8,)),
    crops=ObjectCrops(background=3),
    batch=8,
    resamples=10,
)


@pytest.mark.slow
def test_a_run_learns_keeps_its_detector_and_says_what_one_pass_saves(tmp_path):
    run = Run(
        experiment=SMALL,
        steps=4,
        optimizer=Adam(schedule=Constant(peak_lr=1e-3)),
        evaluate_every=2,
        log_every=1,
        checkpoints=Checkpoints(every=2, best_metric="detection/ap50", mode="max"),
    )
    assert from_json(to_json(run)) == run
    done = train(run, tmp_path / "run", reporter=None)
    metrics = done.evaluation.metrics
    assert {"detection/ap", "detection/ap50"} <= set(metrics)
    assert metrics["windows/difference"] <= 1e-5
    assert metrics["windows/multiplications_saved"] > 3
    assert any("11×11 windows" in note for note in done.evaluation.notes)
    told = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert any("windows/accuracy" in each for each in told)
    detector = Detector.load(tmp_path / "run")
    found = detector.detect(np.zeros((50, 70, 3), np.uint8), score_threshold=0.0)[0]
    assert (found.xyxy >= 0).all() and (found.xyxy <= [70, 50, 70, 50]).all()


@pytest.mark.slow
def test_forms_that_differ_are_an_error(monkeypatch):
    from likeness.research.detectors.windows import WindowDetector

    model, data = SMALL.model(("disk", "box", "triangle")), SMALL.open()
    own = WindowDetector.logits

    def logits(self, variables, images):
        return own(self, variables, images) + (1.0 if self.form == "crops" else 0.0)

    import jax

    learned = SMALL.init(jax.random.key(0), np.zeros(4), {"values": np.zeros((1, 24, 24, 3))})
    variables = SMALL.model_variables(learned)
    assert difference_of_forms(model, variables, data.images.test.select([0, 1])) <= 1e-5
    monkeypatch.setattr(WindowDetector, "logits", logits)
    with pytest.raises(RuntimeError, match="sees what is outside of the window"):
        difference_of_forms(model, variables, data.images.test.select([0, 1]))


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"batch": 0}, "batch is 0"),
        ({"data": None}, r"WindowDetection\.data is None"),
        ({"crops": ObjectCrops(window=20)}, "crops of 20 pixels are classified by a network for 24"),
        ({"score_threshold": 1.0}, r"WindowDetection\.score_threshold is 1\.0"),
        ({"size": (4, 48), "border": 0}, "smaller than a window"),
    ],
)
def test_what_makes_no_experiment_is_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        dataclasses.replace(SMALL, **fields)
