"""Your own pictures: a folder that has a folder for each person.

Faces should be cropped alike (the same margin around the face, upright). A hash of their names picks six people who set the
threshold and six who are only judged by; with many people give these more (--experiment.split.validation 50), and with fewer
than about twenty there is too little to learn from. People with one picture are left out of training, and counted.
What to expect depends on the pictures: the table printed at the end has raw pixels and eigenfaces beside the
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
from research.data import Augmentation, CountSplit, Folder, IdentityBatches
from research.encoders import Conv4
from research.losses import BatchAll, Triplet


def get_config() -> Run:
    return Run(
        experiment=Recognition(
            data=Folder(path="$LIKENESS_DATA/people", size=64, channels=3),
            split=CountSplit(validation=6, test=6),
            batches=IdentityBatches(people=8, images=4, single="drop"),
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
