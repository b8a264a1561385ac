"""What the units of a face encoder look for, with nothing to download.

It wants the run whose encoder it looks into (``likeness train recognition/quickstart``), and makes images of the 48 pixels
that this was trained on.

    likeness train visualization/faces
"""

from likeness.experiments.frozen import FromRun, FrozenEncoder
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.visualization import Synthesis
from likeness.research.encoders import Conv4
from likeness.research.visualization import Chain, Channel, Fourier, Jitter, Rotate, Zoom


def get_config() -> Run:
    return Run(
        experiment=Synthesis(
            encoder=FrozenEncoder(
                encoder=Conv4(width=32, dimension=128), weights=FromRun(workdir="runs/recognition/quickstart")
            ),
            objectives=tuple(
                Channel(layer=layer, channel=channel)
                for layer in ("conv1", "conv2", "conv3", "conv4")
                for channel in (0, 10, 21, 31)
            ),
            size=48,
            parametrization=Fourier(),
            transforms=Chain(transforms=(Jitter(pixels=2), Zoom(share=0.1), Rotate(degrees=5.0))),
        ),
        steps=120,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=0.05, final=0.1)),
        log_every=20,
        evaluate_every=60,
        checkpoints=Checkpoints(every=60),
    )
