"""Putting arrays into an encoder and taking them out again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from likeness.research.encoders import Conv4, IResNet, SqueezeNet, Vgg
from likeness.research.encoders.dlib_resnet import DlibResNet
from likeness.research.encoders.mobilefacenet import MobileFaceNet
from likeness.research.errors import UserError
from likeness.research.weights import best, compare, fill, layouts, own, read, shapes, take, write
from likeness.research.weights.layout import Layout, flat, together, torch_batch_norm, torch_convolution, torch_dense


class Small(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        x = nn.BatchNorm(use_running_average=not train, name="norm")(nn.Conv(4, (3, 3), name="conv")(x))
        return nn.Dense(5, name="dense")(x.mean((1, 2)))


LAYOUT = Layout(
    name="small",
    entries=together([torch_convolution("net.0", "conv"), torch_batch_norm("net.1", "norm"), torch_dense("head", "dense")]),
    ignored=("*.num_batches_tracked",),
)


def arrays():
    rng = np.random.default_rng(0)
    sides = {
        "net.0.weight": (4, 3, 3, 3),
        "net.0.bias": (4,),
        "net.1.weight": (4,),
        "net.1.bias": (4,),
        "net.1.running_mean": (4,),
        "net.1.running_var": (4,),
        "head.weight": (5, 4),
        "head.bias": (5,),
    }
    return {name: rng.uniform(0.5, 1.5, side).astype(np.float32) for name, side in sides.items()} | {
        "net.1.num_batches_tracked": np.array(3)
    }


WANTED = shapes(Small(), (8, 8, 3))


def test_every_array_finds_its_place_and_order():
    given = arrays()
    variables, report = fill(WANTED, given, LAYOUT)
    assert report.complete
    assert len(report.matched) == 8
    assert report.ignored == ("net.1.num_batches_tracked",)
    np.testing.assert_array_equal(variables["params"]["conv"]["kernel"][1, 2, 0], given["net.0.weight"][:, 0, 1, 2])
    np.testing.assert_array_equal(variables["params"]["dense"]["kernel"], given["head.weight"].T)
    np.testing.assert_array_equal(variables["batch_stats"]["norm"]["var"], given["net.1.running_var"])
    assert all(leaf.flags["C_CONTIGUOUS"] for leaf in jax.tree.leaves(variables))
    assert Small().apply(variables, jnp.ones((1, 8, 8, 3))).shape == (1, 5)


@pytest.mark.peers
def test_the_same_network_in_torch():
    """A convolution, a batch normalization and a dense layer that torch made give torch's output."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.BatchNorm2d(4))
    head = torch.nn.Linear(4, 5)
    x = np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype(np.float32)
    images = torch.from_numpy(x).permute(0, 3, 1, 2)
    net(images)
    state = {f"net.{name}": value for name, value in net.state_dict().items()}
    state |= {f"head.{name}": value for name, value in head.state_dict().items()}
    variables, _ = fill(WANTED, {name: value.numpy() for name, value in state.items()}, LAYOUT)
    expected = head(net.eval()(images).mean((2, 3))).detach().numpy()
    np.testing.assert_allclose(Small().apply(variables, x), expected, rtol=1e-4, atol=1e-5)


def test_what_does_not_match_is_named_with_shapes_and_nearest_names():
    given = arrays()
    given["net.0.weights"] = given.pop("net.0.weight")
    given["net.1.bias"] = np.zeros(7, np.float32)
    given["head.weight"] = np.zeros((5, 3), np.float32)
    given["head.bias"] = np.array([0, 1, np.nan, 0, 0], np.float32)
    given["net.1.running_var"] = np.ones(4, np.int32)
    with pytest.raises(UserError) as refused:
        fill(WANTED, given, LAYOUT, source="cut.pth")
    text = str(refused.value)
    assert text.startswith("The weights cut.pth do not fit the encoder (small): ")
    assert "\n" not in text
    for part in (
        "net.1.bias 7 does not fit params/norm/bias, 4",
        "head.weight 5×3, 3×5 in the encoder's order does not fit params/dense/kernel, 4×5",
        "head.bias holds infinities or NaN",
        "net.1.running_var holds int32 and batch_stats/norm/var float32",
        "there is no net.0.weight for params/conv/kernel (nearest: net.0.weights)",
        "nothing here is called net.0.weights",
    ):
        assert part in text
    report = compare(WANTED, given, LAYOUT)
    assert not report.complete
    assert report.unmatched == ("net.0.weights",)
    assert report.missing == (("params/conv/kernel", "net.0.weight"),)
    assert report.lines()[-1] == "small: 3 of 8 variables matched, 1 ignored (net.1.num_batches_tracked)"


def test_a_long_list_of_faults_is_cut():
    with pytest.raises(UserError, match=r"and 5 other variables; nothing here is called x0, x1, x2 and 4 more\.$"):
        fill(WANTED, {f"x{index}": np.zeros(1) for index in range(7)}, LAYOUT)


def test_without_strictness_the_rest_stays_as_it_was():
    given = {"head.bias": np.arange(5, dtype=np.float32), "unknown": np.zeros(2)}
    before = Small().init(jax.random.key(0), jnp.ones((1, 8, 8, 3)))
    after, report = fill(before, given, LAYOUT, strict=False)
    assert [match.variable for match in report.matched] == ["params/dense/bias"]
    assert report.unmatched == ("unknown",)
    before["params"]["dense"]["bias"] = given["head.bias"]
    jax.tree.map(np.testing.assert_array_equal, after, before)
    with pytest.raises(UserError, match="give variables that encoder.init made"):
        fill(WANTED, given, LAYOUT, strict=False)


def test_what_an_encoder_stops_before_is_unused_and_no_error():
    given = take(filled(Vgg(widths=(2, 2, 2, 2, 2))), layouts.vgg_torchvision(layouts.VGG19))
    variables, report = fill(shapes(Vgg(widths=(2, 2, 2, 2, 2), last="relu2_1")), given, layouts.vgg_torchvision(layouts.VGG19))
    assert sorted(variables["params"]) == ["conv1_1", "conv1_2", "conv2_1"]
    assert report.complete
    assert len(report.unused) == 26


def test_dtypes_become_the_encoder_s():
    given = {name: array.astype(np.float16) for name, array in arrays().items()}
    variables, _ = fill(WANTED, given, LAYOUT)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {np.dtype(np.float32)}


def filled(encoder, image=(112, 112, 3)):
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(leaf.dtype), shapes(encoder, image))


@pytest.mark.parametrize("ending", ["safetensors", "npz"])
@pytest.mark.parametrize(
    ("encoder", "layout"),
    [
        (Vgg(widths=(4, 4, 4, 4, 4)), layouts.vgg_torchvision(layouts.VGG19)),
        (Vgg(convolutions=(2, 2, 3, 3, 3), widths=(4, 4, 4, 4, 4)), layouts.vgg_torchvision(layouts.VGG16)),
        (Vgg(widths=(4, 4, 4, 4, 4), preprocessing="convolution"), layouts.vgg_normalised()),
        (Vgg(widths=(4, 4, 4, 4, 4), last="relu5_1", preprocessing="convolution"), layouts.vgg_pruned()),
        (Vgg(widths=(4, 4, 4, 4, 4)), layouts.vgg_by_name(layouts.VGG19)),
        (SqueezeNet(), layouts.squeezenet_keras()),
        (SqueezeNet(classes=1000), layouts.squeezenet_torchvision()),
        (MobileFaceNet(), layouts.mobilefacenet()),
        (DlibResNet(), layouts.dlib_resnet()),
        (Conv4(width=4), None),
        (IResNet(blocks=(1, 1, 1, 1), width=2), None),
    ],
)
def test_out_into_a_file_and_back_keeps_every_bit(tmp_path, encoder, layout, ending):
    variables = filled(encoder)
    layout = layout or own(variables)
    write(tmp_path / f"weights.{ending}", take(variables, layout))
    back, report = fill(shapes(encoder), read(tmp_path / f"weights.{ending}"), layout)
    assert report.complete
    assert flat(back).keys() == flat(variables).keys()
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a.view(np.uint32), b.view(np.uint32)), back, variables)


def test_a_variable_without_a_name_cannot_be_exported():
    with pytest.raises(UserError, match="small has no name for params/.*: export it under the names of Likeness"):
        take({"params": filled(Conv4(width=4))["params"]}, LAYOUT)


def test_the_best_layout_knows_most_names():
    candidates = (layouts.vgg_torchvision(layouts.VGG19), layouts.vgg_by_name(layouts.VGG19), LAYOUT)
    assert best(arrays(), candidates) is LAYOUT
    assert best({"conv1_1.weight": np.zeros(1)}, candidates) is candidates[1]
    assert best({}, candidates) is candidates[0]
