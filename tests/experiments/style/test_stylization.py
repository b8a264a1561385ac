import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from listener import Listener, terminate
from objectives import with_objective
from PIL import Image

from likeness.experiments.frozen import FrozenEncoder, Random
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.style import Pyramid, StyleImage, Stylization
from likeness.experiments.style.colors import AsTheyAre, ByHue, ByLuminance, Matched
from likeness.experiments.style.evaluator import StyleEvaluator
from likeness.experiments.style.looks import looks
from likeness.experiments.style.starts import FromContent, FromImage, FromNoise
from likeness.experiments.style.terms import Term
from likeness.experiments.training.interruption import Interrupted
from likeness.experiments.training.stages import stages
from likeness.experiments.training.trainer import train
from likeness.research.encoders import Vgg
from likeness.research.errors import UserError
from likeness.research.images import with_hues_of, write_image
from likeness.research.images.sources import ImageFile, Photograph
from likeness.research.losses import MRF, Content, Gram, MeanStd, TotalVariation
from likeness.research.weights import Pretrained, own, take, write

pytestmark = pytest.mark.end_to_end

TINY = FrozenEncoder(encoder=Vgg(convolutions=(1, 1), widths=(4, 6), pooling="average", preprocessing="torchvision"))

STYLE = StyleImage(image=Photograph(name="flower"))


def small(**fields):
    defaults = {
        "content": Photograph(name="china"),
        "styles": (StyleImage(image=Photograph(name="flower")),),
        "encoder": TINY,
        "evaluator": StyleEvaluator(encoder=TINY, content=("relu2_1",), style=("relu1_1",)),
        "size": 32,
        "content_terms": (Term(loss=Content(layers=("relu2_1",)), weight=0.5),),
        "style_terms": (Term(loss=Gram(layers=("relu1_1", "relu2_1")), weight=2.0),),
        "image_terms": (Term(loss=TotalVariation(), weight=0.1),),
    }
    return with_objective(Stylization, **{**defaults, **fields})


def cost_of(experiment, pixels=None):
    data = experiment.open()
    constants = experiment.constants(data)
    batch = next(experiment.stream(data, 0))
    params, state = experiment.init(jax.random.key(1), constants, batch)
    if pixels is not None:
        params = {"pixels": pixels}
    return experiment.cost(params, state, constants, batch, jax.random.key(2)), params, data


@pytest.mark.slow
def test_cost_is_the_weighted_sum_of_its_parts():
    experiment = small(alpha=3.0, beta=5.0, scale=7.0, start=FromNoise())
    cost, params, data = cost_of(experiment)
    encode = lambda x: TINY(data.constants.encoder, jnp.asarray(x))  # noqa: E731
    here, content, style = encode(params["pixels"]), encode(data.content[None]), encode(data.styles[0][None])
    kept, look, rough = Content(layers=("relu2_1",)), Gram(layers=("relu1_1", "relu2_1")), TotalVariation()
    expected = (
        3.0 * 0.5 * kept(here, kept.target(content))
        + 5.0 * 2.0 * look(here, look.target(style))
        + 0.1 * rough(here, rough.target(here))
    )
    np.testing.assert_allclose(cost.value, 7.0 * expected, rtol=1e-6)
    np.testing.assert_allclose(sum(cost.metrics.values()), expected, rtol=1e-6)


def several(**fields):
    """Two styles, of which the second counts three times, and the cost of its style with what the encoder makes of all."""
    styles = (StyleImage(image=Photograph(name="flower")), StyleImage(image=Photograph(name="china"), weight=3.0))
    experiment = small(styles=styles, start=FromNoise(), beta=1.0, **fields)
    cost, params, data = cost_of(experiment)
    images = (params["pixels"], *(style[None] for style in data.styles))
    return cost.metrics["style"], [TINY(data.constants.encoder, jnp.asarray(image)) for image in images]


@pytest.mark.slow
def test_styles_are_blended_into_the_target_of_their_mixture_where_that_can_be():
    """Gram matrices are averaged, patches are not: they are summed. By name all are summed."""
    look, patches = Gram(layers=("relu1_1", "relu2_1")), MRF(layers=("relu2_1",))
    terms = (Term(loss=look, weight=2.0), Term(loss=patches, weight=0.5))
    found, (here, *styles) = several(style_terms=terms)
    mixture = {
        layer: {"gram": 0.25 * first["gram"] + 0.75 * second["gram"]}
        for (layer, first), second in zip(look.target(styles[0]).items(), look.target(styles[1]).values(), strict=True)
    }
    apart = sum(p * patches(here, patches.target(style)) for p, style in zip((0.25, 0.75), styles, strict=True))
    np.testing.assert_allclose(found, 2.0 * look(here, mixture) + 0.5 * apart, rtol=1e-5)
    found, (here, *styles) = several(style_terms=terms, several="sum")
    alone = sum(p * look(here, look.target(style)) for p, style in zip((0.25, 0.75), styles, strict=True))
    np.testing.assert_allclose(found, 2.0 * alone + 0.5 * apart, rtol=1e-5)


def test_styles_of_regions_of_their_own_or_other_losses_are_not_blended(tmp_path):
    halves = []
    for name in ("left", "right"):
        mask = np.zeros((21, 32, 3), np.float32)
        mask[:, : 16 if name == "left" else None] = 1.0
        write_image(tmp_path / f"{name}.png", mask)
        halves.append(ImageFile(path=str(tmp_path / f"{name}.png")))
    own = (Term(loss=MeanStd(layers=("relu1_1",))),)
    styles = (STYLE, dataclasses.replace(STYLE, region=halves[0]), dataclasses.replace(STYLE, region=halves[1]))
    styles = (*styles, dataclasses.replace(STYLE, terms=own), dataclasses.replace(STYLE, region=halves[0]))
    shared = (Term(loss=Gram(layers=("relu1_1",))),)
    found = looks(styles, [style.terms or shared for style in styles], (0.2,) * 5, "blend")
    assert [look.styles for look in found] == [(0,), (1, 4), (2,), (3,)]
    assert [look.styles for look in looks(styles, [shared] * 5, (0.2,) * 5, "sum")] == [(0,), (1,), (2,), (3,), (4,)]


@pytest.mark.slow
def test_two_styles_count_by_their_shares():
    flower, china = (StyleImage(image=Photograph(name=name)) for name in ("flower", "china"))
    only = {"content_terms": (), "image_terms": (), "start": FromNoise(), "several": "sum"}

    def both(*weights):
        styles = (dataclasses.replace(s, weight=w) for s, w in zip((flower, china), weights, strict=True))
        return small(styles=tuple(styles), **only)

    of_flower, of_china = (cost_of(small(styles=(style,), **only))[0].value for style in (flower, china))
    np.testing.assert_allclose(cost_of(both(0.25, 2.0))[0].value, (of_flower + 8 * of_china) / 9, rtol=1e-6)
    np.testing.assert_allclose(cost_of(both(3.0, 3.0))[0].value, (of_flower + of_china) / 2, rtol=1e-6)
    np.testing.assert_allclose(cost_of(both(0.0, 5.0))[0].value, of_china, rtol=1e-6)
    assert both(2.0, 6.0).shares == (0.25, 0.75)
    with pytest.raises(ValueError, match="have the weight 0, all of them"):
        both(0.0, 0.0)


@pytest.mark.slow
def test_the_content_image_costs_no_content_and_the_start_is_what_it_says():
    cost, params, data = cost_of(small())
    np.testing.assert_array_equal(params["pixels"][0], data.content)
    far, noisy, _ = cost_of(small(start=FromContent(noise=0.6)))
    assert 0.05 < float(jnp.abs(noisy["pixels"][0] - data.content).mean()) < 0.4
    # The target is another program's, whose sums are rounded apart: a square of float32's rounding is left of the cost.
    assert 0.0 <= float(cost.metrics["content"]) < 1e-12 * float(far.metrics["content"])
    noise = np.asarray(cost_of(small(size=128, start=FromNoise(deviation=0.1, center=0.4)))[1]["pixels"])
    assert noise.mean() == pytest.approx(0.4, abs=0.01)
    assert noise.std() == pytest.approx(0.1, abs=0.01)


@pytest.mark.slow
def test_colors_are_matched_before_anything_else():
    free = small().open()
    content_like_style, style_like_content = (small(colors=Matched(change=side)).open() for side in ("content", "styles"))
    apart = lambda a, b: np.abs(a.reshape(-1, 3).mean(0) - b.reshape(-1, 3).mean(0)).max()  # noqa: E731
    # Clipping to [0, 1] keeps the means from being equal.
    before = apart(free.content, free.styles[0])
    assert apart(content_like_style.content, free.styles[0]) < before / 3
    np.testing.assert_array_equal(content_like_style.styles[0], free.styles[0])
    assert apart(style_like_content.styles[0], free.content) < before / 3
    np.testing.assert_array_equal(style_like_content.content, free.content)


def painting(tmp_path, name, steps=12, **fields):
    run = Run(
        experiment=small(**fields),
        steps=steps,
        optimizer=Adam(schedule=Constant(peak_lr=0.05), box=(0.0, 1.0)),
        log_every=4,
        evaluate_every=4,
        checkpoints=Checkpoints(every=4),
    )
    return train(run, tmp_path / name)


@pytest.mark.slow
def test_painting_nears_the_style_and_writes_images(tmp_path):
    painted = painting(tmp_path, "run")
    before, _, data = cost_of(small())
    after = cost_of(small(), painted.variables.params["pixels"])[0]
    assert float(after.value) < 0.5 * float(before.value)
    assert float(painted.variables.params["pixels"].min()) >= 0.0
    assert float(painted.variables.params["pixels"].max()) <= 1.0
    files = sorted(path.name for path in (tmp_path / "run" / "images").iterdir())
    assert files == ["image.png", "image_000004.png", "image_000008.png", "image_000012.png"]
    assert (tmp_path / "run" / "figures" / "side_by_side.png").exists()
    metrics = painted.evaluation.metrics
    errors = {f"{who}{what}/relative" for who in ("", "held_out/") for what in ("content", "style")}
    assert set(metrics) == {*errors, "style/color_distance", "content/color_distance"}
    assert 0 < metrics["style/relative"] < 1
    assert painted.evaluation.images["image"].shape == data.content.shape


@pytest.mark.slow  # The shipped quickstart is painted in two parts too, and the command paints the same bits again.
def test_the_same_run_twice_and_in_two_parts_gives_the_same_bits(tmp_path):
    whole, again = painting(tmp_path, "a"), painting(tmp_path, "b")
    painting(tmp_path, "parts", steps=8)
    parts = painting(tmp_path, "parts")
    for other in (again, parts):
        np.testing.assert_array_equal(whole.variables.params["pixels"], other.variables.params["pixels"])


def test_random_weights_are_the_seeds_and_have_equal_energy():
    first, second = TINY.variables(), TINY.variables()
    other = dataclasses.replace(TINY, weights=Random(seed=3)).variables()
    kernel = lambda tree: np.asarray(tree["params"]["conv1_1"]["kernel"])  # noqa: E731
    np.testing.assert_array_equal(kernel(first), kernel(second))
    assert not np.array_equal(kernel(first), kernel(other))


def test_a_layer_that_does_not_exist_is_explained():
    with pytest.raises(UserError, match="do not fit each other: Gram: no layer 'relu3_1'"):
        small(style_terms=(Term(loss=Gram(layers=("relu3_1",))),)).open()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"styles": ()}, "styles is empty"),
        ({"size": 8}, "size is 8"),
        ({"alpha": -1.0}, "alpha is -1.0"),
        ({"beta": float("nan")}, "beta is nan"),
    ],
)
def test_illegal_fields_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        small(**fields)
    with pytest.raises(ValueError, match="scale is 0"):
        StyleImage(image=Photograph(), scale=0.0)
    with pytest.raises(ValueError, match=r"weight is -1.0"):
        Term(loss=TotalVariation(), weight=-1.0)


def gradient_of(experiment):
    data = experiment.open()
    constants, batch = experiment.constants(data), next(experiment.stream(data, 0))
    params = {"pixels": jax.random.uniform(jax.random.key(5), constants.content.shape)}
    cost = jax.jit(lambda params: experiment.cost(params, {}, constants, batch, jax.random.key(2)).value)
    return jax.value_and_grad(cost)(params)


@pytest.mark.slow
def test_an_image_read_in_tiles_costs_what_it_costs_whole():
    regions = dataclasses.replace(STYLE, region=Photograph(name="china"), mask=Photograph(name="flower"))
    experiment = small(size=64, styles=(STYLE, regions))
    value, gradient = gradient_of(experiment)
    tiled_value, tiled_gradient = gradient_of(dataclasses.replace(experiment, tile=16))
    np.testing.assert_allclose(tiled_value, value, rtol=1e-5)
    distance = jnp.linalg.norm(tiled_gradient["pixels"] - gradient["pixels"])
    assert distance < 1e-5 * jnp.linalg.norm(gradient["pixels"])


def test_a_tile_has_a_side():
    with pytest.raises(ValueError, match="Stylization.tile is 0: give a side in pixels, such as 512, or None"):
        small(tile=0)


def test_a_loss_that_compares_places_is_refused_in_tiles():
    with pytest.raises(ValueError, match="MRF compares places"):
        small(tile=16, style_terms=(Term(loss=MRF(layers=("relu1_1",))),))
    with pytest.raises(ValueError, match="compares whole images of one size"):
        small(tile=16, style_terms=(Term(loss=Gram(layers=("relu1_1",), normalizer="course")),))


@pytest.mark.slow
def test_an_image_of_which_light_alone_was_painted_is_compared_in_gray():
    experiment = small(colors=ByLuminance(), size=48)
    data = experiment.open()
    # The content as it came is what its gray would be, painted perfectly and colored again.
    perfect = {"pixels": jnp.asarray(data.content)[None]}
    metrics = experiment.evaluate(data, perfect, {}, "validation").metrics
    assert experiment.image(perfect).std(axis=2).max() > 0.1
    assert metrics["content/relative"] < 1e-4 and metrics["content/ssim"] > 0.999
    in_style = small(content=Photograph(name="flower"), colors=ByLuminance())
    data = in_style.open()
    metrics = in_style.evaluate(data, {"pixels": jnp.asarray(data.styles[0])[None]}, {}, "validation").metrics
    assert metrics["style/relative"] < 1e-4 and metrics["style/color_distance"] < 1e-3


def test_what_is_not_painted_by_is_not_compared_and_not_named():
    texture = small(content_terms=()), "content/", "painting a texture"
    again = small(beta=0.0), "style/", "again, from what is known"
    for experiment, absent, said in (texture, again):
        data = experiment.open()
        params = {"pixels": jnp.asarray(data.content)[None]}
        evaluation = experiment.evaluate(data, params, {}, "test")
        assert evaluation.metrics and not any(absent in name for name in evaluation.metrics)
        assert said in experiment.describe(data)[0]
        assert len(evaluation.figures["side_by_side"].axes) == 2


def test_a_style_is_painted_only_in_its_region(tmp_path):
    """The gradient of a style whose region is the left half is zero far to the right of it."""
    half = np.zeros((32, 48, 3), np.float32)
    half[:, :24] = 1.0
    write_image(tmp_path / "left.png", half)
    left = dataclasses.replace(STYLE, region=ImageFile(path=str(tmp_path / "left.png")))
    experiment = small(size=48, styles=(left,), content_terms=(), image_terms=())
    _, gradient = gradient_of(experiment)
    assert float(jnp.abs(gradient["pixels"][:, :, :20]).max()) > 0
    assert float(jnp.abs(gradient["pixels"][:, :, 30:]).max()) == 0.0


def test_a_mask_of_other_proportions_is_refused(tmp_path):
    write_image(tmp_path / "mask.png", np.ones((32, 32, 3), np.float32))
    masked = dataclasses.replace(STYLE, mask=ImageFile(path=str(tmp_path / "mask.png")))
    with pytest.raises(UserError, match=r"StyleImage.mask mask .* same proportions"):
        small(styles=(masked,)).open()


@pytest.mark.slow
def test_sizes_go_on_from_one_another_and_resume_to_the_bit(tmp_path):
    assert [stage.size for stage in small(size=48, pyramid=Pyramid(smallest=24, factor=4 / 3)).stages()] == [27, 36, 48]
    experiment = small(size=48, pyramid=Pyramid(smallest=24))
    run = Run(experiment=experiment, steps=6, log_every=1, optimizer=Adam(schedule=Constant(peak_lr=0.02)), ema_decay=0.9)
    run = dataclasses.replace(run, checkpoints=Checkpoints(every=2))
    whole = train(run, tmp_path / "whole")
    assert whole.state.params["pixels"].shape == (1, 32, 48, 3)
    for steps in (3, 6):
        parts = train_until(run, steps, tmp_path / "parts")
    equal = jax.tree.map(lambda a, b: bool((np.asarray(a) == np.asarray(b)).all()), whole.state, parts.state)
    assert jax.tree.all(equal)
    lines = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines() if "loss" in line]
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert [(line["step"], line["stage"]) for line in lines] == [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 2)]
    # More steps are for the last size.
    train(dataclasses.replace(run, steps=8), tmp_path / "whole")
    lines = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines() if "loss" in line]
    assert [(line["step"], line["stage"]) for line in lines[-3:]] == [(6, 2), (7, 2), (8, 2)]


def test_the_steps_are_divided_among_the_sizes_as_the_pyramid_says():
    experiment = small(size=64, pyramid=Pyramid(smallest=16, factor=2, steps=(3, 2, 1)))
    plan = stages(Run(experiment=experiment, steps=12))
    assert [(stage.run.experiment.size, stage.end) for stage in plan] == [(16, 6), (32, 10), (64, 12)]


def test_moments_are_resized_as_crowson_resizes_them():
    """That of the square bilinearly, so it stays positive where a bicubic curve would dip below 0.

    Here the pixels' centers lie a quarter of a pixel beside the old ones, of whose values 3/4 and 1/4 are taken.
    """
    experiment = small(size=32)
    constants = experiment.constants(experiment.open())
    height, width = constants.content.shape[1:3]
    moment = jnp.zeros((1, height // 2, width // 2, 3)).at[:, :, 8:].set(1.0)
    grown = np.asarray(experiment.promote_moment(moment, constants))
    assert grown.shape == constants.content.shape
    np.testing.assert_allclose(grown[0, 3, 13:19, 0], [0, 0, 0.25, 0.75, 1, 1], atol=1e-6)
    assert grown.min() == 0
    image = np.asarray(experiment.promote(moment, constants))
    assert image.shape == constants.content.shape and image.min() < -0.01, "bicubically, whose curve dips below 0"


def train_until(run, steps, workdir):
    """Trains with the schedule of the whole run, interrupted after some of its steps."""
    if steps == run.steps:
        return train(run, workdir)
    reporter = Listener(steps, terminate)
    with pytest.raises(Interrupted):
        train(run, workdir, reporter=reporter)
    return None


def test_every_image_that_is_read_is_known_by_its_content(tmp_path):
    def write(name, seed):
        pixels = np.random.default_rng(seed).integers(0, 256, (24, 32, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
        return ImageFile(path=str(tmp_path / name))

    names = {
        "content": "a.png",
        "style 1": "b.png",
        "style 2": "c.png",
        "region of style 2": "d.png",
        "mask of style 2": "e.png",
        "start": "f.png",
    }
    files = {role: write(name, seed) for seed, (role, name) in enumerate(names.items())}
    second = StyleImage(image=files["style 2"], region=files["region of style 2"], mask=files["mask of style 2"])
    experiment = small(
        content=files["content"],
        styles=(StyleImage(image=files["style 1"]), second),
        start=FromImage(image=files["start"]),
    )
    data = experiment.open()
    before = experiment.fingerprints(data).training
    assert set(before) == set(names)
    for role, name in names.items():
        write(name, 100)
        changed = experiment.fingerprints(data).training
        assert [each for each in before if before[each] != changed[each]] == [role]
        before = changed


def test_weights_from_a_file_are_inputs_and_drawn_ones_are_the_configs(tmp_path):
    drawn = TINY.variables()
    assert TINY.fingerprint(drawn) == {}
    write(tmp_path / "own.safetensors", take(drawn, own(drawn)))
    read = dataclasses.replace(TINY, weights=Pretrained(path=str(tmp_path / "own.safetensors")))
    kept = read.fingerprint(read.variables())
    assert set(kept) == {"weights of the encoder"}
    assert kept == read.fingerprint(read.variables()) != read.fingerprint(jax.tree.map(lambda leaf: leaf + 1, read.variables()))


@pytest.mark.slow
def test_hues_are_the_content_s_in_the_palette_of_all_styles():
    styles = tuple(StyleImage(image=Photograph(name=name), fit="stretch") for name in ("flower", "china"))
    experiment = small(colors=ByHue(), styles=styles, size=48)
    data = experiment.open()
    pixels = np.clip(np.asarray(data.content) ** 2.0, 0, 1)
    palette = np.concatenate([style.reshape(1, -1, 3) for style in data.styles], axis=1)
    expected = np.clip(with_hues_of(jnp.asarray(pixels), jnp.asarray(data.content), jnp.asarray(palette)), 0, 1)
    np.testing.assert_allclose(experiment.image({"pixels": jnp.asarray(pixels)[None]}), expected, atol=1e-6)


@pytest.mark.parametrize(
    "colors", [AsTheyAre(), Matched(change="content"), Matched(change="styles"), ByLuminance()], ids=lambda colors: repr(colors)
)
def test_whose_colors_it_has_what_paints_perfectly_is_measured_as_perfect(colors):
    """The content that is painted from is at distance 0 of the content, and the style of the style, in every mode."""
    style = StyleImage(image=Photograph(name="flower"), fit="stretch")
    experiment = small(colors=colors, styles=(style,), size=48)
    data = experiment.open()
    as_content = experiment.evaluate(data, {"pixels": data.content[None]}, {}, "validation").metrics
    assert as_content["content/relative"] < 1e-4 and as_content["held_out/content/relative"] < 1e-4
    assert as_content["content/ssim"] > 0.999
    as_style = experiment.evaluate(data, {"pixels": data.styles[0][None]}, {}, "validation").metrics
    # Under the content's I and Q a few pixels leave the cube of colors, and are clipped.
    assert max(as_style["style/relative"], as_style["held_out/style/relative"]) < (2e-3 if colors == ByLuminance() else 1e-6)
    assert as_style["style/color_distance"] < (0.02 if colors == ByLuminance() else 1e-6)
    kept = isinstance(colors, ByLuminance) or colors == Matched(change="styles")
    # The flower is 0.385 from it.
    assert (as_style["content/color_distance"] < 0.16) == kept
