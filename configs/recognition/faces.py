"""Photographs of people you know, with a published encoder: in each the face is found and aligned, and only τ is calibrated.

The folder has a folder for each person, with photographs as they are: nothing is cropped by hand. MobileFaceNet's published
weights are used as they are (0 steps); twelve people picked by a hash of their names set the threshold, and six others evaluate
it. Then `verify`, `enroll` and `identify` answer for photographs. `likeness weights list` says how to get both sets of weights.

    likeness train recognition/faces --experiment.data.path PEOPLE
    likeness verify a.jpg b.jpg --model runs/recognition/faces

To let the encoder learn from your people, if they are some hundreds: `--steps 300`.
"""

from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.recognition import Recognition
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data import Augmentation, CountSplit, IdentityBatches
from likeness.research.distances import Cosine
from likeness.research.encoders import FlipEmbedding, MobileFaceNet
from likeness.research.faces import FaceFolder
from likeness.research.losses import Triplet
from likeness.research.weights import Pretrained


def get_config() -> Run:
    return Run(
        experiment=Recognition(
            data=FaceFolder(path="$LIKENESS_DATA/people"),
            split=CountSplit(validation=12, test=6),
            batches=IdentityBatches(people=4, images=4, single="drop"),
            augmentation=Augmentation(mirror=0.5),
            encoder=FlipEmbedding(encoder=MobileFaceNet()),
            weights=Pretrained(name="mobilefacenet"),
            statistics="kept",
            distance=Cosine(),
            loss=Triplet(),
        ),
        steps=0,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=1e-4, warmup_share=0.2), weight_decay=1e-4),
        evaluate_every=100,
        checkpoints=Checkpoints(every=100),
    )
