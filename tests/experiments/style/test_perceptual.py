import jax.numpy as jnp
import numpy as np
import pytest

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.style.evaluator import StyleEvaluator
from likeness.experiments.style.perceptual import Perceptual
from likeness.research.encoders import Vgg
from likeness.research.errors import UserError

TINY = FrozenEncoder(encoder=Vgg(convolutions=(1, 1), widths=(4, 6), preprocessing="torchvision"))
RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(2, 32, 40, 3)).astype(np.float32)


def weights_file(folder, *shapes):
    path = folder / "lin.npz"
    np.savez(path, **{f"lin{i}.model.1.weight": RNG.uniform(size=shape).astype(np.float32) for i, shape in enumerate(shapes)})
    return str(path)


def test_the_weights_of_a_layer_are_those_of_its_place_in_the_file(tmp_path):
    path = weights_file(tmp_path, (1, 4, 1, 1), (1, 6, 1, 1))
    perceptual = Perceptual(linear=path, encoder=TINY, layers=("relu1_1", "relu2_1"))
    variables = perceptual.variables()
    distance = float(perceptual(variables, jnp.asarray(IMAGES[:1]), jnp.asarray(IMAGES[1:])))
    with np.load(path) as arrays:
        expected = 0.0
        activations = TINY(variables["encoder"], jnp.asarray(IMAGES))
        for i, layer in enumerate(("relu1_1", "relu2_1")):
            f = np.asarray(activations[layer], np.float64)
            f = f / (np.linalg.norm(f, axis=-1, keepdims=True) + 1e-10)
            expected += ((f[0] - f[1]) ** 2 @ arrays[f"lin{i}.model.1.weight"].reshape(-1)).mean()
    np.testing.assert_allclose(distance, expected, rtol=1e-5)


def test_the_evaluator_reports_it_where_it_was_asked_for(tmp_path):
    path = weights_file(tmp_path, (1, 4, 1, 1), (1, 6, 1, 1))
    perceptual = Perceptual(linear=path, encoder=TINY, layers=("relu1_1", "relu2_1"))
    for asked in (None, perceptual):
        evaluator = StyleEvaluator(encoder=TINY, content=("relu2_1",), style=("relu1_1",), perceptual=asked)
        variables = evaluator.variables()
        read = (("relu2_1",), ("relu1_1",))
        metrics = evaluator.metrics(variables, TINY, variables["encoder"], read, IMAGES[0], IMAGES[1], (IMAGES[1],))
        assert metrics.get("content/lpips", 0.0) > 0 if asked else "content/lpips" not in metrics


@pytest.mark.parametrize("shapes", [[(1, 4, 1, 1)], [(1, 4, 1, 1), (6, 2, 1, 1)]])
def test_a_file_of_another_network_is_refused(tmp_path, shapes):
    path = weights_file(tmp_path, *shapes)
    with pytest.raises(UserError, match="needs one for each, of one weight a channel"):
        Perceptual(linear=path, encoder=TINY, layers=("relu1_1", "relu2_1")).variables()


def test_layers_that_the_evaluator_does_not_have_are_named_before_the_painting():
    with pytest.raises(UserError, match="The StyleEvaluator of this config .* no layer 'relu9_1'; nearest: relu1_1"):
        StyleEvaluator(encoder=TINY, content=("relu9_1",), style=("relu1_1",)).variables()
