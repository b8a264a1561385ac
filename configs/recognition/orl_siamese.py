"""ORL faces, binary Siamese loss: a recognizer that loses to raw pixels, as an open problem to start from.

26 people to train on, 4 that set the threshold, 10 never seen. Equal error rate of verification over all pairs of the
ten (450 of the same person), by the same evaluator for all three:

    split seed        0        1        2     mean
    trained     15.73 %  18.00 %  16.02 %  16.58 %
    raw pixels   8.71 %   9.93 %  11.56 %  10.07 %
    eigenfaces   8.00 %  11.78 %  10.89 %  10.22 %

One training seed each. All but the loss is as in ``recognition/orl_triplet``. On split 10 a learning rate of 1e-2 for 150
steps, and embeddings that are not normalized, were both worse.

On one core shared with other programs a split took 26 to 35 s of user time and 58 to 81 s by the clock:

    likeness train recognition/orl_siamese --experiment.split.seed 0

The pictures (AT&T Laboratories Cambridge) are read from ``$LIKENESS_DATA/orl_faces``.
"""

from experiments.optimizers import Adam
from experiments.protocols import Identification, Verification
from experiments.recognition import Recognition
from experiments.run import Checkpoints, Run
from experiments.schedules import WarmupCosine
from experiments.subjects import Eigenfaces, RawPixels
from research.data import CountSplit, Folder, IdentityBatches
from research.data.augmentation import Augmentation
from research.encoders import Conv4, Mirrored
from research.losses import Siamese


def get_config() -> Run:
    return Run(
        experiment=Recognition(
            data=Folder(path="$LIKENESS_DATA/orl_faces", size=48, channels=1, fit="stretch"),
            split=CountSplit(validation=4, test=10),
            batches=IdentityBatches(people=13, images=4),
            # Random brightness, contrast and erasing were tried together, and made unseen people harder to tell apart.
            augmentation=Augmentation(rotate=10, scale=(0.93, 1.07), translate=0.06, mirror=0.5),
            encoder=Mirrored(encoder=Conv4(width=32, dimension=128)),
            loss=Siamese(),
            test=(Verification(), Identification(fpirs=(1e-1,))),
            baselines=(RawPixels(), Eigenfaces()),
        ),
        steps=100,
        optimizer=Adam(schedule=WarmupCosine(rate=2e-3, warmup=20), weight_decay=1e-4),
        log_every=10,
        checkpoints=Checkpoints(every=100),
    )
