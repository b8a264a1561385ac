"""Omniglot's official one-shot test: 20 characters of an unknown alphabet, one drawing of each; which is this?

likeness train recognition/omniglot
"""

from experiments.optimizers import Adam
from experiments.protocols import OfficialOmniglot, OneShot
from experiments.recognition import Recognition
from experiments.run import Checkpoints, Run
from experiments.schedules import WarmupCosine
from experiments.subjects import RawPixels
from research.data import Augmentation, CountSplit, IdentityBatches, Omniglot, OmniglotRuns
from research.encoders import Conv4
from research.losses import Prototypical


def get_config() -> Run:
    return Run(
        experiment=Recognition(
            data=Omniglot(size=28, rotations=True),
            split=CountSplit(validation=100, test=0),
            batches=IdentityBatches(people=20, images=6, within_group=0.5),
            augmentation=Augmentation(rotate=15.0, scale=(0.8, 1.2), shear=15.0, translate=0.1, border="constant", fill=0.0),
            encoder=Conv4(width=64, head="flatten", normalize=False),
            loss=Prototypical(),
            validation=(OneShot(ways=20, trials=400),),
            test=(OfficialOmniglot(runs=OmniglotRuns(size=28)),),
            baselines=(RawPixels(),),
        ),
        steps=4000,
        optimizer=Adam(schedule=WarmupCosine(rate=2e-3, warmup=200)),
        ema_decay=0.999,
        log_every=100,
        evaluate_every=2000,
        checkpoints=Checkpoints(every=2000),
    )
