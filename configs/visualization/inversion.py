"""What the layers of a network still know of a photograph, with nothing to download: a VGG of random filters.

From each layer an image of its own, beginning with noise. Random filters forget little: what is lost grows with the poolings
before the layer.

likeness train visualization/inversion
"""

from likeness.experiments.frozen import FrozenEncoder, Random
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.visualization import Inversion
from likeness.research.encoders import Vgg
from likeness.research.images.sources import Photograph
from likeness.research.visualization import Pixels


def get_config() -> Run:
    return Run(
        experiment=Inversion(
            image=Photograph(name="china"),
            encoder=FrozenEncoder(
                encoder=Vgg(
                    convolutions=(2, 2, 2, 2),
                    widths=(32, 64, 128, 256),
                    pooling="average",
                    padding="reflect",
                    preprocessing="torchvision",
                ),
                weights=Random(),
            ),
            layers=("relu1_2", "relu2_2", "relu3_2", "relu4_2"),
            size=160,
            variation=(0.1, 0.1, 0.2, 0.4),
            parametrization=Pixels(),
        ),
        steps=200,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=0.1, final=0.05)),
        log_every=20,
        evaluate_every=100,
        checkpoints=Checkpoints(every=100),
    )
