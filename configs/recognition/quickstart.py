"""The demo: learns to tell procedural faces apart, from nothing, on an empty machine.

likeness train recognition/quickstart
"""

from experiments.optimizers import Adam
from experiments.recognition import Recognition
from experiments.run import Checkpoints, Run
from experiments.schedules import WarmupCosine
from experiments.subjects import RawPixels
from research.data import Faces, HashSplit, IdentityBatches
from research.encoders import Conv4
from research.losses import BatchAll, Triplet


def get_config() -> Run:
    return Run(
        experiment=Recognition(
            data=Faces(people=600, images=16, size=48, channels=3),
            split=HashSplit(validation=0.1, test=0.2),
            batches=IdentityBatches(people=16, images=4),
            encoder=Conv4(width=32, dimension=128),
            loss=Triplet(margin=0.2, rule=BatchAll(), reduction="mean_active"),
            baselines=(RawPixels(),),
        ),
        steps=250,
        optimizer=Adam(schedule=WarmupCosine(rate=2e-3, warmup=30)),
        evaluate_every=125,
        checkpoints=Checkpoints(every=125, best_metric="verification/eer"),
    )
