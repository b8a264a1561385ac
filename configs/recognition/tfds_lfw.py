"""Labeled Faces in the Wild through TensorFlow Datasets: the same experiment, another source.

TFDS prepares the data once, on a machine with network; neither that nor reading it needs TensorFlow:

    python -c "import tensorflow_datasets as t; t.builder('lfw', file_format='array_record').download_and_prepare()"
    likeness train recognition/tfds_lfw

The test part is a share of the people by hash, not LFW's official 6,000 pairs. People with one image are left out of
training. No result was measured: this config shows that a TFDS builder takes the place of any other source, and its parts are
tested on an ArrayRecord data set that the tests write.
"""

from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.recognition import Recognition
from likeness.experiments.recognition.embedders import Eigenfaces, RawPixels
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data import Augmentation, HashSplit, IdentityBatches, Tfds
from likeness.research.encoders import iresnet18
from likeness.research.losses import BatchAll, Triplet


def get_config() -> Run:
    return Run(
        experiment=Recognition(
            data=Tfds(builder="lfw", size=112),
            split=HashSplit(validation=0.1, test=0.2),
            batches=IdentityBatches(people=32, images=4, single="drop"),
            augmentation=Augmentation(scale=(0.9, 1.1), translate=0.05, mirror=0.5, brightness=0.2, contrast=0.2),
            encoder=iresnet18(),
            loss=Triplet(margin=0.2, rule=BatchAll(), reduction="mean_active"),
            baselines=(RawPixels(), Eigenfaces()),
        ),
        steps=20_000,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=1e-3, warmup_share=0.025), weight_decay=1e-4),
        ema_decay=0.999,
        evaluate_every=2_000,
        checkpoints=Checkpoints(every=2_000),
    )
