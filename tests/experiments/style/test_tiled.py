import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.experiments.config import load
from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.style import Pyramid
from likeness.experiments.style.tiled import TiledReader
from likeness.experiments.training.trainer import train
from likeness.research.encoders import SqueezeNet, Vgg
from likeness.research.geometry.tiles import cut
from likeness.research.losses import Content, Gram, MeanStd, Wasserstein

DEEP = ("relu1_1", "relu2_1", "relu3_1")


def network(padding="zeros", pooling="average"):
    return Vgg(convolutions=(1, 1, 2), widths=(4, 6, 5), padding=padding, pooling=pooling, preprocessing="torchvision")


def images(height, width):
    keys = jax.random.split(jax.random.key(height), 2)
    return [jax.random.uniform(key, (1, height, width, 3)) for key in keys]


def both(module, size, tile, together, masked=False):
    """Cost and gradient of the whole image, and of its tiles."""
    encoder = FrozenEncoder(encoder=module)
    layers = DEEP if isinstance(module, Vgg) else ("fire2/concat", "fire5/concat")
    image, reference = images(*size)
    variables = module.init(jax.random.key(0), image)
    content = Content(layers=layers[-1:])
    styles = [Gram(layers=layers), MeanStd(layers=layers[:1]), Wasserstein(layers=("input", layers[-1]))]
    mask = jnp.linspace(0.0, 1.0, size[0] * size[1]).reshape(size) if masked else None
    seen = encoder(variables, reference)
    kept, looks = content.target(seen), [loss.target(seen) for loss in styles]

    def whole(pixels):
        activations = encoder(variables, pixels)
        return content(activations, kept) + sum(loss(activations, look, mask) for loss, look in zip(styles, looks, strict=True))

    reader = TiledReader(encoder, cut(module, layers, *size, tile), together)
    masks = [None if mask is None else _at_layers(loss, mask, encoder(variables, image)) for loss in styles]

    def tiled(pixels):
        contents, sums = reader.sums(variables, pixels, reader.places, [(content, kept)], list(zip(styles, masks, strict=True)))
        return contents[0] + sum(
            loss.from_statistics(found, look) for loss, found, look in zip(styles, sums, looks, strict=True)
        )

    return jax.jit(jax.value_and_grad(whole))(image), jax.jit(jax.value_and_grad(tiled))(image), reader


def _at_layers(loss, mask, activations):
    from likeness.research.losses.style.layers import mask_at

    return {layer: mask_at(mask, activations[layer], activations) for layer in loss.layers}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("padding", "size", "tile", "together"),
    [("zeros", (75, 50), 24, 1), ("reflect", (64, 101), 16, 3), ("replicate", (41, 97), 40, 2)],
)
@pytest.mark.end_to_end
def test_tiles_give_the_cost_and_gradient_of_the_whole(padding, size, tile, together):
    (value, gradient), (tiled_value, tiled_gradient), reader = both(network(padding), size, tile, together)
    assert len(reader.places) > 2
    np.testing.assert_allclose(tiled_value, value, rtol=1e-5)
    distance = jnp.linalg.norm(tiled_gradient - gradient) / jnp.linalg.norm(gradient)
    assert distance < 1e-5
    # No seam anywhere: the largest error of any pixel is small beside the gradient.
    assert float(jnp.abs(tiled_gradient - gradient).max()) < 1e-4 * float(jnp.abs(gradient).max())


@pytest.mark.slow
@pytest.mark.end_to_end
def test_a_masked_style_is_tiled_exactly_too():
    (value, gradient), (tiled_value, tiled_gradient), _ = both(network(pooling="max"), (60, 52), 16, 1, masked=True)
    np.testing.assert_allclose(tiled_value, value, rtol=1e-5)
    np.testing.assert_allclose(tiled_gradient, gradient, atol=1e-4 * float(jnp.abs(gradient).max()))


@pytest.mark.slow
def test_a_network_of_strided_convolutions_is_tiled_exactly():
    module = SqueezeNet()
    (value, gradient), (tiled_value, tiled_gradient), reader = both(module, (150, 121), 32, 1)
    assert len(reader.places) > 2
    np.testing.assert_allclose(tiled_value, value, rtol=1e-4)
    assert float(jnp.linalg.norm(tiled_gradient - gradient) / jnp.linalg.norm(gradient)) < 1e-4


@pytest.mark.slow
def test_features_are_put_together_without_seams():
    module = network()
    encoder, (image, _) = FrozenEncoder(encoder=module), images(70, 45)
    variables = module.init(jax.random.key(0), image)
    reader = TiledReader(encoder, cut(module, DEEP, 70, 45, 16), 2)
    found = jax.jit(lambda x: reader.features(variables, x, reader.places, ("relu1_1", "relu3_1")))(image)
    expected = encoder(variables, image)
    for layer in ("relu1_1", "relu3_1"):
        np.testing.assert_allclose(found[layer], expected[layer], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.end_to_end
def test_what_paints_by_default_paints_the_same_in_tiles(tmp_path):
    run = load("stylization/quickstart")
    small = dataclasses.replace(run.experiment, size=144, pyramid=Pyramid())
    images = [
        train(
            dataclasses.replace(run, steps=2, experiment=dataclasses.replace(small, tile=tile)), tmp_path / str(tile)
        ).evaluation.images["image"]
        for tile in (None, 48)
    ]
    # Not to the bit: Adam's first step is the gradient's sign, and here and there the gradient is next to nothing.
    assert np.abs(images[0] - images[1]).mean() < 1e-4
