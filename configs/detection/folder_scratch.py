"""Your own annotated images without anybody's weights: as ``detection/folder``, but the network starts from random ones.

It needs no file but yours, learns for twice as long, and finds less where images are few.

    likeness train detection/folder_scratch --experiment.data.path FOLDER
"""

from likeness.experiments.detection import ObjectDetection
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data.detection import DetectionAugmentation, DetectionFolder
from likeness.research.detectors.heads import AnchorFreeHead
from likeness.research.encoders import FeaturePyramid


def get_config() -> Run:
    return Run(
        experiment=ObjectDetection(
            data=DetectionFolder(path="$LIKENESS_DATA/annotated"),
            size=(320, 320),
            encoder=FeaturePyramid(),
            head=AnchorFreeHead(maps=("pyramid8", "pyramid16", "pyramid32"), width=96),
            augmentation=DetectionAugmentation(scale=(0.6, 1.4), mosaic=0.3, brightness=0.3, contrast=0.3, saturation=0.3),
            batch=8,
        ),
        steps=3000,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=2e-3, warmup_share=0.05), weight_decay=0.02, clip_norm=10.0),
        ema_decay=0.998,
        evaluate_every=1000,
        checkpoints=Checkpoints(every=1000, best_metric="detection/ap", mode="max"),
    )
