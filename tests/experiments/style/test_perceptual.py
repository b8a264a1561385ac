import os
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.style.evaluator import StyleEvaluator
from likeness.experiments.style.perceptual import Perceptual
from likeness.research.encoders import AlexNet, Vgg
from likeness.research.errors import UserError
from likeness.research.images import read_image

TINY = FrozenEncoder(encoder=Vgg(convolutions=(1, 1), widths=(4, 6), preprocessing="torchvision"))
RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(2, 32, 40, 3)).astype(np.float32)


def weights_file(folder, *shapes):
    path = folder / "lin.npz"
    np.savez(path, **{f"lin{i}.model.1.weight": RNG.uniform(size=shape).astype(np.float32) for i, shape in enumerate(shapes)})
    return str(path)


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_published_weights_that_are_not_there_are_named(monkeypatch, tmp_path):
    monkeypatch.delenv("LIKENESS_DATA", raising=False)
    monkeypatch.setenv("LIKENESS_CACHE", str(tmp_path))
    with pytest.raises(UserError, match="lpips_alex are not on this machine: run `likeness weights fetch lpips_alex`"):
        Perceptual(network="alex").variables()


def convolved(x, kernel, bias, stride, padding):
    padded = np.pad(x, ((padding, padding), (padding, padding), (0, 0)))
    side = kernel.shape[0]
    view = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(0, 1))[::stride, ::stride]
    return np.einsum("hwcij,ijcd->hwd", view, kernel) + bias


def pooled(x, side, stride):
    return np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(0, 1))[::stride, ::stride].max((-2, -1))


def lpips64(params, heads, image, reference, network):
    """LPIPS as its authors wrote it, of images in [-1, 1], in float64."""
    steps = {
        "alex": [(1, 4, 2, None), (2, 1, 2, (3, 2)), (3, 1, 1, (3, 2)), (4, 1, 1, None), (5, 1, 1, None)],
        "vgg": [
            (f"{b}_{n}", 1, 1, (2, 2) if n == 1 and b > 1 else None)
            for b, k in enumerate((2, 2, 3, 3, 3), 1)
            for n in range(1, k + 1)
        ],
    }[network]
    read = {"alex": [1, 2, 3, 4, 5], "vgg": ["1_2", "2_2", "3_3", "4_3", "5_3"]}[network]

    def features(x):
        x = (2 * x.astype(np.float64) - 1 - (-0.030, -0.088, -0.188)) / (0.458, 0.448, 0.450)
        found = []
        for name, stride, padding, pool in steps:
            x = x if pool is None else pooled(x, *pool)
            kernel, bias = (np.asarray(params[f"conv{name}"][part], np.float64) for part in ("kernel", "bias"))
            x = np.maximum(convolved(x, kernel, bias, stride, padding), 0)
            if name in read:
                found.append(x / (np.linalg.norm(x, axis=-1, keepdims=True) + 1e-10))
        return found

    pairs = zip(features(image), features(reference), heads, strict=True)
    return sum(((f - g) ** 2 @ head.astype(np.float64)).mean() for f, g, head in pairs)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["vgg", "alex"])
def test_either_network_is_its_authors_formula(tmp_path, network):
    """Of drawn weights, against float64: which layers, which order, what is subtracted and what divided by."""
    widths = (3, 4, 2, 5, 3)
    encoder = (
        AlexNet(widths=widths)
        if network == "alex"
        else Vgg(convolutions=(2, 2, 3, 3, 3), widths=widths, preprocessing="torchvision")
    )
    frozen = FrozenEncoder(encoder=encoder)
    path = weights_file(tmp_path, *((1, width, 1, 1) for width in widths))
    perceptual = Perceptual(network=network, linear=path, encoder=frozen)
    variables = perceptual.variables()
    found = float(perceptual(variables, jnp.asarray(IMAGES[:1]), jnp.asarray(IMAGES[1:])))
    with np.load(path) as arrays:
        heads = [arrays[f"lin{i}.model.1.weight"].reshape(-1) for i in range(5)]
    np.testing.assert_allclose(found, lpips64(variables["encoder"]["params"], heads, *IMAGES, network), rtol=2e-5)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize(("network", "first", "second"), [("alex", 0.721881, 0.137566), ("vgg", 0.568613, 0.421664)])
def test_the_authors_examples_have_their_values(network, first, second):
    folder = Path(os.environ["LIKENESS_DATA"]) / "weights/lpips"
    reference, *others = (jnp.asarray(read_image(folder / f"ex_{name}.png").pixels)[None] for name in ("ref", "p0", "p1"))
    perceptual = Perceptual(network=network)
    variables = perceptual.variables()
    assert [float(perceptual(variables, reference, other)) for other in others] == pytest.approx([first, second], abs=1e-5)
    assert float(perceptual(variables, reference, reference)) == 0
