"""Your own images: a folder that has a folder for each person.

Faces should be cropped alike (the same margin around the face, upright). A hash of their names picks six people who set the
threshold and six who are only evaluated by; with many people give these more (--experiment.split.validation 50), and with fewer
than about twenty there is too little to learn from. People with one image are left out of training, and counted.
What to expect depends on the images: the table printed at the end has raw pixels and eigenfaces beside the trained network.
On the 40 people of the ORL faces the network has an equal error rate of 6.73 % on 6 unseen ones, raw pixels 12.22 % and
eigenfaces 11.85 %, after 26 seconds of training on one core (`--experiment.data.path $LIKENESS_DATA/orl_faces`). The network is
a small one on oriented gradients, which learns from few people; with thousands, take convolutions as in recognition/quickstart.

    likeness train recognition/folder --experiment.data.path PEOPLE
    likeness enroll folder PEOPLE --model runs/recognition/folder
    likeness identify somebody.jpg --model runs/recognition/folder
"""

from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.recognition import Recognition
from likeness.experiments.recognition.embedders import Eigenfaces, RawPixels
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data import Augmentation, CountSplit, Folder, IdentityBatches
from likeness.research.encoders import HOG, FlipEmbedding
from likeness.research.losses import BatchAll, Triplet


def get_config() -> Run:
    return Run(
        experiment=Recognition(
            data=Folder(path="$LIKENESS_DATA/people", size=64, channels=1),
            split=CountSplit(validation=6, test=6),
            batches=IdentityBatches(people=8, images=4, single="drop"),
            augmentation=Augmentation(mirror=0.5, translate=0.03),
            encoder=FlipEmbedding(encoder=HOG(cell=8, dimension=512)),
            loss=Triplet(margin=1.0, rule=BatchAll(), reduction="mean_active"),
            baselines=(RawPixels(), Eigenfaces()),
        ),
        steps=300,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=1e-3, warmup_share=1 / 6), weight_decay=1e-4),
        evaluate_every=100,
        checkpoints=Checkpoints(every=100),
    )
