"""Procedural faces in less than a minute: the run that the notebooks look at.

Each of them trains it where it is not trained yet, and finds it where it is.

    likeness train notebooks/small_faces.py
"""

from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.recognition import Recognition
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data import Faces, HashSplit, IdentityBatches
from likeness.research.encoders import Conv4
from likeness.research.losses import BatchAll, Triplet


def get_config() -> Run:
    return Run(
        experiment=Recognition(
            data=Faces(people=500, images=6, size=40),
            split=HashSplit(validation=0.1, test=0.1),
            batches=IdentityBatches(people=16, images=4),
            encoder=Conv4(width=16, dimension=64),
            loss=Triplet(margin=0.2, rule=BatchAll(), reduction="mean_active"),
        ),
        steps=90,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=3e-3, warmup_share=2 / 9)),
        log_every=5,
        evaluate_every=30,
        checkpoints=Checkpoints(every=30),
    )
