"""Photographs of people you know, with a published encoder: in each the face is found and aligned, and only τ is calibrated.

The folder has a folder for each person, with photographs as they are: nothing is cropped by hand. MobileFaceNet's published
weights are used as they are (0 steps); twelve people picked by a hash of their names set the threshold, and six others evaluate
it. Then `verify`, `enroll` and `identify` answer for photographs. `likeness weights list` says how to get both sets of weights.

    likeness train recognition/faces --experiment.data.path PEOPLE
    likeness verify a.jpg b.jpg --model runs/recognition/faces

To let the encoder learn from your people, if they are some hundreds, there is ``recognition/fine_tuned``.
"""

import dataclasses

from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.recognition.published import published
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data import Augmentation


def get_config() -> Run:
    return Run(
        # The weights as they are, twelve people for the threshold and six for the test, by the cosine of embeddings.
        experiment=dataclasses.replace(published("mobilefacenet").experiment(), augmentation=Augmentation(mirror=0.5)),
        steps=0,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=1e-4, warmup_share=0.2), weight_decay=1e-4),
        evaluate_every=100,
        checkpoints=Checkpoints(every=100),
    )
