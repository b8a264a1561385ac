"""Detectors that look at regions, through the one trainer, and in use; and how their proposals are measured."""

import dataclasses

import jax
import numpy as np
import pytest

from likeness.experiments.benchmarks.region_proposals import Benchmark, lines_of
from likeness.experiments.detection import ObjectDetection
from likeness.experiments.detection.detector import Detector
from likeness.experiments.detection.proposals import of_proposals
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.run import Run
from likeness.experiments.training.trainer import train
from likeness.research.data.detection import Shapes, detection_examples
from likeness.research.detectors import CropFeatures, RoiHead, Segmented
from likeness.research.encoders import PatchPyramid
from likeness.research.geometry import BalancedSample, SelectiveSearch

SEARCH = SelectiveSearch(colors=("rgb",), scales=(100.0,), limit=10)
SMALL = ObjectDetection(
    data=Shapes(train=12, validation=4, test=6, size=32, sides=(8.0, 16.0), most=2),
    size=(32, 32),
    encoder=PatchPyramid(widths=(8, 8), blocks=(0, 0), pyramid_width=8),
    head=RoiHead(proposals=Segmented(search=SEARCH), features=CropFeatures(side=32), width=8, sample=BalancedSample(size=4)),
    batch=4,
    resamples=20,
)


def test_recall_counts_what_is_among_the_first():
    boxes = np.array([[0.0, 0, 10, 10], [20, 20, 30, 30]])
    examples = detection_examples(
        [np.zeros((40, 40, 3), np.uint8)] * 2, [boxes, boxes[:1]], [np.zeros(2, int), np.zeros(1, int)], ("a",)
    )
    far = np.tile([[0.0, 30, 40, 40]], (10, 1))
    found = of_proposals(examples, [np.concatenate([boxes, far]), np.concatenate([far, boxes])])
    assert found["proposals/recall@10"].value == pytest.approx(2 / 3)
    assert found["proposals/recall@100"].value == found["proposals/ar@100"].value == 1.0
    assert of_proposals(examples, None) == {}


def test_a_batch_has_the_proposals_of_its_images_where_they_lie_now():
    stream = SMALL.stream(SMALL.open(), 0)
    batch = next(stream)
    assert batch["proposals"].shape == (4, 10, 4) and batch["proposed"].any(axis=1).all()
    # The whole image is the first proposal of every image.
    np.testing.assert_array_equal(batch["proposals"][:, 0], [[0, 0, 32, 32]] * 4)


@pytest.mark.slow
def test_a_run_that_searches_learns_and_its_detector_searches_anew(tmp_path):
    run = Run(experiment=SMALL, steps=2, optimizer=Adam(schedule=Constant(peak_lr=1e-3)), log_every=1)
    done = train(run, tmp_path / "run", reporter=None)
    assert {"detection/ap", "proposals/recall@10", "proposals/recall@100", "proposals/ar@100"} <= set(done.evaluation.metrics)
    detector = Detector.load(tmp_path / "run")
    image = SMALL.open().test.read(0)
    found = detector.detect([image, np.tile(image, (2, 3, 1))], score_threshold=0.0)
    assert len(found) == 2
    for each, (height, width) in zip(found, ((32, 32), (64, 96)), strict=True):
        assert (each.xyxy >= 0).all() and (each.xyxy <= [width, height, width, height]).all()


@pytest.mark.slow
def test_where_objects_are_few_a_step_is_still_finite():
    # One in eight to learn from, and no part without any, which is refused.
    data = Shapes(train=8, validation=12, test=40, size=32, sides=(8.0, 16.0), most=1, empty=0.9)
    experiment = dataclasses.replace(SMALL, data=data)
    opened = experiment.open()
    constants, batch = experiment.constants(opened), next(experiment.stream(opened, 0))
    params, state = jax.jit(experiment.init)(jax.random.key(0), constants, batch)
    out = jax.jit(experiment.cost)(params, state, constants, batch, jax.random.key(1))
    assert np.isfinite(out.value) and all(np.isfinite(each) for each in out.metrics.values())
    assert jax.tree.structure(out.state) == jax.tree.structure(state)


@pytest.mark.slow
@pytest.mark.data
def test_what_is_proposed_of_real_images_is_printed(real_data):
    lines = lines_of(Benchmark(images=3, ks=(10, 1000)), str(real_data / "playing_cards"))
    assert "3 images with" in lines[0] and lines[1].startswith("  recall@10") and len(lines) == 3
