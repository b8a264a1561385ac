"""Classification through the one trainer: in one dimension and in three, cost, baselines and evaluation."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.experiments.classification import Classification
from likeness.experiments.classification.classifiers import LinearClassifier, NearestMean
from likeness.experiments.classification.figures import confusion
from likeness.experiments.config import from_json, load, to_json
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.training.trainer import train
from likeness.research.data import Ecg, ExampleArrays, Examples, Volumes
from likeness.research.encoders import Conv4, PlainConvNet
from likeness.research.errors import UserError
from likeness.research.losses import CrossEntropy

SIGNALS = Classification(
    data=Ecg(train=16, validation=8, test=8, length=256),
    encoder=Conv4(spatial_dims=1, width=4, dimension=4, normalize=False),
    loss=CrossEntropy(smoothing=0.1),
    batch=8,
)
VOLUMES = dataclasses.replace(
    SIGNALS,
    data=Volumes(train=16, validation=8, test=8),
    encoder=PlainConvNet(spatial_dims=3, widths=(2, 2), side=3, pool=2, dimension=4),
)


def started(experiment):
    data = experiment.open()
    batch = next(experiment.stream(data, 0))
    return data, batch, jax.jit(experiment.init)(jax.random.key(0), {}, batch)


@pytest.mark.slow
@pytest.mark.parametrize("experiment", [SIGNALS, VOLUMES], ids=["1D", "3D"])
def test_cost_is_the_mean_cross_entropy_of_the_batch(experiment):
    _, batch, (params, state) = started(experiment)
    assert params["head"]["kernel"].shape == (4, 4)
    cost = jax.jit(lambda params: experiment.cost(params, state, {}, batch, jax.random.key(1)))(params)
    # A constant head gives every class the same score.
    flat = {"encoder": params["encoder"], "head": jax.tree.map(np.zeros_like, params["head"])}
    np.testing.assert_allclose(experiment.cost(flat, state, {}, batch, jax.random.key(1)).value, np.log(4), rtol=1e-6)
    assert cost.value.dtype == np.float32
    assert jax.tree.structure(cost.state) == jax.tree.structure(state)
    assert 0 <= float(cost.metrics["accuracy"]) <= 1


@dataclasses.dataclass(frozen=True)
class Hinge:
    """A stranger's: by how much another class comes within a distance of the right one."""

    width: float = 1.0

    def __call__(self, logits, labels):
        own = jnp.take_along_axis(logits, labels[:, None], axis=1)
        rivals = jnp.where(jax.nn.one_hot(labels, logits.shape[1], dtype=bool), -jnp.inf, logits)
        return jax.nn.relu(self.width + rivals.max(axis=1) - own[:, 0])


def test_anybodys_loss_is_learned_by():
    experiment = dataclasses.replace(SIGNALS, loss=Hinge(width=2.0))
    _, batch, (params, state) = started(experiment)
    # A constant head gives every class the same score.
    flat = {"encoder": params["encoder"], "head": jax.tree.map(np.zeros_like, params["head"])}
    assert experiment.cost(flat, state, {}, batch, jax.random.key(1)).value == 2.0
    with pytest.raises(ValueError, match=r"Classification\.loss is None, which is no ClassificationLoss"):
        dataclasses.replace(SIGNALS, loss=None)


def test_evaluation_counts_what_the_scores_say():
    experiment = dataclasses.replace(SIGNALS, baselines=(NearestMean(), LinearClassifier(components=5)))
    data, _, (params, state) = started(experiment)
    evaluation = experiment.evaluate(data, params, state, "test")
    taken = experiment.scores(params, state, data.test.values).argmax(axis=1)
    right = taken == data.test.labels
    metrics = evaluation.metrics
    assert (metrics["classification/accuracy"].value, metrics["classification/accuracy"].n) == (right.mean(), 8)
    for index, name in enumerate(experiment.data.class_names()):
        of_class = right[data.test.labels == index]
        assert metrics[f"classification/accuracy@{name.replace(' ', '_')}"].value == of_class.mean()
    assert {"nearest_mean/classification/accuracy", "linear/classification/accuracy"} <= set(metrics)
    assert set(evaluation.figures) == {"confusion"}
    validation = experiment.evaluate(data, params, state, "validation")
    assert set(validation.metrics) == {"classification/accuracy", "classification/cross_entropy"}


def test_scores_do_not_depend_on_the_cut_into_batches():
    data, _, (params, state) = started(SIGNALS)
    values = data.train.values.repeat(5, axis=0)
    np.testing.assert_allclose(
        SIGNALS.scores(params, state, values)[70], SIGNALS.scores(params, state, values[70:71])[0], rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("baseline", [NearestMean(), LinearClassifier(components=3)])
def test_baselines_find_what_is_plain(baseline):
    rng = np.random.default_rng(0)
    labels = np.arange(60, dtype=np.int32) % 3
    values = np.clip(0.3 * labels[:, None, None] + 0.02 * rng.normal(size=(60, 8, 1)), 0, 1).astype(np.float32)
    examples = Examples(values=values, labels=labels, classes=("low", "middle", "high"))
    np.testing.assert_array_equal(baseline.fit(examples)(values), labels)


def test_a_class_without_examples_is_never_the_nearest_mean():
    values = np.zeros((2, 4, 1), np.float32)
    examples = Examples(values=values, labels=np.array([1, 1], np.int32), classes=("none", "some"))
    assert NearestMean().fit(examples)(values).tolist() == [1, 1]
    experiment = dataclasses.replace(SIGNALS, data=ExampleArrays(path="unread.npz", classes=("none", "some")))
    parts = SIGNALS.open()._replace(train=examples)
    assert any("nothing to learn 'none'" in sentence for sentence in experiment.describe(parts))


def test_an_encoder_of_other_dimensions_is_refused():
    experiment = dataclasses.replace(VOLUMES, encoder=Conv4(width=4))
    with pytest.raises(UserError, match="3 spatial axes.*--experiment.encoder.spatial-dims 3"):
        experiment.stream(experiment.open(), 0)


def test_the_confusion_figure_names_every_class_and_count():
    figure = confusion(np.array([[5, 1], [0, 4]]), ("calm", "very wild"))
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["83.3 %\n5", "16.7 %\n1", "100.0 %\n4"]
    assert figure.axes[0].get_title("left") == "9 of 10 right"


@pytest.mark.slow
@pytest.mark.end_to_end
def test_films_from_a_file_are_learned_by_the_one_trainer(tmp_path):
    """What moves to the right or to the left: no frame alone tells."""
    rng = np.random.default_rng(0)
    labels = np.arange(160) % 2
    at = rng.integers(0, 8, (160, 1)) + np.arange(4) * (2 * labels[:, None] - 1)
    films = (np.arange(8) == at[..., None] % 8)[:, :, None, :, None].repeat(4, 2).astype(np.float32)
    np.savez(tmp_path / "films.npz", values=films, labels=labels)
    run = Run(
        experiment=Classification(
            data=ExampleArrays(path=str(tmp_path / "films.npz"), classes=("left", "right")),
            encoder=PlainConvNet(spatial_dims=3, widths=(8,), side=3, dimension=8),
            batch=16,
        ),
        steps=60,
        optimizer=Adam(schedule=Constant(peak_lr=1e-2)),
        checkpoints=Checkpoints(every=60),
    )
    assert from_json(to_json(run)) == run
    trained = train(run, tmp_path / "run")
    assert trained.evaluation.metrics["classification/accuracy"].value > 0.9
    assert (tmp_path / "run" / "figures" / "confusion.png").exists()


@pytest.mark.slow
@pytest.mark.end_to_end
def test_one_slice_is_not_enough(tmp_path):
    """The shipped config names at least 95 % of the volumes right; by the slice in the middle the same network falls behind."""
    run = load("classification/volumes")
    experiment = dataclasses.replace(run.experiment, baselines=())
    slices = dataclasses.replace(
        experiment,
        data=dataclasses.replace(experiment.data, view="central slice"),
        encoder=experiment.encoder.clone(spatial_dims=2),
    )
    whole, one = (
        train(dataclasses.replace(run, experiment=what), tmp_path / name).evaluation.metrics["classification/accuracy"]
        for name, what in (("volumes", experiment), ("slices", slices))
    )
    assert whole.value >= 0.95
    assert one.high < 0.75 < whole.low
