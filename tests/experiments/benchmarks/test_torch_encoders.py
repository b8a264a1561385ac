"""The encoders that Likeness is timed beside: as many parameters, and with the same weights the same embeddings."""

import jax
import numpy as np
import pytest
from flax import traverse_util

from likeness.research.encoders import Conv4, IResNet, MobileFaceNet, NN4Small2

pytestmark = pytest.mark.peers
torch = pytest.importorskip("torch")
from likeness.experiments.benchmarks.peers import torch_encoders as peers  # noqa: E402

CASES = {
    "Conv4": (Conv4(width=6, dimension=5), lambda: peers.Conv4(1, 37, 6, 5), (37, 1)),
    "NN4Small2": (NN4Small2(dimension=5), lambda: peers.NN4Small2(5), (96, 3)),
    "IResNet": (IResNet(blocks=(1, 2, 1, 1), width=4, dimension=5), lambda: peers.IResNet(21, (1, 2, 1, 1), 4, 5), (21, 3)),
    "MobileFaceNet": (MobileFaceNet(dimension=5), lambda: peers.MobileFaceNet(5), (112, 3)),
}


def drawn(encoder, images):
    """Weights and statistics that are neither zero nor one."""
    shapes = jax.eval_shape(lambda: encoder.init(jax.random.key(0), images))
    rng = np.random.default_rng(1)
    variables = traverse_util.flatten_dict(shapes, sep="/")

    def draw(path, leaf):
        if path.endswith("kernel"):
            return rng.normal(scale=np.prod(leaf.shape[:-1]) ** -0.5, size=leaf.shape).astype(np.float32)
        return rng.uniform(0.5, 1.5, leaf.shape).astype(np.float32) * (-0.2 if path.endswith("bias") else 1.0)

    return {path: np.float32(draw(path, leaf)) for path, leaf in variables.items()}


def name_of(path):
    """PyTorch's name of a variable."""
    *parts, kind = path.split("/")[1:]
    names = {"kernel": "weight", "scale": "weight", "slope": "weight", "mean": "running_mean", "var": "running_var"}
    return parts, names.get(kind, kind)


def copied(network, variables, map_shape):
    """A network with the variables of one of ours."""
    state = network.state_dict()
    for path, value in variables.items():
        parts, kind = name_of(path)
        plain = ".".join([*parts, kind])
        if plain not in state:
            # OpenFace's convolutions and their normalization are one layer there.
            last = parts[-1].removesuffix("_norm")
            plain = ".".join([*parts[:-1], last, "norm" if parts[-1].endswith("_norm") else "conv", kind])
        if value.ndim == 4:
            value = value.transpose(3, 2, 0, 1)
        elif value.ndim == 2 and map_shape is not None:
            # Ours flattens channels last.
            value = value.reshape(*map_shape, -1).transpose(3, 2, 0, 1).reshape(value.shape[1], -1)
        elif value.ndim == 2:
            value = value.T
        assert state[plain].shape == value.shape, path
        state[plain] = torch.from_numpy(np.array(value))
    network.load_state_dict(state)
    return network.eval()


@pytest.mark.parametrize("name", CASES)
def test_the_same_weights_embed_alike(name):
    encoder, make, (side, channels) = CASES[name]
    images = np.random.default_rng(0).uniform(size=(3, side, side, channels)).astype(np.float32)
    variables = drawn(encoder, images)
    tree = traverse_util.unflatten_dict(variables, sep="/")
    ours = jax.jit(encoder.apply)(tree, images)
    last = {"Conv4": "pool4", "IResNet": "layer4"}.get(name)
    network = copied(make(), variables, None if last is None else ours[last].shape[1:])
    learned = sum(each.numel() for each in network.parameters() if each.requires_grad)
    assert learned == sum(value.size for path, value in variables.items() if path.startswith("params/"))
    with torch.no_grad():
        theirs = network(torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))).numpy()
    np.testing.assert_allclose(ours["embedding"], theirs, atol=1e-4)
