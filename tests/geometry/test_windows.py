"""Sliding windows, and dense layers as convolutions: one pass over an image equals the crops one by one."""

import dataclasses
import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.geometry import SlidingWindows, as_convolution, check_convolutional, total_stride, windows_of

HIGHEST = jax.lax.Precision.HIGHEST


class Network(nn.Module):
    """Layers that read a map, then dense ones, which are convolutions where it is asked for."""

    body: tuple
    head: tuple[int, ...]
    crop: int
    convolutional: bool = False
    padding: str = "VALID"

    @nn.compact
    def __call__(self, x, train: bool = False):
        for i, (kind, *numbers) in enumerate(self.body):
            name = f"{kind}{i}"
            match kind:
                case "conv":
                    kernel, stride, features = numbers
                    x = nn.Conv(features, (kernel,) * 2, stride, self.padding, precision=HIGHEST, name=name)(x)
                case "dilated":
                    kernel, dilation, features = numbers
                    x = nn.Conv(
                        features, (kernel,) * 2, 1, self.padding, kernel_dilation=dilation, precision=HIGHEST, name=name
                    )(x)
                case "pool":
                    x = nn.max_pool(x, (numbers[0],) * 2, (numbers[1],) * 2, self.padding)
                case "mean":
                    x = nn.avg_pool(x, (numbers[0],) * 2, (numbers[1],) * 2, self.padding)
                case "batch":
                    x = nn.BatchNorm(use_running_average=not train, name=name)(x)
                case "group":
                    x = nn.GroupNorm(num_groups=2, name=name)(x)
                case "relu":
                    x = nn.relu(x)
        if not self.convolutional:
            x = x.reshape(len(x), -1)
        for i, features in enumerate(self.head):
            x = nn.relu(x) if i else x
            if self.convolutional:
                window = self.seen if i == 0 else (1, 1)
                x = nn.Conv(features, window, 1, "VALID", precision=HIGHEST, name=f"dense{i}")(x)
            else:
                x = nn.Dense(features, precision=HIGHEST, name=f"dense{i}")(x)
        return x

    @property
    def seen(self) -> tuple[int, int]:
        """The map that the first dense layer reads."""
        bare = dataclasses.replace(self, head=(), convolutional=True, parent=None)
        variables = jax.eval_shape(bare.init, jax.random.key(0), jnp.zeros((1, self.crop, self.crop, 3)))
        return jax.eval_shape(bare.apply, variables, jnp.zeros((1, self.crop, self.crop, 3))).shape[1:3]


COURSE = Network((("conv", 5, 1, 16), ("relu",), ("pool", 2, 2)), (400, 400, 4), crop=14)
NETWORKS = {
    "the course's": COURSE,
    "three convolutions": Network(
        (("conv", 3, 1, 8), ("relu",), ("conv", 3, 1, 8), ("relu",), ("conv", 3, 2, 12), ("relu",)), (16, 3), crop=20
    ),
    "batch normalization in inference": Network(
        (("conv", 4, 2, 8), ("batch",), ("relu",), ("conv", 3, 1, 8), ("batch",), ("relu",)), (10,), crop=16
    ),
    "dilation and means": Network((("dilated", 3, 2, 6), ("relu",), ("mean", 3, 3), ("conv", 2, 1, 8)), (12, 5), crop=19),
    "a window that its layers do not fill": Network(
        (("conv", 3, 2, 6), ("pool", 3, 2), ("relu",), ("conv", 1, 1, 4)), (7,), crop=18
    ),
}


def trained(network: Network, seed: int = 0) -> dict:
    """Weights, and running averages that are not those of the start."""
    variables = network.init(jax.random.key(seed), jnp.zeros((1, network.crop, network.crop, 3)))
    rng = np.random.default_rng(seed)
    averages = jax.tree.map(lambda leaf: rng.uniform(0.5, 2.0, leaf.shape).astype(np.float32), variables.get("batch_stats", {}))
    params = jax.tree.map(lambda leaf: leaf + 0.1 * rng.normal(size=leaf.shape).astype(np.float32), variables["params"])
    return {"params": params, "batch_stats": averages}


def convolutional(network: Network, variables: dict):
    """The network of maps with the crops' weights."""
    params = dict(variables["params"])
    for i in range(len(network.head)):
        dense = dict(params[f"dense{i}"])
        params[f"dense{i}"] = dense | {"kernel": as_convolution(dense["kernel"], network.seen if i == 0 else 1)}
    whole = dataclasses.replace(network, convolutional=True)
    return jax.jit(lambda images: whole.apply(variables | {"params": params}, images))


def classifier(network: Network, variables: dict):
    return jax.jit(lambda images: network.apply(variables, images))


@pytest.mark.parametrize("stride", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [14, 20, (9, 16)])
def test_every_window_is_visited_once(size, stride):
    """D-e: the count is the product of (H - w) / s + 1, and each window shows its own pixels."""
    windows = SlidingWindows(size=size, stride=stride)
    height, width = windows.sides
    image = np.arange(33 * 41, dtype=np.float32).reshape(1, 33, 41, 1)
    expected = {(x, y) for y in range(0, 33 - height + 1, stride) for x in range(0, 41 - width + 1, stride)}
    boxes = windows.boxes(33, 41)
    rows, columns = windows.grid(33, 41)
    assert boxes.shape == (rows, columns, 4)
    assert rows * columns == ((33 - height) // stride + 1) * ((41 - width) // stride + 1) == len(expected)
    seen = [tuple(box[:2].astype(int).tolist()) for box in boxes.reshape(-1, 4)]
    assert len(seen) == len(set(seen)) and set(seen) == expected
    crops = np.asarray(windows.crops(image))
    for i, j in itertools.product(range(rows), range(columns)):
        x1, y1, x2, y2 = boxes[i, j].astype(int)
        np.testing.assert_array_equal(crops[0, i, j], image[0, y1:y2, x1:x2])


def test_exact_division_leaves_nothing_and_an_image_of_one_window_has_one():
    assert SlidingWindows(size=14, stride=2).grid(16, 16) == (2, 2)
    assert SlidingWindows(size=14, stride=2).grid(28, 28) == (8, 8)
    assert SlidingWindows(size=14, stride=14).grid(14, 27) == (1, 1)
    with pytest.raises(ValueError, match="13×20 pixels is smaller than a window of 14×14"):
        SlidingWindows(size=14, stride=1).grid(13, 20)


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_one_pass_equals_the_crops(network):
    """D-g on five networks, and on images that leave a remainder."""
    variables = trained(network)
    whole, crops = convolutional(network, variables), classifier(network, variables)
    stride = total_stride(whole, network.crop)
    windows = SlidingWindows(size=network.crop, stride=stride)
    assert check_convolutional(whole, windows, crops=crops) == stride
    for height, width in ((network.crop, network.crop + stride), (network.crop + 13, network.crop + 22)):
        images = np.random.default_rng(1).normal(size=(2, height, width, 3)).astype(np.float32)
        cut = windows.crops(images)
        each = crops(cut.reshape(-1, *cut.shape[3:])).reshape(*cut.shape[:3], -1)
        found = windows.of_map(whole(images), height, width, stride)
        np.testing.assert_allclose(found, each, atol=1e-5 * max(1.0, float(jnp.abs(each).max())))


def test_the_notes_examples_of_sixteen_and_twenty_eight_pixels():
    """D-f: 5×5, then 1×1, to 1e-6 of the dense logits. D-g: 16×16 becomes 2×2×4 and 28×28 becomes 8×8×4."""
    variables = trained(COURSE, seed=3)
    whole, crops = convolutional(COURSE, variables), classifier(COURSE, variables)
    assert as_convolution(variables["params"]["dense0"]["kernel"], 5).shape == (5, 5, 16, 400)
    assert as_convolution(variables["params"]["dense1"]["kernel"], 1).shape == (1, 1, 400, 400)
    one = np.random.default_rng(4).normal(size=(3, 14, 14, 3)).astype(np.float32)
    logits = crops(one)
    np.testing.assert_allclose(whole(one)[:, 0, 0] / jnp.abs(logits).max(), logits / jnp.abs(logits).max(), atol=1e-6)
    assert total_stride(whole, 14) == 2
    for side, answers in ((16, 2), (28, 8)):
        image = np.random.default_rng(side).normal(size=(1, side, side, 3)).astype(np.float32)
        found = nn.softmax(whole(image))
        assert found.shape == (1, answers, answers, 4)
        for i, j in np.ndindex(answers, answers):
            crop = image[:, 2 * i : 2 * i + 14, 2 * j : 2 * j + 14]
            np.testing.assert_allclose(found[0, i, j], nn.softmax(crops(crop))[0], atol=1e-5)


@pytest.mark.slow
def test_only_multiples_of_the_total_stride_are_reached():
    variables = trained(COURSE)
    whole = convolutional(COURSE, variables)
    image = np.random.default_rng(0).normal(size=(1, 30, 34, 3)).astype(np.float32)
    for stride in (2, 4, 6):
        windows = SlidingWindows(size=14, stride=stride)
        cut = windows.crops(image)
        each = classifier(COURSE, variables)(cut.reshape(-1, 14, 14, 3)).reshape(*cut.shape[:3], -1)
        np.testing.assert_allclose(windows.of_map(whole(image), 30, 34, 2), each, atol=1e-5 * float(jnp.abs(each).max()))
    for stride, instead in ((1, 2), (3, 4), (5, 6)):
        with pytest.raises(ValueError, match=rf"multiples of 2 pixels, and for none between.*Give stride={instead}"):
            SlidingWindows(size=14, stride=stride).of_map(whole(image), 30, 34, 2)
        with pytest.raises(ValueError, match="multiples of 2 pixels"):
            check_convolutional(whole, SlidingWindows(size=14, stride=stride))
    with pytest.raises(ValueError, match="9×11 windows, 1 answers apart, and there are 4×5 answers"):
        SlidingWindows(size=14, stride=2).of_map(whole(image)[:, :4, :5], 30, 34, 2)


def test_padding_is_refused():
    """With SAME padding a crop's border is black, and within an image it is not."""
    padded = dataclasses.replace(COURSE, padding="SAME")
    variables = trained(padded)
    with pytest.raises(ValueError, match=r"sees what is outside of the window. A layer adds padding \(SAME\)"):
        check_convolutional(convolutional(padded, variables), SlidingWindows(size=14, stride=2))
    whole = dataclasses.replace(COURSE, padding="SAME", convolutional=True, head=())
    bare = whole.init(jax.random.key(0), jnp.zeros((1, 14, 14, 3)))
    with pytest.raises(ValueError, match=r"7×7 answers, and one window must have one.*padding \(SAME\)"):
        total_stride(lambda images: whole.apply(bare, images), 14)


@pytest.mark.slow
def test_statistics_of_the_batch_and_of_the_image_are_refused():
    network = NETWORKS["batch normalization in inference"]
    variables, whole = trained(network), dataclasses.replace(network, convolutional=True)
    weights = whole.init(jax.random.key(0), jnp.zeros((1, 16, 16, 3)))

    def training(images):
        return whole.apply(weights, images, train=True, mutable=["batch_stats"])[0]

    with pytest.raises(ValueError, match="reads statistics of the batch.*use_running_average=True"):
        check_convolutional(training, SlidingWindows(size=16, stride=2))
    assert check_convolutional(convolutional(network, variables), SlidingWindows(size=16, stride=2)) == 2
    grouped = dataclasses.replace(network, body=(("conv", 4, 2, 8), ("group",), ("relu",)))
    with pytest.raises(ValueError, match="statistics of the image"):
        check_convolutional(convolutional(grouped, trained(grouped)), SlidingWindows(size=16, stride=2))


def test_what_gives_no_map_or_does_not_slide_is_refused():
    variables = trained(COURSE)
    with pytest.raises(ValueError, match=r"answers a crop with shape \(1, 4\) has no convolutional form"):
        total_stride(classifier(COURSE, variables), 14)
    with pytest.raises(ValueError, match="it does not slide. A mean over the whole map"):
        total_stride(lambda images: jnp.mean(images, axis=(1, 2), keepdims=True), 8)
    whole = convolutional(COURSE, variables)
    with pytest.raises(ValueError, match="gives 4 numbers for a window and the classifier of crops 3"):
        check_convolutional(whole, SlidingWindows(size=14, stride=2), crops=lambda crops: whole(crops)[:, 0, 0, :3])
    with pytest.raises(ValueError, match="square windows, not 14×16"):
        check_convolutional(whole, SlidingWindows(size=(14, 16), stride=2))


@dataclasses.dataclass(frozen=True)
class Layer:
    name: str
    inputs: tuple[str, ...]
    kernel: int
    stride: int
    padding: int = 0


@dataclasses.dataclass(frozen=True)
class Encoder:
    geometry: tuple[Layer, ...]


def test_an_encoder_says_for_which_windows_its_layers_answer():
    layers = Layer("conv", ("input",), 5, 1), Layer("pool", ("conv",), 2, 2), Layer("fc", ("pool",), 5, 1)
    encoder = Encoder((*layers, Layer("elsewhere", ("pool",), 3, 1, padding=1)))
    assert windows_of(encoder, "fc") == SlidingWindows(size=14, stride=2)
    assert windows_of(encoder, "fc", stride=6) == SlidingWindows(size=14, stride=6)
    with pytest.raises(ValueError, match="total stride 2, and stride=3 is none. Give stride=4"):
        windows_of(encoder, "fc", stride=3)
    with pytest.raises(ValueError, match=r"'elsewhere' has no convolutional form: elsewhere adds padding \(SAME\)"):
        windows_of(encoder, "elsewhere")
    with pytest.raises(ValueError, match="no layer 'fd'. There are conv, pool, fc, elsewhere"):
        windows_of(encoder, "fd")


def test_wrong_fields_and_kernels_are_refused():
    for fields, said in (({"size": 0, "stride": 1}, "size must be at least 1"), ({"size": 3, "stride": 0}, "stride must be")):
        with pytest.raises(ValueError, match=said):
            SlidingWindows(**fields)
    with pytest.raises(ValueError, match="400 rows reads no map of 3×3"):
        as_convolution(np.zeros((400, 10)), 3)
    with pytest.raises(ValueError, match=r"kernel must be numbers of shape \(n, f\)"):
        as_convolution(np.zeros((5, 5, 16, 10)), 5)
    with pytest.raises(ValueError, match="images must be numbers"):
        SlidingWindows(size=3, stride=1).crops(np.zeros((5, 5, 3)))
