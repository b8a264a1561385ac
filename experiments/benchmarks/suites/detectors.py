"""Published detectors beside onnxruntime, which runs the ONNX files of their authors.

Both go from the same uint8 canvases to what the heads say, in the order of the ONNX file, and must agree on it. Ours is timed a
second time from the same canvases to boxes after suppression, which onnxruntime leaves to whoever calls it.
"""

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.benchmarks.protocol import OURS, Contender, Goal, Row, Size, Work
from likeness.experiments.detection.detector import PUBLISHED
from likeness.research.detectors import CanvasPlaces, detect
from likeness.research.encoders import FastestDet, YuNet
from likeness.research.errors import UserError
from likeness.research.ops.vectors import wide_vectors
from likeness.research.types import AnyArray, Array, PyTree
from likeness.research.weights import named
from likeness.research.weights.directories import data

PEER, BOXES = "onnxruntime", "Likeness, with boxes and suppression"
FILES = {"yunet": ("yunet/yunet_n_dynamic.onnx", 255.0), "fastestdet": ("fastestdet/FastestDet.onnx", 1.0)}
STRIDES = (8, 16, 32)
SLOWEST = 0.8
"""Of onnxruntime's speed."""


def rows(size: Size) -> tuple[Row, ...]:
    """Faces in images of three sizes, and objects, one image at a time and several."""
    if size == "tiny":
        return (_row("yunet", 64, 1),)
    return (
        _row("yunet", 160, 8),
        _row("yunet", 320, 1),
        _row("yunet", 640, 1),
        _row("fastestdet", 352, 1),
        _row("fastestdet", 352, 4),
    )


def _row(name: str, side: int, batch: int) -> Row:
    contenders = (
        Contender(OURS, functools.partial(_heads, name, side, batch), ("jax",)),
        Contender(BOXES, functools.partial(_boxes, name, side, batch), ("jax",)),
        Contender(PEER, functools.partial(_theirs, name, side, batch), ("onnxruntime",), peer=True),
    )
    title = {"yunet": "YuNet", "fastestdet": "FastestDet"}[name]
    return Row(f"{title}, {batch} × {side}×{side}", contenders, Goal(PEER, SLOWEST), tolerance=(1e-5,))


def canvases(side: int, batch: int) -> np.ndarray:
    """Noise that is blurred, uint8: the time depends on no pixel, and the suppression of few boxes on few."""
    noise = np.random.default_rng(0).uniform(0, 255, (batch, side // 8, side // 8, 3))
    return noise.repeat(8, 1).repeat(8, 2).astype(np.uint8)


def say(name: str, variables: PyTree, pixels: Array) -> tuple[Array, ...]:
    """What the heads say of uint8 canvases, in the order and form of the ONNX file."""
    images = jnp.asarray(pixels).astype(jnp.float32) / 255
    if name == "fastestdet":
        said: Any = FastestDet().apply(variables, images)
        parts = jax.nn.sigmoid(said["objectness"]), said["boxes"], jax.nn.softmax(said["classes"], axis=-1)
        return (jnp.concatenate(parts, axis=-1).transpose(0, 3, 1, 2),)
    said = YuNet().apply(variables, images)
    heads = {"classes": jax.nn.sigmoid, "objectness": jax.nn.sigmoid, "boxes": lambda x: x, "landmarks": lambda x: x}
    maps = [form(said[f"{head}{stride}"]) for head, form in heads.items() for stride in STRIDES]
    return tuple(each.reshape(each.shape[0], -1, each.shape[-1]) for each in maps)


def flat(said: Sequence[AnyArray]) -> np.ndarray:
    """All that heads say as one array: a probability is compared by its size and not by its logarithm."""
    return np.concatenate([np.ravel(each) for each in said])


def _compiled(program: Callable[..., PyTree], *given: PyTree) -> tuple[Callable[[], PyTree], float]:
    began = time.perf_counter()
    compiled = jax.jit(program, compiler_options=wide_vectors()).lower(*given).compile()
    compiling = time.perf_counter() - began
    held = jax.device_put(given)
    return lambda: jax.block_until_ready(compiled(*held)), compiling


def _heads(name: str, side: int, batch: int) -> Work:
    variables, _ = named(name).load()
    once, compiling = _compiled(functools.partial(say, name, variables), canvases(side, batch))
    return Work(lambda: once() and None, compiling, answer=lambda: (flat(once()),))


def _boxes(name: str, side: int, batch: int) -> Work:
    variables, _ = named(name).load()
    model = PUBLISHED[name]()
    places = CanvasPlaces.of([model.placement((side, side))] * batch)
    once, compiling = _compiled(functools.partial(detect, model, variables), canvases(side, batch), places)
    return Work(lambda: once() and None, compiling)


def _theirs(name: str, side: int, batch: int) -> Work:
    from likeness.experiments.benchmarks.peers.onnx_detectors import heads

    file, scale = FILES[name]
    folder = data()
    if folder is None or not (folder / file).is_file():
        raise UserError(f"onnxruntime runs the authors' file, and there is no $LIKENESS_DATA/weights/{file}: bring it.")
    return heads(folder / file, canvases(side, batch), scale)
