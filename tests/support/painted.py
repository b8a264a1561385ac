"""The painting network in NumPy's float64, and random weights for it."""

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.style_networks import Johnson

TINY = Johnson(widths=(2, 3, 4), blocks=1, outer=5)
IMAGES = np.random.default_rng(0).uniform(size=(2, 10, 13, 3)).astype(np.float32)


def abstract(network, *arguments):
    return jax.eval_shape(lambda *given: network.init_with_output(jax.random.key(0), *given), *arguments)


def random_variables(network, *arguments, seed=1):
    rng = np.random.default_rng(seed)
    shapes = abstract(network, *arguments)[1]
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape) * 0.7, jnp.float32), shapes)


def convolved(x, kernel, stride, padding):
    side = kernel.shape[0]
    if padding == "reflect":
        around = [(side // 2, side // 2)] * 2
        x = np.pad(x, ((0, 0), *around, (0, 0)), mode="reflect")
    else:
        missing = [max((-(-n // stride) - 1) * stride + side - n, 0) for n in x.shape[1:3]]
        x = np.pad(x, ((0, 0), *((m // 2, m - m // 2) for m in missing), (0, 0)))
    view = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("bhwcij,ijcd->bhwd", view, kernel)


def transposed(x, kernel):
    """What each pixel throws onto a map twice as large; the last row and column reach beyond it."""
    images, height, width, _ = x.shape
    out = np.zeros((images, 2 * height + 1, 2 * width + 1, kernel.shape[2]))
    for u in range(3):
        for v in range(3):
            out[:, u : u + 2 * height : 2, v : v + 2 * width : 2] += np.einsum("bhwc,oc->bhwo", x, kernel[u, v])
    return out[:, : 2 * height, : 2 * width]


def oracle(network, variables, images, weights=None):
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), variables["params"])
    height, width = images.shape[1:3]
    x = network.brightness * images.astype(np.float64)
    x = np.pad(x, ((0, 0), (0, -height % network.stride), (0, -width % network.stride), (0, 0)), mode="reflect")

    def normalized(x, name):
        table = params[f"{name}_norm"]
        if weights is not None:
            table = {key: (weights @ value)[:, None, None] for key, value in table.items()}
        mean, variance = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
        return table["scale"] * (x - mean) / np.sqrt(variance + network.epsilon) + table["bias"]

    def channels(x):
        return (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + network.epsilon)

    def layer(x, name, stride=1, ends=False):
        x = normalized(convolved(x, params[name]["kernel"], stride, network.padding), name)
        return x if ends else np.maximum(x, 0)

    levels = range(1, len(network.widths))
    whole, x = x, layer(x, "down1")
    for level in levels:
        x = layer(x, f"down{level + 1}", stride=2)
    for block in range(1, network.blocks + 1):
        x = x + layer(layer(x, f"block{block}_1"), f"block{block}_2", ends=True)
    for level in levels:
        if network.upsampling == "nearest":
            x = layer(x.repeat(2, axis=1).repeat(2, axis=2), f"up{level}")
        else:
            x = np.maximum(normalized(transposed(x, params[f"up{level}"]["kernel"]), f"up{level}"), 0)
    x = np.concatenate([x, channels(whole)], axis=3) if network.skip else x
    x = layer(x, "last", ends=True)
    x = 1 / (1 + np.exp(-x)) if network.output == "sigmoid" else (150 * np.tanh(x) + 127.5) / 255
    return x[:, :height, :width]
