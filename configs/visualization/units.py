"""What sixteen units of SqueezeNet 1.1 look for, from the second module to the eighth: strokes, weaves, eggs, animals' parts.

Units are read before their ReLU: one that noise leaves silent has no slope behind it. It wants the weights of SqueezeNet's
authors (``likeness weights fetch squeezenet11``, or ``likeness weights import FILE``). figures/synthesis.png has all of them;
scores.json what each excites beside the better of scikit-learn's two photographs.

likeness train visualization/units
"""

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.visualization import Synthesis
from likeness.research.encoders import SqueezeNet
from likeness.research.visualization import Chain, Channel, Fourier, Jitter, Rotate, Zoom
from likeness.research.weights import Pretrained

UNITS = (
    ("fire2/expand3x3", (5, 20, 35, 50)),
    ("fire4/expand3x3", (10, 40, 70, 100)),
    ("fire6/expand3x3", (20, 60, 100, 140)),
    ("fire8/expand3x3", (30, 90, 150, 210)),
)


def get_config() -> Run:
    return Run(
        experiment=Synthesis(
            encoder=FrozenEncoder(encoder=SqueezeNet(), weights=Pretrained(name="squeezenet11")),
            objectives=tuple(Channel(layer=layer, channel=channel) for layer, channels in UNITS for channel in channels),
            size=128,
            parametrization=Fourier(),
            transforms=Chain(transforms=(Jitter(pixels=8), Zoom(share=0.1), Rotate(degrees=10.0), Jitter(pixels=4))),
        ),
        steps=120,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=0.05, final=0.1)),
        log_every=20,
        evaluate_every=60,
        checkpoints=Checkpoints(every=60),
    )
