"""Attributions beside Captum's, of one small network with the same weights in both."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.encoders import Vgg
from likeness.research.visualization import grad_cam, integrated_gradients, occlusion, saliency, with_rule

pytestmark = pytest.mark.peers

ENCODER = Vgg(convolutions=(1, 2), widths=(4, 6), preprocessing="unit", last="relu2_2")
CLASS = 2


@pytest.fixture(scope="module")
def both():
    """The encoder's score of a channel, its activations, some images, and Captum with the same network in torch."""
    torch = pytest.importorskip("torch")
    attr = pytest.importorskip("captum.attr")
    images = jax.random.uniform(jax.random.key(0), (2, 12, 10, 3))
    variables = jax.jit(ENCODER.init)(jax.random.key(1), images)
    for name, low, high in (("conv1_1", 1.0, 1.5), ("conv2_1", -0.3, 0.3), ("conv2_2", -0.3, 0.3)):
        bias = variables["params"][name]["bias"]
        variables["params"][name]["bias"] = jnp.linspace(low, high, bias.size)
    # Of a window of zeros Torch's pooling hands all to the first, ours a share to each, and a deconvnet's ReLU stops neither.
    assert (ENCODER.apply(variables, images)["pool1"] > 0).all()
    layers = []
    for name in ("conv1_1", "conv2_1", "conv2_2"):
        weights = variables["params"][name]
        kernel = torch.tensor(np.asarray(weights["kernel"]).transpose(3, 2, 0, 1))
        convolution = torch.nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1)
        convolution.weight.data, convolution.bias.data = kernel, torch.tensor(np.asarray(weights["bias"]))
        layers += [convolution, torch.nn.ReLU()]
        if name == "conv1_1":
            layers.append(torch.nn.MaxPool2d(2))
    theirs = torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())

    def network(x):
        return ENCODER.apply(variables, x)

    def score(x):
        return jnp.mean(network(x)["relu2_2"][..., CLASS], axis=(1, 2))

    given = torch.tensor(np.asarray(images).transpose(0, 3, 1, 2), requires_grad=True)
    np.testing.assert_allclose(score(images), theirs(given)[:, CLASS].detach(), rtol=1e-5)
    return jax.jit(score), network, images, attr, theirs, given


def agree(ours, theirs):
    """To 1e-5 of the largest value; torch's have their channels first."""
    expected = theirs.detach().numpy()
    expected = np.moveaxis(expected, 1, -1) if expected.ndim == 4 else expected
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_saliency(both):
    score, _, images, attr, theirs, given = both
    agree(saliency(score, images), attr.Saliency(theirs).attribute(given, target=CLASS, abs=False))


@pytest.mark.parametrize("steps", [8, 50])
def test_integrated_gradients(both, steps):
    score, _, images, attr, theirs, given = both
    baseline = jnp.full_like(images, 0.25)
    expected = attr.IntegratedGradients(theirs).attribute(
        given, baselines=0.25, target=CLASS, n_steps=steps, method="riemann_middle"
    )
    agree(integrated_gradients(score, images, baseline, steps=steps), expected)


@pytest.mark.parametrize(("rule", "name"), [("guided", "GuidedBackprop"), ("deconvnet", "Deconvolution")])
@pytest.mark.filterwarnings("ignore:Setting backward hooks")
def test_the_rules_of_a_relu(both, rule, name):
    score, _, images, attr, theirs, given = both
    agree(saliency(with_rule(score, rule), images), getattr(attr, name)(theirs).attribute(given, target=CLASS))


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize(("layer", "place"), [("relu1_1", 1), ("pool1", 2), ("conv2_1", 3), ("relu2_2", 6)])
def test_grad_cam(both, layer, place, relu):
    _, network, images, attr, theirs, given = both
    expected = attr.LayerGradCam(theirs, theirs[place]).attribute(given, target=CLASS, relu_attributions=relu)

    @jax.jit
    def looked(x):
        return grad_cam(network, layer, lambda found: found["relu2_2"][..., CLASS].mean((1, 2)), x, relu=relu, resize=None)

    agree(looked(images)[..., None], expected)


@pytest.mark.parametrize(("window", "stride"), [(4, 2), (3, 3), (2, 1)])
def test_occlusion(both, window, stride):
    """Windows that end at the edge: those that reach over it are cut by Captum, and moved inside here."""
    score, _, images, attr, theirs, given = both
    # 12 x 10 pixels and a stride of 3 leave one column over: it is cut off for both.
    wide = 10 if (10 - window) % stride == 0 else 9
    expected = attr.Occlusion(theirs).attribute(
        given[..., :wide], (3, window, window), strides=(3, stride, stride), baselines=0.5, target=CLASS
    )
    for number, image in enumerate(np.asarray(images[:, :, :wide])):
        found = occlusion(lambda x: np.asarray(score(x)), image, window=window, stride=stride, value=0.5)
        agree(np.repeat(found[None, ..., None], 3, axis=-1), expected[number : number + 1])
