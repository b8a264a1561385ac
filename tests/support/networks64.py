"""Networks of convolutions and batch normalization in float64, for tests of detectors and their backbones."""

import jax
import numpy as np


def random_variables(shapes, seed=1):
    """Kernels that keep the size of activations, and statistics that are none of the defaults."""
    rng = np.random.default_rng(seed)

    def draw(path, leaf):
        name = path[-1].key
        if "kernel" in name:
            return (rng.normal(size=leaf.shape) * np.sqrt(2 / np.prod(leaf.shape[:-1]))).astype(np.float32)
        if name == "var":
            return rng.uniform(0.5, 2.0, leaf.shape).astype(np.float32)
        return (rng.normal(size=leaf.shape) * 0.2 + (name == "scale")).astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes)


class Network:
    """Convolutions and batch normalization in float64, of variables by path."""

    def __init__(self, variables, prefix=()):
        self.params, self.stats = variables["params"], variables["batch_stats"]
        for name in prefix:
            self.params, self.stats = self.params[name], self.stats[name]

    def below(self, name):
        return Network({"params": self.params, "batch_stats": self.stats}, (name,))

    def convolve(self, x, name, stride=1, depthwise=False):
        kernel = np.asarray(self.params[name]["kernel"], np.float64)
        return convolve(x, kernel, stride, depthwise) + np.asarray(self.params[name].get("bias", 0.0), np.float64)

    def norm(self, x, name):
        scale, bias = (np.asarray(self.params[name][part], np.float64) for part in ("scale", "bias"))
        mean, var = (np.asarray(self.stats[name][part], np.float64) for part in ("mean", "var"))
        return (x - mean) / np.sqrt(var + 1e-5) * scale + bias


def convolve(x, kernel, stride=1, depthwise=False):
    """Between zeros that keep the size."""
    side = kernel.shape[0]
    x = np.pad(x, ((0, 0), (side // 2, side // 2), (side // 2, side // 2), (0, 0)))
    view = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("bhwcij,ijc->bhwc" if depthwise else "bhwcij,ijcd->bhwd", view, kernel[:, :, 0] if depthwise else kernel)


def relu(x):
    return np.maximum(x, 0)


def max_pool(x, window, stride, padding):
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)), constant_values=-np.inf)
    return np.lib.stride_tricks.sliding_window_view(x, (window, window), axis=(1, 2))[:, ::stride, ::stride].max((-1, -2))


def shufflenet(encoder, network, images):
    found = {"input": images}
    x = images[..., ::-1].astype(np.float64) if encoder.trained_on == "bgr" else images.astype(np.float64)
    x = found["conv1"] = relu(network.norm(network.convolve(x, "conv1", 2), "conv1_norm"))
    x = found["pool1"] = max_pool(x, 3, 2, 1)
    for stage, blocks in enumerate(encoder.blocks, 2):
        for block in range(1, blocks + 1):
            unit = network.below(f"stage{stage}_{block}")
            stride = 2 if block == 1 else 1

            def step(x, name, unit=unit, **fields):
                return unit.norm(unit.convolve(x, name, **fields), f"{name}_norm")

            passing, changing = (x, x) if stride == 2 else (x[..., 0::2], x[..., 1::2])
            if stride == 2:
                passing = relu(step(step(passing, "shortcut_depthwise", stride=2, depthwise=True), "shortcut"))
            changing = step(relu(step(changing, "expand")), "depthwise", stride=stride, depthwise=True)
            x = np.concatenate([passing, relu(step(changing, "project"))], -1)
        found[f"stage{stage}"] = x
    return found
