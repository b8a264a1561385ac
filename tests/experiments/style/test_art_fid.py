"""ArtFID of a set of paintings against the same by hand, in NumPy."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.style.art_fid import ArtFID
from likeness.experiments.style.perceptual import Perceptual
from likeness.research.encoders import InceptionV3, Vgg
from likeness.research.errors import UserError
from likeness.research.weights import shapes

TINY = FrozenEncoder(encoder=Vgg(convolutions=(1, 1), widths=(4, 6), preprocessing="torchvision"))
RNG = np.random.default_rng(0)


@dataclasses.dataclass(frozen=True)
class Drawn:
    """Random weights of a network with batch normalization."""

    seed: int = 0

    def variables(self, encoder):
        draw = np.random.default_rng(self.seed)

        def of(leaf):
            if len(leaf.shape) == 4:
                return (draw.normal(size=leaf.shape) * np.sqrt(2 / np.prod(leaf.shape[:-1]))).astype(np.float32)
            return draw.uniform(0.5, 1.0, leaf.shape).astype(np.float32)

        return jax.tree.map(of, shapes(encoder, (96, 96, 3)))


@pytest.fixture(scope="module")
def perceptual(tmp_path_factory):
    path = tmp_path_factory.mktemp("lpips") / "lin.npz"
    np.savez(path, lin0=RNG.uniform(size=(1, 4, 1, 1)), lin1=RNG.uniform(size=(1, 6, 1, 1)))
    return Perceptual(linear=str(path), encoder=TINY, layers=("relu1_1", "relu2_1"))


def images(count, height=24, width=32):
    return list(RNG.uniform(size=(count, height, width, 3)).astype(np.float32))


def fid(first, second):
    """As its authors' code has it."""
    a, b = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    root = scipy.linalg.sqrtm(a @ b).real
    return ((first.mean(0) - second.mean(0)) ** 2).sum() + np.trace(a + b - 2 * root)


@pytest.mark.slow
def test_a_set_of_paintings_by_hand(perceptual):
    metric = ArtFID(encoder=TINY, layer="relu2_1", perceptual=perceptual)
    variables = metric.variables()
    paintings, contents = images(20), images(20)
    styles = [*images(10, 30, 30), *images(10, 16, 40)]
    score = metric(variables, paintings, contents, styles)
    seen = [
        np.stack([np.asarray(TINY(variables["encoder"], jnp.asarray(x)[None])["relu2_1"][0], float).mean((0, 1)) for x in each])
        for each in (paintings, styles)
    ]
    kept = np.mean([perceptual(variables["perceptual"], x[None], y[None]) for x, y in zip(paintings, contents, strict=True)])
    distance = fid(*seen)
    assert seen[0].shape == (20, 6) and kept > 0
    assert score.content_distance == pytest.approx(kept, rel=1e-5)
    assert score.style_distance == pytest.approx(distance, rel=1e-3)
    assert score.value == pytest.approx((1 + kept) * (1 + distance), rel=1e-4)
    assert score.paintings == 20 and not score.extrapolated


def test_many_paintings_are_extrapolated_from(perceptual):
    metric = ArtFID(encoder=TINY, perceptual=perceptual, smallest=20, points=3)
    painted, styles, apart = RNG.normal(size=(50, 5)), RNG.normal(size=(50, 5)) + 1, RNG.uniform(size=50)
    score = metric.score(painted, styles, apart)
    draw, rows = np.random.default_rng(0), []
    for size in (20, 35, 50):
        order = draw.permutation(50)[:size]
        rows.append((1.0, 1 / size, fid(painted[order], styles[order])))
    table = np.array(rows)
    limit = np.linalg.lstsq(table[:, :2], table[:, 2], rcond=None)[0][0]
    assert score.extrapolated and score.style_distance == pytest.approx(limit, rel=1e-8)
    assert score.value == pytest.approx((1 + apart.mean()) * (1 + limit), rel=1e-8)
    with pytest.raises(UserError, match="there are 50 paintings and 49 styles; more than 20 paintings are extrapolated from"):
        metric.score(painted, styles[:49], apart)
    assert not metric.score(painted[:20], styles, apart).extrapolated


def test_the_same_paintings_as_styles_and_contents_are_at_one(perceptual):
    metric = ArtFID(encoder=TINY, layer="relu2_1", perceptual=perceptual)
    paintings = images(3)
    score = metric(metric.variables(), paintings, paintings, paintings)
    assert score.content_distance == 0
    assert score.value == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_features_are_inception_s_last_pooling(perceptual):
    encoder = FrozenEncoder(encoder=InceptionV3(width=4), weights=Drawn())
    metric = ArtFID(encoder=encoder, perceptual=perceptual)
    variables, pixels = metric.variables(), images(2, 75, 80)
    found = metric.features(variables, pixels)
    expected = jax.jit(lambda x: InceptionV3(width=4).apply(variables["encoder"], x)["avgpool"])(np.stack(pixels))
    assert found.shape == (2, 128) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    with pytest.raises(UserError, match=r"ArtFID: image 2 of 60×70 pixels cannot be measured: InceptionV3: .* at least 75×75"):
        metric.features(variables, [pixels[0], *images(1, 70, 60)])


def test_sets_that_do_not_fit_are_refused_with_their_numbers(perceptual):
    metric = ArtFID(encoder=TINY, layer="relu2_1", perceptual=perceptual)
    variables, pixels = metric.variables(), images(2)
    with pytest.raises(UserError, match="there are 2 paintings and 1 contents"):
        metric(variables, pixels, pixels[:1], pixels)
    with pytest.raises(UserError, match="painting 1 has 32×24 pixels and its content 32×20 pixels"):
        metric(variables, pixels, images(2, 20, 32), pixels)
    with pytest.raises(UserError, match="there are 2 paintings and 1 styles; a covariance takes two of either"):
        metric(variables, pixels, pixels, pixels[:1])
    with pytest.raises(UserError, match="there are no images to measure"):
        metric.features(variables, [])
    with pytest.raises(UserError, match=r"no layer 'avgpool'; it has .*relu2_1"):
        dataclasses.replace(metric, layer="avgpool").features(variables, pixels)
    with pytest.raises(ValueError, match="ArtFID: smallest is 1 and points is 15"):
        ArtFID(smallest=1)


def test_weights_that_nobody_has_brought_are_named(monkeypatch, tmp_path):
    monkeypatch.delenv("LIKENESS_DATA", raising=False)
    monkeypatch.setenv("LIKENESS_CACHE", str(tmp_path))
    with pytest.raises(
        UserError, match=r"inception_art are not on this machine: .*import art_inception\.pth --name inception_art"
    ):
        ArtFID().variables()
