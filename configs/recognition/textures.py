"""Which texture is it? A small network learns it from drawn textures alone, and with it what strokes, weaves and scales are.

About 4,500 textures to learn from, in families of five: a pattern, the same in other colors, at another size, in another
direction, and with or without grain. A batch holds ten families, so each texture meets those that are hardest to tell from it.
Evaluated on 405 textures of families that it has never seen, by other pieces in other light (seed 0):

    EER      1.92 % [1.3, 2.7]     raw pixels 30.74 % [28.5, 33.0]
    rank 1  85.0 % [80.2, 89.1]     raw pixels  8.7 % [6.1, 11.9]

Half an hour on two shared cores. What is learned is a VGG of 692,928 parameters whose statistics tell textures apart, which is
what losses of style compare; it comes with Likeness as the weights ``textures``, by which images are painted where nothing is
downloaded:

    likeness train recognition/textures
    python -m likeness.experiments.benchmarks.own_weights runs/recognition/textures
"""

from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.recognition import Recognition
from likeness.experiments.recognition.embedders import RawPixels
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data import Augmentation, HashSplit, IdentityBatches, Textures
from likeness.research.encoders import TextureEmbedding, Vgg
from likeness.research.losses import NTXent


def get_config() -> Run:
    return Run(
        experiment=Recognition(
            data=Textures(families=1000, images=4, size=64, largest=48.0),
            split=HashSplit(validation=0.02, test=0.08, whole="groups"),
            batches=IdentityBatches(people=50, images=2, within_group=1.0, groups=10),
            augmentation=Augmentation(brightness=0.03, contrast=0.1),
            encoder=TextureEmbedding(
                encoder=Vgg(
                    convolutions=(2, 2, 3, 3), widths=(32, 64, 96, 128), pooling="average", preprocessing="torchvision"
                ),
                layers=("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
            ),
            loss=NTXent(temperature=0.1),
            baselines=(RawPixels(),),
        ),
        steps=1600,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=2e-3, warmup_share=0.04)),
        ema_decay=0.995,
        log_every=50,
        evaluate_every=400,
        checkpoints=Checkpoints(every=250),
    )
