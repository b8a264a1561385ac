"""The recognition experiment, small: what it says of its data, how it evaluates, and that its weights survive."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from PIL import Image

from likeness.experiments.config import load
from likeness.experiments.display.glossary import meaning
from likeness.experiments.recognition import Recognition
from likeness.experiments.recognition.embedders import Eigenfaces, RawPixels, trained
from likeness.experiments.recognition.protocols import Identification, OneShot, Verification, apply_protocols, evaluate
from likeness.experiments.recognition.recognition import split_flags
from likeness.experiments.recognition.recognizer import Recognizer
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.training.trainer import Trained, train
from likeness.research.data import Arrays, CountSplit, Digits, Duplicates, Faces, IdentityBatches
from likeness.research.data.split import Split
from likeness.research.encoders import Conv4
from likeness.research.errors import UserError
from likeness.research.gallery import Threshold
from likeness.research.losses import BatchHard, Cosine, MarginSoftmax, Siamese, SquaredEuclidean, Triplet
from likeness.research.metrics.calibration import stranger_rate

pytestmark = pytest.mark.end_to_end


def an_experiment(**changes: Any) -> Recognition:
    default: dict[str, Any] = {
        "data": Faces(people=30, images=6, size=16, channels=1),
        "split": CountSplit(validation=8, test=8),
        "batches": IdentityBatches(people=7, images=2),
        "encoder": Conv4(width=8, dimension=8),
        "loss": Triplet(rule=BatchHard(), reduction="mean"),
        "test": (Verification(), Identification(fpirs=(0.1,))),
        "baselines": (RawPixels(), Eigenfaces(components=5)),
        "target_far": 0.05,
    }
    return Recognition(**(default | changes))


@pytest.fixture(scope="module", params=["triplet", "siamese"])
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    loss = Triplet() if request.param == "triplet" else Siamese()
    run = Run(experiment=an_experiment(loss=loss), steps=8, log_every=4, checkpoints=Checkpoints(every=4))
    return train(run, tmp_path_factory.mktemp(request.param) / "run")


@pytest.mark.slow
def test_the_weights_survive_to_the_bit(finished: Trained) -> None:
    """F15: codes of the reloaded recognizer equal those of the trained one; F5: one tree of weights embeds both images."""
    recognizer = Recognizer.load(finished.workdir)
    experiment = recognizer.experiment
    images = experiment.open().test.read(np.arange(10))
    before = trained(experiment.encoder, experiment.loss, *finished.variables).embed(images)
    np.testing.assert_array_equal(recognizer.embed(images), before)
    assert before.shape == (10, 8)
    assert recognizer.fingerprint == experiment.model_fingerprint(finished.variables, recognizer.inputs)
    distances = recognizer.embedder.distance(before, before)
    np.testing.assert_allclose(distances, distances.T, rtol=1e-6, atol=1e-6)


def test_the_summary_holds_everyone_evaluated_alike(finished: Trained) -> None:
    metrics = json.loads((finished.workdir / "summary.json").read_text())["metrics"]
    for name in ("verification/eer", "identification/rank1"):
        for embedder in ("", "raw_pixels/", "eigenfaces/"):
            entry = metrics[embedder + name]
            assert entry["low"] <= entry["value"] <= entry["high"]
            assert entry["n"] > 0
    assert {path.name for path in (finished.workdir / "figures").iterdir()} == {
        "curves.png",
        "distances.png",
        "mistakes",
        "mistakes.png",
        "roc.png",
    }


def test_the_threshold_is_the_models_and_holds_on_its_validation_people(finished: Trained) -> None:
    recognizer = Recognizer.load(finished.workdir)
    threshold = recognizer.threshold
    assert threshold.target_far == 0.05
    assert threshold.far.value is not None
    assert threshold.people == 8
    evaluated = evaluate(recognizer.embedder, recognizer.experiment.open().validation)
    pairs = Verification().pairs(evaluated)
    strangers = pairs.distances[~pairs.same]
    accepted = np.mean(strangers <= threshold.tau)
    assert accepted <= 0.05 < accepted + 1 / len(strangers)
    # What is stated is of people who did not choose τ: a little more than those who did show.
    assert threshold.far == stranger_rate(strangers, threshold.tau, pairs.people[~pairs.same])
    assert threshold.far.value > accepted * len(strangers) / (len(strangers) + 1) - 1e-12
    with pytest.raises(UserError, match="another|model"):
        Threshold.load(finished.workdir / "threshold.json", "0" * 64)


def test_pairs_have_the_distances_of_their_rows() -> None:
    experiment = an_experiment()
    images = experiment.open().test
    evaluated = evaluate(RawPixels().fit(images), images)
    pairs = Verification().pairs(evaluated)
    pixels = images.read(np.arange(len(images))).reshape(len(images), -1) / 255.0
    expected = ((pixels[pairs.rows[:, 0]] - pixels[pairs.rows[:, 1]]) ** 2).sum(1)
    np.testing.assert_allclose(pairs.distances, expected, rtol=1e-9, atol=1e-9)
    assert len(pairs) == len(images) * (len(images) - 1) // 2


def test_few_pairs_of_many_images_are_compared_alone_and_alike() -> None:
    """Not in blocks of all against all, of which they would be a small part."""
    images = an_experiment().open().test
    encoder, shape = Conv4(width=4, dimension=6), jax.numpy.zeros((1, *images.shape))
    variables = jax.jit(encoder.init)(jax.random.key(0), shape)
    params = {"encoder": variables["params"], "loss": Siamese().init(jax.random.key(1), 6)}
    own = trained(encoder, Siamese(), params, {"batch_stats": variables["batch_stats"]})

    def refused(first: Any, second: Any) -> np.ndarray:
        raise AssertionError("a block of all against all")

    for embedder in (RawPixels().fit(images), own):
        few = Verification(max_pairs=9)
        blocks = few.pairs(evaluate(dataclasses.replace(embedder, paired=None), images))
        assert 4 * len(blocks) < len(images) ** 2
        alone = few.pairs(evaluate(dataclasses.replace(embedder, distance=refused), images))
        np.testing.assert_allclose(alone.distances, blocks.distances, rtol=1e-6, atol=1e-9)
        np.testing.assert_array_equal(alone.rows, blocks.rows)


def test_pairs_are_measured_once_however_many_ask() -> None:
    images = an_experiment().open().test
    evaluated = evaluate(RawPixels().fit(images), images)
    assert Verification(fars=(0.5,)).pairs(evaluated) is Verification().pairs(evaluated)
    assert len(Verification(max_pairs=9).pairs(evaluated)) < len(Verification().pairs(evaluated))


@pytest.mark.slow
def test_the_learned_distance_is_the_losss_own_in_every_block() -> None:
    """F6 and F11: a matrix in blocks of padded rows equals the loss pair by pair."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(70, 8)).astype(np.float32), rng.normal(size=(5, 8)).astype(np.float32)
    for loss in (Triplet(), Siamese(), Siamese(feature="chi_square"), MarginSoftmax(classes=3)):
        params = {"encoder": {}, "loss": loss.init(jax.random.key(0), 8)}
        embedder = trained(Conv4(), loss, params, {})
        expected = [[float(loss.compare(params["loss"], a, b)) for b in second] for a in first]
        np.testing.assert_allclose(embedder.distance(first, second), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_evaluation_and_gallery_compare_by_the_experiments_distance(tmp_path: Path) -> None:
    """Trained by one distance and compared by another: the threshold is in its units, and the model another one."""
    experiment = an_experiment(distance=Cosine(), baselines=())
    finished = train(Run(experiment=experiment, steps=4, checkpoints=Checkpoints(every=4)), tmp_path / "run")
    recognizer = Recognizer.load(finished.workdir)
    codes = recognizer.embed(experiment.open().test.read(np.arange(6)))
    expected = 1 - codes @ codes.T / np.linalg.norm(codes, axis=1) / np.linalg.norm(codes, axis=1)[:, None]
    np.testing.assert_allclose(recognizer.embedder.distance(codes, codes), expected, atol=1e-5)
    assert (recognizer.distance, recognizer.threshold.distance) == (Cosine(), "Cosine()")
    plain = dataclasses.replace(experiment, distance=None)
    assert plain.model_fingerprint(finished.variables, recognizer.inputs) != recognizer.fingerprint
    assert plain.distance_with(finished.variables.params) == SquaredEuclidean()


def test_flags_are_named_only_where_the_split_has_them() -> None:
    @dataclasses.dataclass(frozen=True)
    class Own(Split):
        held_out: int = 1

        def __call__(self, images: Any) -> Any:
            return images

    assert split_flags(CountSplit(1, 1), "validation", "test") == (" (--experiment.split.validation, --experiment.split.test)")
    assert split_flags(Own(), "validation", "test") == ""


def test_one_shot_trials_of_a_perfect_subject_are_right() -> None:
    images = an_experiment().open().train
    by_label = dict(zip(range(len(images)), images.labels, strict=True))
    embedder = RawPixels().fit(images)
    evaluated = dataclasses.replace(evaluate(embedder, images), embeddings=np.eye(14)[list(by_label.values())] * 1.0)
    assert OneShot(ways=5, trials=50).metrics(evaluated)["one_shot/error"].value == 0  # type: ignore[union-attr]
    collapsed = dataclasses.replace(evaluated, embeddings=np.zeros((len(images), 14)))
    assert OneShot(ways=5, trials=50).metrics(collapsed)["one_shot/error"].value == 1  # type: ignore[union-attr]


def test_several_trials_are_told_apart_by_name_or_refused() -> None:
    images = an_experiment().open().train
    evaluated = evaluate(RawPixels().fit(images), images)
    named = OneShot(ways=5, trials=10, name="5-way").metrics(evaluated)
    assert list(named) == ["one_shot/error@5-way"] and "in those trials" in meaning("one_shot/error@5-way")
    both = (OneShot(ways=2, trials=10), OneShot(ways=5, trials=10))
    with pytest.raises(UserError, match="Two protocols .* measure one_shot/error"):
        apply_protocols(both, evaluated)
    apart = apply_protocols((both[0], dataclasses.replace(both[1], name="5-way")), evaluated)
    assert sorted(apart) == ["one_shot/error", "one_shot/error@5-way"]


def test_a_person_with_one_image_is_refused_or_counted(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (41, 16, 16, 1), np.uint8)
    labels = np.array([*np.repeat(np.arange(20), 2), 20])
    np.savez(tmp_path / "people.npz", images=images, labels=labels)
    experiment = an_experiment(data=Arrays(path=str(tmp_path / "people.npz")), split=CountSplit(validation=0, test=0))
    with pytest.raises(UserError, match="one image|single"):
        experiment.stream(experiment.open(), 0)
    dropping = dataclasses.replace(experiment, batches=IdentityBatches(people=4, images=2, single="drop"))
    assert any("1 person with too few images is left out" in text for text in dropping.describe(dropping.open()))


def test_every_training_person_needs_a_class() -> None:
    """Labels are those of the training part, 14 people; one class too few is refused before anything is compiled."""
    enough = an_experiment(loss=MarginSoftmax(classes=14))
    data = enough.open()
    assert next(enough.stream(data, 0))["labels"].max() < 14
    few = an_experiment(loss=MarginSoftmax(classes=13))
    with pytest.raises(UserError, match=r"13 class centers and .* has 14 people.*--experiment\.loss\.classes 14"):
        few.stream(data, 0)


def test_synthetic_data_says_so() -> None:
    assert any("synthetic" in text for text in an_experiment().describe(an_experiment().open()))
    sampler = IdentityBatches(people=4, images=2)
    real = an_experiment(data=Digits(), split=CountSplit(validation=2, test=2), batches=sampler)
    assert not any("synthetic" in text for text in real.describe(real.open()))


def test_no_people_to_evaluate_by_is_explained() -> None:
    experiment = an_experiment(split=CountSplit(validation=0, test=0))
    data = experiment.open()
    variables = jax.jit(experiment.init)(jax.random.key(0), {}, next(experiment.stream(data, 0)))
    with pytest.raises(UserError, match=r"no people for the test part: give it some \(--experiment\.split\.test\)"):
        experiment.evaluate(data, *variables, "test")


def test_a_collapse_is_remarked() -> None:
    experiment = an_experiment()
    statistics = {"relative_spread": 0.0, "effective_rank": 0.0, "stuck_at_margin": 1.0}
    assert "collapsed" in (experiment.diagnose(statistics) or "")
    assert experiment.diagnose({"relative_spread": 0.5, "effective_rank": 9.0, "stuck_at_margin": 0.0}) is None


def test_each_part_of_the_data_is_known_by_its_own_images(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 8, 8), dtype=np.uint8)
    names = [f"person {number}" for number in range(6) for _ in range(2)]

    def parts() -> dict[str, str]:
        np.savez(tmp_path / "faces.npz", images=pixels, labels=names)
        experiment = an_experiment(data=Arrays(path=str(tmp_path / "faces.npz")), split=CountSplit(validation=2, test=2))
        data = experiment.open()
        found = experiment.fingerprints(data)
        assert set(found.training) == {"training images"}
        tested.update(data.test.people)
        return {**found.training, **found.validation, **found.test}

    tested: set[str] = set()
    before = parts()
    pixels[names.index(min(tested))] ^= 1
    after = parts()
    assert [name for name in before if before[name] != after[name]] == ["test images"]


def test_a_config_that_sets_everybody_aside_says_so(tmp_path: Path) -> None:
    """Fifteen people are enough for no batch of eight once twelve are kept for validation and test."""
    rng = np.random.default_rng(0)
    for person in range(15):
        (tmp_path / f"p{person}").mkdir()
        for image in range(2):
            Image.fromarray(rng.integers(0, 256, (32, 32)).astype(np.uint8)).save(tmp_path / f"p{person}" / f"{image}.png")
    experiment: Any = load("recognition/folder").experiment
    experiment = dataclasses.replace(experiment, data=dataclasses.replace(experiment.data, path=str(tmp_path)))
    data = experiment.open()
    for ask in (lambda: experiment.describe(data), lambda: experiment.stream(data, 0)):
        with pytest.raises(UserError, match="there are 3 with two images or more") as refused:
            ask()
        assert "Of 15 people the split has set 6 aside for validation and 6 for the test" in str(refused.value)
        for flag in ("split.validation", "split.test", "batches.people"):
            assert f"--experiment.{flag}" in str(refused.value)


def test_copies_and_names_are_said(tmp_path: Path) -> None:
    """Within a person and across the parts; what lies under two people is kept on request only."""
    images = np.random.default_rng(0).integers(0, 256, (60, 16, 16, 1)).astype(np.uint8)
    labels = np.array([f"person {row // 4}" for row in range(60)])
    images[1], labels[2] = images[0], "person 0 "
    np.savez(tmp_path / "faces.npz", images=images, labels=labels)
    experiment = an_experiment(
        data=Arrays(str(tmp_path / "faces.npz")),
        split=CountSplit(validation=3, test=3),
        batches=IdentityBatches(people=4, images=2),
    )
    said = experiment.describe(experiment.open())
    assert "1 of 60 images is a copy of another of the same person and is left out (person 0/1 is person 0/0)" in said
    assert "1 name is that of several labels, which are taken for one: person 0 ('person 0', 'person 0 ')" in said
    images[4::4] = images[0]
    np.savez(tmp_path / "faces.npz", images=images, labels=labels)
    with pytest.raises(UserError, match=r"16 of 60 images of .*faces.npz lie under more than one person"):
        experiment.open()
    kept = dataclasses.replace(experiment, data=Arrays(str(tmp_path / "faces.npz"), duplicates=Duplicates(across="keep")))
    said = kept.describe(kept.open())
    assert any(sentence.startswith("16 of 60 images lie under more than one person and are kept") for sentence in said)
    for part in ("validation", "test"):
        assert f"warning: 3 images of the {part} part are in the training part too, pixel by pixel" in said
