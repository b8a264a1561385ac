"""Faster R-CNN on drawn shapes: a network proposes regions, and a head looks at them one by one, on the same map.

likeness train detection/rcnn_shapes
"""

from likeness.experiments.detection import ObjectDetection
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data.detection import DetectionAugmentation, Shapes
from likeness.research.detectors.roi_head import CropFeatures, RoiHead, Segmented
from likeness.research.encoders import PatchPyramid
from likeness.research.geometry import SelectiveSearch


def get_config() -> Run:
    return Run(
        experiment=ObjectDetection(
            data=Shapes(train=4000, validation=500, test=1000),
            size=(64, 64),
            encoder=PatchPyramid(widths=(48, 96), blocks=(0, 3), pyramid_width=48),
            head=RoiHead(
                proposals=Segmented(search=SelectiveSearch(colors=("rgb",), scales=(100.0,), limit=32)),
                features=CropFeatures(side=32),
            ),
            augmentation=DetectionAugmentation(mirror=0.5, quarter_turns=0.75, hue=180.0, brightness=0.2, contrast=0.2),
            batch=32,
        ),
        steps=3000,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=2e-3, warmup_share=0.05), weight_decay=0.02, clip_norm=10.0),
        ema_decay=0.998,
        evaluate_every=1500,
        checkpoints=Checkpoints(every=1500, best_metric="detection/ap", mode="max"),
    )
