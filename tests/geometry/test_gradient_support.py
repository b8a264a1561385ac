"""Receptive fields against gradients, for every unit of every layer of every encoder.

A gradient at one image may miss what a unit sees: a maximum hands it on to one pixel of its window. So there is an image for
each row, lit there alone, in a network of positive weights without biases. A unit that sees the row is above 0, any other is
exactly 0, so every ReLU and every maximum lets the row through, and nothing cancels.
"""

import functools
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.encoders import (
    HOG,
    AlexNet,
    Conv4,
    FlipEmbedding,
    IResNet,
    Koch,
    MobileFaceNet,
    NN4Small2,
    PlainConvNet,
    SqueezeNet,
    Vgg,
)
from likeness.research.encoders import koch as koch_module
from likeness.research.encoders import mobilefacenet as mobilefacenet_module
from likeness.research.encoders.layer_geometry import map_sides
from likeness.research.geometry import receptive_fields

pytestmark = pytest.mark.end_to_end


class Case(NamedTuple):
    encoder: Any
    side: int
    """Along the axis that is looked at, in pixels; the others have ``breadth``."""
    breadth: int
    dark: float | tuple[float, ...] = 0.0
    """What the first convolution sees as 0."""
    light: float = 1.0
    channels: int = 3
    unproven: tuple[str, ...] = ()
    """Layers of which no unit has an end of its field inside of an image that the encoder takes."""


CASES = {
    "vgg, three blocks": Case(Vgg(convolutions=(2, 2, 2), widths=(1, 1, 1), preprocessing="unit"), 48, 16),
    "vgg16, average, replicate": Case(
        Vgg(
            convolutions=(2, 2, 3), widths=(1, 1, 1), pooling="average", padding="replicate", preprocessing="unit", last="pool3"
        ),
        64,
        16,
    ),
    "vgg, l2, reflect": Case(
        Vgg(convolutions=(2, 2), widths=(1, 2), pooling="l2", padding="reflect", preprocessing="unit"), 32, 16
    ),
    "squeezenet, four modules": Case(SqueezeNet(first=1, squeeze=(1,) * 4, preprocessing="unit", classes=1), 71, 17),
    "alexnet": Case(AlexNet(widths=(1, 1, 1, 1, 1), preprocessing="unit"), 127, 31),
    "conv4": Case(Conv4(width=1), 48, 16, dark=0.5, light=0.5, channels=1),
    "conv4, signals": Case(Conv4(width=1, spatial_dims=1), 48, 16, dark=0.5, light=0.5, channels=1),
    "conv4, volumes": Case(Conv4(width=1, spatial_dims=3), 48, 16, dark=0.5, light=0.5, channels=1),
    "plain": Case(PlainConvNet(widths=(1, 1)), 14, 14),
    "plain, pooled volumes": Case(PlainConvNet(widths=(1, 1), pool=2, spatial_dims=3), 26, 16, channels=1),
    "koch": Case(Koch(), 81, 65, channels=1),
    "mirrored koch": Case(FlipEmbedding(encoder=Koch()), 73, 65, channels=1),
    "nn4.small2": Case(NN4Small2(), 65, 65),
    "iresnet": Case(IResNet(blocks=(1, 2, 1, 1), width=1), 64, 9, dark=0.5, light=0.5),
    "vgg19": Case(Vgg(widths=(1, 1, 1, 1, 1), preprocessing="unit"), 144, 16),
    "squeezenet": Case(SqueezeNet(first=1, squeeze=(1,) * 8, preprocessing="unit", classes=1), 143, 33),
    "mobilefacenet": Case(MobileFaceNet(), 112, 97, dark=(0.485, 0.456, 0.406), light=0.01, unproven=("global",)),
}
SLOW = ("conv4, volumes", "vgg19", "squeezenet", "mobilefacenet")


@pytest.fixture
def tiny(monkeypatch):
    """Fewer channels for the encoders that do not let one choose, and so many blocks of MobileFaceNet as leave an end of every
    field inside of an image that it takes."""
    monkeypatch.setattr(koch_module, "CONVOLUTIONS", tuple((1, side, pooled) for _, side, pooled in koch_module.CONVOLUTIONS))
    monkeypatch.setattr(
        mobilefacenet_module,
        "STAGES",
        tuple((1, 2, min(blocks, 3), stride) for _, _, blocks, stride in mobilefacenet_module.STAGES),
    )


def positive(encoder: nn.Module, images: jax.ShapeDtypeStruct) -> Any:
    """Kernels whose sums are at most one, of as different weights as by chance; normalization that changes nothing."""
    draw = np.random.default_rng(0)

    def fill(path, leaf):
        match path[-1].key:
            case "kernel":
                return np.float32(draw.uniform(0.5, 1.0, leaf.shape) / np.prod(leaf.shape[:-1]))
            case "bias" | "mean":
                return np.zeros(leaf.shape, np.float32)
            case "scale" | "var" | "slope":
                return np.ones(leaf.shape, np.float32)
            case other:
                raise AssertionError(other)

    return jax.tree_util.tree_map_with_path(fill, jax.eval_shape(encoder.init, jax.random.key(0), images))


def dims(case: Case) -> int:
    return getattr(case.encoder, "spatial_dims", 2)


def lit(case: Case, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """An image for each place along an axis, and where it is lit: 1 there, 0 elsewhere."""
    place = np.eye(case.side, dtype=np.float32).reshape(case.side, case.side, *[1] * dims(case))
    place = np.broadcast_to(place, (case.side, case.side, *[case.breadth] * (dims(case) - 1), case.channels))
    place = np.moveaxis(place, 1, 1 + axis)
    return np.asarray(case.dark, np.float32) + np.float32(case.light) * place, place


@functools.partial(jax.jit, static_argnums=(0, 1))
def derivative(encoder, layers, variables, images, direction):
    """By how much activations rise along a direction, from the backward pass, which is linear: its transpose.

    Some layers know their derivative backward only.
    """

    def maps(images):
        activations = encoder.apply(variables, images)
        return {name: activations[name] for name in layers}

    found, back = jax.vjp(maps, images)
    (rise,) = jax.vjp(lambda slopes: back(slopes)[0], jax.tree.map(jnp.zeros_like, found))[1](direction)
    return {name: value != 0 for name, value in rise.items()}


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("name", "axis"),
    [
        pytest.param(name, axis, marks=[pytest.mark.slow] * (name in SLOW), id=f"{name}-{axis}")
        for name, case in CASES.items()
        for axis in range(dims(case))
    ],
)
def test_the_field_is_where_the_gradient_is_not_zero(name, axis):
    case = CASES[name]
    encoder, fields = case.encoder, receptive_fields(case.encoder)
    layers = tuple(layer.name for layer in encoder.geometry)
    images, direction = lit(case, axis)
    variables = positive(encoder, jax.ShapeDtypeStruct((1, *images.shape[1:]), jnp.float32))
    # Indexed by the image, thus by the pixel that is lit, then by the unit.
    seen = derivative(encoder, layers, variables, images, direction)
    pixels = np.arange(case.side)[:, None]
    others = tuple(1 + other for other in range(dims(case) + 1) if other != axis)
    sides, proven = map_sides(encoder.geometry, case.side), []
    for layer in layers:
        found = np.asarray(seen[layer]).any(axis=others)
        assert found.shape == (case.side, sides[layer])
        start, stop = np.array([fields[layer].window(unit) for unit in range(found.shape[1])]).T
        # Units at the border included: there the image cuts the field off.
        np.testing.assert_array_equal(found, (start <= pixels) & (pixels < stop), err_msg=layer)
        if (start > 0).any() and (stop < case.side).any():
            proven.append(layer)
    assert {*layers} - {*proven} == {*case.unproven}


def test_oriented_gradients_see_the_neighbors():
    # Differences cancel over a row that is lit as a whole, so this takes an image of which every pixel counts.
    encoder = HOG(dimension=1)
    image = jax.random.uniform(jax.random.key(0), (1, 12, 12, 1))
    variables = positive(encoder, jax.eval_shape(lambda: image))
    slopes = jax.jit(jax.jacobian(lambda image: encoder.apply(variables, image)["gradients"]))(image)
    seen = np.asarray(slopes != 0).any(axis=(0, 3, 4, 7))
    field, pixels = receptive_fields(encoder)["gradients"], np.arange(12)
    expected = np.array([(field.window(unit)[0] <= pixels) & (pixels < field.window(unit)[1]) for unit in range(12)])
    # Indexed by the unit's row and column, then by the pixel's.
    for unit in range(12):
        np.testing.assert_array_equal(seen[unit].any(axis=(0, 2)), expected[unit])
        np.testing.assert_array_equal(seen[:, unit].any(axis=(0, 1)), expected[unit])


@pytest.mark.slow
def test_no_field_moves_by_a_fixed_step_behind_pool2_of_nn4():
    case = CASES["nn4.small2"]._replace(side=96)
    images, direction = lit(case, 0)
    variables = positive(case.encoder, jax.ShapeDtypeStruct((1, *images.shape[1:]), jnp.float32))
    seen = derivative(case.encoder, ("pool2", "inception_3a"), variables, images, direction)
    steps = {}
    for layer, found in seen.items():
        rows = np.asarray(found).any(axis=(2, 3))
        stops = case.side - rows[::-1].argmax(axis=0)
        steps[layer] = {*np.diff(stops[stops < case.side]).tolist()}
    assert steps["pool2"] == {8}
    assert len(steps["inception_3a"]) > 1, steps
