"""Detection through the one trainer: cost, evaluation, and what a run keeps."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_detection import SMALL, started

from likeness.experiments.commands.main import run as command
from likeness.experiments.config import from_json, load, to_json
from likeness.experiments.detection.detector import Detector
from likeness.experiments.detection.evaluation import evaluated, records
from likeness.experiments.detection.evidence import ShownImage, fates, shown
from likeness.experiments.detection.figures import beside_truth, precision_recall
from likeness.experiments.detection.outcome import outcome
from likeness.experiments.detection.single import of_single_objects
from likeness.experiments.experiment import Variables
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.training.trainer import train
from likeness.research.data.detection import DrawnFaces, Problem, Shapes, detection_examples
from likeness.research.detectors.heads import AnchorFreeHead
from likeness.research.detectors.localization import LocalizationHead
from likeness.research.encoders import FeaturePyramid
from likeness.research.errors import UserError
from likeness.research.geometry.detections import Detections


def perfect(examples, score=0.9):
    return [
        Detections(
            xyxy=examples.boxes_of(row),
            confidence=np.full(len(examples.boxes_of(row)), score, np.float32),
            class_id=examples.classes_of(row),
            class_names=examples.class_names,
        )
        for row in range(len(examples))
    ]


@pytest.mark.slow
def test_the_cost_is_that_of_the_head_and_every_weight_learns():
    _, constants, batch, (params, state) = started(SMALL)
    cost, slope = jax.jit(
        jax.value_and_grad(
            lambda params: (lambda out: (out.value, out))(SMALL.cost(params, state, constants, batch, jax.random.key(1))),
            has_aux=True,
        )
    )(params)
    assert cost[0].dtype == jnp.float32
    assert jax.tree.structure(cost[1].state) == jax.tree.structure(state)
    assert {"score_loss", "box_loss", "objects", "foreground", "missed"} <= set(cost[1].metrics)
    assert float(cost[1].metrics["objects"]) == batch["mask"].sum()
    learned = {
        jax.tree_util.keystr(path): bool(jnp.any(leaf != 0)) for path, leaf in jax.tree_util.tree_leaves_with_path(slope)
    }
    # Nothing is read from the coarsest map but by the finer one.
    assert all(learned.values()), [name for name, moves in learned.items() if not moves]


@dataclasses.dataclass(frozen=True)
class Ones:
    """Weights that are all 1."""

    def variables(self, encoder):
        shapes = jax.eval_shape(encoder.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
        return jax.tree.map(lambda leaf: np.ones(leaf.shape, leaf.dtype), shapes)


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_encoder_or_its_backbone_starts_from_weights(wrapped):
    encoder = (
        FeaturePyramid(backbone=SMALL.encoder, layers=("stage4", "stage8"), finest=4, width=4) if wrapped else SMALL.encoder
    )
    head = AnchorFreeHead(maps=("pyramid4",), width=4)
    _, _, _, (params, state) = started(dataclasses.replace(SMALL, encoder=encoder, head=head, weights=Ones()))
    of_encoder = params["encoder"], state["encoder"]["batch_stats"]
    for tree in of_encoder:
        own = tree["backbone"] if wrapped else tree
        assert all((np.asarray(leaf) == 1).all() for leaf in jax.tree.leaves(own))
    assert not (np.asarray(params["head"]["tower0_1"]["kernel"]) == 1).any()


def test_the_parts_and_their_faults_are_told():
    data = SMALL.open()
    said = " ".join(SMALL.describe(data))
    assert "Shapes: 24 images with" in said and "to be evaluated by" in said
    assert "in 3 classes" in said
    assert "the images are synthetic" in said
    lacking = data._replace(train=dataclasses.replace(data.train, classes=np.zeros_like(data.train.classes)))
    assert "nothing to learn 'box' and 1 more classes from" in " ".join(SMALL.describe(lacking))
    assert not any("malformed" in sentence for sentence in SMALL.describe(data))


@dataclasses.dataclass(frozen=True)
class Faulty:
    """Images of which something was wrong."""

    def open(self):
        problems = (Problem("zero_area", "a.png", index=2), Problem("malformed", "b.png"), Problem("zero_area", "c.png"))
        return dataclasses.replace(Shapes(train=40, validation=5, test=5).open(), problems=problems, notes=("a note",))


def test_what_was_wrong_with_the_data_is_told_when_training_begins():
    said = experiment_of(Faulty()).describe(experiment_of(Faulty()).open())
    assert "a note" in said
    assert any(sentence.startswith("zero_area, 2 times") and "a.png, box 3" in sentence for sentence in said)
    assert any(sentence.startswith("malformed, once") for sentence in said)


@dataclasses.dataclass(frozen=True)
class Gray:
    """Images of one channel."""

    channels: int = 1

    def open(self):
        examples = SMALL.data.open()
        rows = range(len(examples))
        images = [examples.read(row)[..., :1] for row in rows]
        boxes, classes = [examples.boxes_of(row) for row in rows], [examples.classes_of(row) for row in rows]
        return dataclasses.replace(detection_examples(images, boxes, classes, examples.class_names), parts=examples.parts)


def test_gray_images_that_an_encoder_does_not_take_are_the_users_mistake():
    with pytest.raises(UserError, match="channels=3"):
        started(experiment_of(Gray()))


def test_a_canvas_whose_sides_are_no_multiples_is_the_users_mistake():
    with pytest.raises(UserError, match="no multiple of 8"):
        started(dataclasses.replace(SMALL, size=(30, 30)))


def experiment_of(data):
    return dataclasses.replace(SMALL, data=data)


def test_classes_of_any_names_have_metrics_of_their_own():
    """One may be called as the sizes of objects are, and two may differ by what a name of a metric does not hold."""
    names = ("small", "a b", "a_b")
    examples = dataclasses.replace(SMALL.open().test, class_names=names)
    found = perfect(examples)
    for each in found:
        each.confidence[each.class_id == 1] = 0.0
    missing = [each[each.class_id != 1] for each in found]
    metrics = evaluated(examples, missing).with_intervals(20)
    assert {"detection/ap@small", "detection/ap@small_2", "detection/ap@a_b", "detection/ap@a_b_2"} <= set(metrics)
    assert metrics["detection/ap@a_b"].value == 0.0
    assert metrics["detection/ap@small_2"].value == metrics["detection/ap@a_b_2"].value == 1.0
    assert 0.0 < metrics["detection/ap@small"].value < 1.0


@pytest.mark.filterwarnings("error:constrained_layout not applied")
def test_long_names_leave_room_for_what_is_drawn(tmp_path):
    examples = dataclasses.replace(SMALL.open().test, class_names=("n" * 300, "box", "triangle"))
    curves = evaluated(examples, perfect(examples)).curves(10)
    precision_recall(curves).savefig(tmp_path / "curves.png")


@pytest.mark.parametrize("size", [(2000, 8), (8, 2000)])
def test_images_that_are_strips_make_no_figure_of_many_meters(tmp_path, size):
    images = [np.zeros((*size, 3), np.uint8)] * 10
    box = [np.array([[1.0, 1.0, 7.0, 7.0]])] * 10
    examples = detection_examples(images, box, [np.zeros(1, int)] * 10, ("disk",))
    found = perfect(examples)
    first, _ = shown(examples, found, fates(examples, found), 0.3)
    figure = beside_truth(first, examples.class_names, "The first")
    assert max(figure.get_size_inches()) < 40
    figure.savefig(tmp_path / "strips.png")


def test_whoever_finds_everything_has_an_average_precision_of_one():
    examples = SMALL.open().test
    found = evaluated(examples, perfect(examples))
    assert found.metrics["detection/ap"] == found.metrics["detection/ap50"] == 1.0
    with_intervals = found.with_intervals(20)
    assert {"detection/ap", "detection/ap@small", "detection/ap@disk", "detection/ap50@triangle"} <= set(with_intervals)
    assert all(value.value == 1.0 and value.low < 1.0 == value.high for value in with_intervals.values())
    curves = found.curves(10)
    assert set(curves) == {"disk", "box", "triangle"}
    assert all((curve.precision == 1).all() for curve in curves.values())
    precision_recall(curves)
    everything = perfect(examples)
    first, worst = shown(examples, everything, fates(examples, everything), 0.3)
    assert len(first) == 10 and not any(each.mistakes for each in first) and not worst
    beside_truth(first, examples.class_names, "The first")


def test_what_is_missed_and_what_is_not_there_is_shown():
    examples = SMALL.open().test
    found = perfect(examples)
    found[3] = found[3][:0]
    found[9] = dataclasses.replace(found[9], class_id=(found[9].class_id + 1) % 3)
    known = fates(examples, found)
    first, worst = shown(examples, found, known, 0.3, count=2)
    assert [each.mistakes for each in first] == [0, 0]
    # The one of both kinds has a mistake and a miss for each object.
    wrong, empty = 2 * len(found[9]), len(examples.boxes_of(3))
    assert [each.mistakes for each in worst] == sorted((wrong, empty), reverse=True)
    assert set(known.kinds[9]) == {"classification"} and set(known.kinds[0]) == {"right"}
    assert np.isnan(known.found_at[3]).all() and np.isnan(known.found_at[9]).all()
    np.testing.assert_allclose(known.found_at[0], 0.9, rtol=1e-6)
    told = json.loads(json.dumps(worst[0].to_json()))
    assert [each["found_at"] for each in told["there"]] == [None] * len(told["there"])
    beside_truth(worst, examples.class_names, "The worst")


@pytest.mark.parametrize("classes, said", [(3, {"90"}), (9, {"c0 90", "c1 90", "c2 90"}), (1, {"90"})])
def test_of_many_boxes_right_ones_have_their_score_alone_where_a_legend_names_the_colors(classes, said):
    names = tuple(f"c{number}" for number in range(classes))
    numbers = np.arange(13) % min(classes, 3)
    boxes = np.stack([np.arange(13.0), np.zeros(13), np.arange(13.0) + 9, np.full(13, 9.0)], axis=1)
    kinds = ("background", *["right"] * 12)
    found = Detections(xyxy=boxes, confidence=np.full(13, 0.9), class_id=numbers, class_names=names)
    blank = np.zeros((32, 32, 3), np.uint8)
    crowded = ShownImage("a", blank, boxes[1:], numbers[1:], np.zeros(12, bool), np.full(12, 0.9), found, kinds, 0.3)
    figure = beside_truth([crowded], names, "Many")
    assert {text.get_text() for text in figure.axes[0].texts} == {*said, "c0 90?", "1 background"}
    assert [text.get_text() for legend in figure.legends for text in legend.get_texts()] == list(names if classes == 3 else ())
    alone = crowded._replace(found=found[:3], kinds=kinds[:3])
    figure = beside_truth([alone], names, "Few")
    assert not figure.legends and any(text.get_text().startswith("c0 90") for text in figure.axes[0].texts)


def test_what_scores_too_little_is_no_mistake_and_misses_its_object():
    examples = SMALL.open().test
    found = perfect(examples, score=0.25)
    first, worst = shown(examples, found, fates(examples, found), 0.3)
    assert all(each.missed.all() and not each.above.any() for each in first)
    assert worst[0].mistakes == max(np.diff(examples.starts))
    assert worst[0].counts() == {**dict.fromkeys(worst[0].counts(), 0), "missed": worst[0].mistakes}


def test_a_crowd_is_neither_missed_nor_wrong():
    examples = SMALL.open().test
    crowds = dataclasses.replace(examples, crowd=np.arange(len(examples.boxes)) == 0)
    found = perfect(crowds)
    known = fates(crowds, found)
    assert known.kinds[0][0] == "ignored"
    found[0] = found[0][1:]
    first, worst = shown(crowds, found, fates(crowds, found), 0.3)
    assert first[0].mistakes == 0 and not worst


@pytest.mark.slow
def test_crowds_are_neither_learned_nor_learned_to_be_nothing():
    data, constants, batch, (params, state) = started(SMALL)
    assert "ignored" not in batch
    crowds = dataclasses.replace(data.train, difficult=np.ones(len(data.train.boxes), bool))
    batch = next(SMALL.stream(data._replace(train=crowds), 0))
    assert batch["ignored"].any() and not batch["mask"].any()
    cost = jax.jit(lambda batch: SMALL.cost(params, state, constants, batch, jax.random.key(1)).metrics)
    heeded, unheeded = cost(batch), cost({name: each for name, each in batch.items() if name != "ignored"})
    assert heeded["objects"] == heeded["foreground"] == heeded["box_loss"] == 0
    assert 0 < heeded["score_loss"] < unheeded["score_loss"]


def test_figures_say_what_is_wrong():
    """Of everything, of nothing, and of mistakes; their words are where they belong."""
    examples = SMALL.open().test
    everything = perfect(examples)
    some = [each if row % 2 else each[:0] for row, each in enumerate(everything)]
    model = SMALL.model(examples.class_names)
    for found, ap in ((everything, 1.0), (some, None), ([each[:0] for each in everything], 0.0)):
        said = outcome(examples, found, model, size=(32, 32), source="Shapes", score_threshold=0.3, resamples=10)
        assert {"detections", "precision_recall", "errors", "calibration", "confusion", "thresholds"} <= set(said.figures)
        assert ("worst_images" in said.figures) is (ap != 1.0)
        gains = {kind: said.metrics[f"detection/gain@{kind}"] for kind in ("missed", "background", "duplicate")}
        assert gains["background"] == gains["duplicate"] == 0
        assert (gains["missed"] > 0) is (ap != 1.0)
        assert len(said.artifacts["shown"]["first"]) == 10
        assert set(said.examples) == {
            f"detections/{kind}_{place:02d}"
            for kind in ("first", "worst")
            for place in range(len(said.artifacts["shown"][kind]))
        }
        for figure in said.figures.values():
            figure.canvas.draw()


def test_detections_are_written_as_coco_reads_them():
    examples = SMALL.open().test
    told = json.loads(json.dumps(records(examples, perfect(examples))))
    assert [each["id"] for each in told["images"]] == examples.image_numbers.tolist()
    assert [each["name"] for each in told["categories"]] == list(examples.class_names)
    assert len(told["detections"]) == len(examples.boxes)
    x, y, width, height = told["detections"][0]["bbox"]
    assert [x, y, x + width, y + height] == examples.boxes[0].tolist()


def test_boxes_are_found_in_pixels_of_images_of_any_size():
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (h, w, 3)).astype(np.uint8) for h, w in ((40, 90), (33, 20))]
    examples = detection_examples(
        images, [np.array([[1.0, 1.0, 9.0, 9.0]])] * 2, [np.array([0])] * 2, ("disk", "box", "triangle")
    )
    _, _, _, (params, state) = started(SMALL)
    found = SMALL.find(Variables(params, state), examples)
    assert len(found) == 2
    for each, (height, width) in zip(found, ((40, 90), (33, 20)), strict=True):
        assert (each.xyxy >= 0).all()
        assert (each.xyxy <= [width, height, width, height]).all()


@pytest.mark.slow
def test_a_run_learns_keeps_its_detector_and_goes_on(tmp_path, capsys):
    run = Run(
        experiment=SMALL,
        steps=4,
        optimizer=Adam(schedule=Constant(peak_lr=1e-3)),
        evaluate_every=2,
        log_every=1,
        checkpoints=Checkpoints(every=2, best_metric="detection/ap", mode="max"),
    )
    assert from_json(to_json(run)) == run
    done = train(run, tmp_path / "run", reporter=None)
    kept = json.loads((tmp_path / "run" / "detector.json").read_text())
    assert kept["class_names"] == ["disk", "box", "triangle"]
    assert kept["size"] == [32, 32]
    assert {"detection/ap", "detection/ap50", "detection/ap75", "detection/ar"} <= set(done.evaluation.metrics)
    for name in ("detections", "precision_recall", "worst_images", "errors", "calibration", "confusion", "thresholds"):
        assert (tmp_path / "run" / "figures" / f"{name}.png").exists()
    assert json.loads((tmp_path / "run" / "detections.json").read_text())["categories"][0]["name"] == "disk"
    assert command(["weights", "export", str(tmp_path / "run"), str(tmp_path / "encoder.safetensors")]) == 0
    assert ": those of the encoder. The head" in capsys.readouterr().out
    (tmp_path / "run" / "detector.json").unlink()
    with pytest.raises(UserError, match=r"has not finished.* its best checkpoint, by `likeness evaluate .*run`\."):
        Detector.load(tmp_path / "run")


def test_single_objects_are_localized():
    examples = Shapes(train=1, validation=1, test=40, most=1, empty=0.3).open().select(np.arange(2, 42))
    assert 0 < (np.diff(examples.starts) == 0).sum() < 30
    exact = of_single_objects(examples, perfect(examples))
    assert exact["localization/iou"].value == exact["localization/correct"].value == 1.0
    unsure = of_single_objects(examples, perfect(examples, 0.4))
    assert unsure["localization/iou"].value == 1.0
    assert unsure["localization/correct"].value == (np.diff(examples.starts) == 0).mean()
    assert of_single_objects(SMALL.open().test, perfect(SMALL.open().test)) == {}


@pytest.mark.parametrize("landmarks", [5, 68])
def test_landmarks_are_measured_by_the_face(landmarks):
    examples = DrawnFaces(train=1, validation=1, test=6, size=48, landmarks=landmarks).open()
    test = examples.select(np.arange(2, 8))
    assert test.points is not None
    found = [
        dataclasses.replace(each, landmarks=test.points[row : row + 1] + np.float32([3, 4]))
        for row, each in enumerate(perfect(test))
    ]
    sides = np.sqrt(np.prod(test.boxes[:, 2:] - test.boxes[:, :2], axis=1))
    metrics = of_single_objects(test, found)
    np.testing.assert_allclose(metrics["landmarks/nme"].value, (5 / sides).mean(), rtol=1e-5)
    left, right = ((0, 1), (1, 2)) if landmarks == 5 else ((36, 42), (42, 48))
    eyes = np.linalg.norm(np.subtract(*(test.points[:, slice(*eye)].mean(axis=1) for eye in (left, right))), axis=1)
    np.testing.assert_allclose(metrics["landmarks/nme@eyes"].value, (5 / eyes).mean(), rtol=1e-5)


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"batch": 0}, "ObjectDetection: batch is 0"),
        ({"data": None}, r"ObjectDetection\.data is None"),
        ({"head": None}, r"ObjectDetection\.head is None"),
        ({"score_threshold": 1.0}, r"ObjectDetection\.score_threshold is 1\.0"),
    ],
)
def test_what_makes_no_experiment_is_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        dataclasses.replace(SMALL, **fields)


def test_a_head_that_reads_no_map_of_the_encoder_is_refused_before_training():
    experiment = dataclasses.replace(SMALL, head=AnchorFreeHead(maps=("pyramid16",)))
    with pytest.raises(UserError, match="maps asks for 'pyramid16'"):
        started(experiment)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["detection/anchor_free_shapes", "detection/localize", "detection/landmarks"])
def test_shipped_heads_are_learned_by_one_step(name):
    run = load(name)
    data = dataclasses.replace(run.experiment.data, train=8, validation=2, test=2)
    experiment = dataclasses.replace(run.experiment, data=data, batch=2)
    _, constants, batch, (params, state) = started(experiment)
    out = jax.eval_shape(experiment.cost, params, state, constants, batch, jax.random.key(0))
    assert out.value.shape == ()
    assert isinstance(experiment.head, AnchorFreeHead | LocalizationHead)
