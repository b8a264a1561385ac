"""Handwritten digits as people: six to train on, two that decide, two never seen.

The smallest real images there are without a download (scikit-learn's copy of the UCI digits, 8x8 gray), for trying an idea
in seconds. With ten classes the numbers say that the machinery works, not how good a face recognizer is.

    likeness train recognition/digits
"""

from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.recognition import Recognition
from likeness.experiments.recognition.embedders import RawPixels
from likeness.experiments.recognition.protocols import Verification
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data import CountSplit, Digits, IdentityBatches
from likeness.research.encoders import Conv4
from likeness.research.losses import BatchAll, Triplet


def get_config() -> Run:
    return Run(
        experiment=Recognition(
            data=Digits(scale=2),
            split=CountSplit(validation=2, test=2),
            batches=IdentityBatches(people=6, images=8),
            encoder=Conv4(width=16, dimension=32),
            loss=Triplet(margin=0.2, rule=BatchAll(), reduction="mean_active"),
            test=(Verification(),),
            baselines=(RawPixels(),),
        ),
        steps=300,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=1e-3, warmup_share=1 / 15)),
        log_every=20,
        evaluate_every=100,
        checkpoints=Checkpoints(every=100, best_metric="verification/eer"),
    )
