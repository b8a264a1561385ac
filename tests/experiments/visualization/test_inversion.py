"""Inversion: the cost is what it says, and shallow layers give the photograph back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.experiments.frozen import FrozenEncoder, Random
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.report.page import report
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.training.trainer import train
from likeness.experiments.visualization import Inversion
from likeness.research.encoders import Vgg
from likeness.research.errors import UserError
from likeness.research.losses import TotalVariation
from likeness.research.visualization import Fourier

pytestmark = pytest.mark.end_to_end

TINY = FrozenEncoder(
    encoder=Vgg(convolutions=(1, 1, 1), widths=(8, 12, 16), pooling="average", padding="reflect"), weights=Random()
)


def small(**fields):
    return Inversion(**{"encoder": TINY, "layers": ("relu1_1", "relu3_1"), "size": 32, "variation": 0.02, **fields})


@pytest.mark.slow
def test_cost_is_the_relative_errors_and_the_roughness():
    experiment = small(variation=(0.5, 2.0))
    data = experiment.open()
    params, state = experiment.init(jax.random.key(0), data.constants, None)
    cost = jax.jit(experiment.cost)(params, state, data.constants, None, jax.random.key(1))
    pixels = jnp.asarray(experiment.images(data, params))
    made, kept = (jax.jit(TINY)(data.constants.encoder, each) for each in (pixels, jnp.asarray(data.image)[None]))
    expected = 0.0
    for number, (layer, weight) in enumerate(zip(experiment.layers, (0.5, 2.0), strict=True)):
        here, there = (np.asarray(each, np.float64) for each in (made[layer][number], kept[layer][0]))
        error = np.sum((here - there) ** 2) / np.sum(there**2)
        np.testing.assert_allclose(cost.metrics[layer], error, rtol=1e-4)
        expected += error + weight * float(TotalVariation()({"input": pixels[number : number + 1]}, {}))
    np.testing.assert_allclose(cost.value, expected, rtol=1e-5)


@pytest.mark.slow
def test_a_shallow_layer_gives_the_photograph_back_and_a_deep_one_less(tmp_path):
    run = Run(
        experiment=small(),
        steps=150,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=0.1, final=0.05)),
        log_every=50,
        evaluate_every=75,
        checkpoints=Checkpoints(every=75),
    )
    metrics = train(run, tmp_path / "run").evaluation.metrics
    assert metrics["relu1_1/relative"] < 0.01
    assert metrics["relu1_1/psnr"] > 25 > metrics["relu3_1/psnr"] > 10
    files = {path.name for path in (tmp_path / "run" / "images").iterdir()}
    assert {"image.png", "relu1_1.png", "relu3_1.png", "image_000075.png"} <= files
    assert (tmp_path / "run" / "figures" / "inversion.png").exists()
    page = report([tmp_path / "run"]).page
    assert "relu1_1, before and after" in page and "relu3_1, before and after" in page
    assert "image, before" not in page


@pytest.mark.slow
def test_either_parametrization_goes_downhill():
    for made in (small(), small(parametrization=Fourier())):
        data = made.open()
        params, _ = made.init(jax.random.key(0), data.constants, None)

        @jax.jit
        def cost(params, made=made, data=data):
            return made.cost(params, {}, data.constants, None, jax.random.key(0)).value

        value, slope = jax.jit(jax.value_and_grad(cost))(params)
        length = sum(float(jnp.sum(leaf**2)) for leaf in jax.tree.leaves(slope))
        moved = jax.tree.map(lambda x, g, step=1e-2 * value / length: x - step * g, params, slope)
        np.testing.assert_allclose((value - cost(moved)) / value, 1e-2, rtol=0.1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"layers": ()}, "name at least one layer"),
        ({"layers": ("relu1_1", "relu1_1")}, "each only once"),
        ({"size": 8}, "size is 8"),
        ({"variation": -1.0}, "variation is -1.0"),
        ({"variation": (0.1,)}, "one for each of the 2 layers"),
    ],
)
def test_illegal_fields_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        small(**fields)


def test_a_layer_that_does_not_exist_is_explained():
    with pytest.raises(UserError, match="do not fit each other: Content: no layer 'relu9_1'"):
        small(layers=("relu9_1",)).open()
