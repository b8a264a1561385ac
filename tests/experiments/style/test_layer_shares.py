import dataclasses

import jax
import numpy as np
import pytest

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.style.correspondence import CellGrid
from likeness.experiments.style.evaluator import StyleEvaluator
from likeness.experiments.style.image import StyleImage
from likeness.experiments.style.layer_shares import layer_gradients, style_alone, style_layers
from likeness.experiments.style.objective import StyleObjective
from likeness.experiments.style.parametrizations import LaplacianPyramid
from likeness.experiments.style.stylization import OpenedStylization, Stylization
from likeness.experiments.style.terms import Term
from likeness.research.encoders import Vgg
from likeness.research.images.sources import Photograph
from likeness.research.losses import Content, Gram

ENCODER = FrozenEncoder(encoder=Vgg(convolutions=(1, 1), widths=(4, 6), pooling="average"))
LAYERS = ("input", "relu1_1", "relu2_1")


def stylization(*weights: float) -> Stylization:
    objective = StyleObjective(
        encoder=ENCODER,
        evaluator=StyleEvaluator(encoder=ENCODER, content=("relu2_1",), style=("relu1_1",)),
        beta=30.0,
        content_terms=(Term(loss=Content(layers=("relu2_1",))),),
        style_terms=(Term(loss=Gram(layers=LAYERS, weights=weights)),),
    )
    return Stylization(
        content=Photograph(name="china"),
        styles=(StyleImage(image=Photograph(name="flower")),),
        objective=objective,
        size=24,
        parametrization=LaplacianPyramid(),
    )


def asked(experiment: Stylization, longer: int = 24) -> tuple[np.ndarray, OpenedStylization]:
    data = experiment.open()
    height, width, _ = data.content.shape
    grid = CellGrid.over(height, width, longer)
    gradients = layer_gradients(experiment, style_layers(experiment), grid)
    return gradients(data.constants, {}, None, jax.random.key(0), data.content), data


def test_a_layer_that_counts_nothing_asks_for_nothing() -> None:
    found, _ = asked(stylization(0.3, 0.0, 0.7))
    assert np.all(found[1] == 0)
    assert np.all(found[[0, 2]].max(axis=(1, 2)) > 0)


@pytest.mark.slow
def test_what_a_layer_asks_for_is_the_gradient_of_its_own_loss_by_finite_differences() -> None:
    weights = (0.2, 0.5, 0.3)
    found, data = asked(stylization(*weights))
    height, width, _ = data.content.shape
    assert found.shape == (3, height, width)
    draw = np.random.default_rng(0)
    for number in range(3):
        alone = style_alone(stylization(*(weight if i == number else 0.0 for i, weight in enumerate(weights))))
        constants = alone.open().constants
        kept = constants._replace(targets=constants.targets._replace(content=[], image=[]))

        @jax.jit
        def cost(pixels, alone=alone, kept=kept):
            return alone.cost({"pixels": pixels[None]}, {}, kept, None, jax.random.key(0)).value

        for row, column in zip(draw.integers(4, height - 4, 3), draw.integers(4, width - 4, 3), strict=True):
            slopes = []
            for channel in range(3):
                step = np.zeros_like(data.content)
                step[row, column, channel] = 0.02
                slopes.append((float(cost(data.content + step)) - float(cost(data.content - step))) / 0.04)
            assert found[number, row, column] == pytest.approx(np.linalg.norm(slopes), rel=0.03)


def test_a_cell_is_the_root_of_the_mean_of_its_pixels() -> None:
    fine, _ = asked(stylization(0.2, 0.5, 0.3))
    coarse, data = asked(stylization(0.2, 0.5, 0.3), 6)
    height, width, _ = data.content.shape
    assert (height, width, *coarse.shape[1:]) == (16, 24, 4, 6)
    means = np.square(fine).reshape(3, 4, 4, 6, 4).mean(axis=(2, 4))
    np.testing.assert_allclose(coarse, np.sqrt(means), rtol=1e-4)


def test_a_style_of_its_own_terms_has_its_own_layers() -> None:
    experiment = stylization(1.0, 1.0, 1.0)
    own = dataclasses.replace(experiment.styles[0], terms=(Term(loss=Gram(layers=("relu2_1", "relu1_1"))),))
    assert style_layers(dataclasses.replace(experiment, styles=(own,))) == ("relu2_1", "relu1_1")
