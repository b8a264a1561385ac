"""Digits, in a few steps: a config that processes of their own are launched with, and told by flags what else they need."""

from likeness.experiments.recognition import Recognition
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data import Augmentation, CountSplit, Digits, IdentityBatches
from likeness.research.encoders import Conv4
from likeness.research.losses import BatchHard, Triplet


def get_config() -> Run:
    return Run(
        experiment=Recognition(
            data=Digits(scale=2),
            split=CountSplit(validation=2, test=2),
            batches=IdentityBatches(people=4, images=4),
            augmentation=Augmentation(rotate=10.0, erase=0.5),
            encoder=Conv4(width=4, dimension=8),
            loss=Triplet(rule=BatchHard(), reduction="mean"),
            test=(),
        ),
        steps=10,
        ema_decay=0.9,
        log_every=1,
        checkpoints=Checkpoints(every=5),
    )
