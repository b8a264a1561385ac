"""DeepDream: a photograph in which SqueezeNet 1.1 sees more and more of what it sees already (Mordvintsev et al. 2015).

Four octaves, each 1.4 times the size of the one before. The layer's mean square rises from 3,311 to about 61,000 (seed 0).
It wants the weights of SqueezeNet's authors (``likeness weights fetch squeezenet11``, or ``likeness weights import FILE``).

likeness train visualization/deepdream
"""

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.visualization import NormalizedGradient, Synthesis
from likeness.research.encoders import SqueezeNet
from likeness.research.images.sources import Photograph
from likeness.research.visualization import Jitter, Layer, Pixels
from likeness.research.weights import Pretrained


def get_config() -> Run:
    return Run(
        experiment=Synthesis(
            encoder=FrozenEncoder(encoder=SqueezeNet(), weights=Pretrained(name="squeezenet11")),
            objectives=(Layer(layer="fire6/concat"),),
            image=Photograph(name="china"),
            size=448,
            octaves=4,
            octave_scale=1.4,
            parametrization=Pixels(),
            transforms=Jitter(pixels=32),
        ),
        steps=60,
        optimizer=NormalizedGradient(schedule=Constant(peak_lr=0.006)),
        log_every=10,
        evaluate_every=15,
        checkpoints=Checkpoints(every=30),
    )
