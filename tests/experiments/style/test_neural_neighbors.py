"""Painting by neighbors that are looked up once at each size, in a Laplacian pyramid."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from objectives import with_objective

from likeness.experiments.experiment import Variables
from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.optimizers import Adam, RmsProp
from likeness.experiments.optim.schedules import Constant, ExponentialDecay
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.storage.metrics_log import read_metrics
from likeness.experiments.style import Pyramid, StyleImage, Stylization
from likeness.experiments.style.details import FromDetails
from likeness.experiments.style.evaluator import StyleEvaluator
from likeness.experiments.style.parametrizations import LaplacianPyramid, details
from likeness.experiments.style.terms import Term
from likeness.experiments.training.stages import stages
from likeness.experiments.training.step import initial_state, promoted
from likeness.experiments.training.trainer import train
from likeness.research.encoders import Vgg
from likeness.research.images.sources import Photograph
from likeness.research.losses import (
    Gram,
    HypercolumnMoments,
    HypercolumnSimilarity,
    NearestNeighbors,
    NeuralNeighbors,
    PaletteEMD,
    RelaxedEMD,
)

pytestmark = pytest.mark.end_to_end

TINY = FrozenEncoder(encoder=Vgg(convolutions=(1, 1), widths=(4, 6), pooling="average", preprocessing="torchvision"))
LAYERS = ("relu1_1", "relu2_1")


def nnst(**fields):
    defaults = {
        "content": Photograph(name="china"),
        "styles": (StyleImage(image=Photograph(name="flower"), turned=(1, 2, 3)),),
        "encoder": TINY,
        "evaluator": StyleEvaluator(encoder=TINY, content=("relu2_1",), style=("relu1_1",)),
        "size": 64,
        "alpha": 0.0,
        "content_terms": (),
        "style_terms": (Term(loss=NeuralNeighbors(layers=LAYERS)),),
        "image_terms": (),
        "pyramid": Pyramid(smallest=32),
        "parametrization": LaplacianPyramid(levels=8),
        "last_terms": (Term(loss=NearestNeighbors(layers=LAYERS, samples=64, reference_samples=64)),),
    }
    return with_objective(Stylization, **{**defaults, **fields})


def strotss(**fields):
    return nnst(
        styles=(StyleImage(image=Photograph(name="flower")),),
        alpha=1.0,
        content_terms=(Term(loss=HypercolumnSimilarity(layers=LAYERS, samples=64), weight=16.0, growth=0.5),),
        style_terms=(
            Term(loss=RelaxedEMD(layers=LAYERS, samples=64)),
            Term(loss=HypercolumnMoments(layers=LAYERS, samples=64)),
            Term(loss=PaletteEMD(samples=64), weight=1 / 16, growth=2.0),
        ),
        start=FromDetails(),
        last_terms=(),
        **fields,
    )


def run_of(experiment, **fields) -> Run:
    return Run(
        experiment=experiment,
        **{
            "steps": 30,
            "optimizer": Adam(schedule=Constant(peak_lr=0.01)),
            "log_every": 5,
            "evaluate_every": 100,
            "checkpoints": Checkpoints(every=100),
            **fields,
        },
    )


def test_the_last_pass_has_a_stage_and_terms_of_its_own():
    plan = stages(run_of(nnst()))
    assert [stage.end for stage in plan] == [10, 20, 30]
    first, second, last = (stage.run.experiment for stage in plan)
    assert (first.size, second.size, last.size) == (32, 64, 64)
    assert isinstance(second.objective.style_terms[0].loss, NeuralNeighbors)
    assert last.objective.style_terms == nnst().last_terms
    assert all(stage.stages() == (stage,) for stage in (first, second, last))


def test_weights_grow_from_size_to_size():
    plan = strotss(size=128).stages()
    assert [stage.size for stage in plan] == [32, 64, 128]
    assert [stage.objective.content_terms[0].weight for stage in plan] == [16.0, 8.0, 4.0]
    assert [stage.objective.style_terms[2].weight for stage in plan] == [1 / 16, 1 / 8, 1 / 4]
    assert [stage.objective.style_terms[0].weight for stage in plan] == [1.0, 1.0, 1.0]
    assert [stage.start.sizes for stage in plan] == ["all but the last", "all but the last", "the first"]
    with pytest.raises(ValueError, match=r"Term.growth is 0"):
        Term(loss=Gram(layers=LAYERS), growth=0)


@pytest.mark.slow
def test_neighbors_are_looked_up_in_all_turned_copies_for_the_content_first():
    experiment = nnst().stages()[0]
    constants = experiment.constants(experiment.open())
    (kept,) = constants.targets.styles[0]
    # Two upright copies, and two on their side.
    assert kept["columns"].shape[1] == sum(2 * (side // 4) * (other // 4) for side, other in [constants_size(experiment)] * 2)
    _, state = experiment.init(jax.random.key(0), constants, None)
    loss = experiment.objective.style_terms[0].loss
    expected = loss.match(TINY(constants.encoder, constants.content), kept)
    np.testing.assert_array_equal(state["look 1"]["term 1"], expected)
    assert len(np.unique(expected)) > 10


def constants_size(experiment) -> tuple[int, int]:
    style = experiment.styles[0].open(experiment.content.open(experiment.size))
    return style.shape[0], style.shape[1]


@pytest.mark.slow
def test_at_the_next_size_the_query_is_the_painting_under_the_contents_details():
    """And the moments begin anew, for the levels have other shapes."""
    run = run_of(nnst(), optimizer=Adam(schedule=ExponentialDecay(peak_lr=0.01, every=7)))
    first, second, last = (stage.run for stage in stages(run))
    constants = [each.experiment.constants(each.experiment.open()) for each in (first, second, last)]
    rule = run.optimizer.transformation(run.steps)
    state = initial_state(first.experiment, rule, averaged=False, key=jax.random.key(0), constants=constants[0], batch=None)
    painted = np.random.default_rng(0).uniform(0, 1, constants[0].content.shape).astype(np.float32)
    parametrization = LaplacianPyramid(levels=8)
    passed = jax.tree.map(lambda leaf: leaf + 7, state.optimizer)
    state = dataclasses.replace(state, params=parametrization.parameters(jnp.asarray(painted)), optimizer=passed)
    begun = promoted(second, state, constants[1])
    image, content = parametrization.image(begun.params), constants[1].content
    np.testing.assert_allclose(image, jax.image.resize(painted, content.shape, "cubic"), atol=1e-5)
    loss = second.experiment.objective.style_terms[0].loss
    query = 0.75 * content + 0.25 * (image + details(content))
    expected = loss.match(TINY(constants[1].encoder, query), constants[1].targets.styles[0][0])
    assert np.mean(np.asarray(begun.model_state["look 1"]["term 1"]) == np.asarray(expected)) > 0.99
    # The schedule has counted eight steps, and the rule none.
    counts = [int(leaf) for leaf in jax.tree.leaves(begun.optimizer) if leaf.dtype == jnp.int32]
    assert sorted(counts) == [0, 7]
    assert all(not np.any(leaf) for leaf in jax.tree.leaves(begun.optimizer) if leaf.dtype == jnp.float32)
    after = promoted(last, begun, constants[2])
    np.testing.assert_array_equal(parametrization.image(after.params), image)
    assert after.model_state == {}


@pytest.mark.slow
def test_details_are_laid_over_what_strotss_goes_on_from():
    first, second, last = strotss(size=128).stages()
    painted = jnp.full((1, 22, 32, 3), 0.4)
    constants = [each.constants(each.open()) for each in (second, last)]
    entered = second.enter(Variables(LaplacianPyramid(levels=8).parameters(painted), {}), constants[0])
    np.testing.assert_allclose(second.parametrization.image(entered.params), 0.4 + details(constants[0].content), atol=1e-5)
    entered = last.enter(entered, constants[1])
    grown = jax.image.resize(0.4 + details(constants[0].content), constants[1].content.shape, "cubic")
    np.testing.assert_allclose(last.parametrization.image(entered.params), grown, atol=1e-5)
    assert first.start.sizes == "all but the last"


@pytest.mark.slow
@pytest.mark.parametrize("kind", [nnst, strotss])
def test_it_paints_towards_the_style_in_all_sizes(tmp_path, kind):
    run = run_of(kind(size=32, pyramid=Pyramid(smallest=16)), steps=24, log_every=1)
    if kind is strotss:
        run = dataclasses.replace(run, optimizer=RmsProp(schedule=Constant(peak_lr=0.005)))
    painted = train(run, tmp_path)
    losses = {row["step"]: row["loss"] for row in read_metrics(tmp_path / "metrics.jsonl") if "loss" in row}
    ends = [stage.end for stage in stages(run)]
    for begin, end in zip([0, *ends], ends, strict=False):
        assert losses[end] < 0.95 * losses[begin + 1]
    assert painted.evaluation.images["image"].shape == (21, 32, 3)
    assert "content/relative" in painted.evaluation.metrics


@pytest.mark.slow
def test_another_key_looks_at_other_places():
    experiment = strotss().stages()[0]
    constants = experiment.constants(experiment.open())
    params, state = experiment.init(jax.random.key(0), constants, None)
    one, same, other = (experiment.cost(params, state, constants, None, jax.random.key(k)).value for k in (1, 1, 2))
    assert one == same != other


def test_a_style_is_turned_only_for_losses_that_take_several_images():
    with pytest.raises(ValueError, match=r"StyleImage.turned is set, but Gram takes one image"):
        nnst(style_terms=(Term(loss=Gram(layers=LAYERS)),))
    for wrong in ((0,), (1, 1), (4,)):
        with pytest.raises(ValueError, match=r"StyleImage.turned is"):
            StyleImage(image=Photograph(name="flower"), turned=wrong)
