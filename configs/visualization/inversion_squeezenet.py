"""What the layers of SqueezeNet 1.1, trained on ImageNet, still know of a photograph.

It wants the weights of SqueezeNet's authors (``likeness weights fetch squeezenet11``, or ``likeness weights import FILE``).

    likeness train visualization/inversion_squeezenet
"""

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.visualization import Inversion
from likeness.research.encoders import SqueezeNet
from likeness.research.images.sources import Photograph
from likeness.research.visualization import Fourier
from likeness.research.weights import Pretrained


def get_config() -> Run:
    return Run(
        experiment=Inversion(
            image=Photograph(name="china"),
            encoder=FrozenEncoder(encoder=SqueezeNet(), weights=Pretrained(name="squeezenet11")),
            layers=("relu_conv1", "fire3/concat", "fire5/concat", "fire7/concat", "fire9/concat"),
            size=192,
            variation=(0.1, 0.2, 0.5, 1.0, 2.0),
            parametrization=Fourier(),
        ),
        steps=200,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=0.1, final=0.05)),
        log_every=20,
        evaluate_every=100,
        checkpoints=Checkpoints(every=100),
    )
