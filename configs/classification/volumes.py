"""Volumes like those of computed tomography, told apart by what is in them with convolutions over all three axes.

likeness train classification/volumes
"""

from experiments.classification import Classification
from experiments.classifiers import LinearClassifier, NearestMean
from experiments.optimizers import Adam
from experiments.run import Checkpoints, Run
from experiments.schedules import WarmupCosine
from research.data import Volumes
from research.encoders import Conv4
from research.losses import CrossEntropy


def get_config() -> Run:
    return Run(
        experiment=Classification(
            data=Volumes(),
            encoder=Conv4(spatial_dims=3, width=12, dimension=64, normalize=False),
            loss=CrossEntropy(smoothing=0.05),
            batch=32,
            baselines=(NearestMean(), LinearClassifier()),
        ),
        steps=440,
        optimizer=Adam(schedule=WarmupCosine(rate=4e-3, warmup=20)),
        evaluate_every=220,
        checkpoints=Checkpoints(every=220, best_metric="classification/accuracy", best_is="highest"),
    )
