"""Synthetic volumes like those of computed tomography, told apart by what is in them with convolutions over three axes.

4,000 volumes of 16×16×16 to learn from: with nothing in them, a solid nodule, a hollow one, or a vessel. On 1,000 others, with
95 % intervals (seed 0):

    accuracy    98.3 % [97.3, 98.9]    nearest mean 46.6 % [43.5, 49.7]    linear 50.8 % [47.7, 53.9]

It is the network of ``classification/ecg`` with ``spatial_dims=3``. The third dimension is needed: the same network of two
dimensions gets 53.8 % [50.7, 56.9] of the central slices (the second command). 63 seconds of processor time from launch to the
last figure, for two cores to share. The volumes are synthetic: the numbers say nothing of real patients. For volumes and films
of one's own: ``likeness.research.data.ExampleArrays``.

    likeness train classification/volumes
    likeness train classification/volumes --experiment.data.view "central slice" --experiment.encoder.spatial-dims 2
"""

from likeness.experiments.classification import Classification
from likeness.experiments.classification.classifiers import LinearClassifier, NearestMean
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data import Volumes
from likeness.research.encoders import Conv4
from likeness.research.losses import CrossEntropy


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
        optimizer=Adam(schedule=WarmupCosine(peak_lr=4e-3, warmup_share=1 / 22)),
        evaluate_every=220,
        checkpoints=Checkpoints(every=220, best_metric="classification/accuracy", mode="max"),
    )
