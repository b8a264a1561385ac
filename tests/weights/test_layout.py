import pytest

from likeness.research.weights import Entry, Layout, layouts
from likeness.research.weights.layout import own, torch_batch_norm, torch_convolution, torch_dense


def keys(layout):
    return {entry.variable: entry.key for entry in layout.entries}


def test_two_entries_of_one_name():
    first, second = Entry(variable="a", key="x"), Entry(variable="b", key="x")
    with pytest.raises(ValueError, match="two entries have the key 'x'"):
        Layout(name="twice", entries=(first, second))
    with pytest.raises(ValueError, match="two entries have the variable 'a'"):
        Layout(name="twice", entries=(first, Entry(variable="a", key="y")))


def test_the_inverse_order_of_axes():
    (kernel, _), (dense,) = torch_convolution("c", "c"), torch_dense("d", "d", bias=False)
    assert (kernel.axes, kernel.inverse) == ((2, 3, 1, 0), (3, 2, 0, 1))
    assert dense.inverse == (1, 0)
    assert torch_batch_norm("bn", "norm")[2] == Entry(variable="batch_stats/norm/mean", key="bn.running_mean")


def test_patterns_of_what_is_ignored():
    layout = Layout(name="one", entries=(), ignored=("classifier.*", "*.num_batches_tracked"))
    assert layout.ignores("classifier.6.weight")
    assert layout.ignores("bn.num_batches_tracked")
    assert not layout.ignores("features.0.weight")


def test_own_names_are_the_paths():
    assert keys(own({"params": {"a": {"kernel": 0}}, "batch_stats": {"b": 1}})) == {
        "params/a/kernel": "params/a/kernel",
        "batch_stats/b": "batch_stats/b",
    }


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        # The indices are those of torchvision's `features`, where the sixteenth convolution of VGG-19 is number 34.
        (layouts.vgg_torchvision(layouts.VGG19), {"conv1_1": "features.0", "conv2_1": "features.5", "conv5_4": "features.34"}),
        (
            layouts.vgg_torchvision(layouts.VGG16),
            {"conv3_1": "features.10", "conv4_1": "features.17", "conv5_3": "features.28"},
        ),
        # relu4_1 is child 30 of AdaIN's sequence, relu5_1 child 43.
        (layouts.vgg_normalised(), {"conv0": "0", "conv1_1": "2", "conv3_1": "16", "conv4_1": "29", "conv5_1": "42"}),
        (layouts.vgg_pruned(), {"conv0": "conv0", "conv1_1": "conv11", "conv4_4": "conv44"}),
        (layouts.vgg_by_name(layouts.VGG19), {"conv1_1": "conv1_1", "conv5_4": "conv5_4"}),
        (layouts.squeezenet_torchvision(), {"conv1": "features.0", "fire9/expand3x3": "features.12.expand3x3"}),
        (layouts.mobilefacenet(), {"conv3": "conv3", "stage5_2/project": "features.14.conv.2"}),
    ],
)
def test_places_that_are_known(layout, expected):
    found = keys(layout)
    for variable, key in expected.items():
        assert found[f"params/{variable}/kernel"] == f"{key}.weight"


@pytest.mark.parametrize(
    ("layout", "arrays"),
    [
        (layouts.vgg_torchvision(layouts.VGG19), 32),
        (layouts.vgg_torchvision(layouts.VGG16), 26),
        (layouts.vgg_normalised(), 34),
        (layouts.squeezenet_keras(), 50),
        (layouts.squeezenet_torchvision(), 52),
        (layouts.mobilefacenet(), 256),
        (layouts.dlib_resnet(), 117),
    ],
)
def test_the_number_of_arrays(layout, arrays):
    assert len(layout.entries) == arrays
