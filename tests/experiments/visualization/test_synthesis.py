"""Synthesis: the cost is what it says, images excite their units more than anything that was seen, and runs resume."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_digits

from likeness.experiments.frozen import FromRun, FrozenEncoder, Random
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.style.terms import Term
from likeness.experiments.training.trainer import train
from likeness.experiments.visualization import NormalizedGradient, Synthesis
from likeness.research.encoders import Conv4, Vgg
from likeness.research.errors import UserError
from likeness.research.images.sources import Photograph
from likeness.research.losses import TotalVariation
from likeness.research.visualization import Chain, Channel, Diversity, Fourier, Jitter, Layer, Neuron, Pixels

pytestmark = pytest.mark.end_to_end

TINY = FrozenEncoder(encoder=Vgg(convolutions=(1, 1), widths=(4, 6)), weights=Random())


def small(**fields):
    defaults = {
        "encoder": TINY,
        "objectives": (Channel(layer="relu1_1", channel=1), Layer(layer="relu2_1"), Channel(layer="relu1_1", channel=3)),
        "size": 16,
        "transforms": Chain(),
    }
    return Synthesis(**{**defaults, **fields})


def started(experiment, seed=1):
    data = experiment.open()
    constants, batch = experiment.constants(data), next(experiment.stream(data, 0))
    params, state = experiment.init(jax.random.key(seed), constants, batch)
    return jax.jit(experiment.cost)(params, state, constants, batch, jax.random.key(2)), params, data


def run_of(experiment, steps, optimizer):
    return Run(experiment=experiment, steps=steps, optimizer=optimizer, log_every=5, checkpoints=Checkpoints(every=1000))


@pytest.mark.slow
@pytest.mark.parametrize("copies", [1, 2])
def test_cost_is_minus_the_sum_of_scores_plus_roughness(copies):
    experiment = small(copies=copies, image_terms=(Term(loss=TotalVariation(), weight=2.0),))
    cost, params, data = started(experiment)
    pixels = Fourier().to_pixels(params, (3 * copies, 16, 16, 3))
    activations = TINY(data.constants.encoder, pixels)
    rough = TotalVariation()({"input": pixels}, {})
    expected = 0.0
    for number, objective in enumerate(experiment.objectives):
        own = {name: value[number * copies : (number + 1) * copies] for name, value in activations.items()}
        expected -= jnp.mean(objective(own))
    np.testing.assert_allclose(cost.value, expected + 2.0 * 3 * rough, rtol=1e-5)


@pytest.mark.slow
def test_copies_are_told_apart_by_diversity():
    experiment = small(objectives=(Channel(layer="relu1_1", channel=1) + 10.0 * Diversity(layer="relu2_1"),), copies=2)
    cost, params, data = started(experiment)
    activations = TINY(data.constants.encoder, jnp.asarray(experiment.images(data, params)))
    np.testing.assert_allclose(-cost.value, jnp.mean(experiment.objectives[0](activations)), rtol=1e-5)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """The weights of an encoder that has learned ten steps of digits."""
    trained = train(small_digits.get_config(), tmp_path_factory.mktemp("digits"))
    return FromRun(workdir=str(trained.workdir))


@pytest.mark.slow
def test_images_excite_units_more_than_any_that_was_seen(digits, tmp_path):
    """Twice as much as the best place of four hundred training images, after 80 steps.

    Before the ReLU: a unit that noise leaves silent has no slope behind it.
    """
    network = FrozenEncoder(encoder=Conv4(width=4, dimension=8), weights=digits)
    objectives = tuple(Neuron(layer="conv2", channel=channel) for channel in range(4))
    experiment = Synthesis(encoder=network, objectives=objectives, size=16, transforms=Chain())
    made = train(run_of(experiment, 80, Adam(schedule=Constant(peak_lr=0.2))), tmp_path / "made")
    data, variables = experiment.open(), network.variables()

    @jax.jit
    def scores_of(images):
        activations = network(variables, images)
        return jnp.stack([objective(activations) for objective in objectives])

    seen = np.asarray(small_digits.get_config().experiment.open().train.read(np.arange(400)), np.float32) / 255.0
    best = np.asarray(jax.jit(network)(variables, jnp.asarray(np.repeat(seen, 3, axis=3)))["conv2"].max((0, 1, 2)))
    begun = experiment.init(jax.random.key(0), data.constants, None).params
    noise, scores = (np.diag(scores_of(experiment.images(data, each))) for each in (begun, made.variables.params))
    assert (scores > 2 * best).all(), scores / best
    assert (scores > 2 * noise).all(), scores / noise
    assert made.evaluation.metrics["synthesis/score"] == pytest.approx(scores.mean(), rel=1e-4)


def dreaming(**fields):
    defaults = {
        "objectives": (Layer(layer="relu2_1"),),
        "image": Photograph(name="china"),
        "size": 48,
        "octaves": 3,
        "parametrization": Pixels(),
        "transforms": Jitter(pixels=4),
    }
    return small(**{**defaults, **fields})


@pytest.mark.slow
def test_a_dream_grows_through_its_octaves_and_resumes_to_the_bit(tmp_path):
    run = run_of(dreaming(), 9, NormalizedGradient())
    whole = train(run, tmp_path / "whole")
    train(run, tmp_path / "parts", until=5)
    parts = train(run, tmp_path / "parts")
    np.testing.assert_array_equal(whole.variables.params["pixels"], parts.variables.params["pixels"])
    data = dreaming(octaves=1).open()
    assert whole.variables.params["pixels"].shape == (1, *data.image.shape)
    metrics = whole.evaluation.metrics
    assert metrics["synthesis/score"] > 1.2 * metrics["synthesis/score_of_photographs"]
    assert (tmp_path / "whole" / "images" / "image.png").exists()
    assert (tmp_path / "whole" / "figures" / "synthesis.png").exists()
    assert [each.size for each in dreaming().stages()] == [24, 34, 48]


def test_before_anything_is_learned_a_dream_is_the_image():
    experiment = dreaming(octaves=1)
    _, params, data = started(experiment)
    np.testing.assert_allclose(experiment.images(data, params)[0], data.image, atol=1e-6)


def test_one_dream_has_an_image_before_it_and_images_from_noise_have_none():
    before = dreaming().originals().before
    assert before.keys() == {"image"} and before["image"].shape[2] == 3
    assert small().originals().before == {} == dreaming(copies=2).originals().before


def test_a_normalized_step_is_as_long_for_every_image():
    rule = NormalizedGradient(schedule=Constant(peak_lr=0.25)).transformation(10)
    params = {"pixels": jnp.zeros((3, 4, 4, 3))}
    gradient = {"pixels": jax.random.normal(jax.random.key(0), (3, 4, 4, 3)) * jnp.array([1e-6, 0.0, 1e6])[:, None, None, None]}
    updates, _ = rule.update(gradient, rule.init(params), params)
    np.testing.assert_allclose(jnp.mean(jnp.abs(updates["pixels"]), axis=(1, 2, 3)), [0.25, 0.0, 0.25], rtol=1e-5)
    assert float(jnp.sum(updates["pixels"] * gradient["pixels"])) < 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"objectives": ()}, "objectives is empty"),
        ({"size": 8}, "size is 8"),
        ({"copies": 0}, "copies is 0"),
        ({"octave_scale": 1.0}, "octave_scale is 1.0"),
        ({"octaves": 2}, "octaves is 2, but the images are made of Fourier"),
    ],
)
def test_illegal_fields_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        small(**fields)


def test_what_a_person_can_mend_is_explained(tmp_path):
    with pytest.raises(UserError, match="do not fit each other: Channel: no layer 'relu1_2'"):
        small(objectives=(Channel(layer="relu1_2", channel=0),)).open()
    with pytest.raises(UserError, match="relu1_1 has 4 channels: give 0 to 3"):
        small(objectives=(Neuron(layer="relu1_1", channel=9),)).open()
    missing = FrozenEncoder(encoder=Conv4(), weights=FromRun(workdir=str(tmp_path / "nowhere")))
    with pytest.raises(UserError, match="train one first, such as by `likeness train recognition/quickstart`"):
        small(encoder=missing).open()
    with pytest.raises(UserError, match=r"weights are Random, and Conv4 has batch_stats.norm1.mean, which is no filter"):
        FrozenEncoder(encoder=Conv4(), weights=Random()).variables()


def test_another_encoder_than_the_learned_one_is_refused(digits):
    with pytest.raises(UserError, match="make them the same"):
        FrozenEncoder(encoder=Conv4(width=8), weights=digits).variables()
    learned = FrozenEncoder(encoder=Conv4(width=4, dimension=8), weights=digits)
    with pytest.raises(UserError, match="was trained on images of 16×16 pixels and is shown 24×24"):
        small(encoder=learned, objectives=(Layer(layer="relu2"),), size=24).open()
