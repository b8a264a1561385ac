"""An experiment of detection that is learned in seconds."""

import jax

from likeness.experiments.detection import ObjectDetection
from likeness.research.data.detection import Shapes
from likeness.research.detectors.heads import AnchorFreeHead
from likeness.research.encoders import PatchPyramid

SMALL = ObjectDetection(
    data=Shapes(train=24, validation=8, test=10, size=32, sides=(8.0, 16.0), most=2),
    size=(32, 32),
    encoder=PatchPyramid(widths=(8, 8), blocks=(0, 0), pyramid_width=8),
    head=AnchorFreeHead(width=8),
    batch=4,
    resamples=20,
)


def started(experiment):
    data = experiment.open()
    constants = experiment.constants(data)
    batch = next(experiment.stream(data, 0))
    return data, constants, batch, jax.jit(experiment.init)(jax.random.key(0), constants, batch)
