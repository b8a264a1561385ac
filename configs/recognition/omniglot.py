"""Omniglot's official one-shot test: 20 characters of an unknown alphabet, one drawing of each; which is this?

Conv-4 at 28 pixels learns from the 30 background alphabets, with random affine changes and each character also turned by 90,
180 and 270 degrees; half of its batches are drawn within one alphabet. It is judged by the official 400 trials (20 runs of 20)
of Lake et al. 2015. Error, with Wilson's 95 % interval:

    seed 0       10.75 % [8.1, 14.2]     27 minutes on one core, shared at times
    raw pixels   79.25 % [75.0, 82.9]

That is not yet the 8.0 % of the Siamese network of Koch et al. 2015; people err in 4.5 %. With 4,500 steps, learning rate 1e-3
and without the turned characters it was 10.25 % [7.6, 13.6] (seed 0), so on these trials the two cannot be told apart.

    likeness train recognition/omniglot

The official zips are read from ``$LIKENESS_DATA/omniglot``.
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
