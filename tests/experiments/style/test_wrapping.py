"""An image that goes on at its other side: what it costs, what it looks like at the seam, and what cannot be painted so."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from objectives import with_objective

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.style import StyleImage, Stylization
from likeness.experiments.style.starts import FromNoise
from likeness.experiments.style.terms import Term
from likeness.research.encoders import SqueezeNet, Vgg
from likeness.research.images.sources import Blank, Photograph
from likeness.research.losses import MRF, Content, Gram, Laplacian, TotalVariation, Wasserstein

ENCODER = FrozenEncoder(encoder=Vgg(convolutions=(1, 1, 1), widths=(4, 6, 8), pooling="max", first_padding="replicate"))


def tile(**fields) -> Stylization:
    defaults = {
        "content": Blank(width=64, height=48),
        "styles": (StyleImage(image=Photograph(name="flower")),),
        "encoder": ENCODER,
        "size": 64,
        "content_terms": (),
        "style_terms": (
            Term(loss=Gram(layers=("relu1_1", "relu2_1", "relu3_1"))),
            Term(loss=Wasserstein(layers=("relu2_1", "relu3_1"))),
        ),
        "image_terms": (Term(loss=TotalVariation(), weight=0.5), Term(loss=TotalVariation(convention="crowson"))),
        "start": FromNoise(),
        "edges": "wrap",
    }
    return with_objective(Stylization, **{**defaults, **fields})


def cost_and_gradient(experiment: Stylization, pixels: np.ndarray) -> tuple[float, np.ndarray]:
    constants = experiment.constants(experiment.open())

    def cost(pixels):
        return experiment.cost({"pixels": pixels}, {}, constants, None, jax.random.key(0)).value

    value, gradient = jax.jit(jax.value_and_grad(cost))(jnp.asarray(pixels))
    return float(value), np.asarray(gradient)


@pytest.mark.slow
@pytest.mark.parametrize("by", [(24, 32), (4, 60)])
def test_moved_around_it_costs_the_same_and_its_gradient_moves_with_it(by: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).random((1, 48, 64, 3)).astype(np.float32)
    moved = np.roll(pixels, by, (1, 2))
    (here, gradient), (there, moved_gradient) = (cost_and_gradient(tile(), each) for each in (pixels, moved))
    assert there == pytest.approx(here, rel=1e-6)
    np.testing.assert_allclose(moved_gradient, np.roll(gradient, by, (1, 2)), rtol=1e-3, atol=1e-6 * np.abs(gradient).max())
    bordered = [cost_and_gradient(tile(edges="border"), each)[0] for each in (pixels, moved)]
    assert abs(bordered[1] / bordered[0] - 1) > 1e-4


def test_the_references_have_their_border() -> None:
    kept, bordered = (each.open().constants.targets.styles for each in (tile(), tile(edges="border")))
    jax.tree.map(np.testing.assert_array_equal, kept, bordered)


@pytest.mark.slow
def test_its_sides_are_the_nearest_that_the_strides_divide() -> None:
    # relu3_1 has a stride of 4; what is deeper is not read.
    assert tile(content=Blank(width=50, height=33), size=50).open().content.shape == (32, 48, 3)
    assert tile(content=Blank(width=50, height=33), size=50, edges="border").open().content.shape == (33, 50, 3)
    experiment = tile(content=Blank(width=50, height=33), size=50)
    assert experiment.shown({"pixels": jnp.zeros((1, 32, 48, 3))})["image"].shape == (32, 48, 3)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tile": 32}, "with a tile each window ends at a border"),
        ({"encoder": FrozenEncoder(encoder=SqueezeNet())}, "SqueezeNet cannot see beyond the border"),
        ({"style_terms": (Term(loss=MRF(layers=("relu3_1",))),)}, "MRF compares neighbors up to the border only"),
        ({"image_terms": (Term(loss=Laplacian()),)}, "Laplacian compares neighbors up to the border only"),
    ],
)
def test_what_sees_a_border_is_refused(fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tile(**fields)


@pytest.mark.slow
def test_with_a_content_the_image_goes_on_too() -> None:
    experiment = tile(content=Photograph(name="china"), content_terms=(Term(loss=Content(layers=("relu3_1",))),))
    content = experiment.open().content[None]
    moved = dataclasses.replace(experiment, start=FromNoise(deviation=0.1))
    assert cost_and_gradient(moved, content)[0] == pytest.approx(cost_and_gradient(experiment, content)[0])
