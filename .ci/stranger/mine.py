"""Tells patterns apart."""

import os

from research.parts import Small, Wide

from likeness import data
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.recognition import Recognition
from likeness.experiments.recognition.protocols import Verification
from likeness.experiments.run import Run


def get_config() -> Run:
    return Run(
        experiment=Recognition(
            data=data.Folder(path=os.environ["PEOPLE"], size=16, channels=3),
            split=data.CountSplit(validation=6, test=4),
            batches=data.IdentityBatches(people=3, images=2),
            encoder=Small(features=8),
            loss=Wide(),
            validation=(),
            test=(Verification(fars=(0.1,)),),
            target_far=0.05,
        ),
        steps=4,
        optimizer=Adam(schedule=Constant(peak_lr=3e-3)),
        log_every=2,
    )
