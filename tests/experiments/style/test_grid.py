"""Grids of paintings: each image is what it is when painted alone, and all are evaluated alike."""

import dataclasses
import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from objectives import with_objective
from PIL import Image

from likeness.experiments.display.contact_sheet import Tile, as_figure, sheet
from likeness.experiments.display.figures import save
from likeness.experiments.display.phases import watched
from likeness.experiments.frozen import FrozenEncoder, Random
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.run import Run
from likeness.experiments.style import LaplacianPyramid, Method, Pyramid, StyleGrid, StyleImage, Stylization
from likeness.experiments.style.colors import Matched
from likeness.experiments.style.cropped import Cropped
from likeness.experiments.style.evaluator import StyleEvaluator
from likeness.experiments.style.portrait import Portrait
from likeness.experiments.style.starts import FromContent, FromNoise, FromStyleColors
from likeness.experiments.style.terms import Term
from likeness.experiments.training.trainer import train
from likeness.research.encoders import Vgg
from likeness.research.images import write_image
from likeness.research.images.portraits import ProceduralFace
from likeness.research.images.sources import ImageFile, Photograph
from likeness.research.losses import MRF, Content, Gram, MeanStd, SlicedWasserstein, TotalVariation, Wasserstein

TINY = FrozenEncoder(
    encoder=Vgg(convolutions=(1, 1), widths=(4, 6), pooling="average", padding="reflect", preprocessing="torchvision")
)
# Not every seed will do: where two patches are as near as rounding can tell, MRF may take either.
OTHER = dataclasses.replace(TINY, weights=Random(seed=8))
LAYERS = ("relu1_1", "relu2_1")
CHINA, FLOWER, FACE = Photograph(name="china"), Photograph(name="flower"), ProceduralFace()


def method(name="Gram", loss=None, **fields):
    defaults = {
        "content": CHINA,
        "styles": (StyleImage(image=CHINA, scale=1.5),),
        "encoder": TINY,
        "content_terms": (Term(loss=Content(layers=("relu2_1",)), weight=0.5),),
        "style_terms": (Term(loss=loss or Gram(layers=LAYERS), weight=2.0),),
        "image_terms": (Term(loss=TotalVariation(), weight=0.1),),
    }
    return Method(name=name, how=with_objective(Stylization, **{**defaults, **fields}))


def small(**fields):
    defaults = {
        "contents": (CHINA, FLOWER),
        "styles": (FLOWER, FACE),
        "methods": (method(start=FromNoise()),),
        "size": 32,
        "evaluator": StyleEvaluator(encoder=OTHER, content=("relu2_1",), style=LAYERS),
    }
    return StyleGrid(**{**defaults, **fields})


def prepared(grid):
    data = grid.open()
    constants, batch = grid.constants(data), next(grid.stream(data, 0))
    params = jax.jit(grid.init)(jax.random.key(99), constants, batch).params
    return data, constants, batch, params


def painted(cost, params, steps=3):
    """Three steps of Adam, from the gradient of a jitted cost.

    With its usual eps a gradient of no size but that of a rounding error moves a pixel as far as any other.
    """
    rule = Adam(schedule=Constant(peak_lr=0.05), eps=1e-3, box=(0.0, 1.0)).transformation(steps)
    state, value = rule.init(params), None
    for _ in range(steps):
        value, gradient = cost(params)
        updates, state = rule.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
    return value, params


@pytest.mark.parametrize(
    "method",
    [
        method(start=FromNoise()),
        pytest.param(
            method(start=FromContent(noise=0.5), loss=Wasserstein(layers=LAYERS), colors=Matched(change="content")),
            marks=pytest.mark.slow,
        ),
        method(start=FromStyleColors(), loss=MRF(layers=("relu2_1",)), encoder=OTHER),
        method(start=FromNoise(), loss=SlicedWasserstein(layers=("relu2_1",), projections=4)),
        method(start=FromNoise(), loss=MeanStd(layers=LAYERS), alpha=3.0, beta=0.5, scale=7.0),
    ],
    ids=["Gram", "Wasserstein", "MRF", "sliced", "MeanStd"],
)
@pytest.mark.end_to_end
def test_every_image_is_what_it_is_when_painted_alone(method):
    grid = small(methods=(method,), seeds=(3,))
    data, constants, batch, params = prepared(grid)
    assert params[method.name].shape == (4, 21, 32, 3)
    together = jax.jit(jax.value_and_grad(lambda params: grid.cost(params, {}, constants, batch, jax.random.key(5)).value))
    value, params = painted(together, params)
    alone = jax.jit(
        jax.value_and_grad(lambda params, constants: method.how.cost(params, {}, constants, batch, jax.random.key(6)).value)
    )
    total, weights = 0.0, (method.how.encoder.variables(), {})
    for cell, (how, _, _), pixels in zip(grid.cells, data.alone[method.name], params[method.name], strict=True):
        # As `train` would begin it, with Run.seed = seed and no word from the grid.
        own = how.open(weights)
        first = how.init(jax.random.key(grid.seeds[cell.seed]), own.constants, batch).params
        cost, result = painted(lambda params, constants=own.constants: alone(params, constants), first)
        np.testing.assert_allclose(pixels, result["pixels"][0], rtol=0, atol=1e-5)
        total += float(cost)
    np.testing.assert_allclose(value, total, rtol=1e-5)


@pytest.mark.slow
def test_images_do_not_see_each_other_nor_other_methods():
    both = small(methods=(method("a", start=FromNoise()), method("b", MeanStd(layers=LAYERS), start=FromContent())))
    data, constants, batch, params = prepared(both)
    cost = jax.jit(jax.grad(lambda params: both.cost(params, {}, constants, batch, jax.random.key(5)).value))
    before = cost(params)
    changed = cost({**params, "a": params["a"].at[1].add(0.1)})
    np.testing.assert_array_equal(before["b"], changed["b"])
    np.testing.assert_allclose(before["a"][::2], changed["a"][::2], rtol=1e-5, atol=1e-8)
    assert float(jnp.abs(before["a"][1] - changed["a"][1]).max()) > 1e-6
    assert set(data.alone) == {"a", "b"}


@pytest.mark.slow
def test_convolutions_are_batched_and_not_grouped_and_weights_are_there_once():
    """In the program that is run: neither the loss nor the gradient has a convolution in groups of images."""
    methods = (method(), method("MRF", MRF(layers=("relu2_1",))), method("other", encoder=OTHER))
    grid = small(methods=methods)
    _, constants, batch, params = prepared(grid)
    assert len(constants.encoders) == 2
    assert constants.encoders[0]["params"]["conv1_1"]["kernel"].shape == (3, 3, 3, 4)
    step = jax.jit(jax.value_and_grad(lambda params: grid.cost(params, {}, constants, batch, jax.random.key(5)).value))
    program = step.lower(params).compile().as_text()
    assert "convolution" in program
    assert grouped(program) == set()
    # So it would be seen: the same with an axis of images on the weights.
    several = jax.tree.map(lambda leaf: jnp.stack([leaf] * 4), constants.encoders[0])
    encode = jax.jit(jax.vmap(lambda weights, pixels: TINY(weights, pixels[None])["relu2_1"]))
    assert grouped(encode.lower(several, params["Gram"]).compile().as_text()) == {4}


def grouped(program):
    """Groups of the program's convolutions, of those that have more than one."""
    return {int(count) for count in re.findall(r"(?:feature|batch)_group_count=(\d+)", program)} - {1}


def test_all_have_the_shape_of_the_first_content_cut_around_the_center():
    data, _, _, params = prepared(small(contents=(FACE, CHINA), styles=(FLOWER,)))
    assert params["Gram"].shape == (2, 32, 32, 3)
    assert [image.shape for image in (*data.contents, *data.styles)] == [(32, 32, 3)] * 3
    assert data.alone["Gram"][1].styles[0].shape == (48, 48, 3)
    wide = CHINA.open(48)
    assert wide.shape == (32, 48, 3)
    np.testing.assert_array_equal(data.contents[1], wide[:, 8:40])


@pytest.mark.parametrize("proportions", [(3, 2), (1, 7), (427, 640), (1, 1)])
def test_cropped_fills_its_proportions(proportions):
    opened = Cropped(source=CHINA, proportions=proportions).open(37)
    assert max(opened.shape) == 37
    assert opened.shape[0] / opened.shape[1] == pytest.approx(proportions[0] / proportions[1], abs=0.6 / min(opened.shape[:2]))


def test_seeds_are_other_starts_and_the_runs_own_seed_is_none():
    grid = small(seeds=(4, 5), styles=(FLOWER,), contents=(CHINA,))
    _, constants, batch, params = prepared(grid)
    assert not np.allclose(params["Gram"][0], params["Gram"][1])
    np.testing.assert_array_equal(grid.init(jax.random.key(1), constants, batch).params["Gram"], params["Gram"])


REGION = StyleImage(image=CHINA, region=FLOWER)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: small(contents=()), "contents is empty"),
        (lambda: small(seeds=()), "seeds is empty"),
        (lambda: small(seeds=(1, 1)), "seeds are 1, 1: give each only once"),
        (lambda: small(seeds=(-1,)), "0 or more"),
        (lambda: small(size=8), "size is 8"),
        (lambda: small(methods=(method(), method())), "names Gram, Gram"),
        (lambda: small(methods=(method(start=FromContent()),), seeds=(0, 1)), "would paint the same image"),
        (lambda: method("a b"), "letters, digits"),
        (lambda: method("a_b"), "letters, digits"),
        (lambda: method("unpainted"), "another name"),
        (lambda: method(pyramid=Pyramid(smallest=16)), "sets pyramid, .* cannot be in a grid"),
        (lambda: method(parametrization=LaplacianPyramid()), "sets parametrization"),
        (lambda: method(last_terms=(Term(loss=Gram(layers=("relu1_1",))),)), "sets last_terms"),
        (lambda: method(tile=32), "sets tile"),
        (lambda: method(portrait=Portrait()), "sets portrait"),
        (lambda: method(styles=(REGION,)), r"sets styles\[0\].region"),
        (lambda: method(styles=(dataclasses.replace(REGION, region=None, mask=FLOWER),)), r"sets styles\[0\].mask"),
        (lambda: method(styles=(StyleImage(image=CHINA),) * 2), "has 2 styles: give it one"),
    ],
)
def test_what_cannot_be_in_a_grid_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.slow
def test_an_evaluation_says_how_far_it_is():
    grid = small()
    data, _, _, params = prepared(grid)
    told = []
    with watched(lambda *said: told.append(said)):
        grid.evaluate(data, params, {}, "test")
    assert told == [
        *(("comparing painted images", done, 4) for done in range(5)),
        *(("comparing unpainted images", done, 4) for done in range(5)),
    ]


def test_images_of_one_title_are_told_apart(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_image(tmp_path / folder / "me.png", np.full((20, 32, 3), 0.5, np.float32))
    files = tuple(ImageFile(path=str(tmp_path / folder / "me.png")) for folder in ("a", "b"))
    (sentence,) = small(contents=files).describe(small(contents=files).open())
    assert "4 images (32 × 20) at once: me, me-2; in the look of flower, person-0000; by Gram" in sentence


@pytest.mark.slow
@pytest.mark.end_to_end
def test_a_grid_is_trained_and_evaluated_as_its_images_alone(tmp_path):
    methods = (
        method(start=FromNoise(), colors=Matched(change="content")),
        method("MeanStd", MeanStd(layers=LAYERS), start=FromNoise()),
    )
    grid = small(contents=(CHINA,), methods=methods, seeds=(0, 1))
    run = Run(experiment=grid, steps=2, optimizer=Adam(schedule=Constant(peak_lr=0.05), box=(0.0, 1.0)), log_every=1)
    result = train(run, tmp_path / "grid")
    evaluation = result.evaluation
    # Of the first content's proportions, so that nothing is cut off.
    objective = dataclasses.replace(methods[0].how.objective, evaluator=grid.evaluator)
    look = StyleImage(image=FLOWER, scale=1.5)
    how = dataclasses.replace(methods[0].how, styles=(look,), size=32, objective=objective)
    alone = train(dataclasses.replace(run, seed=1, experiment=how), tmp_path / "alone")
    np.testing.assert_allclose(evaluation.images["Gram_china_flower_1"], alone.evaluation.images["image"], atol=1e-5)
    files = sorted(path.stem for path in (tmp_path / "grid" / "images").iterdir())
    assert files == sorted(f"{m}_china_{s}_{k}" for m in ("Gram", "MeanStd") for s in ("flower", "person-0000") for k in (0, 1))
    assert {"contact_sheet.png", "errors.png"} <= {path.name for path in (tmp_path / "grid" / "figures").iterdir()}

    entries = json.loads((tmp_path / "grid" / "grid.json").read_text())
    assert (entries["height"], entries["width"], len(entries["images"])) == (21, 32, 10)
    (own,) = [e for e in entries["images"] if (e["method"], e["style"], e["seed"]) == ("Gram", "flower", 1)]
    assert set(own["metrics"]) == set(alone.evaluation.metrics)
    for name, value in alone.evaluation.metrics.items():
        assert own["metrics"][name] == pytest.approx(value, rel=1e-3)
        its = [e["metrics"][name] for e in entries["images"] if e["method"] == "Gram"]
        assert evaluation.metrics[f"Gram/{name}"] == pytest.approx(np.mean(its), rel=1e-12)
    assert {n for n in evaluation.metrics if "unpainted" in n} == {
        "unpainted/held_out/style/relative",
        "unpainted/style/color_distance",
    }
    (note,) = evaluation.notes
    rows = [line for line in note.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 4 + 1 and len({len(row) for row in rows}) == 1
    assert re.match(r"\| \*\*mean\*\* +\| .* \d\.\d\d · \d\.\d{3}", rows[-1])


def test_a_sheet_is_written_pixel_for_pixel(tmp_path):
    tiles = [[Tile(np.full((20, 30, 3), 0.2 * i + 0.1 * j, np.float32), "0.12 · 0.34") for i in range(3)] for j in range(2)]
    drawn = sheet(tiles, heads=("a", "b", "c"), caption=("What it is.", "And what not."))
    path = save(as_figure(drawn), tmp_path / "sheet.png")
    np.testing.assert_array_equal(np.asarray(Image.open(path).convert("RGB")), np.asarray(drawn))
    assert np.asarray(drawn).std() > 0
