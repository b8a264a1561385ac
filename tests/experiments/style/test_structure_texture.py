import jax.numpy as jnp
import numpy as np
import pytest

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.style.evaluator import StyleEvaluator
from likeness.experiments.style.structure_texture import StructureTexture
from likeness.research.encoders import Vgg
from likeness.research.errors import UserError

WIDTHS = (4, 3)
TINY = FrozenEncoder(encoder=Vgg(convolutions=(2, 2), widths=WIDTHS, pooling="hann", preprocessing="torchvision"))
LAYERS = ("input", "relu1_2", "relu2_2")
RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(2, 31, 34, 3)).astype(np.float32)


def weights_file(folder, size=10):
    path = folder / "weights.npz"
    np.savez(path, **{name: RNG.uniform(size=(1, size, 1, 1)).astype(np.float32) for name in ("alpha", "beta")})
    return str(path)


def pooled(x):
    """The authors' L2 pooling: a strided convolution of the squares with the inside of Hann's window of five."""
    window = np.hanning(5)[1:-1]
    window = np.outer(window, window) / np.outer(window, window).sum()
    padded = np.pad(x**2, ((1, 1), (1, 1), (0, 0)))
    view = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))[::2, ::2]
    return np.sqrt(np.einsum("hwcij,ij->hwc", view, window) + 1e-12)


def features(params, image):
    x = (image.astype(np.float64) - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    found = [image.astype(np.float64)]
    for block in (1, 2):
        x = pooled(x) if block > 1 else x
        for number in (1, 2):
            kernel, bias = (np.asarray(params[f"conv{block}_{number}"][part], np.float64) for part in ("kernel", "bias"))
            view = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((1, 1), (1, 1), (0, 0))), (3, 3), axis=(0, 1))
            x = np.maximum(np.einsum("hwcij,ijcd->hwd", view, kernel) + bias, 0)
        found.append(x)
    return found


@pytest.mark.slow
def test_it_is_its_authors_formula_on_the_network_with_hanns_poolings(tmp_path):
    path = weights_file(tmp_path)
    measure = StructureTexture(weights=path, encoder=TINY, layers=LAYERS)
    variables = measure.variables()
    found = float(measure(variables, jnp.asarray(IMAGES[:1]), jnp.asarray(IMAGES[1:])))
    with np.load(path) as arrays:
        alpha, beta = (arrays[name].astype(np.float64).reshape(-1) for name in ("alpha", "beta"))
    whole, alike, start = alpha.sum() + beta.sum(), 0.0, 0
    for x, y in zip(*(features(variables["encoder"]["params"], image) for image in IMAGES), strict=True):
        for channel in range(x.shape[-1]):
            a, b = x[..., channel], y[..., channel]
            texture = (2 * a.mean() * b.mean() + 1e-6) / (a.mean() ** 2 + b.mean() ** 2 + 1e-6)
            covariance = (a * b).mean() - a.mean() * b.mean()
            structure = (2 * covariance + 1e-6) / (a.var() + b.var() + 1e-6)
            alike += alpha[start + channel] * texture + beta[start + channel] * structure
        start += x.shape[-1]
    assert start == len(alpha)
    assert found == pytest.approx(1 - alike / whole, rel=2e-5)
    assert float(measure(variables, jnp.asarray(IMAGES[:1]), jnp.asarray(IMAGES[:1]))) == pytest.approx(0, abs=1e-6)


@pytest.mark.slow
def test_the_evaluator_reports_it_where_it_was_asked_for(tmp_path):
    measure = StructureTexture(weights=weights_file(tmp_path), encoder=TINY, layers=LAYERS)
    for asked in (None, measure):
        evaluator = StyleEvaluator(encoder=TINY, content=("relu2_1",), style=("relu1_1",), structure_texture=asked)
        variables = evaluator.variables()
        read = (("relu2_1",), ("relu1_1",))
        metrics = evaluator.metrics(variables, TINY, variables["encoder"], read, IMAGES[0], IMAGES[1], (IMAGES[1],))
        assert metrics.get("content/dists", 0.0) > 0 if asked else "content/dists" not in metrics
        assert ("weights of DISTS" in evaluator.fingerprint(variables)) == (asked is not None)


def test_a_file_of_another_network_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"holds alpha of 9, beta of 9, and DISTS needs alpha and beta of 10 numbers"):
        StructureTexture(weights=weights_file(tmp_path, 9), encoder=TINY, layers=LAYERS).variables()


def test_the_published_channels_are_counted():
    published = StructureTexture(weights="none")
    widths = published.encoder.encoder.widths
    assert 3 + sum(widths) == 1475
