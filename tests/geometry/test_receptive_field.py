import flax.linen as nn
import jax
import pytest

from likeness.research.encoders import (
    HOG,
    Conv4,
    DlibResNet,
    EdgeNet,
    FlipEmbedding,
    IResNet,
    Koch,
    MobileFaceNet,
    NN4Small2,
    SqueezeNet,
    TestTimeAugmentation,
    Vgg,
)
from likeness.research.encoders.layer_geometry import LayerGeometry, map_sides, smallest_side
from likeness.research.geometry import NetworkGeometry, ReceptiveField, receptive_fields


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


def test_kochs_last_unit_sees_as_much_as_the_smallest_image():
    assert receptive_fields(Koch())["relu4"] == ReceptiveField(size=65, stride=8, offset=0)


def test_residual_stages_count_every_convolution():
    # Half a field is the sum over all convolutions of the stride before each: 1 + 1·1 + 1·1 + 5·2 and so on.
    fields = receptive_fields(IResNet(blocks=(3, 4, 14, 3)))
    assert fields["conv1"] == ReceptiveField(size=3, stride=1, offset=-1)
    assert fields["layer1"] == ReceptiveField(size=2 * 11 + 1, stride=2, offset=-11)
    assert fields["layer2"] == ReceptiveField(size=2 * (11 + 4 + 6 * 4) + 1, stride=4, offset=-39)
    assert fields["layer4"].stride == 16


def test_wrappers_keep_the_maps_of_what_they_wrap():
    class Silent(nn.Module):
        pass

    for wrapper in (FlipEmbedding, TestTimeAugmentation):
        assert isinstance(wrapper(encoder=Koch()), NetworkGeometry)
        assert receptive_fields(wrapper(encoder=Koch())) == receptive_fields(Koch())
        assert wrapper(encoder=Silent()).geometry == ()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoder", "channels", "sides"),
    [
        (Conv4(width=1), 1, (16, 17, 28, 31, 105)),
        (Koch(), 1, (65, 66, 80, 105)),
        (NN4Small2(), 3, (65, 66, 67, 68, 96)),
        (DlibResNet(), 3, (103, 104, 117, 150)),
        (IResNet(blocks=(1, 2, 1, 1), width=1), 3, (9, 10, 33, 112)),
        (MobileFaceNet(), 3, (97, 98, 100, 112)),
        (HOG(), 1, (8, 13)),
        (EdgeNet(side=5), 1, (8, 13)),
        (Vgg(widths=(1, 1, 1, 1, 1)), 3, (16, 31, 32)),
        (SqueezeNet(classes=2), 3, (17, 33, 34, 36, 64)),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "geometry") else "",
)
def test_maps_are_as_large_as_the_geometry_says(encoder, channels, sides):
    for height, width in zip(sides, sides[::-1], strict=True):
        shape = jax.ShapeDtypeStruct((1, height, width, channels), "float32")
        activations = jax.eval_shape(lambda x: encoder.init_with_output(jax.random.key(0), x)[0], shape)
        rows, columns = (map_sides(encoder.geometry, side) for side in (height, width))
        for layer in encoder.geometry:
            assert activations[layer.name].shape[1:3] == (rows[layer.name], columns[layer.name]), layer


@pytest.mark.parametrize(
    ("encoder", "smallest"),
    [(Conv4(), 16), (Koch(), 65), (IResNet(), 9), (MobileFaceNet(), 97), (DlibResNet(), 103)],
    ids=lambda value: type(value).__name__,
)
def test_what_layers_need_gives_the_smallest_image(encoder, smallest):
    assert smallest_side(encoder.geometry) == smallest
