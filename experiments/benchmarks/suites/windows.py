"""Sliding windows: one pass over an image beside all of its windows as a batch of crops.

In the course's own network most multiplications are those of its dense layers, which no two windows share: one pass saves a
quarter of them, whatever the image. In a network of convolutions nearly all are shared. The name of a row says how many times
as many multiplications the crops take; both must say the same of each window. The last contender classifies one crop after the
other, as the loop is first written.
"""

import functools
import time

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.benchmarks.protocol import OURS, Contender, Row, Size, Work
from likeness.research.detectors.windows import WindowDetector
from likeness.research.encoders.window_network import WindowForm, WindowNetwork
from likeness.research.types import PyTree

CROPS, LOOP = "all crops as a batch", "one crop after the other"
NETWORKS = {
    "the course's network": WindowNetwork(),
    "a network of convolutions": WindowNetwork(window=20, widths=(16, 32, 32), sides=(3, 3, 3), pools=(1, 2, 1), hidden=(32,)),
}
CLASSES = ("pedestrian", "car", "motorcycle")


def rows(size: Size) -> tuple[Row, ...]:
    """Images of two sizes, by both networks."""
    if size == "tiny":
        return tuple(_row(name, 28) for name in NETWORKS)
    return tuple(_row(name, side) for name in NETWORKS for side in (64, 128))


def detector_of(network: str, side: int) -> WindowDetector:
    """The detector of a row.

    Args:
        network: one of :data:`NETWORKS`.
        side: of the image.
    """
    return WindowDetector(network=NETWORKS[network], size=(side, side), class_names=CLASSES)


def _row(network: str, side: int) -> Row:
    model = detector_of(network, side)
    count = int(np.prod(model.windows.grid(side, side)))
    contenders = (
        Contender(OURS, functools.partial(_at_once, network, side, "convolutional"), ("jax",)),
        Contender(CROPS, functools.partial(_at_once, network, side, "crops"), ("jax",)),
        Contender(LOOP, functools.partial(_one_by_one, network, side), ("jax",)),
    )
    more = model.crop_multiplications / model.pass_multiplications
    name = f"{network}, {side}×{side}: {count:,} windows, {more:.2f}× the multiplications as crops"
    return Row(name, contenders, tolerance=(1e-5,), memory=False)


def _given(network: str, side: int) -> tuple[WindowDetector, PyTree, np.ndarray]:
    model, rng = detector_of(network, side), np.random.default_rng(0)
    crop = jnp.zeros((1, model.network.window, model.network.window, 3))
    encoder = model.network.init(jax.random.key(0), crop)
    kernel = rng.normal(0, 0.1, (model.network.hidden[-1], len(CLASSES) + 1)).astype(np.float32)
    head = {"kernel": kernel, "bias": np.zeros(len(CLASSES) + 1, np.float32)}
    return model, {"encoder": encoder, "head": head}, rng.uniform(size=(1, side, side, 3)).astype(np.float32)


def _at_once(network: str, side: int, form: WindowForm) -> Work:
    model, variables, image = _given(network, side)
    detector = WindowDetector(network=model.network, size=model.size, class_names=CLASSES, form=form)
    began = time.perf_counter()
    compiled = jax.jit(detector.logits).lower(variables, image).compile()
    compiling = time.perf_counter() - began
    held = jax.device_put((variables, image))
    counted = model.pass_multiplications if form == "convolutional" else model.crop_multiplications

    def once() -> None:
        jax.block_until_ready(compiled(*held))

    return Work(once, compiling, 2.0 * counted, answer=lambda: (np.asarray(compiled(*held)).ravel(),))


def _one_by_one(network: str, side: int) -> Work:
    model, variables, image = _given(network, side)
    window = model.network.window
    one = WindowDetector(network=model.network, size=(window, window), class_names=CLASSES, form="crops")
    corners = model.windows.boxes(side, side).reshape(-1, 4)[:, :2].astype(int).tolist()
    began = time.perf_counter()
    compiled = jax.jit(one.logits).lower(variables, image[:, :window, :window]).compile()
    compiling = time.perf_counter() - began
    held = jax.device_put(variables)

    def said() -> list[np.ndarray]:
        return [np.asarray(compiled(held, image[:, y : y + window, x : x + window])).ravel() for x, y in corners]

    def once() -> None:
        said()

    return Work(once, compiling, 2.0 * model.crop_multiplications, answer=lambda: (np.concatenate(said()),))
