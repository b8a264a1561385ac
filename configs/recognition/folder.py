"""Your own pictures: a folder that has a folder for each person.

Faces should be cropped alike (the same margin around the face, upright); people with one picture are left out of training,
and the count is printed. A hash of the person's name decides who trains, who decides and who tests, so adding people later
moves nobody. What to expect depends on the pictures: the table printed at the end has raw pixels and eigenfaces beside the
trained network, and a few dozen people need not be enough to beat them (see recognition/orl_triplet, which has 26).

    likeness train recognition/folder --experiment.data.path PEOPLE
    likeness enroll folder PEOPLE --workdir runs/recognition/folder
    likeness identify somebody.jpg --workdir runs/recognition/folder
"""

from experiments.optimizers import Adam
from experiments.recognition import Recognition
from experiments.run import Checkpoints, Run
from experiments.schedules import WarmupCosine
from experiments.subjects import Eigenfaces, RawPixels
from research.data import Augmentation, Folder, HashSplit, IdentityBatches
from research.encoders import Conv4
from research.losses import BatchAll, Triplet


def get_config() -> Run:
    return Run(
        experiment=Recognition(
            data=Folder(path="$LIKENESS_DATA/people", size=64, channels=3),
            split=HashSplit(validation=0.15, test=0.25),
            batches=IdentityBatches(people=12, images=4, single="drop"),
            augmentation=Augmentation(rotate=10.0, scale=(0.9, 1.1), translate=0.05, mirror=0.5, brightness=0.2, contrast=0.2),
            encoder=Conv4(width=64, dimension=128),
            loss=Triplet(margin=0.2, rule=BatchAll(), reduction="mean_active"),
            baselines=(RawPixels(), Eigenfaces()),
        ),
        steps=2000,
        optimizer=Adam(schedule=WarmupCosine(rate=1e-3, warmup=100), weight_decay=1e-4),
        ema_decay=0.999,
        evaluate_every=500,
        checkpoints=Checkpoints(every=500),
    )
