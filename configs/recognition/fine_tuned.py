"""Photographs of people you know, learned from: MobileFaceNet's published weights, of which the later layers go on learning.

The folder has a folder for each person, with photographs as they are. The layers up to the third stage stay as they are, to the
bit, and cost no gradient; the later a layer, the more it moves: the fourth stage by a tenth of the learning rate, the fifth by
three tenths, what follows by the whole. Batch normalization keeps the statistics that the weights came with. Twelve people
picked by a hash of their names set the threshold, and six others evaluate.

    likeness train recognition/fine_tuned --experiment.data.path PEOPLE
    likeness report runs/recognition/faces runs/recognition/fine_tuned --out compared.html

The second line puts it beside ``recognition/faces``, which takes the same weights as they are: for few people those are hard to
improve on, and a network that is given some tens of people may get worse at telling strangers apart.
"""

import dataclasses

from likeness.experiments.optim.layer_rates import LayerRate
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.recognition.published import published
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data import Augmentation

FROZEN = (
    "conv1",
    "conv1_norm",
    "separable_depthwise",
    "separable_depthwise_norm",
    "separable_pointwise",
    "separable_pointwise_norm",
    *(f"stage1_{block}" for block in range(1, 6)),
    "stage2_1",
    *(f"stage3_{block}" for block in range(1, 7)),
)
SLOWER = {"stage4_1": 0.1, "stage5_1": 0.3, "stage5_2": 0.3}


def get_config() -> Run:
    # The mirror image's encoder holds the network as `encoder`, and the experiment its parameters beside the loss's.
    rates = {**dict.fromkeys(FROZEN, 0.0), **SLOWER}
    return Run(
        experiment=dataclasses.replace(published("mobilefacenet").experiment(), augmentation=Augmentation(mirror=0.5)),
        steps=200,
        optimizer=Adam(
            schedule=WarmupCosine(peak_lr=1e-4, warmup_share=0.2),
            weight_decay=1e-4,
            rates=tuple(LayerRate(part=f"encoder/encoder/{name}", times=times) for name, times in rates.items()),
        ),
        evaluate_every=100,
        checkpoints=Checkpoints(every=100),
    )
