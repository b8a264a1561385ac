"""The three regimes of R-CNN beside one another, from a uint8 image to boxes, with random weights.

The definitions are those of the shipped configs: the same data, canvas, encoder and head. R-CNN searches the image for regions
and takes each through the encoder, Fast R-CNN searches and reads all regions from one map, and Faster R-CNN proposes them by a
network on that map. The search, which runs on the host, is also timed alone.
"""

import functools
import time

import jax
import numpy as np

from likeness.experiments.benchmarks.protocol import Contender, Row, Size, Work
from likeness.experiments.config import load
from likeness.experiments.detection import ObjectDetection
from likeness.experiments.detection.detection import DetectionConstants
from likeness.research.detectors import CanvasPlaces, detect
from likeness.research.detectors.regions import RegionHead
from likeness.research.synthetic.shapes import SHAPES, draw_shapes

REGIMES = {
    "Faster R-CNN": "detection/faster_rcnn_shapes",
    "Fast R-CNN": "detection/fast_rcnn_shapes",
    "R-CNN": "detection/rcnn_shapes",
}
"""The config of each."""


def rows(size: Size) -> tuple[Row, ...]:
    """One drawn image, and several."""
    return tuple(_row(count) for count in ((1,) if size == "tiny" else (1, 16)))


def _row(count: int) -> Row:
    contenders = [Contender(name, functools.partial(_whole, config, count), ("jax",)) for name, config in REGIMES.items()]
    contenders.append(Contender("the search alone", functools.partial(_search, REGIMES["R-CNN"], count)))
    return Row(f"{count} × 64×64, pixels to boxes", tuple(contenders), memory=False)


def _experiment(config: str) -> ObjectDetection:
    experiment = load(config).experiment
    assert isinstance(experiment, ObjectDetection)
    return experiment


def _images(count: int) -> np.ndarray:
    return draw_shapes(count, np.random.default_rng(0)).images


def _whole(config: str, count: int) -> Work:
    experiment, images = _experiment(config), _images(count)
    model = experiment.model(SHAPES)
    constants = DetectionConstants(np.ones(len(SHAPES), np.float32))
    learned = jax.jit(experiment.init)(jax.random.key(0), constants, {"images": images})
    places = CanvasPlaces.of([model.placement((64, 64))] * count)
    began = time.perf_counter()
    program = jax.jit(functools.partial(detect, model)).lower(experiment.model_variables(learned), images, places).compile()
    compiling = time.perf_counter() - began
    held = jax.device_put((experiment.model_variables(learned), images, places))
    return Work(lambda: _wait(program(*held)), compiling)


def _search(config: str, count: int) -> Work:
    head, images = _experiment(config).head, _images(count)
    assert isinstance(head, RegionHead) and head.search is not None
    search = head.search
    return Work(lambda: _wait([search(image) for image in images]))


def _wait(found: object) -> None:
    jax.block_until_ready(found)
