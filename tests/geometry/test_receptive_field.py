import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.encoders import SqueezeNet, Vgg
from research.encoders.layer_geometry import LayerGeometry
from research.geometry import ReceptiveField, receptive_fields

TINY = {
    # The largest fields are of 36, 60, 79, 252 and 207 pixels.
    "vgg, three blocks": (Vgg(convolutions=(2, 2, 2), widths=(1, 1, 1), preprocessing="unit"), 56),
    "vgg16, average, replicate": (
        Vgg(
            convolutions=(2, 2, 3), widths=(1, 1, 1), pooling="average", padding="replicate", preprocessing="unit", last="pool3"
        ),
        96,
    ),
    "squeezenet, four modules": (SqueezeNet(first=1, squeeze=(1,) * 4, preprocessing="unit", classes=1), 111),
    "vgg19": (Vgg(widths=(1, 1, 1, 1, 1), preprocessing="unit"), 288),
    "squeezenet": (SqueezeNet(first=1, squeeze=(1,) * 8, preprocessing="unit", classes=1), 239),
}
NAMES = [pytest.param(name, marks=[pytest.mark.slow] if side > 200 else []) for name, (_, side) in TINY.items()]


def test_vgg19_has_the_published_fields():
    fields = receptive_fields(Vgg(last="conv5_1"))
    convolutions = [name for name in fields if name.startswith("conv")]
    assert [fields[name].size for name in convolutions] == [3, 5, 10, 14, 24, 32, 40, 48, 68, 84, 100, 116, 156]
    assert [fields[name].stride for name in convolutions] == [1, 1, 2, 2, 4, 4, 4, 4, 8, 8, 8, 8, 16]
    assert fields["conv1_1"].offset == -1


def test_relu_sees_what_its_convolution_sees_and_input_itself():
    fields = receptive_fields(Vgg())
    assert fields["relu4_2"] == fields["conv4_2"]
    assert fields["input"] == ReceptiveField(size=1, stride=1, offset=0)


def test_branches_see_their_union():
    fields = receptive_fields(SqueezeNet())
    assert fields["fire2/expand1x1"] == ReceptiveField(size=7, stride=4, offset=0)
    assert fields["fire2/concat"] == fields["fire2/expand3x3"] == ReceptiveField(size=15, stride=4, offset=-4)
    assert fields["fire9/concat"].size == 207


def test_branches_of_different_strides_are_refused():
    class Odd:
        geometry = (LayerGeometry("pool", ("input",), 2, 2), LayerGeometry("sum", ("input", "pool")))

    with pytest.raises(ValueError, match=r"sum joins branches of strides \[1, 2\]"):
        receptive_fields(Odd())


@functools.cache
def supports(name):
    """From a layer and a unit on its diagonal to the rows and columns of the picture that the gradient reaches.

    Positive filters that sum to one, in powers of two, keep a constant picture exactly constant: the maximum is tied
    in every window and hands its gradient to all of it.
    """
    encoder, side = TINY[name]
    picture = jnp.full((1, side, side, 3), 0.5)
    shapes = jax.eval_shape(encoder.init, jax.random.key(0), picture)

    def filters(leaf):
        if leaf.ndim == 1:
            return np.zeros(leaf.shape, np.float32)
        kernel, _, channels, _ = leaf.shape
        blur = np.array([1.0]) if kernel == 1 else np.array([0.25, 0.5, 0.25])
        mix = np.array([0.5, 0.25, 0.25]) if channels == 3 else np.full(channels, 1 / channels)
        return np.broadcast_to(np.einsum("i,j,c->ijc", blur, blur, mix)[..., None], leaf.shape).astype(np.float32)

    variables = jax.tree.map(filters, shapes)
    layers = [layer.name for layer in encoder.geometry]

    @jax.jit
    def reached(cotangents):
        def maps(picture):
            activations = encoder.apply(variables, picture)
            return {name: activations[name] for name in layers}

        (gradient,) = jax.vjp(maps, picture)[1](cotangents)
        return jnp.any(gradient != 0, axis=(0, 3))

    zeros = jax.eval_shape(lambda picture: {name: encoder.apply(variables, picture)[name] for name in layers}, picture)
    zeros = {name: np.zeros(value.shape, np.float32) for name, value in zeros.items()}

    def support(layer, unit):
        one = np.zeros_like(zeros[layer])
        one[:, unit, unit] = 1.0
        found = np.asarray(reached({**zeros, layer: one}))
        rows, columns = np.flatnonzero(found.any(1)), np.flatnonzero(found.any(0))
        assert found.sum() == len(rows) * len(columns), "not a full square"
        return (rows[0], rows[-1] + 1), (columns[0], columns[-1] + 1)

    return support, {name: value.shape[1] for name, value in zeros.items()}


@pytest.mark.parametrize("name", NAMES)
def test_the_field_is_where_the_gradient_is_not_zero(name):
    encoder, side = TINY[name]
    fields = receptive_fields(encoder)
    support, sides = supports(name)
    for layer in (layer.name for layer in encoder.geometry):
        field = fields[layer]
        # The last unit whose field lies within the picture, away from the padding.
        unit = max(unit for unit in range(sides[layer]) if field.window(unit)[1] <= side)
        assert field.window(unit)[0] >= 0
        assert support(layer, unit) == (field.window(unit),) * 2, layer


def test_at_the_edge_the_field_is_cut_off_by_the_picture():
    encoder, side = TINY["vgg16, average, replicate"]
    support, sides = supports("vgg16, average, replicate")
    for layer, field in receptive_fields(encoder).items():
        if layer != "input":
            for unit in (0, sides[layer] - 1):
                start, stop = field.window(unit)
                assert support(layer, unit) == ((max(start, 0), min(stop, side)),) * 2, layer
