"""Heartbeats: synthetic electrocardiograms, told apart by rhythm with convolutions over time.

likeness train classification/ecg
"""

from experiments.classification import Classification
from experiments.classifiers import LinearClassifier, NearestMean
from experiments.optimizers import Adam
from experiments.run import Checkpoints, Run
from experiments.schedules import WarmupCosine
from research.data import Ecg
from research.encoders import Conv4
from research.losses import CrossEntropy


def get_config() -> Run:
    return Run(
        experiment=Classification(
            data=Ecg(),
            encoder=Conv4(spatial_dims=1, width=32, dimension=64, normalize=False),
            loss=CrossEntropy(smoothing=0.05),
            batch=64,
            baselines=(NearestMean(), LinearClassifier()),
        ),
        steps=600,
        optimizer=Adam(schedule=WarmupCosine(rate=2e-3, warmup=20)),
        evaluate_every=300,
        checkpoints=Checkpoints(every=300, best_metric="classification/accuracy", best_is="highest"),
    )
