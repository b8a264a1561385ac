import dataclasses
import functools

import jax
import numpy as np
import pytest
from objectives import with_objective

from likeness.experiments.display.phases import watched
from likeness.experiments.experiment import Variables
from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.storage.metrics_log import read_metrics
from likeness.experiments.style import ArbitraryStyle, FastStyle, LearnedStyle
from likeness.experiments.style.evaluator import StyleEvaluator
from likeness.experiments.style.held_out import HeldOut, sheet, square
from likeness.experiments.style.painting import Stylizer, paint
from likeness.experiments.style.terms import Term
from likeness.experiments.training.trainer import train
from likeness.research.data.image_sets import Photographs, RandomCrops
from likeness.research.encoders import SqueezeNet, Vgg
from likeness.research.errors import UserError
from likeness.research.images import read_image, write_image
from likeness.research.images.sources import Photograph
from likeness.research.losses import Content, Gram, MeanStd, TotalVariation
from likeness.research.style_networks import Conditional, Johnson, adain, style_statistics
from likeness.research.weights import shapes


def filled(tree):
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: (0.4 * rng.normal(size=leaf.shape)).astype(np.float32), tree)


@dataclasses.dataclass(frozen=True)
class Given:
    """Weights that nothing is compiled for."""

    def variables(self, encoder):
        return filled(shapes(encoder, (16, 16, 3)))


TINY = FrozenEncoder(encoder=Vgg(convolutions=(1, 1), widths=(4, 6), pooling="average"), weights=Given())
LAYERS = ("relu1_1", "relu2_1")
SHARED = {
    "encoder": TINY,
    # The same layers as the terms read, so that one program serves both.
    "evaluator": StyleEvaluator(encoder=TINY, content=("relu2_1",), style=LAYERS),
    "held_out": HeldOut(size=16),
    "batch_size": 8,
    "image_terms": (Term(loss=TotalVariation(), weight=0.1),),
}
CROPS = RandomCrops(sources=(Photographs(names=("flower",)),), size=16)
LOOKS = tuple(LearnedStyle(image=Photograph(name=name), size=24) for name in ("flower", "china"))
NETWORK = {"widths": (4, 6), "blocks": 0, "outer": 3}


def fast(**fields):
    defaults = {
        "styles": LOOKS[:1],
        "images": CROPS,
        "network": Johnson(**NETWORK),
        "content_terms": (Term(loss=Content(layers=("relu2_1",)), weight=0.5),),
        "style_terms": (Term(loss=Gram(layers=LAYERS), weight=2.0),),
    }
    return with_objective(FastStyle, **{**SHARED, **defaults, **fields})


def several(**fields):
    return fast(**{"styles": LOOKS, "network": Conditional(**NETWORK, styles=2), **fields})


def arbitrary(**fields):
    defaults = {
        "contents": CROPS,
        "styles": dataclasses.replace(CROPS, sources=(Photographs(names=("china",)),)),
        "held_out_styles": HeldOut(images=(Photograph(name="flower"),), size=16),
        "layer": "relu2_1",
        "content_terms": (Term(loss=Content(layers=("relu2_1",)), weight=0.5),),
        "style_terms": (Term(loss=MeanStd(layers=LAYERS), weight=2.0),),
    }
    return with_objective(ArbitraryStyle, **{**SHARED, **defaults, **fields})


def cost_of(experiment, key=2):
    data = experiment.open()
    constants, stream = experiment.constants(data), experiment.stream(data, 0)
    batch = next(stream)
    stream.close()
    params = filled(jax.eval_shape(experiment.init, jax.random.key(1), constants, batch).params)
    cost = jax.jit(experiment.cost)(params, {}, constants, batch, jax.random.key(key))
    return cost, params, constants, batch, data


def test_cost_is_the_weighted_sum_of_its_parts():
    experiment = fast(alpha=3.0, beta=5.0)
    cost, params, constants, batch, data = cost_of(experiment)
    kept, look, rough = Content(layers=("relu2_1",)), Gram(layers=LAYERS), TotalVariation()

    @jax.jit
    def expected(images, look_of):
        content, style = TINY(constants.encoder, images), TINY(constants.encoder, look_of)
        here = TINY(constants.encoder, experiment.network.apply({"params": params["network"]}, images))
        return {
            "content": 3.0 * 0.5 * kept(here, kept.target(content)),
            "style": 5.0 * 2.0 * look(here, look.target(style)),
            "image": 0.1 * rough(here, rough.target(here)),
        }

    parts = expected(batch["images"].astype(np.float32) / 255, data.styles[0][None])
    assert set(cost.metrics) == set(parts)
    for name, part in parts.items():
        np.testing.assert_allclose(cost.metrics[name], part, rtol=1e-5)
    np.testing.assert_allclose(cost.value, sum(map(float, parts.values())), rtol=1e-5)


def test_each_image_is_painted_in_its_style_and_compared_with_it():
    experiment = several(content_terms=(), image_terms=())
    cost, params, constants, batch, data = cost_of(experiment)
    look, drawn = Gram(layers=LAYERS), np.asarray(jax.random.choice(jax.random.key(2), 2, (8,), p=constants.chances))
    assert 0 < drawn.sum() < 8

    @jax.jit
    def expected(images, weights, style):
        here = TINY(constants.encoder, experiment.network.apply({"params": params["network"]}, images, weights))
        return 2.0 * look(here, look.target(TINY(constants.encoder, style)))

    images = batch["images"].astype(np.float32) / 255
    costs = [
        expected(images[[number]], np.eye(2, dtype=np.float32)[[style]], data.styles[style][None])
        for number, style in enumerate(drawn)
    ]
    np.testing.assert_allclose(cost.value, np.mean(costs), rtol=1e-5)


def test_styles_are_drawn_by_their_weights():
    heavy = several(styles=(dataclasses.replace(LOOKS[0], weight=3.0), LOOKS[1]))
    np.testing.assert_allclose(heavy.constants(heavy.open()).chances, [0.75, 0.25])


def test_arbitrary_cost_compares_with_the_features_at_their_style():
    experiment = arbitrary(alpha=3.0, beta=5.0)
    cost, params, constants, batch, _ = cost_of(experiment)
    kept, look, rough = Content(layers=("relu2_1",)), MeanStd(layers=LAYERS), TotalVariation()

    @jax.jit
    def expected(contents, styles):
        looks = TINY(constants, styles)
        features = adain(TINY(constants, contents)["relu2_1"], style_statistics(looks["relu2_1"]))
        here = TINY(constants, experiment.decoder.apply({"params": params["decoder"]}, features))
        value = 3.0 * 0.5 * kept(here, kept.target({"relu2_1": features})) + 5.0 * 2.0 * look(here, look.target(looks))
        return value + 0.1 * rough(here, rough.target(here))

    value = expected(*(batch[name].astype(np.float32) / 255 for name in ("contents", "styles")))
    np.testing.assert_allclose(cost.value, value, rtol=1e-5)


KINDS = {"fast": fast, "several": several, "arbitrary": arbitrary}


@pytest.fixture(scope="module", params=list(KINDS))
def trained(request, tmp_path_factory):
    """The name of a kind of stylizer, and one trained for a moment."""
    return request.param, training(request.param, tmp_path_factory.mktemp("stylizers"))


@functools.cache
def training(kind, folder):
    run = Run(
        experiment=KINDS[kind](),
        steps=24,
        optimizer=Adam(schedule=Constant(peak_lr=0.03)),
        log_every=8,
        checkpoints=Checkpoints(every=24),
    )
    return train(run, folder / kind)


@pytest.mark.parametrize("kind", ["several", "arbitrary"])
def test_an_evaluation_says_how_far_it_is(kind):
    experiment = KINDS[kind]()
    _, params, _, _, data = cost_of(experiment)
    told = []
    with watched(lambda *said: told.append(said)):
        experiment.evaluate(data, params, {}, "test")
    phases = ["painting held-out images", "comparing painted images", "comparing unpainted images"]
    # A single one is done before there is anything to say.
    assert [what for what, done, _ in told if done == 0] == (phases if kind == "several" else [])
    assert [what for what, done, of in told if done == of] == phases
    assert experiment.evaluating == "painting and evaluating the held-out images"


@pytest.mark.slow
def test_training_lowers_the_cost_and_draws_a_sheet(trained):
    kind, run = trained
    first, *_, last = [record["loss"] for record in read_metrics(run.workdir / "metrics.jsonl")]
    assert last < 0.9 * first
    metrics = run.evaluation.metrics
    errors = {f"{who}{what}/relative" for who in ("", "held_out/") for what in ("content", "style")}
    assert errors <= set(metrics)
    assert {f"unpainted/{name}" for name in errors} <= set(metrics)
    assert metrics["unpainted/content/relative"] == 0
    columns = {"fast": 2, "several": 4, "arbitrary": 2}[kind]
    assert run.evaluation.images["sheet"].shape == (2 * 16 + 4, columns * 16 + 4 * (columns - 1), 3)
    assert (run.workdir / "images" / "sheet.png").exists()


@pytest.mark.slow
def test_a_trained_stylizer_paints_files(trained, tmp_path):
    kind, run = trained
    rng = np.random.default_rng(0)
    content, style, out = (tmp_path / f"{name}.png" for name in ("content", "style", "out"))
    write_image(content, rng.uniform(size=(21, 34, 3)).astype(np.float32), bits=16, alpha=np.full((21, 34), 0.5))
    write_image(style, rng.uniform(size=(18, 30, 3)).astype(np.float32))
    stylizer = Stylizer.load(run.workdir)
    styles = (str(style),) if kind == "arbitrary" else (stylizer.one_pass.styles or ())[-1:]
    paint(stylizer, content, out, styles=styles, size=17)
    painted = read_image(out)
    assert painted.pixels.shape == (10, 17, 3)
    assert painted.bits == 16
    assert painted.alpha is not None
    assert painted.pixels.std() > 0.01


@pytest.fixture(scope="module")
def stylizers(tmp_path_factory):
    """A stylizer of each kind that has learned nothing: what it can be asked is the same."""
    made = {}
    for kind, experiment in (("fast", fast()), ("several", several()), ("arbitrary", arbitrary())):
        batch = {"images": jax.ShapeDtypeStruct((1, 16, 16, 3), np.uint8)}
        params = filled(jax.eval_shape(experiment.init, jax.random.key(0), {}, batch).params)
        made[kind] = Stylizer("here", experiment.one_pass(Variables(params, {})))
    return made


IMAGE, ONE, OTHER = (np.random.default_rng(0).uniform(size=(16, 20, 3)).astype(np.float32) ** p for p in (1.0, 3.0, 0.3))


def test_learned_styles_are_chosen_by_name(stylizers):
    several, names = stylizers["several"], stylizers["several"].one_pass.styles
    assert several.weights_of(names[1:]) == (0.0, 1.0)
    assert several.weights_of(names[::-1], (3.0, 1.0)) == (1.0, 3.0)
    with pytest.raises(UserError, match="2 weights are given for 1 styles"):
        several.weights_of(names[:1], (1.0, 2.0))
    with pytest.raises(UserError, match="has learned no style of its own and paints in any"):
        stylizers["arbitrary"].weights_of(("ink",))


def test_weights_choose_and_mix_styles(stylizers):
    stylizer = stylizers["several"]
    first, second, between, alike = (stylizer(IMAGE, weights=w) for w in ((2.0, 0.0), (0.0, 1.0), (0.5, 0.5), ()))
    np.testing.assert_array_equal(between, alike)
    assert np.abs(first - second).max() > 1e-2
    assert min(np.abs(first - between).max(), np.abs(second - between).max()) > 1e-3
    network = stylizer.one_pass.network
    expected = jax.jit(network.apply)(stylizer.one_pass.variables, IMAGE[None], np.array([[1.0, 0.0]], np.float32))[0]
    np.testing.assert_allclose(first, np.clip(expected, 0, 1), atol=1e-6)


def test_strength_and_weights_of_any_style(stylizers):
    stylizer = stylizers["arbitrary"]
    same = stylizer(IMAGE, styles=(ONE, OTHER), weights=(1.0, 0.0))
    np.testing.assert_allclose(same, stylizer(IMAGE, styles=(ONE,)), atol=1e-5)
    none = stylizer(IMAGE, styles=(ONE,), strength=0.0)
    np.testing.assert_allclose(none, stylizer(IMAGE, styles=(OTHER,), strength=0.0), atol=1e-5)
    assert np.abs(none - same).max() > 1e-3


def test_what_a_stylizer_cannot_do_is_explained(stylizers, tmp_path):
    one, any_style = stylizers["fast"], stylizers["arbitrary"]
    for stylizer, fields, message in (
        (one, {"styles": (ONE,)}, "paints in the style that it has learned .flower. and in no other"),
        (one, {"strength": 0.5}, "learned its style at one strength"),
        (one, {"weights": (1.0, 2.0)}, "2 weights are given for 1 styles .flower."),
        (one, {"weights": (-1.0,)}, "not all 0"),
        (any_style, {}, "give a style image"),
        (any_style, {"styles": (ONE,), "strength": 2.0}, "from 0 to 1"),
    ):
        with pytest.raises(UserError, match=message):
            stylizer(IMAGE, **fields)
    with pytest.raises(UserError, match="cannot paint this image: Johnson: images of 2×20 pixels are too small"):
        one(IMAGE[:2])
    with pytest.raises(UserError, match="no published style network of that name.*give one of pastiche26, johnson_wave"):
        Stylizer.load(tmp_path / "nowhere")


def test_sheets_show_styles_contents_and_paintings():
    colors = np.eye(3, dtype=np.float32)
    filled = [np.broadcast_to(color, (4, 4, 3)) for color in colors]
    wide = np.broadcast_to(colors[2], (6, 20, 3))
    shown = sheet([filled[0]], [wide], [[filled[1], filled[2]]])
    assert shown.shape == (12, 20, 3)
    np.testing.assert_array_equal(shown[0, 0], 1)
    np.testing.assert_allclose(shown[0, 8], colors[2], atol=1e-6)
    np.testing.assert_array_equal(shown[-1, [0, 8, 16]], colors)
    assert square(wide, 3).shape == (3, 3, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fast(styles=LOOKS), r"2 styles and a Johnson that paints 1: give as many, or Conditional\(styles=2\)"),
        (lambda: fast(batch_size=0), "batch_size is 0"),
        (lambda: fast(alpha=-1.0), "alpha is -1.0"),
        (lambda: LearnedStyle(image=Photograph(), size=3), "size is 3"),
        (lambda: LearnedStyle(image=Photograph(), weight=0.0), "weight is 0.0"),
        (lambda: HeldOut(images=()), "images is empty"),
        (lambda: HeldOut(size=5), "size is 5"),
        (lambda: arbitrary(layer="relu9_1"), "'relu9_1' cannot be decoded"),
        (lambda: arbitrary(encoder=FrozenEncoder(encoder=SqueezeNet())), "SqueezeNet, which has no decoder"),
        (lambda: arbitrary(layer="relu1_1"), "read relu2_1, but AdaIN gives targets at relu1_1 only"),
        (lambda: arbitrary(styles=RandomCrops(size=32)), "different sizes"),
    ],
)
def test_illegal_fields_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_losses_that_do_not_fit_are_explained():
    with pytest.raises(UserError, match="do not fit each other.*Gram: no layer 'relu3_1'"):
        fast(style_terms=(Term(loss=Gram(layers=("relu3_1",))),)).open()
